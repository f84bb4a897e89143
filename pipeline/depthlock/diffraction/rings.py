"""Rings of neighbouring reflections: one position and width for all azimuths, intensity azimuth by azimuth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from depthlock.diffraction.cells import LEVELS, SHAPE, Cells, Strengths, ring_shapes
from depthlock.diffraction.regroup import Regrouped

DETECTED = 5.0
"""Standard deviations of its counts from which a reflection has a position and a width."""

TURNS = 3
"""Fits; each takes the counts' variances, and what is seen of the rings, from the one before."""

WIDTHS = (0.015, 0.05)
"""Relative widths to start from."""

OVAL = 0.003
"""Relative scatter of a ring's scattering vector over azimuth from which it is not round."""

UNEVEN = 3.0
"""Chi-square an azimuth from which the scatter is not one of counting."""

LEAST_SECTORS = 6
"""Azimuths needed to tell."""

HALO = 3.0
"""Standard deviation in 1/nm of the narrowest amorphous halo: its atoms are ordered over about a nanometre."""


@dataclass(frozen=True)
class Rings:
    """Neighbouring reflections on one smooth background.

    Attributes
    ----------
    position, position_std, width, width_std : ndarray, shape (n,)
        Scattering vector and FWHM in 1/nm; expected position and NaN errors where not detected.
    counts, counts_std : ndarray, shape (n,)
        Counts above the background, all azimuths together.
    detected : ndarray of bool, shape (n,)
    azimuth : ndarray, shape (n, n_azimuth)
        Mean azimuth in degree of the pixels on each ring; the bin's centre where there are none.
    intensity : ndarray, shape (n, n_azimuth)
        Corrected counts a pixel times 1/nm, integrated over the ring's width; NaN where pixels do not cover the ring.
    covariance : ndarray, shape (n_azimuth, n, n)
        Poisson covariance of the intensities, for the shapes that were found.
    shape_slopes : ndarray, shape (n_shapes, n, n_azimuth)
        Change of the intensities with each shape parameter, which all azimuths share.
    shape_covariance : ndarray, shape (n_shapes, n_shapes)
    """

    position: NDArray[np.float64]
    position_std: NDArray[np.float64]
    width: NDArray[np.float64]
    width_std: NDArray[np.float64]
    counts: NDArray[np.float64]
    counts_std: NDArray[np.float64]
    detected: NDArray[np.bool_]
    azimuth: NDArray[np.float64]
    intensity: NDArray[np.float64]
    covariance: NDArray[np.float64]
    shape_slopes: NDArray[np.float64]
    shape_covariance: NDArray[np.float64]


def fit_rings(data: Regrouped, expected: NDArray[np.float64], search: float) -> Rings:
    """Fit the reflections of one window.

    Parameters
    ----------
    data : Regrouped
        The window: all its scattering vectors, all azimuths.
    expected : ndarray, shape (n,)
        Expected scattering vectors in 1/nm.
    search : float
        Relative distance from them in which the rings are looked for.

    Returns
    -------
    Rings
        Pseudo-Voigt rings on a parabola, which the amorphous halo is over a window. The shapes minimise chi-square over
        all bins, with intensities, level and slope of the background free at every azimuth (variable projection: Golub
        & Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)) and variances from the model: neither how a ring's intensity is
        spread over azimuth nor low counts bias them.
    """
    cells = Cells(data, expected.size)
    shape = _started(cells, expected, search)
    free = np.ones(shape.size, dtype=bool)
    detected = np.ones(expected.size, dtype=bool)
    for turn in range(TURNS):
        cells.cover(shape)
        shape = _fitted(cells, shape, free, expected, search).x
        found = cells.strengths(shape)
        if turn + 1 < TURNS:
            cells.weigh(shape, found)
        detected = _detected(cells, found, shape)
        shape, free = _with_undetected_held(shape, detected, expected)
    found = cells.strengths(shape)
    free &= _off_bounds(shape, expected, search)
    slopes, covariance = _shape_errors(cells, found, shape, free, expected)
    excess = _excess(cells, found)
    std = np.full(shape.size, np.nan)
    std[free] = np.sqrt(np.diag(covariance))
    detected &= free[1::SHAPE]
    counts, totals = _counts(cells, found, shape)
    shared = np.einsum("sak,ak->sk", slopes[:, :, LEVELS:], totals)
    own = excess * np.einsum("akk,ak->k", found.covariance[:, LEVELS:, LEVELS:], totals**2)
    unseen = ~(cells.covered & cells.used[:, None]).T
    return Rings(
        position=shape[1::SHAPE],
        position_std=np.where(detected, std[1::SHAPE], np.nan),
        width=np.where(detected, shape[2::SHAPE], np.nan),
        width_std=np.where(detected, std[2::SHAPE], np.nan),
        counts=counts,
        counts_std=np.sqrt(own + np.einsum("sk,st,tk->k", shared, covariance, shared)),
        detected=detected,
        azimuth=cells.mean_azimuth(shape),
        intensity=np.where(unseen, np.nan, found.value[:, LEVELS:].T),
        covariance=np.where(cells.used[:, None, None], excess * found.covariance[:, LEVELS:, LEVELS:], np.nan),
        shape_slopes=np.where(unseen, 0.0, slopes[:, :, LEVELS:].transpose(0, 2, 1)),
        shape_covariance=covariance,
    )


def out_of_round(data: Regrouped, rings: Rings, search: float) -> NDArray[np.bool_]:
    """Whether the rings' scattering vector depends on the azimuth, as with a wrong centre, tilt or distance.

    Parameters
    ----------
    data : Regrouped
        The window that `rings` were found in, with both sides apart.
    rings : Rings
    search : float
        As in :func:`fit_rings`.

    Returns
    -------
    ndarray of bool, shape (n,)
        Where the positions at the azimuths, each fitted by itself in linear approximation, scatter by more than OVAL,
        and by more than their errors allow.
    """
    told = np.zeros(rings.position.size, dtype=bool)
    cells = Cells(data, told.size)
    shape = np.zeros(1 + SHAPE * told.size)
    shape[1::SHAPE], shape[2::SHAPE] = rings.position, np.where(rings.detected, rings.width, 0.05 * rings.position)
    cells.cover(shape)
    if not cells.used.any():
        return told
    cells.weigh(shape, cells.strengths(shape))
    for k in np.flatnonzero(rings.detected):
        shift, std = cells.shifts(shape, int(k))
        known = np.isfinite(shift) & (np.abs(shift) < search * rings.position[k])
        if known.sum() < LEAST_SECTORS:
            continue
        weight = std[known] ** -2.0
        away = shift[known] - weight @ shift[known] / weight.sum()
        # Every azimuth counts alike: a textured ring would be judged where it is bright alone.
        beyond = np.sqrt(max(float(np.mean(away**2 - std[known] ** 2)), 0.0))
        told[k] = beyond > OVAL * rings.position[k] and weight @ away**2 > UNEVEN * known.sum()
    return told


def _started(cells: Cells, expected: NDArray[np.float64], search: float) -> NDArray[np.float64]:
    """Shapes to start from: the highest places near the expected ones, and the better of two widths."""
    tries = []
    for width in WIDTHS:
        shape = [0.0]
        for at in expected:
            near = np.abs(cells.q - at) <= search * at
            peak = float(cells.q[near][np.argmax(cells.mean_rate[near])]) if near.any() else float(at)
            shape += [peak, width * at, 0.2]
        start = np.array(shape)
        cells.cover(start)
        fit = _fitted(cells, start, np.ones(start.size, dtype=bool), expected, search)
        tries.append((float(fit.cost), fit.x))
    return np.asarray(min(tries, key=lambda one: one[0])[1])


def _bounds(expected: NDArray[np.float64], search: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = [-0.9], [5.0]
    for at in expected:
        low += [at * (1.0 - search), 0.003 * at, 0.0]
        high += [at * (1.0 + search), 0.15 * at, 1.0]
    return np.array(low), np.array(high)


def _fitted(
    cells: Cells, shape: NDArray[np.float64], free: NDArray[np.bool_], expected: NDArray[np.float64], search: float
) -> Any:
    """Least squares over the free shape parameters; `x` holds all of them."""
    low, high = _bounds(expected, search)
    inside = np.clip(shape, low + 1e-9, high - 1e-9)

    def residuals(own: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = inside.copy()
        whole[free] = own
        return _residuals(cells, cells.strengths(whole), whole)

    steps = _steps(expected)[free]
    fit = least_squares(
        residuals, inside[free], bounds=(low[free], high[free]), x_scale=100.0 * steps, max_nfev=60, xtol=1e-7
    )
    inside[free] = fit.x
    fit.x = inside
    return fit


def _steps(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Small changes of the shape parameters."""
    return np.array([1e-3] + [step for at in expected for step in (1e-5 * at, 1e-4 * at, 1e-3)])


def _residuals(cells: Cells, found: Strengths, shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all bins, and of the curvature from what backgrounds have."""
    return np.append(found.residual.ravel(), shape[0] / _usual_curvature(cells.q))


def _usual_curvature(q: NDArray[np.float64]) -> float:
    """Curvature over level that a background may well have: that of an amorphous halo, and of a tail with q^-2."""
    half = 0.5 * (q[-1] - q[0])
    return float(0.5 * (half / HALO) ** 2 + 3.0 * (half / q.mean()) ** 2)


def _excess(cells: Cells, found: Strengths) -> float:
    """Chi-square over its expectation, at least one: structure that the model lacks widens the errors."""
    inside = cells.used[:, None] & (cells.exposure > 0)
    taken = int(cells.used.sum()) * LEVELS + int((cells.covered & cells.used[:, None]).sum())
    return max(1.0, float((found.residual**2).sum()) / max(int(inside.sum()) - taken, 1))


def _counts(
    cells: Cells, found: Strengths, shape: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of every ring, and counts for an intensity of one at each azimuth, shape (n_azimuth, n)."""
    totals = np.where(cells.covered & cells.used[:, None], cells.exposure @ ring_shapes(shape, cells.q).T, 0.0)
    return np.asarray((totals * found.value[:, LEVELS:]).sum(axis=0)), totals


def _detected(cells: Cells, found: Strengths, shape: NDArray[np.float64]) -> NDArray[np.bool_]:
    counts, totals = _counts(cells, found, shape)
    variance = np.einsum("akk,ak->k", found.covariance[:, LEVELS:, LEVELS:], totals**2) * _excess(cells, found)
    return np.asarray(counts > DETECTED * np.sqrt(np.maximum(variance, 1e-300)))


def _with_undetected_held(
    shape: NDArray[np.float64], detected: NDArray[np.bool_], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rings that are not detected at their expected place, as wide as the others; and what is left to be fitted."""
    shape = shape.copy()
    widths = shape[2::SHAPE][detected]
    typical = float(np.median(widths)) if widths.size else 0.05 * float(expected.mean())
    free = np.ones(shape.size, dtype=bool)
    for k in np.flatnonzero(~detected):
        own = slice(1 + SHAPE * k, 1 + SHAPE * (k + 1))
        shape[own], free[own] = (expected[k], typical, 0.2), False
    return shape, free


def _off_bounds(shape: NDArray[np.float64], expected: NDArray[np.float64], search: float) -> NDArray[np.bool_]:
    low, high = _bounds(expected, search)
    room = 1e-4 * (high - low)
    return np.asarray((shape > low + room) & (shape < high - room))


def _shape_errors(
    cells: Cells, found: Strengths, shape: NDArray[np.float64], free: NDArray[np.bool_], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Change of all strengths with the free shape parameters (n_free, n_azimuth, 2 + n), and their covariance."""
    steps = _steps(expected)
    residuals, slopes = [], []
    for number in np.flatnonzero(free):
        moved = [shape.copy(), shape.copy()]
        moved[0][number] += steps[number]
        moved[1][number] -= steps[number]
        up, down = (cells.strengths(one) for one in moved)
        residuals.append((_residuals(cells, up, moved[0]) - _residuals(cells, down, moved[1])) / (2.0 * steps[number]))
        slopes.append((up.value - down.value) / (2.0 * steps[number]))
    jacobian = np.stack(residuals, axis=1)
    scale = np.sqrt(np.maximum((jacobian**2).sum(axis=0), 1e-300))
    covariance = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale), rcond=1e-12, hermitian=True)
    return np.stack(slopes), np.asarray(covariance * _excess(cells, found) / np.outer(scale, scale))

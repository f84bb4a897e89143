"""Rings of neighbouring reflections: position and width from all azimuths together, intensity azimuth by azimuth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.optimize import least_squares
from scipy.special import xlogy

from depthlock.diffraction.regroup import Regrouped

DETECTED = 5.0
"""Standard deviations of its counts from which a reflection has a position and a width."""

COVERED = 0.5
"""Share of a ring's shape that pixels must cover at an azimuth; near the beam some bins hold no pixel."""

BINS_PER_PIXEL = 3
"""Bins of scattering vector in the width of a pixel: none is averaged over; bins without pixels carry no weight."""

TURNS = 3
"""Common fits; each takes the rings' spread over azimuth from the one before."""

LEAST_BINS = 8
"""Bins with pixels that an azimuth needs."""

_TINY = 1e-9
_OWN = 4
"""Parameters of one ring: area, position, FWHM, Lorentzian share; two of the background go before."""


@dataclass(frozen=True)
class Rings:
    """Neighbouring reflections on one linear background.

    Attributes
    ----------
    position, position_std, width, width_std : ndarray, shape (n,)
        Scattering vector and FWHM in 1/nm; expected position and NaN errors where not detected.
    counts, counts_std : ndarray, shape (n,)
        Counts above the background, all azimuths together.
    detected : ndarray of bool, shape (n,)
    shape_error : ndarray, shape (n,)
        Relative error of all of a ring's intensities that comes from its width and shape.
    azimuth : ndarray, shape (n, n_azimuth)
        Mean azimuth in degree of the pixels on each ring; the bin's centre where there are none.
    intensity : ndarray, shape (n, n_azimuth)
        Corrected counts a pixel times 1/nm, integrated over the ring's width; NaN where pixels do not cover the ring.
    covariance : ndarray, shape (n_azimuth, n, n)
        Poisson covariance of the intensities.
    """

    position: NDArray[np.float64]
    position_std: NDArray[np.float64]
    width: NDArray[np.float64]
    width_std: NDArray[np.float64]
    counts: NDArray[np.float64]
    counts_std: NDArray[np.float64]
    detected: NDArray[np.bool_]
    shape_error: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    intensity: NDArray[np.float64]
    covariance: NDArray[np.float64]


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
        Positions maximise the Poisson likelihood of the counts summed over azimuth, with pseudo-Voigt rings on a linear
        background. Intensities at each azimuth are linear in the counts, with the shapes held and weights from the
        common fit, and so have no bias at low counts.
    """
    seen = data.exposure.sum(axis=0) > 0
    q, total = data.q[seen], data.exposure.sum(axis=0)[seen]
    n = expected.size
    counts, exposure = data.counts.sum(axis=0)[seen], np.tile(total, (n + 1, 1))
    for turn in range(TURNS):
        parameters = _likeliest(q, counts, exposure, expected, search)
        if turn + 1 < TURNS:
            shapes = np.stack([_shape(parameters[_own(k)], q) for k in range(n)])
            level, intensity, _ = _by_azimuth(data, seen, shapes, _expected(parameters, q, exposure) / total)
            counts, exposure = _weighted(data, seen, level, intensity, (counts, exposure))
    model = _expected(parameters, q, exposure)
    slopes = _slopes(parameters, q, exposure)
    free = _free(parameters, expected, search)
    covariance = _inverse(slopes[:, free].T @ (slopes[:, free] / model[:, None]))
    # Structure that the model lacks shows as deviance; it widens the errors.
    excess = max(1.0, _deviance(counts, model) @ _deviance(counts, model) / max(q.size - int(free.sum()), 1))
    covariance *= excess
    std = np.full(parameters.size, np.nan)
    std[free] = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    linear = np.zeros(parameters.size, dtype=bool)
    linear[:2] = True
    linear[2::_OWN] = True
    held = excess * _inverse(slopes[:, linear].T @ (slopes[:, linear] / model[:, None]))
    area, area_std = parameters[2::_OWN], std[2::_OWN]
    detected = (area > DETECTED * area_std) & free[3::_OWN]
    shaped = np.clip(area_std**2 - np.diag(held)[2:], 0.0, None)
    shape_error = np.where(detected, np.sqrt(shaped) / np.maximum(area, _TINY), 0.0)
    known = parameters.copy()
    typical = float(np.median(known[4::_OWN][detected])) if detected.any() else 0.05 * float(expected.mean())
    known[3::_OWN] = np.where(detected, known[3::_OWN], expected)
    known[4::_OWN] = np.where(detected, known[4::_OWN], typical)
    shapes = np.stack([_shape(known[_own(k)], q) for k in range(n)])
    totals = (shapes * exposure[1:]).sum(axis=1)
    _, intensity, spread = _by_azimuth(data, seen, shapes, model / total)
    return Rings(
        position=known[3::_OWN],
        position_std=np.where(detected, std[3::_OWN], np.nan),
        width=np.where(detected, known[4::_OWN], np.nan),
        width_std=np.where(detected, std[4::_OWN], np.nan),
        counts=area * totals,
        counts_std=area_std * totals,
        detected=detected,
        shape_error=shape_error,
        azimuth=_mean_azimuth(data, seen, shapes),
        intensity=intensity,
        covariance=spread,
    )


def _own(number: int) -> slice:
    return slice(2 + _OWN * number, 2 + _OWN * (number + 1))


def _shape(own: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pseudo-Voigt of area one in q."""
    _, position, width, lorentzian = own
    x = (q - position) / (0.5 * width)
    gauss = np.sqrt(np.log(2.0) / np.pi) / (0.5 * width) * np.exp(-np.log(2.0) * x**2)
    return np.asarray((1.0 - lorentzian) * gauss + lorentzian / (np.pi * 0.5 * width * (1.0 + x**2)))


def _expected(
    parameters: NDArray[np.float64], q: NDArray[np.float64], exposure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Counts summed over azimuth; `exposure` (1 + n, n_q) is that of the background and of every ring."""
    middle, half = 0.5 * (q[0] + q[-1]), 0.5 * (q[-1] - q[0])
    total = exposure[0] * (parameters[0] + parameters[1] * (q - middle) / half)
    for k, own in enumerate(exposure[1:]):
        total = total + own * parameters[_own(k)][0] * _shape(parameters[_own(k)], q)
    return np.asarray(np.maximum(total, _TINY))


def _weighted(
    data: Regrouped, seen: NDArray[np.bool_], level: NDArray[np.float64], intensity: NDArray[np.float64],
    before: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Counts of the azimuths that cover all rings, and exposures weighted with each ring's own spread over azimuth.

    Pixels of a textured ring are not alike: where few stand in a bin of q, their azimuths decide on its counts.
    """
    rows = np.isfinite(intensity).all(axis=0) & np.isfinite(level)
    if not rows.any():
        return before
    exposure = data.exposure[np.ix_(rows, seen)]
    found = []
    for values in (level[rows], *intensity[:, rows]):
        weight = np.clip(values, 0.0, None)
        mean = float(weight @ exposure.sum(axis=1) / exposure.sum())
        found.append(weight @ exposure / mean if mean > 0 else exposure.sum(axis=0))
    return data.counts[np.ix_(rows, seen)].sum(axis=0), np.stack(found)


def _deviance(counts: NDArray[np.float64], model: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed roots whose squares add up to the Poisson deviance (McCullagh & Nelder 1989)."""
    squared = 2.0 * (model - counts + xlogy(counts, np.maximum(counts, _TINY) / model))
    return np.asarray(np.sign(counts - model) * np.sqrt(np.clip(squared, 0.0, None)))


def _bounds(expected: NDArray[np.float64], search: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = [0.0, -np.inf], [np.inf, np.inf]
    for at in expected:
        low += [0.0, at * (1.0 - search), 0.003 * at, 0.0]
        high += [np.inf, at * (1.0 + search), 0.15 * at, 1.0]
    return np.array(low), np.array(high)


def _likeliest(
    q: NDArray[np.float64], counts: NDArray[np.float64], exposure: NDArray[np.float64], expected: NDArray[np.float64],
    search: float,
) -> NDArray[np.float64]:  # fmt: skip
    """The parameters of greatest Poisson likelihood, from several starts of the width."""
    low, high = _bounds(expected, search)
    observed = counts / np.maximum(exposure[0], _TINY)
    level = float(np.quantile(observed, 0.2)) + _TINY
    scale = np.array([level, level, *([level, 1.0, 1.0, 1.0] * expected.size)])
    best, value = np.zeros(low.size), np.inf
    for width in (0.015, 0.05):
        start = [level, 0.0]
        for at in expected:
            near = np.abs(q - at) <= search * at
            peak = float(q[near][np.argmax(observed[near])]) if near.any() else float(at)
            height = max(float(observed[near].max()) - level if near.any() else 0.0, 0.05 * level)
            start += [height * width * at, peak, width * at, 0.2]
        inside = np.clip(start, low + 1e-9, high - 1e-9)
        fit = least_squares(
            lambda p: _deviance(counts, _expected(p, q, exposure)), inside, bounds=(low, high),
            x_scale=scale, max_nfev=400,
        )  # fmt: skip
        if fit.cost < value:
            best, value = fit.x, fit.cost
    return np.asarray(best)


def _free(parameters: NDArray[np.float64], expected: NDArray[np.float64], search: float) -> NDArray[np.bool_]:
    """Parameters that did not end at a bound; areas and the background always vary."""
    low, high = _bounds(expected, search)
    room = np.where(np.isfinite(high - low), 1e-4 * (high - low), 0.0)
    free = (parameters > low + room) & (parameters < high - room)
    free[:2] = True
    free[2::_OWN] = True
    return np.asarray(free)


def _slopes(
    parameters: NDArray[np.float64], q: NDArray[np.float64], exposure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Derivatives of the expected counts, shape (n_q, n_parameters)."""
    columns = []
    for number, value in enumerate(parameters):
        step = 1e-5 * max(abs(value), 1e-3)
        up, down = parameters.copy(), parameters.copy()
        up[number] += step
        down[number] -= step
        columns.append((_expected(up, q, exposure) - _expected(down, q, exposure)) / (2.0 * step))
    return np.stack(columns, axis=1)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a positive matrix, scaled to ones on its diagonal first."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return np.asarray(np.linalg.pinv(matrix / np.outer(scale, scale), rcond=1e-12) / np.outer(scale, scale))


def _mean_azimuth(data: Regrouped, seen: NDArray[np.bool_], shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    exposure, moment = (shapes @ values[:, seen].T for values in (data.exposure, data.moment))
    mean = np.where(exposure > 0, moment / np.maximum(exposure, 1e-300), data.azimuth)
    half = 0.5 * (data.azimuth[1] - data.azimuth[0])  # pixels on the seam at 0 and 180 degree are in two bins
    return np.asarray(np.clip(mean, data.azimuth - half, data.azimuth + half))


def _by_azimuth(
    data: Regrouped, seen: NDArray[np.bool_], shapes: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Background, intensities and their covariance at each azimuth; NaN where pixels do not cover a ring."""
    n, rows = shapes.shape[0], data.azimuth.size
    background = np.full(rows, np.nan)
    q = data.q[seen]
    intensity = np.full((n, rows), np.nan)
    spread = np.full((rows, n, n), np.nan)
    columns = np.stack([np.ones(q.size), (q - q.mean()) / np.ptp(q), *shapes], axis=1)
    near = maximum_filter1d(data.exposure > 0, 2 * BINS_PER_PIXEL + 1, axis=1)
    covered = near[:, seen] @ shapes.T / shapes.sum(axis=1)
    for row in range(rows):
        counts, exposure = data.counts[row, seen], data.exposure[row, seen]
        used = exposure > 0
        rings = covered[row] > COVERED
        kept = np.concatenate([[True, True], rings])
        # A ring that is only partly covered would lean on the background of the others.
        if not rings.any() or used.sum() < LEAST_BINS or (covered[row][~rings] > 0.02).any():
            continue
        design = exposure[used, None] * columns[used][:, kept]
        weight = 1.0 / (exposure[used] * level[used])
        solve = _inverse(design.T @ (weight[:, None] * design)) @ (design * weight[:, None]).T
        background[row], _, *found = solve @ counts[used]
        # At least the common level's share: azimuths without counts are not without error.
        expected = 0.05 * exposure[used] * level[used]
        error = (solve * np.maximum(counts[used], expected)) @ solve.T
        which = np.flatnonzero(rings)
        intensity[which, row] = found
        spread[row] = 0.0
        spread[row][np.ix_(which, which)] = error[2:, 2:]
    return background, intensity, spread

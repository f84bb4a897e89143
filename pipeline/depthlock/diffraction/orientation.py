"""How a ring's intensity is spread over azimuth: its total, and the part that is oriented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import ndtr

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""

PREFERRED = 25.0
"""Decrease of chi-square from which a ring counts as oriented: five standard deviations for one more parameter."""

FINE = 720
"""Steps of the directions over which the fitted orientation is summed."""

TILTED = 9.0
"""Decrease of chi-square from which the mean direction is neither the film's normal nor in its plane."""


@dataclass(frozen=True)
class Orientation:
    """A Gaussian of lattice directions on an isotropic rest.

    Attributes
    ----------
    angle, spread : tuple of float
        Mean direction and FWHM in degree, each with its standard deviation.
    share : tuple of float
        Oriented share of the ring's intensity (1), with its standard deviation.
    fitted : ndarray, shape (n,)
        Intensity in every bin, also in those that are not seen.
    """

    angle: tuple[float, float]
    spread: tuple[float, float]
    share: tuple[float, float]
    fitted: NDArray[np.float64]


def total_weights(
    azimuth: NDArray[np.float64], at: NDArray[np.float64], seen: NDArray[np.bool_], fibre: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that turn a ring's intensities into its total over all lattice directions.

    Parameters
    ----------
    azimuth : ndarray, shape (n,)
        Bin centres in degree.
    at : ndarray, shape (n,)
        Mean azimuth of the pixels in each bin, at which its value stands.
    seen : ndarray of bool, shape (n,)
        Azimuths with a value; at least one.
    fibre : bool
        Whether all directions around the film's normal are alike, as in films without in-plane order. A bin at chi then
        stands for a belt of the pole figure, whose area goes with sin(chi): I = integral of I(chi) sin(chi) dchi (Baker
        et al., Langmuir 26, 9146 (2010)). Otherwise I = integral of I(chi) dchi.

    Returns
    -------
    weights, filled : ndarray, shape (n,)
        `weights` sums over the values seen, interpolated to the bins' centres, those of bins that are not seen, too;
        `filled` is the part of it that stands for the latter. The weights of a uniform ring add up to 1.
    """
    n, belt = azimuth.size, belts(azimuth, fibre)
    order = np.flatnonzero(seen)[np.argsort(at[seen], kind="stable")]
    weights, filled = np.zeros(n), np.zeros(n)
    for number, centre in enumerate(azimuth):
        right = int(np.searchsorted(at[order], centre))
        before, after = order[max(right - 1, 0)], order[min(right, order.size - 1)]
        apart = at[after] - at[before]
        part = (centre - at[before]) / apart if apart > 0 else 0.0
        for place, share in ((before, 1.0 - part), (after, part)):
            weights[place] += share * belt[number]
            filled[place] += share * belt[number] * (not seen[number])
    return weights, filled


def belts(azimuth: NDArray[np.float64], fibre: bool) -> NDArray[np.float64]:
    """Share of all lattice directions that each bin of azimuth stands for, shape (n,); see :func:`total_weights`."""
    n = azimuth.size
    belt = np.sin(np.radians(azimuth)) if fibre else np.ones(n)
    if fibre:
        # Intensity and sin(chi) both change inside a bin: int A sin = A sin(c) d + A' cos(c) d^3 / 12, with A' from the
        # neighbours; beyond the normal and the film's plane the ring goes on as its mirror image.
        slope = np.cos(np.radians(azimuth)) * np.radians(azimuth[1] - azimuth[0]) / 24.0
        np.add.at(belt, np.minimum(np.arange(n) + 1, n - 1), slope)
        np.add.at(belt, np.maximum(np.arange(n) - 1, 0), -slope)
    return np.asarray(belt / belt.sum())


def orientation_of(
    azimuth: NDArray[np.float64], intensity: NDArray[np.float64], std: NDArray[np.float64], period: float, fibre: bool
) -> Orientation | None:
    """Fit a Gaussian on an isotropic rest to a ring's intensity over azimuth, weighted by its errors.

    Parameters
    ----------
    azimuth, intensity, std : ndarray, shape (n,)
        Mean azimuth of each bin in degree; NaN where not seen.
    period : float
        180: opposite directions are one. With `fibre` chi and -chi are one, too.
    fibre : bool
        As in :func:`total_weights`.

    Returns
    -------
    Orientation or None
        None where the isotropic ring alone describes the values.
    """
    seen = np.isfinite(intensity) & (std > 0)
    if seen.sum() < 6:
        return None
    x, y, error = azimuth[seen], intensity[seen], std[seen]
    level = float(np.average(y, weights=error**-2.0))
    flat = float((((y - level) / error) ** 2).sum())
    step = period / (2 if fibre else 1) / azimuth.size
    reach = period / 2 if fibre else period

    def fitted(low: float, high: float, starts: NDArray[np.float64]) -> Any:
        bounds = np.array([0.0, 0.0, low, 0.3 * step]), np.array([np.inf, np.inf, high, period / 3])
        tries = []
        for centre in starts:
            for width in (2.0 * step, 15.0):
                height = max(float(np.interp(centre, x, y)), 0.1 * abs(level))
                start = np.clip([max(float(np.quantile(y, 0.1)), 0.0), height, centre, width],
                                bounds[0] + 1e-9, bounds[1] - 1e-9)  # fmt: skip
                tries.append(least_squares(
                    lambda p: (p[0] + p[1] * _directions(x, p[2], p[3], period, fibre, step) - y) / error, start,
                    bounds=bounds, x_scale=[abs(level) + 1e-9, abs(level) + 1e-9, 5.0, 5.0],
                ))  # fmt: skip
        return min(tries, key=lambda fit: float(fit.cost))

    loose = fitted(-step, reach + step, np.linspace(0.0, reach, 5 if fibre else 8))
    best, free = loose, np.ones(4, dtype=bool)
    if fibre:
        # Folding makes a mean direction near the normal, or the film's plane, lean away from it: it stays there unless
        # the data ask for another.
        held = min(
            (fitted(at - 1e-6, at + 1e-6, np.array([at])) for at in (0.0, reach)), key=lambda fit: float(fit.cost)
        )
        if 2.0 * (held.cost - loose.cost) < TILTED:
            best, free = held, np.array([True, True, False, True])
    if flat - 2.0 * best.cost < PREFERRED:
        return None
    centre, sigma = float(best.x[2]), float(best.x[3])
    excess = max(1.0, 2.0 * best.cost / max(int(seen.sum()) - 4, 1))
    covariance = np.zeros((4, 4))
    covariance[np.ix_(free, free)] = excess * np.linalg.pinv(best.jac[:, free].T @ best.jac[:, free])
    fine = (np.arange(FINE) + 0.5) * reach / FINE
    belt = np.sin(np.radians(fine)) if fibre else np.ones(FINE)
    belt = belt / belt.sum()

    def share(p: NDArray[np.float64]) -> float:
        oriented = float(p[1] * (belt @ _directions(fine, p[2], p[3], period, fibre, reach / FINE)))
        return oriented / max(oriented + float(p[0]), 1e-300)

    slope = np.zeros(4)
    for number in range(4):
        nudge = np.zeros(4)
        nudge[number] = 1e-5 * max(abs(float(best.x[number])), 1e-3)
        slope[number] = (share(best.x + nudge) - share(best.x - nudge)) / (2.0 * nudge[number])
    std_of = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    away = float(std_of[2]) if free[2] else max(abs(float(loose.x[2]) - centre), step / np.sqrt(12.0))
    return Orientation(
        (min(abs(centre), reach) if fibre else centre % period, away),
        (FWHM * sigma, FWHM * float(std_of[3])),
        (share(best.x), float(np.sqrt(max(float(slope @ covariance @ slope), 0.0)))),
        best.x[0] + best.x[1] * _directions(azimuth, best.x[2], best.x[3], period, fibre, step),
    )


def _directions(
    azimuth: NDArray[np.float64], centre: float, sigma: float, period: float, fibre: bool, step: float
) -> NDArray[np.float64]:
    """A Gaussian with its images by symmetry, of height one where they do not meet, averaged over bins of `step`."""
    images = [centre - period, centre, centre + period]
    images += [-image for image in images] if fibre else []
    total = np.zeros(azimuth.size)
    for image in images:
        total += ndtr((azimuth - image + 0.5 * step) / sigma) - ndtr((azimuth - image - 0.5 * step) / sigma)
    return np.asarray(total * np.sqrt(2.0 * np.pi) * sigma / step)

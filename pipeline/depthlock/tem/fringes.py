"""The spacing of fringes without a common direction: curved layers, many small crystals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from depthlock.tem.lattice import VISIBLE, fringe_frequencies
from depthlock.tem.windows import Spectra

LEAST_WINDOWS = 8
"""Windows with fringes that a spacing needs."""

BAND = (0.6, 1.5)
"""Frequencies over that of the fringes between which their ring and its background are fitted."""

BLOCKS = 8
"""Groups of neighbouring windows, left out one after the other for the error."""


@dataclass(frozen=True)
class LocalFringes:
    """Fringes that have no common direction.

    Attributes
    ----------
    spacing, spacing_std : float
        nm; the error is that of the spread over the image, without the pixel size's own.
    windows : int
        Windows that show fringes.
    """

    spacing: float
    spacing_std: float
    windows: int


def local_fringes(spectra: Spectra, *, least: float = VISIBLE) -> LocalFringes | None:
    """The spacing of fringes seen window by window, whatever their direction.

    Fringes of a few periods have a broad peak. Over the ring of its frequency, whose median falls with the frequency,
    such a peak stands too far out (by several percent), so the windows that show fringes are put together and their
    mean power is fitted as a ring.

    Parameters
    ----------
    spectra : Spectra
    least : float
        Power over the ring's median from which a window shows fringes.

    Returns
    -------
    LocalFringes or None
        None when fewer than eight windows, or less than 5 %, show fringes of one spacing.
    """
    frequency = fringe_frequencies(spectra, least=least)
    seen = np.isfinite(frequency)
    if seen.sum() < max(LEAST_WINDOWS, 0.05 * frequency.size):
        return None
    middle = float(np.median(frequency[seen]))
    near = np.abs(frequency[seen] / middle - 1) < 0.2
    if near.sum() < 0.5 * seen.sum():
        return None
    radius = np.hypot(spectra.ky[:, None], spectra.kx[None, :])
    band = (radius > BAND[0] * middle) & (radius < BAND[1] * middle) & (spectra.kx[None, :] > 0)
    power = spectra.power[seen][:, band].astype(np.float64)
    power /= power.mean(axis=1, keepdims=True)  # bright windows count no more than others
    found = _ring_frequency(power.mean(axis=0), radius[band], middle)
    if found is None:
        return None
    without = [
        _ring_frequency(np.delete(power, block, axis=0).mean(axis=0), radius[band], middle)
        for block in np.array_split(np.arange(len(power)), min(BLOCKS, len(power)))
    ]
    known = np.array([value for value in without if value is not None])
    if known.size < len(without):
        return None
    error = float(np.sqrt((known.size - 1) * np.mean((known - known.mean()) ** 2)))
    # The taper, of standard deviation 1 / (sqrt(3) length) in frequency, widens the peak along its ring, too, and by
    # that moves it outwards.
    frequency_of = found - (spectra.kx[1] - spectra.kx[0]) ** 2 / (6.0 * found)
    return LocalFringes(1.0 / frequency_of, error / frequency_of**2, int(near.sum()))


def _ring_frequency(power: NDArray[np.float64], radius: NDArray[np.float64], start: float) -> float | None:
    """Frequency in 1/nm of a ring in a mean power spectrum; None where the fit does not find one.

    Peaks of all directions thin out with the ring's length, so that power times frequency is a Gaussian on a background
    smooth enough for a parabola. Speckle has a standard deviation that goes with the power: weights are those of the
    model.
    """
    values, level = power * radius, float(np.median(power * radius))
    x = (radius - start) / ((BAND[1] - BAND[0]) * start)

    def model(p: NDArray[np.float64]) -> NDArray[np.float64]:
        ring = p[0] * np.exp(-0.5 * ((radius / start - p[1]) / p[2]) ** 2)
        return np.asarray(ring + p[3] + p[4] * x + p[5] * x**2)

    low = np.array([0.0, 0.8, 0.02, *([-np.inf] * 3)])
    high = np.array([np.inf, 1.2, 0.25, *([np.inf] * 3)])
    best, spread = np.array([level, 1.0, 0.1, level, 0.0, 0.0]), np.full(values.size, level)
    for _ in range(3):
        fit = least_squares(
            lambda p, spread=spread: (model(p) - values) / spread, best, bounds=(low, high),
            x_scale=[level, 0.1, 0.1, level, level, level],
        )  # fmt: skip
        best, spread = fit.x, np.maximum(model(fit.x), 0.1 * level)
    inside = bool(np.all((best[1:3] > low[1:3] + 1e-3) & (best[1:3] < high[1:3] - 1e-3)) and best[0] > 0)
    return float(best[1] * start) if inside else None

"""Backgrounds that stand outside the fit, and first guesses for those that stand in it.

The active background (offset, slope, and the Shirley step raised by the components themselves) is part of
`depthlock.xps.model`; here is Shirley's iteration on the data (Phys. Rev. B 5, 1972, 4709; Proctor and Sherwood,
Anal. Chem. 54, 1982, 13), offered as `static_shirley`.
"""

from __future__ import annotations

import numpy as np

from depthlock.xps.shapes import FloatArray

END_POINTS = 5
"""Points averaged at either end of a window."""


def end_levels(rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean intensity at the low and the high end of the window.

    Parameters
    ----------
    rate : ndarray (levels, points)
        counts/s.

    Returns
    -------
    low, high : ndarray (levels,)
    """
    points = max(1, min(END_POINTS, rate.shape[1] // 8))
    return rate[:, :points].mean(axis=1), rate[:, -points:].mean(axis=1)


def static_shirley(energy: FloatArray, rate: FloatArray, iterations: int = 60) -> FloatArray:
    """Shirley's background between the ends of the window.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, ascending, eV.
    rate : ndarray (levels, points)
        counts/s.
    iterations : int
        Most iterations; it ends when the background moves by less than 1e-9 of the step.

    Returns
    -------
    ndarray (levels, points)
        counts/s. Where the window's high-energy end is not above its low end the straight line is returned,
        because the iteration has no meaning there.
    """
    low, high = end_levels(rate)
    ramp = (energy - energy[0]) / (energy[-1] - energy[0])
    line = low[:, None] + (high - low)[:, None] * ramp
    background = line.copy()
    widths = np.diff(energy)
    for _ in range(iterations):
        signal = rate - background
        running = np.concatenate(
            [np.zeros((rate.shape[0], 1)), np.cumsum(0.5 * (signal[:, 1:] + signal[:, :-1]) * widths, axis=1)], axis=1
        )
        total = running[:, -1:]
        usable = (total > 0) & (high > low)[:, None]
        share = np.where(usable, running / np.where(total > 0, total, 1.0), ramp[None, :])
        renewed = low[:, None] + (high - low)[:, None] * share
        change = np.max(np.abs(renewed - background))
        background = renewed
        if change <= 1e-9 * max(float(np.max(np.abs(high - low))), 1e-30):
            break
    return np.asarray(background)

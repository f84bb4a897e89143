"""Flight-time bins for m/z values whose flight times an export left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLOPE = 0.5
"""sqrt(Da) a us that bins are given: as long as in usual instruments."""

FREE_BIN_PS = 10
"""Bin where the m/z values lie on no grid: 10 ppm at m/z 1, 1 ppm at m/z 100."""


@dataclass(frozen=True)
class Grid:
    """How m/z becomes a bin: bin = round((sqrt(m/z) - start) / step).

    Attributes
    ----------
    start, step : float
        In sqrt(Da).
    own : bool
        Whether it is the instrument's own grid.
    """

    start: float
    step: float
    own: bool

    @property
    def width_ps(self) -> int:
        """Width of a bin in the store."""
        return max(1, round(self.step / SLOPE * 1e6)) if self.own else FREE_BIN_PS

    @property
    def slope(self) -> float:
        """Slope of sqrt(m/z) = slope * t + offset, t in us."""
        return self.step / self.width_ps * 1e6

    def bins(self, masses: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bins of m/z values."""
        return np.rint((np.sqrt(masses) - self.start) / self.step).astype(np.int64)


def free_grid() -> Grid:
    """The grid for m/z values that lie on none."""
    return Grid(0.0, SLOPE * FREE_BIN_PS * 1e-6, own=False)


def own_grid(roots: NDArray[np.float64], precision: float) -> Grid | None:
    """The regular grid on which ascending values of sqrt(m/z) lie, if they do.

    The smallest distance is taken as a first step, indices are counted along it, and a straight line through them
    must meet all values to a tenth of a step; with fewer than 50 values, or steps as fine as the values' precision,
    nothing is concluded.
    """
    steps = np.diff(roots)
    steps = steps[steps > 4 * precision * roots[-1]] if roots.size else steps
    if steps.size < 50:
        return None
    step = float(np.median(steps[steps < 1.5 * steps.min()]))
    counted = np.rint(steps / step)
    if np.any(counted > 1e6) or float(np.max(np.abs(steps / step - counted) / np.maximum(counted, 1) ** 0.5)) > 0.3:
        return None
    index = np.concatenate([[0.0], np.cumsum(counted)])
    distinct = roots[np.concatenate([[True], np.diff(roots) > 4 * precision * roots[-1]])]
    slope, start = np.polyfit(index, distinct, 1)
    if slope <= 0 or float(np.max(np.abs(distinct - (slope * index + start)))) > 0.1 * slope:
        return None
    # Bins count from the zero of the flight time's own scale as nearly as it is known: from sqrt(m/z) = 0.
    return Grid(float(start - slope * np.floor(start / slope)), float(slope), own=True)

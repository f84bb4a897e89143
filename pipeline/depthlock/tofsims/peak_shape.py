"""The shape of a mass peak on the flight-time axis, and its width along it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from depthlock.tofsims.exponential_gauss import FloatArray, leading_cdf, trailing_cdf

_GRID = np.linspace(-6.0, 12.0, 601)


@dataclass(frozen=True)
class PeakShape:
    """A Gaussian core with a short delay, and a longer tail on either side; unit area, in sigmas of the core.

    Attributes
    ----------
    delay : float
        Mean of the exponential delay of the core.
    late_share, late_tail : float
        Share and mean length of the tail towards long flight times.
    early_share, early_tail : float
        Share and mean length of the tail towards short flight times.
    """

    delay: float = 0.3
    late_share: float = 0.08
    late_tail: float = 3.0
    early_share: float = 0.02
    early_tail: float = 2.0

    def cumulative(self, x: FloatArray) -> FloatArray:
        """Share of the peak below `x`, with x = 0 at the core Gaussian's centre."""
        core = 1.0 - self.late_share - self.early_share
        total = core * trailing_cdf(x, self.delay)
        if self.late_share > 0:
            total = total + self.late_share * trailing_cdf(x, self.late_tail)
        if self.early_share > 0:
            total = total + self.early_share * leading_cdf(x, self.early_tail)
        return np.asarray(total, dtype=np.float64)

    @cached_property
    def _height(self) -> FloatArray:
        return np.diff(self.cumulative(_GRID))

    @cached_property
    def mode(self) -> float:
        """Where the peak is highest."""
        k = int(np.clip(np.argmax(self._height), 1, self._height.size - 2))
        left, top, right = self._height[k - 1 : k + 2]
        bend = left - 2.0 * top + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        centre = 0.5 * (_GRID[k] + _GRID[k + 1])
        return float(centre + shift * (_GRID[1] - _GRID[0]))

    @cached_property
    def fwhm(self) -> float:
        """Full width at half maximum."""
        height = self._height
        top = int(np.argmax(height))
        half = 0.5 * height[top]
        centres = 0.5 * (_GRID[1:] + _GRID[:-1])
        low = float(np.interp(half, height[: top + 1], centres[: top + 1]))
        high = float(np.interp(-half, -height[top:], centres[top:]))
        return high - low

    def shares(self, edges: FloatArray, mode: float, fwhm: float) -> FloatArray:
        """Share of a peak in each channel.

        Parameters
        ----------
        edges : ndarray, shape (channel + 1,)
        mode, fwhm : float
            Position of the maximum and width, in the unit of the edges.

        Returns
        -------
        ndarray, shape (channel,)
        """
        sigma = fwhm / self.fwhm
        return np.diff(self.cumulative((edges - mode) / sigma + self.mode))


@dataclass(frozen=True)
class PeakWidths:
    """FWHM along the flight-time axis: a constant part and one that grows with flight time, added in quadrature.

    Attributes
    ----------
    constant : float
        In mass bins.
    growing : float
        Share of the flight time since `origin` (1).
    origin : float
        Mass bin at which m/z is 0: clocks start before the ions do.
    scatter : float
        Relative scatter of single peaks about it (1).
    """

    constant: float
    growing: float
    origin: float
    scatter: float

    def fwhm(self, position: float) -> float:
        """FWHM in mass bins at a flight time in mass bins."""
        return float(np.hypot(self.constant, self.growing * (position - self.origin)))


GAUSSIAN = PeakShape(0.0, 0.0, 1.0, 0.0, 1.0)
"""A plain Gaussian peak."""


def gaussian_shares(edges: FloatArray, mode: float, fwhm: float) -> FloatArray:
    """Share of a Gaussian peak in each channel."""
    return np.diff(ndtr((edges - mode) / fwhm * 2.3548200450309493))

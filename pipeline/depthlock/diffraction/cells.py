"""Counts by scattering vector and azimuth as rings and a background, with strengths of their own at every azimuth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from depthlock.diffraction.regroup import Regrouped

COVERED = 0.5
"""Share of a ring's shape that pixels must cover at an azimuth; near the beam some bins hold no pixel."""

BINS_PER_PIXEL = 6
"""Bins of scattering vector in the width of a pixel: none is averaged over; bins without pixels carry no weight."""

LEAST_BINS = 8
"""Bins with pixels that an azimuth needs."""

LEAST_RATE = 0.05
"""Rate of counts over the mean one of all azimuths below which none is taken to be: where nothing was counted."""

SHAPE = 3
"""Shape parameters of a ring: position, FWHM and Lorentzian share; the background's curvature goes before them."""

LEVELS = 2
"""Strengths of the background at an azimuth, level and slope, which go before those of the rings."""


def ring_shape(own: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pseudo-Voigt of area one in q, from position, FWHM and Lorentzian share."""
    position, width, lorentzian = own
    x = (q - position) / (0.5 * width)
    gauss = np.sqrt(np.log(2.0) / np.pi) / (0.5 * width) * np.exp(-np.log(2.0) * x**2)
    return np.asarray((1.0 - lorentzian) * gauss + lorentzian / (np.pi * 0.5 * width * (1.0 + x**2)))


def ring_shapes(shape: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all rings, shape (n, n_q), from the shape parameters (1 + 3 n)."""
    return np.stack([ring_shape(own, q) for own in shape[1:].reshape(-1, SHAPE)])


@dataclass(frozen=True)
class Strengths:
    """What every azimuth's counts are made of, for given shapes.

    Attributes
    ----------
    value : ndarray, shape (n_azimuth, 2 + n)
        Level and slope of the background, and the rings' intensities.
    covariance : ndarray, shape (n_azimuth, 2 + n, 2 + n)
    residual : ndarray, shape (n_azimuth, n_q)
        Counts minus model over their standard deviation; 0 where there are no pixels.
    """

    value: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual: NDArray[np.float64]


class Cells:
    """The bins of a window that hold pixels.

    Parameters
    ----------
    data : Regrouped
    number : int
        Number of rings.
    """

    def __init__(self, data: Regrouped, number: int) -> None:
        seen = data.exposure.sum(axis=0) > 0
        self.q = data.q[seen]
        self.counts, self.exposure, self.moment = (
            values[:, seen] for values in (data.counts, data.exposure, data.moment)
        )
        self.azimuth = data.azimuth
        self.near = maximum_filter1d(data.exposure > 0, 2 * BINS_PER_PIXEL + 1, axis=1)[:, seen]
        self.used = np.ones(data.azimuth.size, dtype=bool)
        self.covered = np.ones((data.azimuth.size, number), dtype=bool)
        self.mean_rate = gaussian_filter1d(self.counts.sum(axis=0), BINS_PER_PIXEL) / np.maximum(
            gaussian_filter1d(self.exposure.sum(axis=0), BINS_PER_PIXEL), 1e-300
        )
        self.mean_rate = np.maximum(self.mean_rate, LEAST_RATE * self.mean_rate.mean() + 1e-300)
        self.rate = np.tile(self.mean_rate, (data.azimuth.size, 1))

    def cover(self, shape: NDArray[np.float64]) -> None:
        """Find the azimuths at which pixels cover the rings."""
        rings = ring_shapes(shape, self.q)
        share = self.near @ rings.T / np.maximum(rings.sum(axis=1), 1e-300)
        self.covered = share > COVERED
        # A ring that is only partly covered would lean on the background of the others.
        partly = (~self.covered & (share > 0.02)).any(axis=1)
        self.used = self.covered.any(axis=1) & ~partly & ((self.exposure > 0).sum(axis=1) >= LEAST_BINS)

    def weigh(self, shape: NDArray[np.float64], strengths: Strengths) -> None:
        """Take the counts' variance from the model, smoothed over azimuth so that no bin's own noise decides on it."""
        value = np.where(self.used[:, None], strengths.value, 0.0)
        weight = gaussian_filter1d(self.used.astype(float), 1.0, mode="nearest")
        smooth = gaussian_filter1d(value, 1.0, axis=0, mode="nearest") / np.maximum(weight, 1e-9)[:, None]
        self.rate = np.maximum(smooth @ self._columns(shape), LEAST_RATE * self.mean_rate)

    def strengths(self, shape: NDArray[np.float64]) -> Strengths:
        """Weighted linear fit of every azimuth.

        The weights are those of the model, not of the counts, so that the strengths have no bias at low counts.
        """
        columns = self._columns(shape)
        weight = np.where(self.used[:, None], self.exposure / self.rate, 0.0)
        normal = np.einsum("aq,iq,jq->aij", weight, columns, columns, optimize=True)
        held = np.concatenate([np.zeros((self.used.size, LEVELS), dtype=bool), ~self.covered], axis=1)
        normal[held[:, :, None] | held[:, None, :]] = 0.0
        scale = np.sqrt(np.maximum(np.einsum("aii->ai", normal), 1e-300))
        outer = scale[:, :, None] * scale[:, None, :]
        covariance = np.linalg.pinv(normal / outer, rcond=1e-11, hermitian=True) / outer
        right = np.where(held, 0.0, (np.where(self.used[:, None], self.counts / self.rate, 0.0)) @ columns.T)
        value = np.einsum("aij,aj->ai", covariance, right)
        inside = self.used[:, None] & (self.exposure > 0)
        spread = np.sqrt(np.maximum(self.exposure * self.rate, 1e-300))
        residual = np.where(inside, (self.counts - self.exposure * (value @ columns)) / spread, 0.0)
        return Strengths(value, covariance, residual)

    def shifts(self, shape: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far ring `k` lies from its place at each azimuth in 1/nm, with the standard deviation; NaN where unseen.

        A ring that lies elsewhere leaves its slope times the shift in the residuals.
        """
        own = shape[1 + SHAPE * k : 1 + SHAPE * (k + 1)]
        step = np.array([1e-3 * own[1], 0.0, 0.0])
        slope = (ring_shape(own + step, self.q) - ring_shape(own - step, self.q)) / (2.0 * step[0])
        found = self.strengths(shape)
        spread = np.sqrt(np.maximum(self.exposure * self.rate, 1e-300))
        # Against the background's slope and the ring's own strength, which follow where a shape changes.
        columns = self._columns(shape)
        weight = np.where(self.used[:, None], self.exposure / self.rate, 0.0)
        follows = np.einsum("aij,jq,aq,q->ai", found.covariance, columns, weight, slope, optimize=True)
        signal = found.value[:, LEVELS + k, None] * self.exposure * (slope - follows @ columns) / spread
        information = (signal**2).sum(axis=1)
        good = self.used & self.covered[:, k] & (information > 0)
        shift = np.where(good, (signal * found.residual).sum(axis=1) / np.maximum(information, 1e-300), np.nan)
        return shift, np.where(good, np.maximum(information, 1e-300) ** -0.5, np.nan)

    def mean_azimuth(self, shape: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean azimuth in degree of the pixels on each ring, shape (n, n_azimuth); the bin's centre without any."""
        rings = ring_shapes(shape, self.q)
        exposure, moment = rings @ self.exposure.T, rings @ self.moment.T
        mean = np.where(exposure > 0, moment / np.maximum(exposure, 1e-300), self.azimuth)
        half = 0.5 * (self.azimuth[1] - self.azimuth[0])  # pixels on the seam at 0 and 180 degree are in two bins
        return np.asarray(np.clip(mean, self.azimuth - half, self.azimuth + half))

    def _columns(self, shape: NDArray[np.float64]) -> NDArray[np.float64]:
        """Background's level, which is curved, its slope, and the rings: shape (2 + n, n_q)."""
        x = (2.0 * self.q - self.q[0] - self.q[-1]) / (self.q[-1] - self.q[0])
        return np.stack([1.0 + shape[0] * x**2, x, *ring_shapes(shape, self.q)])

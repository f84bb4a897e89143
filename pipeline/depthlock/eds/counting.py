"""Counts above a background, and their Poisson intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

TAIL = 0.025


@dataclass(frozen=True)
class Counted:
    """Weighted sums of counts: what speaks for a line, and what is taken off as background and overlap.

    Attributes
    ----------
    signal, signal_variance : ndarray
        Sum of counts with positive weights, and its variance; for plain counts both are the counts.
    background, background_variance : ndarray
        The same of what is taken off, as positive numbers.
    """

    signal: NDArray[np.float64]
    signal_variance: NDArray[np.float64]
    background: NDArray[np.float64]
    background_variance: NDArray[np.float64]

    @property
    def net(self) -> NDArray[np.float64]:
        """Counts of the line; unbiased, so that it may be negative where there are none."""
        return np.asarray(self.signal - self.background)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Its variance."""
        return np.asarray(self.signal_variance + self.background_variance)

    def of(self, number: int) -> Counted:
        """One element of maps."""
        return Counted(
            self.signal[number], self.signal_variance[number], self.background[number], self.background_variance[number]
        )

    def summed(self, index: NDArray[np.intp], size: int) -> Counted:
        """Sums over the pixels of every bin.

        Parameters
        ----------
        index : ndarray of int, shape of the pixels
            Bin of every pixel, negative for none.
        size : int
            Number of bins.

        Returns
        -------
        Counted
            Arrays (..., size) for arrays (..., *pixels).
        """
        used = index >= 0
        return Counted(
            *(
                _summed(values, index, used, size)
                for values in (self.signal, self.signal_variance, self.background, self.background_variance)
            )
        )

    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """95 % interval of the net counts.

        Returns
        -------
        lower, upper : ndarray
            The two sums' gamma intervals put together by the recovery of variance estimates (Donner & Zou, Stat.
            Methods Med. Res. 21, 347 (2012)); Garwood's interval where nothing is taken off.
        """
        signal_low, signal_high = poisson_interval(self.signal, self.signal_variance)
        taken_low, taken_high = poisson_interval(self.background, self.background_variance)
        nothing = self.background_variance <= 0
        down = np.where(nothing, 0.0, taken_high - self.background)
        up = np.where(nothing, 0.0, self.background - taken_low)
        lower = self.net - np.hypot(self.signal - signal_low, down)
        upper = self.net + np.hypot(signal_high - self.signal, up)
        return lower, upper


def poisson_interval(
    total: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % interval of a weighted sum of Poisson counts.

    Parameters
    ----------
    total, variance : ndarray
        The sum, and the sum of its squared weights times counts. Equal for plain counts.

    Returns
    -------
    lower, upper : ndarray
        Garwood (Biometrika 28, 437 (1936)) with the weights' scale variance/total, as Fay & Feuer (Stat. Med. 16, 791
        (1997)) take it for weighted sums.
    """
    total, variance = np.asarray(total, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    seen = (total > 0) & (variance > 0)
    scale = np.where(seen, variance / np.where(seen, total, 1.0), 1.0)
    events = np.where(seen, total / scale, 0.0)
    lower = np.where(events > 0, gamma.ppf(TAIL, np.maximum(events, 1e-9)), 0.0)
    upper = gamma.ppf(1.0 - TAIL, events + 1.0)
    return np.asarray(lower * scale), np.asarray(upper * scale)


def _summed(
    values: NDArray[np.float64], index: NDArray[np.intp], used: NDArray[np.bool_], size: int
) -> NDArray[np.float64]:
    leading = values.shape[: values.ndim - index.ndim]
    rows = values.reshape(-1, index.size)
    chosen = index[used]
    flat = used.ravel()
    sums = np.stack([np.bincount(chosen, weights=row[flat], minlength=size) for row in rows])
    return np.asarray(sums.reshape(*leading, size), dtype=np.float64)

"""Dead time: how many ions arrived when a detector that is blind after each ion counted so many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray


@dataclass(frozen=True)
class CorrectedCounts:
    """Ions after the dead-time correction.

    Attributes
    ----------
    ions : ndarray
        Expected ions without dead time, of the shape of the counts.
    variance : ndarray
        Variance of `ions` from counting. Those of neighbouring channels are uncorrelated, so sums simply add.
    saturated : bool
        Whether some channel had an ion in every live pulse, so that its rate has no upper bound.
    """

    ions: FloatArray
    variance: FloatArray
    saturated: bool


def correct_dead_time(counts: NDArray[np.generic], pulses: NDArray[np.generic], dead_channels: int) -> CorrectedCounts:
    """Correct counts on a flight-time axis for a dead time after each ion.

    Parameters
    ----------
    counts : ndarray, shape (..., channel)
        Ions detected a channel. The first `dead_channels` of them only serve the others, as nothing is known before
        them.
    pulses : ndarray, shape (...)
        Pulses N over which the counts of each row were summed; rates must be alike in all of them.
    dead_channels : int
        Dead time in channels; 0 means that only the channel itself holds at most one ion a pulse.

    Returns
    -------
    CorrectedCounts
        Of the shape of `counts`.

    Notes
    -----
    Stephan, Zehnpfenning, Benninghoven, J. Vac. Sci. Technol. A 12 (1994) 405: ``I = -N ln(1 - C/N')``, where N' is N
    less the counts in the dead-time channels before the channel (without the channel itself). Given N', C is binomial
    and ``C/N'`` unbiased, so the deviations are martingale differences: uncorrelated, with variance ``(N^2/N')
    (e^lambda - 1)``, lambda = I/N; summed over a peak narrower than the dead time this is the known N (e^lambda - 1).
    """
    detected = np.asarray(counts, dtype=np.float64)
    total = np.asarray(pulses, dtype=np.float64)[..., np.newaxis]
    cumulative = np.concatenate([np.zeros((*detected.shape[:-1], 1)), np.cumsum(detected, axis=-1)], axis=-1)
    channels = detected.shape[-1]
    start = np.maximum(np.arange(channels) - dead_channels, 0)
    blocked = cumulative[..., :channels] - cumulative[..., start]
    live = np.maximum(total - blocked, 1.0)
    share = detected / live
    saturated = bool(np.any(share >= 1.0))
    # Half a missed pulse keeps the logarithm finite; the caller flags the ion.
    share = np.minimum(share, 1.0 - 0.5 / np.maximum(live, 1.0))
    rate = -np.log1p(-share)
    return CorrectedCounts(total * rate, total**2 / live * np.expm1(rate), saturated)


def peak_variance(ions: FloatArray, pulses: FloatArray) -> FloatArray:
    """Counting variance of a corrected peak, N (e^lambda - 1) with lambda = ions / N; NaN pulses: no dead time."""
    rate = np.divide(ions, pulses, out=np.zeros_like(ions), where=np.isfinite(pulses) & (pulses > 0))
    return np.asarray(np.where(rate > 0, ions * np.expm1(rate) / np.where(rate > 0, rate, 1.0), ions), dtype=np.float64)

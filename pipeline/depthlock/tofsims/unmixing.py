"""Ions of one species scan by scan, out of channels that it shares with neighbours and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.overlaps import PeakFit
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.windows import Window


@dataclass(frozen=True)
class IonProfile:
    """One ion over the scans.

    Attributes
    ----------
    ions, std : ndarray, shape (scan,)
        Ions without dead time, background and neighbours removed, and their standard deviation.
    background : ndarray, shape (scan,)
        Mean background and neighbours removed from the window of the ion, ions a scan.
    gain, floor : ndarray, shape (scan,)
        The variance of `ions` is ``gain * mean + floor``.
    """

    ions: FloatArray
    std: FloatArray
    background: FloatArray
    gain: FloatArray
    floor: FloatArray

    @property
    def data(self) -> CountData:
        """The profile with its variance law, for fits."""
        return CountData(self.ions, self.gain, self.floor)


def scaled_to(profile: IonProfile, coverage: FloatArray) -> IonProfile:
    """Ions of whole scans, where a scan rests on a share `coverage` of the pixels; the background stays as counted."""
    return IonProfile(
        profile.ions / coverage,
        profile.std / coverage,
        profile.background,
        profile.gain / coverage,
        profile.floor / coverage**2,
    )


def unmixing_weights(shares: FloatArray, expected: FloatArray) -> FloatArray:
    """Weights with which channels add up to the ions of each component.

    Parameters
    ----------
    shares : ndarray, shape (component, channel)
        Part of each component's ions in each channel.
    expected : ndarray, shape (channel,)
        Counts expected, whose Poisson variance weighs the channels.

    Returns
    -------
    ndarray, shape (component, channel)
        ``(P D^-1 P^T)^-1 P D^-1``: unbiased in every scan whatever the mixture there, and of the least variance at the
        mean mixture, where the sum over channels equals the Poisson fit.
    """
    weighted = shares / expected
    return np.asarray(np.linalg.pinv(weighted @ shares.T, rcond=1e-10) @ weighted, dtype=np.float64)


def unmix(window: Window, fit: PeakFit, inside: NDArray[np.bool_]) -> IonProfile:
    """Ions of the fit's first component in every scan.

    Parameters
    ----------
    window : Window
        Counts about the ion.
    fit : PeakFit
        Fit of its sum over scans.
    inside : ndarray of bool, shape (channel,)
        Channels of the ion's own window, for the background that is reported.

    Returns
    -------
    IonProfile
    """
    # Components without ions in the sum have none in any scan, and would only add noise.
    kept = (fit.ions > 0) | (np.arange(fit.ions.size) == 0)
    channels = fit.background.size
    flat, ramp = np.full(channels, 1.0 / channels), np.linspace(-1.0, 1.0, channels) / channels
    shares = np.vstack([fit.shares[kept], flat, ramp])
    expected = np.maximum(fit.fitted, max(1e-4 * float(fit.fitted.max()), 0.2 / channels))
    weights = unmixing_weights(shares, expected)
    own = weights[0]
    ions = window.ions @ own
    amounts = window.ions @ weights.T
    span = _smoothing(float(window.ions.sum(axis=0) @ (own > 0)) / max(window.ions.shape[0], 1), window.ions.shape[0])
    smooth = np.maximum(uniform_filter1d(amounts, span, axis=0, mode="nearest"), 0.0)
    ratio = _variance_ratio(window)
    gain = ratio * float(np.sum(own**2 * shares[0]) / max(np.sum(shares[0] * np.abs(own)), 1e-12))
    others = np.maximum(smooth[:, 1:-1] @ shares[1:-1], 0.0)
    # Half an ion in the running mean: no counts do not mean no error.
    floor = ratio * (others @ own**2) + 0.5 / span
    return IonProfile(
        ions=ions,
        std=np.sqrt(_point_variance(window, own, gain * smooth[:, 0] + floor)),
        background=others[:, inside].sum(axis=1),
        gain=gain,
        floor=floor,
    )


def _smoothing(mean_counts: float, scans: int) -> int:
    """Scans to average so that an expectation stands on some 25 ions, an odd number."""
    return int(np.clip(np.ceil(25.0 / max(mean_counts, 1e-3)), 1, max(scans // 6, 1))) // 2 * 2 + 1


def _variance_ratio(window: Window) -> FloatArray:
    """Variance over ions in each scan: above 1 where the dead time was corrected."""
    total = window.ions.sum(axis=1)
    ratio = np.divide(window.variance.sum(axis=1), total, out=np.ones_like(total), where=total > 0)
    return np.asarray(np.maximum(ratio, 1.0), dtype=np.float64)


def _point_variance(window: Window, own: FloatArray, expected: FloatArray) -> FloatArray:
    """Counting variance of every scan; of its own counts where there are many, of the running mean where there are few.

    The root of a single small count is a bad error: zero ions would have none.
    """
    measured = window.variance @ own**2
    counts = window.counts @ (own > 0.2)
    trust = np.clip(counts / 50.0, 0.0, 1.0)
    return np.asarray(np.maximum(trust * measured + (1.0 - trust) * expected, 1e-9), dtype=np.float64)

"""Which scans show the rise of a substrate ion: after the surface transient, before a later fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from depthlock.model.quantity import join_flags
from depthlock.tofsims.exponential_gauss import FloatArray

FALL_SHARE = 0.7
"""A smoothed signal below this share of the plateau's height is a fall, not a drift."""


@dataclass(frozen=True)
class Rise:
    """The first rise in a profile.

    Attributes
    ----------
    first, last : int
        Scans to fit, `last` not included.
    crossing : float
        Rough scan of the half height, in scans.
    width : float
        Rough 16-84 % width, in scans.
    low, high : float
        Rough levels before and after.
    flag : str
        Reasons not to trust it, or empty; `found` tells whether there is a rise at all.
    found : bool
    """

    first: int
    last: int
    crossing: float
    width: float
    low: float
    high: float
    flag: str
    found: bool


def find_rise(values: FloatArray, std: FloatArray) -> Rise:
    """Find the first rise of a profile to a plateau.

    Parameters
    ----------
    values, std : ndarray, shape (scan,)
        Intensity and its standard deviation.

    Returns
    -------
    Rise
    """
    scans = values.size
    missing = Rise(0, scans, np.nan, np.nan, np.nan, np.nan, "interface_not_found", found=False)
    if scans < 8 or not np.any(values > 0):
        return missing
    span = _smoothing_span(values, std)
    smooth = gaussian_filter1d(values, span, mode="nearest") if span > 0 else values
    noise = float(np.sqrt(np.mean(std**2) / max(2.0 * np.sqrt(np.pi) * span, 1.0)))
    top = _plateau(smooth)
    before = smooth[: top.start + 1]
    low = float(np.median(np.sort(before)[: max(before.size // 3, 1)]))
    high = float(np.median(smooth[top]))
    if high - low < max(5.0 * noise, 0.02 * abs(high)):
        return missing
    crossing = _crossing(smooth, low + 0.5 * (high - low), top.start)
    if crossing is None:
        return missing
    foot = _crossing(smooth, low + 0.16 * (high - low), int(crossing)) or 0.0
    head = _crossing_after(smooth, low + 0.84 * (high - low), int(crossing))
    width = max(head - foot, 1.0)
    first = _transient_end(smooth, low + max(3.0 * noise, 0.05 * (high - low)), int(foot - width))
    last, falls = _fall_start(smooth, low, high, int(np.ceil(head)), top.stop)
    flag = join_flags(
        "fall_after_rise" if falls else "",
        "surface_level_short" if foot - first < max(2.0, 0.25 * width) else "",
        "plateau_short" if last - head < max(3.0, 0.5 * width) else "",
    )
    return Rise(first, last, crossing, width, low, high, flag, found=True)


def _smoothing_span(values: FloatArray, std: FloatArray) -> float:
    """Gaussian sigma in scans at which the noise is a twentieth of the height, at most a fortieth of the profile."""
    height = float(np.percentile(values, 95))
    noise = float(np.median(std))
    wanted = (20.0 * noise / max(height, 1e-12)) ** 2 / (2.0 * np.sqrt(np.pi))
    return float(np.clip(wanted, 1.0, max(values.size / 40.0, 1.0)))


def _plateau(smooth: FloatArray) -> slice:
    """Scans of the first stretch that stays within a fifth of the profile's sustained maximum."""
    length = max(smooth.size // 20, 3)
    sustained = uniform_filter1d(smooth, length, mode="nearest")
    # The surface transient is short; a maximum in the first twentieth is not a plateau unless nothing later comes
    # near it.
    later = float(sustained[smooth.size // 20 :].max())
    above = np.flatnonzero(sustained[smooth.size // 20 :] > 0.8 * later) + smooth.size // 20
    stops = np.flatnonzero(np.diff(above) > length)
    last = int(above[stops[0]]) if stops.size else int(above[-1])
    return slice(int(above[0]), last + 1)


def _crossing(smooth: FloatArray, level: float, before: int) -> float | None:
    """Last upward crossing of `level` at or before scan `before`, in scans."""
    below = np.flatnonzero(smooth[: before + 1] < level)
    if below.size == 0 or below[-1] + 1 >= smooth.size:
        return None
    k = int(below[-1])
    return k + float((level - smooth[k]) / max(smooth[k + 1] - smooth[k], 1e-12))


def _crossing_after(smooth: FloatArray, level: float, after: int) -> float:
    above = np.flatnonzero(smooth[after:] >= level)
    return float(after + above[0]) if above.size else float(smooth.size - 1)


def _transient_end(smooth: FloatArray, level: float, before: int) -> int:
    """First scan from which the signal has come down from the surface transient."""
    calm = np.flatnonzero(smooth[: max(before, 1)] <= level)
    return int(calm[0]) if calm.size else 0


def _fall_start(smooth: FloatArray, low: float, high: float, head: int, plateau_stop: int) -> tuple[int, bool]:
    """Scan before which the plateau holds, and whether the signal falls after it."""
    after = smooth[head:]
    fallen = np.flatnonzero(after < low + FALL_SHARE * (high - low))
    if fallen.size == 0 or fallen[0] + head < plateau_stop - 1:
        return smooth.size, False
    held = np.flatnonzero(after[: fallen[0]] >= low + 0.95 * (high - low))
    stop = head + int(held[-1]) + 1 if held.size else head + int(fallen[0])
    return stop, True

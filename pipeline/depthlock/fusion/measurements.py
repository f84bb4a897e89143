"""Profiles of the techniques as measurements that a forward model can be compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.posterior import Measurement

Array = NDArray[np.float64]

POINTS = 56
"""Points to which a profile is binned for the fit: enough for the sharpest rise, and the fit's time grows with them."""

REACH = 2.2
"""Multiple of the interface's time up to which a profile is fitted: the plateau, not what comes long after it."""

XPS_MODEL_STD = 0.03
"""Relative error of XPS areas beyond their fit's: line shapes, background, homogeneity of the crater."""


def tofsims_points(profile: xr.Dataset, substrate: str | None) -> NDArray[np.intp]:
    """Scans worth using: marked as used, and not beyond the end of the substrate's fitted plateau.

    Parameters
    ----------
    profile : xr.Dataset
        Contract ``tofsims_profile``.
    substrate : str or None
        Ion whose response fit says where the plateau ends.
    """
    used = profile["used_scans"].values.astype(bool)
    used &= np.isfinite(profile["sputter_time"].values)
    if substrate is not None:
        fitted = np.flatnonzero(np.isfinite(profile["response_fit"].sel(ion=substrate).values))
        if fitted.size:
            used &= np.arange(used.size) <= fitted[-1]
    return np.flatnonzero(used)


def tofsims_measurement(
    profile: xr.Dataset, ion: str, scans: NDArray[np.intp], interface: float, transient: tuple[float, float]
) -> Measurement:
    """Counts of an ion against sputter time, binned to at most `POINTS` points.

    The forward model speaks of the corrected intensity. What correction and background took from the counts is turned
    into the gain and background of a counting experiment, so that the likelihood stays that of counts.

    Parameters
    ----------
    profile : xr.Dataset
        Contract ``tofsims_profile``.
    ion : str
        Label.
    scans : array of int
        Scans to use.
    interface : float
        Rough time of the interface in s.
    transient : tuple of float
        Shortest and longest decay time in s of the surface transient.

    Returns
    -------
    Measurement
    """
    chosen = profile.sel(ion=ion).isel(scan=scans)
    time = chosen["sputter_time"].values.astype(np.float64)
    intensity = chosen["intensity"].values.astype(np.float64)
    std = chosen["intensity_std"].values.astype(np.float64)
    counts = chosen["counts"].values.astype(np.float64)
    background = (
        np.nan_to_num(chosen["background"].values.astype(np.float64))
        if "background" in chosen
        else np.zeros_like(counts)
    )
    near = (time < REACH * interface) & np.isfinite(intensity) & np.isfinite(counts)
    time, intensity, std, counts, background = (a[near] for a in (time, intensity, std, counts, background))
    net = counts - background
    certain = (np.abs(net) > 3.0 * np.sqrt(np.maximum(counts, 1.0))) & (intensity * net > 0)
    ratio = np.divide(net, intensity, out=np.full_like(net, np.nan), where=certain)
    usual = float(np.median(ratio[certain])) if certain.any() else 1.0
    gain = np.where(certain, np.clip(ratio, 0.3 * usual, 3.0 * usual), usual)
    wide = np.divide((std * gain) ** 2, np.maximum(counts, 1.0), out=np.ones_like(net), where=np.isfinite(std))
    dispersion = float(np.clip(np.median(wide[counts > 0]) if (counts > 0).any() else 1.0, 0.7, 50.0))
    parts = _bins(len(time))
    # A gain that is the ratio of noisy numbers is replaced by counts that follow it exactly: counts = gain x intensity.
    value = np.where(certain, counts, np.maximum(gain * intensity + background, 0.0))
    mean_time = _mean(time, parts)
    return Measurement(
        time=mean_time,
        value=_sum(value, parts),
        gain=_sum(gain, parts),
        background=_sum(np.maximum(background, 0.0), parts),
        dispersion=np.full(len(parts), dispersion),
        transient_range=transient,
        drifting=mean_time / interface - 1.0,
    )


def xps_measurement(etch_time: Array, area: Array, area_std: Array, interface: float) -> Measurement:
    """Areas of a component against etch time, with the errors of their fit and of the model.

    Parameters
    ----------
    etch_time, area, area_std : array (level,)
        Etch times in s, areas and their errors; levels that are not finite are left out.
    interface : float
        Rough time of the interface in s.
    """
    good = np.isfinite(area) & np.isfinite(area_std) & np.isfinite(etch_time)
    time, value = etch_time[good].astype(np.float64), area[good].astype(np.float64)
    typical = float(np.max(np.abs(value))) if value.size else 1.0
    std = np.hypot(np.maximum(area_std[good], 1e-4 * typical), XPS_MODEL_STD * np.abs(value))
    return Measurement(
        time=time,
        value=value,
        gain=np.ones_like(time),
        background=np.zeros_like(time),
        dispersion=np.ones_like(time),
        transient_range=(interface, interface),
        drifting=time / max(interface, 1e-9) - 1.0,
        std=std,
    )


def rough_interface(time: Array, value: Array, share: float) -> float:
    """Time at which a rising profile last comes from below `share` of its highest smoothed value; NaN if it never does.

    Parameters
    ----------
    time, value : array (k,)
        In order of time.
    share : float
        Between 0 and 1.
    """
    good = np.isfinite(value)
    time, value = time[good], value[good]
    if value.size < 2:
        return float("nan")
    top = float(np.max(value))
    low = float(np.min(value[: int(np.argmax(value)) + 1]))
    level = low + share * (top - low)
    below = np.flatnonzero(value[: int(np.argmax(value)) + 1] < level)
    if below.size == 0 or top <= 0:
        return float("nan")
    k = int(below[-1])
    return float(time[k] + (level - value[k]) / max(value[k + 1] - value[k], 1e-30) * (time[k + 1] - time[k]))


def _bins(points: int) -> list[NDArray[np.intp]]:
    """Consecutive points that are summed."""
    if points == 0:
        return []
    width = int(np.ceil(points / POINTS))
    # The first points stay apart: the surface transient is only a few scans long.
    head = min(4 if width > 1 else 0, points)
    heads: list[NDArray[np.intp]] = [np.array([k]) for k in range(head)]
    rest = np.arange(head, points)
    return heads + [rest[k : k + width] for k in range(0, rest.size, width)]


def _sum(values: Array, parts: Sequence[NDArray[np.intp]]) -> Array:
    return np.array([values[part].sum() for part in parts])


def _mean(values: Array, parts: Sequence[NDArray[np.intp]]) -> Array:
    return np.array([values[part].mean() for part in parts])

"""Profiles over a reference: all ions, one ion, or the sum of those followed, with the errors of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.quantity import NORMAL_95, Quantity, assign
from depthlock.tofsims.counting import correct_dead_time, peak_variance
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import FieldOfView
from depthlock.tofsims.scan_survey import event_blocks
from depthlock.tofsims.windows import Detector

DETECTED = 3.0
"""Standard deviations above zero from which a reference may stand in a denominator."""

_MOST_CELLS = 20_000_000
"""Scans times channels that are kept in memory for the dead-time correction of all ions."""


@dataclass(frozen=True)
class Reference:
    """What profiles are divided by.

    Attributes
    ----------
    value, variance : ndarray, shape (scan,)
    covariance : ndarray, shape (ion, scan)
        With the intensity of each ion.
    """

    value: FloatArray
    variance: FloatArray
    covariance: FloatArray


def normalise(profile: xr.Dataset, normalisation: str) -> xr.Dataset:
    """Add the quantity `normalised` on (ion, scan): intensities over a reference; the intensities stay.

    Parameters
    ----------
    profile : xr.Dataset
        Contract `tofsims_profile`.
    normalisation : str
        ``none``, ``total_ions``, ``point_to_point`` or ``reference:ION``.

    Returns
    -------
    xr.Dataset
        Points whose reference is not detected are NaN with the flag ``reference_not_detected``.

    Raises
    ------
    MeasurementError
        When the reference ion is not in the file.
    """
    if normalisation == "none":
        return profile
    reference = _reference(profile, normalisation)
    intensity = profile["intensity"].values
    quantity = ratio(intensity, profile["intensity_std"].values ** 2, reference)
    profile = assign(profile, "normalised", ("ion", "scan"), quantity, "1")
    return profile.assign_attrs(normalisation=normalisation)


def _reference(profile: xr.Dataset, normalisation: str) -> Reference:
    intensity = profile["intensity"].values.astype(np.float64)
    variance = profile["intensity_std"].values.astype(np.float64) ** 2
    if normalisation == "total_ions":
        total, std = profile["total_intensity"].values, profile["total_intensity_std"].values
        # A peak's ions are among all ions: what their counting adds to the one it adds to the other.
        shared = peak_variance(np.maximum(np.nan_to_num(intensity), 0.0), profile["pulses"].values)
        return Reference(total, std**2, np.minimum(shared, std * np.sqrt(variance)))
    if normalisation == "point_to_point":
        return Reference(np.nansum(intensity, axis=0), np.nansum(variance, axis=0), variance)
    label = reference_ion(normalisation)
    own = np.array([Ion.parse(one).hill_formula == Ion.parse(label).hill_formula for one in profile["ion"].values])
    if not own.any() or not np.isfinite(intensity[own]).any():
        raise MeasurementError(
            f"the reference ion {label} of 'normalisation' is not in this file",
            expected=f"one of {', '.join(profile['ion'].values.astype(str))}",
            where=str(profile.attrs.get("source", "")),
            hint="name another reference, or 'total_ions'",
        )
    row = int(np.flatnonzero(own)[0])
    return Reference(intensity[row], variance[row], np.where(own[:, np.newaxis], variance, 0.0))


def ratio(value: FloatArray, variance: FloatArray, reference: Reference) -> Quantity:
    """Values over a reference with standard deviation and 95 % interval.

    Parameters
    ----------
    value, variance : ndarray, shape (ion, scan)
    reference : Reference

    Returns
    -------
    Quantity

    Notes
    -----
    The standard deviation is that of first order. The interval is Fieller's (Fieller, J. R. Stat. Soc. B 16 (1954)
    175): the ratios r for which value - r * reference is within its own 1.96 standard deviations of zero, which holds
    for weak references too and is not symmetric there.
    """
    seen = reference.value > DETECTED * np.sqrt(reference.variance)
    below = np.where(seen, reference.value, np.nan)
    share = value / below
    spread = variance - 2.0 * share * reference.covariance + share**2 * reference.variance
    squared = NORMAL_95**2
    a = below**2 - squared * reference.variance
    b = value * below - squared * reference.covariance
    c = value**2 - squared * variance
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    flag = np.where(np.broadcast_to(seen, value.shape), "", "reference_not_detected")
    return Quantity(share, np.sqrt(np.maximum(spread, 0.0)) / below, (b - root) / a, (b + root) / a, flag)


def total_ions(events: xr.Dataset, view: FieldOfView, detector: Detector) -> tuple[FloatArray, FloatArray]:
    """All ions of each scan, corrected for dead time where it is known, and their variance.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset; read one dask block at a time.
    view : FieldOfView
    detector : Detector

    Notes
    -----
    Pixels are taken together: rates of the whole spectrum vary less over the raster than those of single ions.
    """
    scans = view.raster.scans
    bins, indptr = events["mass_bin"].values.astype(np.int64), events["indptr"].values.astype(np.int64)
    span = int(bins[-1] - bins[0]) + 1
    width = max((detector.dead_bins or span) // 8, -(-span * scans // _MOST_CELLS), 1)
    channels = -(-span // width)
    table = np.zeros(scans * channels)
    for start, pixel, count in event_blocks(events):
        counted, scan, _ = view.locate(pixel)
        row = np.searchsorted(indptr, start + np.arange(pixel.size), side="right") - 1
        channel = (bins[row] - bins[0])[counted] // width
        table += np.bincount(scan * channels + channel, weights=count[counted], minlength=table.size)
    counts = table.reshape(scans, channels)
    if detector.dead_bins is None or detector.shots_per_pixel is None:
        return counts.sum(axis=1), counts.sum(axis=1)
    pulses = view.pixels * view.raster.frames * detector.shots_per_pixel
    corrected = correct_dead_time(counts, pulses, -(-detector.dead_bins // width))
    return corrected.ions.sum(axis=1), corrected.variance.sum(axis=1)


def reference_ion(normalisation: str) -> str:
    """Label of the reference ion; empty where it is none."""
    return normalisation.partition(":")[2]

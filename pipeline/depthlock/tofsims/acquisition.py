"""What of a measurement counts: scans measured whole, lines of the raster that are there, the region of interest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.model.regions_of_interest import RegionOfInterest
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import FieldOfView, region_variables, seen_throughout
from depthlock.tofsims.incomplete import missing_lines, odd_scans, scan_notes
from depthlock.tofsims.instrument import Instrument
from depthlock.tofsims.lateral_drift import LateralDrift, measure_lateral_drift
from depthlock.tofsims.peak_model import fit_region
from depthlock.tofsims.raster import pixel_pitch
from depthlock.tofsims.regions_of_interest import region_mask
from depthlock.tofsims.scan_survey import ScanSurvey, survey_scans
from depthlock.tofsims.spectrum import ions_between

FEWEST_COLUMNS = 0.5
"""Share of the columns from which a scan of moved columns is used."""


@dataclass(frozen=True)
class Acquisition:
    """The part of a measurement that counts.

    Attributes
    ----------
    survey : ScanSurvey
    used : ndarray of bool, shape (scan,)
        Scans measured whole.
    view, mapped : FieldOfView
        Whose ions make the profiles, and the maps and volumes. A profile of the whole raster loses nothing to drift.
    drift : LateralDrift
    notes : tuple of str
        What was left out, in words.
    """

    survey: ScanSurvey
    used: NDArray[np.bool_]
    view: FieldOfView
    mapped: FieldOfView
    drift: LateralDrift
    notes: tuple[str, ...]


def look_at(
    events: xr.Dataset, instrument: Instrument, options: ProfileOptions, lag: NDArray[np.int64] | None = None
) -> Acquisition:
    """Leave out what was not measured whole and what lies outside the region of interest.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    instrument : Instrument
        With the whole raster in view.
    options : ProfileOptions
    lag : ndarray of int64, shape (2, pixel), optional
        Scans by which columns are moved; see `FieldOfView`.

    Returns
    -------
    Acquisition

    Raises
    ------
    MeasurementError
        When the region of interest does not fit the raster or is empty.
    """
    view = instrument.view
    survey = survey_scans(events, view.raster)
    short, bright = odd_scans(survey.bands)
    used = ~(short | bright)
    view, lines = _without_missing_lines(view, survey)
    notes = [*scan_notes(short, bright), *lines]
    drift = measure_lateral_drift(survey, used)
    mapped = view
    if drift.shift.any():
        mapped = replace(view, shift=drift.shift, inside=view.inside & seen_throughout(view.raster, drift.shift))
        notes.append(_drift_note(drift, view, mapped))
    if options.region_of_interest is not None:
        mapped = _in_region(events, instrument, mapped, options.region_of_interest)
        view = mapped
        notes.append(
            f"region of interest: {int(view.inside.sum())} of {view.raster.pixels} pixels "
            f"({float(view.inside.mean()):.1%}); counts and pulses are those of these pixels"
        )
    view, mapped = replace(view, whole=used), replace(mapped, whole=used)
    if lag is not None:
        view = mapped = replace(mapped, lag=lag)
        used = view.coverage >= FEWEST_COLUMNS
        notes.append(_flattening_note(view, used))
    return Acquisition(survey, used, view, mapped, drift, tuple(notes))


def _flattening_note(view: FieldOfView, used: NDArray[np.bool_]) -> str:
    lag = np.zeros(1, dtype=np.int64) if view.lag is None else view.lag[:, view.inside]
    partial = used & (view.coverage < 1.0 - 1e-9)
    measured = int(view.inside.sum()) * int(view.whole.sum())
    left = 1.0 - int(view.pixels[used].sum()) / max(measured, 1)
    return (
        f"flattened: columns were moved by {lag.min()} to {lag.max()} scans so that the interface is flat; "
        f"{int(partial.sum())} scans rest on part of the columns and are scaled to all, {int((~used).sum())} with less "
        f"than half of them were dropped; {left:.1%} of the pixels measured lie outside the moved profile; "
        "total_counts are those before columns were moved"
    )


def _drift_note(drift: LateralDrift, view: FieldOfView, mapped: FieldOfView) -> str:
    way = np.ptp(drift.path, axis=0)
    lost = int(view.inside.sum() - mapped.inside.sum())
    return (
        f"the sample drifted by {way[0]:.1f} pixels along y and {way[1]:.1f} along x; volumes, maps and regions follow "
        f"it by whole pixels, without {lost} pixels that are not in the raster of every scan"
    )


def _without_missing_lines(view: FieldOfView, survey: ScanSurvey) -> tuple[FieldOfView, list[str]]:
    raster, notes = view.raster, []
    inside = view.inside.reshape(raster.rows, raster.columns).copy()
    for axis, name, lines in ((0, "rows", survey.rows), (1, "columns", survey.columns)):
        first, last = missing_lines(lines)
        if first or last:
            kept = np.zeros(lines.size, dtype=bool)
            kept[first : lines.size - last] = True
            inside &= kept[:, np.newaxis] if axis == 0 else kept
            notes.append(f"{first + last} {name} at the raster's edge lack ions and were left out")
    return replace(view, inside=inside.ravel()), notes


def _in_region(events: xr.Dataset, instrument: Instrument, view: FieldOfView, region: RegionOfInterest) -> FieldOfView:
    raster = view.raster
    mask = region_mask(
        region,
        (raster.rows, raster.columns),
        pixel_pitch(events),
        lambda label: ion_image(events, replace(instrument, view=view), Ion.parse(label)),
        str(events.attrs.get("source", "")),
    )
    return replace(view, inside=view.inside & mask.ravel())


def ion_image(events: xr.Dataset, instrument: Instrument, ion: Ion) -> FloatArray:
    """Counts of an ion's mass peak on (y, x), summed over all scans, of the pixels in view."""
    raster = instrument.view.raster
    low, channel, channels = fit_region(ion, instrument.around)
    centre = float(instrument.around.calibration.scale.position(ion.mz))
    half = instrument.around.widths.fwhm(centre)
    first, last = max(int(centre - half), low), min(int(centre + half) + 1, low + channel * channels)
    ions = ions_between(events, first, last)
    counted, _, place = instrument.view.locate(ions.pixel_id)
    image = np.bincount(place, weights=ions.count[counted], minlength=raster.pixels)
    return np.asarray(image, dtype=np.float64).reshape(raster.rows, raster.columns)


def geometry_variables(events: xr.Dataset, acquisition: Acquisition) -> dict[str, xr.Variable]:
    """Where the ions came from, as variables of a profile: an image, the region, the drift where there is one."""
    survey, view = acquisition.survey, acquisition.mapped
    pixel = (pixel_pitch(events) or 1.0) * survey.cell
    image = acquisition.survey.images[acquisition.used].sum(axis=0, dtype=np.float64)
    unit = {"units": "pixel" if pixel_pitch(events) is None else "micrometer"}
    variables = {"total_image": xr.Variable(("image_y", "image_x"), image, {"units": "1"})}
    for name, size in zip(("image_y", "image_x"), image.shape, strict=True):
        variables[name] = xr.Variable((name,), (np.arange(size) + 0.5) * pixel - 0.5 * pixel / survey.cell, unit)
    if view.shift.any():
        drift, pixels = acquisition.drift, {"units": "pixel"}
        variables["lateral_drift"] = xr.Variable(("scan", "axis"), drift.path, pixels)
        variables["lateral_drift_std"] = xr.Variable(("scan", "axis"), drift.std, pixels)
    return {**variables, **region_variables(events, view)}

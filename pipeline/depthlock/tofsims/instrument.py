"""What the whole file says before single ions are looked at: geometry, detector, peaks, mass calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.tofsims.calibrants import calibrant_ions
from depthlock.tofsims.calibration import Calibration, calibrate, file_calibration
from depthlock.tofsims.drift_measurement import measure_drift
from depthlock.tofsims.field_of_view import FieldOfView, whole_raster
from depthlock.tofsims.mass_drift import steady_spectrum
from depthlock.tofsims.peak_model import Surroundings
from depthlock.tofsims.peak_shape import PeakShape, PeakWidths
from depthlock.tofsims.peaks import Peak, find_peaks, measure_peaks
from depthlock.tofsims.raster import Raster, raster_of
from depthlock.tofsims.shape_measurement import measure_shape
from depthlock.tofsims.spectrum import MassScale, Spectrum, file_scale, total_spectrum
from depthlock.tofsims.windows import Detector, Window

_MEASURED_PEAKS = 150
_FEWEST_COUNTS = 60.0
_BENDING_RATE = 0.03
"""Ions a pulse in a peak at which the dead time shifts it by a hundredth of its width."""

_LEFT_OF_SHIFT = 0.1
"""Shift in FWHM per ion a pulse that stays after a correction with mean rates."""

_HIGH_RATE = 1.0
"""Ions a pulse above which so few pulses stay live that the correction cannot be trusted."""

_HARMLESS_RATE = 0.005
"""Ions a pulse at which an uncorrected dead time takes a quarter of a percent."""


@dataclass(frozen=True)
class Instrument:
    """What the whole file says before single ions are looked at."""

    view: FieldOfView
    detector: Detector
    around: Surroundings
    spectrum: Spectrum


def survey(events: xr.Dataset, options: ProfileOptions) -> Instrument:
    """Find and measure the peaks of the whole spectrum, and calibrate its mass scale on them.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset with at least one ion.
    options : ProfileOptions
    """
    polarity = str(events.attrs["polarity"])
    raster = raster_of(events)
    header = file_scale(events)
    detector = _detector(events, options, header)
    pulses = detector.pulses(raster)
    limit = _BENDING_RATE * pulses
    origin = float(header.position(0.0))
    spectrum = _restored(total_spectrum(events), detector, pulses)
    found = _strongest(spectrum, header)
    drift = measure_drift(events, raster, detector, found, origin, limit)
    if drift.seen:
        spectrum = _restored(steady_spectrum(events, raster, drift), detector, pulses)
        found = _strongest(spectrum, header)
    detector = replace(detector, drift=drift)
    shape = measure_shape(spectrum, found, limit) if found else PeakShape()
    found = [peak for peak in found if peak.counts >= _FEWEST_COUNTS]
    peaks: list[Peak] = []
    widths = PeakWidths(0.0, 1e-4, origin, 0.3)
    if found:
        peaks, widths = measure_peaks(spectrum, found, shape, origin)
        peaks = _with_bending(peaks, pulses)
    session = [Ion.parse(entry.ion) for entry in options.ions]
    calibration = _calibration(peaks, session, header, options, polarity)
    around = Surroundings(calibration, shape, widths, tuple(peaks), options.elements)
    return Instrument(whole_raster(raster), detector, around, spectrum)


def _restored(spectrum: Spectrum, detector: Detector, pulses: float) -> Spectrum:
    """The spectrum without mean dead-time losses where they are known."""
    if detector.dead_bins is None or not np.isfinite(pulses):
        return spectrum
    return spectrum.without_dead_time(detector.dead_bins, pulses)


def _strongest(spectrum: Spectrum, header: MassScale) -> list[Peak]:
    return sorted(find_peaks(spectrum, header), key=lambda peak: -peak.counts)[:_MEASURED_PEAKS]


def _detector(events: xr.Dataset, options: ProfileOptions, header: MassScale) -> Detector:
    """Dead time and pulses: the session's word before the file's."""
    dead_time = options.dead_time if options.dead_time is not None else events.attrs.get("dead_time_ns")
    shots = options.shots_per_pixel if options.shots_per_pixel is not None else events.attrs.get("shots_per_pixel")
    dead_bins = None if dead_time is None else round(float(dead_time) * 1e3 / header.bin_width)
    return Detector(dead_bins, None if shots is None else float(shots))


def _calibration(
    peaks: list[Peak], session: list[Ion], header: MassScale, options: ProfileOptions, polarity: str
) -> Calibration:
    law = file_calibration if options.calibration == "file" else calibrate
    return law(peaks, calibrant_ions(session, polarity), header)


def bends(window: Window) -> bool:
    """Whether ions are so many that the dead time shifts the peak in the uncorrected spectrum."""
    pulses = float(window.pulses.sum())
    return bool(np.isfinite(pulses) and window.counts.sum() > _BENDING_RATE * pulses)


def _with_bending(peaks: list[Peak], pulses: float) -> list[Peak]:
    """Peaks with the error of what the mean dead-time correction leaves of their shift."""
    return [
        replace(
            peak, position_std=float(np.hypot(peak.position_std, _LEFT_OF_SHIFT * peak.fwhm * peak.counts / pulses))
        )
        if peak.counts > _BENDING_RATE * pulses
        else peak
        for peak in peaks
    ]


def counting_flags(window: Window, raster: Raster) -> list[str]:
    """What the detector did to the counts of a window that no correction can make good."""
    flags = ["saturated"] if window.saturated else []
    if window.corrected and window.rate > _HIGH_RATE:
        flags.append("dead_time_large")
    if not window.corrected:
        cells = raster.pixels * raster.frames * raster.scans
        if float(window.counts.sum()) / cells > _HARMLESS_RATE:
            flags.append("dead_time_not_corrected")
    return flags

"""Profiles from ions on the flight-time axis: calibration, peaks, dead time, neighbours and background."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.chemistry import IonEntry
from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.assembly import Measured, ReducedIon, ScanTable
from depthlock.tofsims.calibrants import calibrant_ions
from depthlock.tofsims.calibration import Calibration, calibrate, file_calibration
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.mass_accuracy import mass_error, mass_resolution
from depthlock.tofsims.overlaps import PeakFit, fit_peak
from depthlock.tofsims.peak_model import Surroundings, fit_region
from depthlock.tofsims.peak_shape import PeakShape, PeakWidths
from depthlock.tofsims.peaks import Peak, find_peaks, measure_peaks
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.raster import Raster, raster_of
from depthlock.tofsims.reduction import Reduction
from depthlock.tofsims.shape_measurement import measure_shape
from depthlock.tofsims.spectrum import MassScale, file_scale, total_spectrum
from depthlock.tofsims.unmixing import IonProfile, unmix
from depthlock.tofsims.windows import Detector, Window, read_window

_MEASURED_PEAKS = 150
_FEWEST_COUNTS = 60.0
_BENDING_RATE = 0.03
"""Ions a pulse in a peak at which the dead time shifts it by a hundredth of its width."""

_LEFT_OF_SHIFT = 0.1
"""Shift in FWHM per ion a pulse that stays after a correction with mean rates."""

_HIGH_RATE = 1.0
"""Ions a pulse above which so few pulses stay live that the correction cannot be trusted."""

_UNRESOLVED = 0.4
"""Share of what lateral structure changed in the correction that finer structure may still change."""

_HARMLESS_RATE = 0.005
"""Ions a pulse at which an uncorrected dead time takes a quarter of a percent."""


@dataclass(frozen=True)
class Instrument:
    """What the whole file says before single ions are looked at."""

    raster: Raster
    detector: Detector
    around: Surroundings


def reduce_events(events: xr.Dataset, options: ProfileOptions) -> Reduction:
    """Reduce a `tofsims_events` dataset.

    Parameters
    ----------
    events : xr.Dataset
    options : ProfileOptions

    Returns
    -------
    Reduction

    Raises
    ------
    MeasurementError
        When no ions are asked for, or the file holds none at all.
    """
    source = str(events.attrs.get("source", ""))
    if not options.ions:
        raise MeasurementError(
            "no ions to follow",
            expected="a list of ions",
            where=source,
            hint="add 'ions: [SO2CF3-, MgF2-, V-]' to the session",
        )
    if events.sizes["event"] == 0:
        raise MeasurementError("the file holds no ions", expected="at least some counts", where=source)
    polarity = str(events.attrs["polarity"])
    entries = [entry for entry in options.ions if (Ion.parse(entry.ion).charge > 0) == (polarity == "+")]
    instrument = _instrument(events, options, polarity)
    totals = _scan_totals(events, instrument.raster)
    used = _whole_scans(totals)
    ions, data = [], []
    for entry in entries:
        reduced, law = _reduce_ion(events, instrument, entry, options, used)
        ions.append(reduced)
        data.append(law)
    scans = ScanTable(events["sputter_time"].values.astype(np.float64), used, totals)
    return Reduction(ions, data, scans, _attributes(events, instrument, entries, options, used))


def _instrument(events: xr.Dataset, options: ProfileOptions, polarity: str) -> Instrument:
    raster = raster_of(events)
    header = file_scale(events)
    detector = _detector(events, options, header)
    spectrum = total_spectrum(events)
    pulses, limit = np.inf, np.inf
    if detector.dead_bins is not None and detector.shots_per_pixel is not None:
        pulses = raster.scans * raster.frames * raster.pixels * detector.shots_per_pixel
        limit = _BENDING_RATE * pulses
        spectrum = spectrum.without_dead_time(detector.dead_bins, pulses)
    found = sorted(find_peaks(spectrum, header), key=lambda peak: -peak.counts)[:_MEASURED_PEAKS]
    shape = measure_shape(spectrum, found, limit) if found else PeakShape()
    found = [peak for peak in found if peak.counts >= _FEWEST_COUNTS]
    origin = float(header.position(0.0))
    peaks: list[Peak] = []
    widths = PeakWidths(0.0, 1e-4, origin, 0.3)
    if found:
        peaks, widths = measure_peaks(spectrum, found, shape, origin)
        peaks = _with_bending(peaks, pulses)
    session = [Ion.parse(entry.ion) for entry in options.ions]
    calibration = _calibration(peaks, session, header, options, polarity)
    return Instrument(raster, detector, Surroundings(calibration, shape, widths, tuple(peaks), options.elements))


def _detector(events: xr.Dataset, options: ProfileOptions, header: MassScale) -> Detector:
    """Dead time and pulses: the session's word before the file's."""
    dead_time = options.dead_time if options.dead_time is not None else events.attrs.get("dead_time_ns")
    shots = options.shots_per_pixel if options.shots_per_pixel is not None else events.attrs.get("shots_per_pixel")
    dead_bins = None if dead_time is None else round(float(dead_time) * 1e3 / header.bin_width)
    return Detector(dead_bins, None if shots is None else float(shots))


def _calibration(
    peaks: list[Peak], session: list[Ion], header: MassScale, options: ProfileOptions, polarity: str
) -> Calibration:
    if options.calibration == "file":
        return file_calibration(header)
    return calibrate(peaks, calibrant_ions(session, polarity), header)


def _scan_totals(events: xr.Dataset, raster: Raster) -> FloatArray:
    """All ions of each scan, one dask block at a time."""
    pixel, count = events["pixel_id"].chunk().data, events["count"].chunk().data
    totals = np.zeros(raster.scans)
    for ids, numbers in zip(pixel.blocks, count.rechunk(pixel.chunks).blocks, strict=True):
        scan = raster.scan_of(np.asarray(ids.compute(), dtype=np.int64))
        totals += np.bincount(scan, weights=np.asarray(numbers.compute(), dtype=np.float64), minlength=raster.scans)
    return totals


def _whole_scans(totals: FloatArray) -> NDArray[np.bool_]:
    """Scans measured whole: not those at the ends with under half their neighbours' ions, and no empty ones."""
    used = totals > 0
    if totals.size < 10:
        return used
    for index, beside in ((0, slice(1, 6)), (totals.size - 1, slice(-6, -1))):
        expected = float(np.median(totals[beside]))
        # The surface transient may be strong: only a gross lack of ions tells an incomplete scan.
        if totals[index] < 0.5 * expected - 5.0 * np.sqrt(expected + 1.0):
            used[index] = False
    return used


def _reduce_ion(
    events: xr.Dataset,
    instrument: Instrument,
    entry: IonEntry,
    options: ProfileOptions,
    used: NDArray[np.bool_],
) -> tuple[ReducedIon, CountData]:
    ion = Ion.parse(entry.ion)
    around = instrument.around
    low, channel, channels = fit_region(ion, around)
    window = read_window(events, instrument.raster, instrument.detector, low, channel, channels)
    fit = fit_peak(ion, window.edges, _summed(window, used), around)
    inside = _own_channels(ion, fit, window, around, entry.window_ppm or options.window_ppm)
    profile = unmix(window, fit, inside)
    flag = join_flags(fit.flag, around.calibration.flag, *_counting_flags(window, instrument))
    scale = around.calibration.scale
    bin_low, bin_high = int(window.edges[:-1][inside].min()), int(window.edges[1:][inside].max())
    own = float(fit.ions[0] * fit.shares[0][inside].sum())
    everything = float(fit.fitted[inside].sum())
    reduced = ReducedIon(
        label=entry.ion,
        role=entry.role,
        mz=ion.mz,
        counts=window.counts[:, inside].sum(axis=1),
        pulses=window.pulses,
        background=profile.background,
        intensity=profile.ions,
        std=profile.std,
        total=_total(profile, fit, window, used, flag),
        mass_error=mass_error(ion, fit, around, flag, _bends(window)),
        mass_resolution=mass_resolution(ion, fit, around, flag),
        bin_low=bin_low,
        bin_high=bin_high,
        share=float(np.clip(own / everything, 0.0, 1.0)) if everything > 0 else 0.0,
        mass_axis=scale.mz(0.5 * (window.edges[1:] + window.edges[:-1])),
        mass_spectrum=window.ions[used].sum(axis=0),
        mass_fit=fit.fitted,
        interface=None,
    )
    return reduced, profile.data


def _bends(window: Window) -> bool:
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


def _summed(window: Window, used: NDArray[np.bool_]) -> CountData:
    """Ions a channel over the used scans, with the variance that the dead-time correction gave them."""
    total = window.ions[used].sum(axis=0)
    variance = window.variance[used].sum(axis=0)
    ratio = max(float(variance.sum()) / max(float(total.sum()), 1e-12), 1.0) if total.sum() > 0 else 1.0
    return CountData(total, np.full(total.size, ratio), np.zeros(total.size))


def _own_channels(
    ion: Ion, fit: PeakFit, window: Window, around: Surroundings, window_ppm: float | None
) -> NDArray[np.bool_]:
    """Channels of the ion's window: of the width asked for, or about the peak up to half way to its neighbours."""
    scale = around.calibration.scale
    centres = 0.5 * (window.edges[1:] + window.edges[:-1])
    middle = float(scale.position(ion.mz)) + fit.offset
    if window_ppm is not None:
        half = 0.5e-6 * window_ppm / scale.relative_per_bin(ion.mz)
        low, high = middle - half, middle + half
    else:
        low, high = middle - 1.3 * fit.fwhm, middle + 1.8 * fit.fwhm
        for one, ions in zip(fit.components[1:], fit.ions[1:], strict=True):
            # A neighbour nearer than this has no half way: its share is taken off instead.
            if ions > 0.01 * fit.ions[0] and abs(one.position - middle) > 0.8 * fit.fwhm:
                half_way = 0.5 * (one.position + middle)
                low, high = (max(low, half_way), high) if one.position < middle else (low, min(high, half_way))
    inside = (centres >= low) & (centres <= high)
    if not inside.any():
        inside[int(np.argmin(np.abs(centres - middle)))] = True
    return np.asarray(inside, dtype=np.bool_)


def _counting_flags(window: Window, instrument: Instrument) -> list[str]:
    flags = ["saturated"] if window.saturated else []
    if window.corrected and window.rate > _HIGH_RATE:
        flags.append("dead_time_large")
    if not window.corrected:
        cells = instrument.raster.pixels * instrument.raster.frames * instrument.raster.scans
        if float(window.counts.sum()) / cells > _HARMLESS_RATE:
            flags.append("dead_time_not_corrected")
    return flags


def _total(profile: IonProfile, fit: PeakFit, window: Window, used: NDArray[np.bool_], flag: str) -> Measured:
    """Sum over the used scans; its error holds counting, shape, width, positions, neighbours and lateral structure."""
    value = float(profile.ions[used].sum())
    error = float(np.sqrt(max(fit.covariance[0, 0], float(np.sum(profile.std[used] ** 2)))))
    error = float(np.hypot(error, _UNRESOLVED * window.uneven * value))
    return value, error, value - NORMAL_95 * error, value + NORMAL_95 * error, flag


def _attributes(
    events: xr.Dataset,
    instrument: Instrument,
    entries: list[IonEntry],
    options: ProfileOptions,
    used: NDArray[np.bool_],
) -> dict[str, object]:
    """What the report tells of the calibration and the counting, plain values."""
    calibration = instrument.around.calibration
    notes = []
    skipped = [entry.ion for entry in options.ions if entry not in entries]
    if skipped:
        notes.append(f"of the other polarity and left out: {', '.join(skipped)}")
    if not used.all():
        notes.append(f"{int((~used).sum())} incomplete scans were dropped")
    if not instrument.detector.known:
        notes.append("dead time or pulses are not known: counts are not corrected for dead time")
    return {
        "source": str(events.attrs.get("source", "")),
        "polarity": str(events.attrs["polarity"]),
        "calibration_slope": calibration.scale.slope,
        "calibration_offset": calibration.scale.offset,
        "calibration_ions": list(calibration.ions),
        "calibration_residuals_ppm": [round(float(value), 3) for value in calibration.residual],
        "calibration_residual_errors_ppm": [round(float(value), 3) for value in calibration.residual_std],
        "calibration_scatter_ppm": calibration.scale.scatter * 1e6,
        "calibration_flag": calibration.flag,
        "header_shift_ppm": calibration.header_shift,
        "notes": notes,
    }

"""Profiles from ions on the flight-time axis: calibration, peaks, dead time, neighbours and background."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.chemistry import IonEntry
from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.acquisition import Acquisition, geometry_variables, look_at
from depthlock.tofsims.assembly import Measured, ReducedIon, ScanTable, unmeasured_ion
from depthlock.tofsims.instrument import Instrument, bends, counting_flags, survey
from depthlock.tofsims.isotopes import check_isotopes
from depthlock.tofsims.mass_accuracy import mass_error, mass_resolution
from depthlock.tofsims.normalisation import total_ions
from depthlock.tofsims.overlaps import PeakFit, fit_peak
from depthlock.tofsims.peak_model import Surroundings, fit_region
from depthlock.tofsims.quasi_poisson import CountData, no_counts
from depthlock.tofsims.reduction import Reduction
from depthlock.tofsims.unmixing import IonProfile, scaled_to, unmix
from depthlock.tofsims.windows import Window, read_window, summed

_UNRESOLVED = 0.4
"""Share of what lateral structure changed in the correction that finer structure may still change."""


def reduce_events(events: xr.Dataset, options: ProfileOptions, lag: NDArray[np.int64] | None = None) -> Reduction:
    """Reduce a `tofsims_events` dataset.

    Parameters
    ----------
    events : xr.Dataset
    options : ProfileOptions
    lag : ndarray of int64, shape (2, pixel), optional
        Scans by which columns are moved so that the interface is flat; see `FieldOfView`.

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
    instrument = survey(events, options)
    acquisition = look_at(events, instrument, options, lag)
    instrument = replace(instrument, view=acquisition.view)
    ions, data = [], []
    for entry in options.ions if entries else ():
        if entry in entries:
            reduced, law = _reduce_ion(events, instrument, entry, options, acquisition.used)
        else:
            scans = instrument.view.raster.scans
            reduced, law = unmeasured_ion(entry, scans, "other_polarity"), no_counts(scans)
        ions.append(reduced)
        data.append(law)
    time = events["sputter_time"].values.astype(np.float64)
    totals, variance = acquisition.survey.totals, acquisition.survey.totals
    if options.normalisation == "total_ions" or not acquisition.view.is_raster:
        totals, variance = total_ions(events, acquisition.view, instrument.detector)
        share = np.maximum(acquisition.view.coverage, 1e-9)
        totals, variance = totals / share, variance / share**2
    table = ScanTable(time, acquisition.used, totals, np.sqrt(variance), instrument.detector.drift)
    attrs = _attributes(events, instrument, entries, options, acquisition)
    return Reduction(ions, data, table, attrs, geometry_variables(events, acquisition))


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
    window = read_window(events, instrument.view, instrument.detector, low, channel, channels)
    fit = fit_peak(ion, window.edges, summed(window, used), around)
    inside = _own_channels(ion, fit, window, around, entry.window_ppm or options.window_ppm)
    profile = unmix(window, fit, inside)
    full = scaled_to(profile, np.where(used, instrument.view.coverage, 1.0))
    isotopes, doubt = check_isotopes(events, instrument, used, ion, window, fit)
    drift = instrument.detector.drift
    drifted, rounding = ("", 0.0) if drift is None else (drift.flag, drift.rounding(float(np.mean(window.edges))))
    overloaded = counting_flags(window, instrument.view.raster)
    flag = join_flags(fit.flag, doubt, around.calibration.flag, drifted, *overloaded)
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
        intensity=full.ions,
        std=full.std,
        total=_total(profile, fit, window, used, flag),
        mass_error=mass_error(ion, fit, around, flag, bends(window)),
        mass_resolution=mass_resolution(ion, fit, around, flag, rounding),
        bin_low=bin_low,
        bin_high=bin_high,
        share=float(np.clip(own / everything, 0.0, 1.0)) if everything > 0 else 0.0,
        mass_axis=scale.mz(0.5 * (window.edges[1:] + window.edges[:-1])),
        mass_spectrum=window.ions[used].sum(axis=0),
        mass_fit=fit.fitted,
        interface=None,
        isotopes=isotopes,
    )
    return reduced, full.data


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
    acquisition: Acquisition,
) -> dict[str, object]:
    """What the report tells of the calibration and the counting, plain values."""
    calibration = instrument.around.calibration
    notes = list(acquisition.notes)
    skipped = [entry.ion for entry in options.ions if entry not in entries]
    if skipped:
        notes.append(f"of the other polarity, without numbers: {', '.join(skipped)}")
    if not instrument.detector.known:
        notes.append("dead time or pulses are not known: counts are not corrected for dead time")
    drift = instrument.detector.drift
    if drift is not None and drift.seen:
        notes.append(f"the mass scale drifted by {float(np.ptp(drift.ppm)):.0f} ppm over the scans; taken out")
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

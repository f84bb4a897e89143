"""Profiles from an instrument software's export: corrected values, whose counts and pulses are found again."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.model.chemistry import IonEntry
from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.model.quantity import NORMAL_95
from depthlock.tofsims.assembly import Measured, ReducedIon, ScanTable, unmeasured_ion
from depthlock.tofsims.counting import peak_variance
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.exports import find_pulses, incomplete_ends, invert_dead_time
from depthlock.tofsims.incomplete import odd_scans, scan_notes
from depthlock.tofsims.quasi_poisson import CountData, no_counts
from depthlock.tofsims.reduction import Reduction

_SAME_MASS = 5e-3
"""Exports print m/z with four digits, some with another rounding of the electron's mass, in Da."""

NO_SPECTRUM: Measured = (np.nan, np.nan, np.nan, np.nan, "no_spectrum")
"""Masses cannot be judged on an export of profiles."""


def reduce_export(export: xr.Dataset, options: ProfileOptions) -> Reduction:
    """Reduce a `tofsims_export` dataset.

    Parameters
    ----------
    export : xr.Dataset
    options : ProfileOptions
        Without ions, all single ions of the file are followed, as role ``other``.

    Returns
    -------
    Reduction

    Raises
    ------
    MeasurementError
        When the file has none of the ions.
    """
    kinds = export["kind"].values if "kind" in export.variables else np.full(export.sizes["ion"], "ion")
    single = [str(label) for label, kind in zip(export["ion"].values, kinds, strict=True) if kind == "ion"]
    entries = list(options.ions) or [IonEntry(ion=label) for label in single if _is_ion(label)]
    table = export["intensity"].values.astype(np.float64)
    counted = table[np.isin(kinds, ("ion", "sum"))]
    used, notes = _complete_scans(export, counted)
    stated = export.attrs.get("pulses_per_point", options.shots_per_pixel)
    pulses = float(stated) if stated else find_pulses(table[kinds == "ion"])
    ions, data = [], []
    for entry in entries:
        ion = Ion.parse(entry.ion)
        row = _row_of(ion, export, kinds)
        if row is None:
            other = str(export.attrs.get("polarity", "")) == ("-" if ion.charge > 0 else "+")
            reduced = unmeasured_ion(entry, used.size, "other_polarity" if other else "not_in_file")
            law = no_counts(used.size)
        else:
            reduced, law = _reduce_ion(entry, table[row], used, pulses)
        ions.append(reduced)
        data.append(law)
    if not any(np.isfinite(ion.intensity).any() for ion in ions):
        raise MeasurementError(
            f"none of {', '.join(entry.ion for entry in entries)} is in the export",
            expected=f"one of {', '.join(single[:20])}",
            where=str(export.attrs.get("source", "")),
            hint="name ions of the export under 'ions' in the session",
        )
    if options.region_of_interest is not None:
        raise MeasurementError(
            "a region of interest, and the file is an export of profiles without pixels",
            expected="raw events or a 3-D export",
            where=str(export.attrs.get("source", "")),
            hint="remove 'region_of_interest' for this sample, or name the raw file",
        )
    if options.flatten != "none":
        notes.append("the file is an export of profiles without pixels: nothing can be flattened")
    total = table[kinds == "total"][0] if np.any(kinds == "total") else np.nansum(counted, axis=0)
    spread = np.sqrt(_total_variance(total, table[kinds == "ion"], pulses))
    scans = ScanTable(export["sputter_time"].values.astype(np.float64), used, total, spread)
    if pulses is None:
        notes.append("the number of pulses behind the export was not found: errors are those of plain counts")
    attrs: dict[str, object] = {"source": str(export.attrs.get("source", "")), "corrected_by": "export", "notes": notes}
    if pulses is not None:
        attrs["pulses_per_point"] = pulses
    return Reduction(ions, data, scans, attrs)


def _total_variance(total: FloatArray, single: FloatArray, pulses: float | None) -> FloatArray:
    """Variance of all ions: that of single ions with their dead-time correction, plain counting for the rest."""
    seen = np.maximum(np.nan_to_num(single), 0.0)
    rest = np.maximum(np.nan_to_num(total) - seen.sum(axis=0), 0.0)
    known = np.full(seen.shape, np.nan if pulses is None else pulses)
    return np.asarray(peak_variance(seen, known).sum(axis=0) + rest, dtype=np.float64)


def _is_ion(label: str) -> bool:
    try:
        Ion.parse(label)
    except ValueError:
        return False
    return True


def _row_of(ion: Ion, export: xr.Dataset, kinds: np.ndarray) -> int | None:
    """Row of an ion: by its formula, for an export may hold several ions of one nominal mass."""
    labels = [str(label) for label in export["ion"].values]
    for row, label in enumerate(labels):
        if kinds[row] == "ion" and (label == ion.label or (_is_ion(label) and _same(Ion.parse(label), ion))):
            return row
    return None


def _same(one: Ion, other: Ion) -> bool:
    return abs(one.mz - other.mz) < 1e-6 and one.charge == other.charge


def _complete_scans(export: xr.Dataset, counted: FloatArray) -> tuple[np.ndarray, list[str]]:
    """Scans that were measured whole, and what was left out in words."""
    short, bright = odd_scans(np.nan_to_num(counted))
    if "complete" in export.variables:
        short |= ~np.asarray(export["complete"].values, dtype=bool)
    first, last = incomplete_ends(counted)
    short[:first] = True
    short[short.size - last :] = True
    return ~(short | bright), scan_notes(short, bright)


def _reduce_ion(
    entry: IonEntry, intensity: FloatArray, used: np.ndarray, pulses: float | None
) -> tuple[ReducedIon, CountData]:
    scans = used.size
    number = np.full(scans, np.nan if pulses is None else pulses)
    finite = np.nan_to_num(intensity)
    variance = peak_variance(finite, number)
    gain = np.where(finite > 0, variance / np.maximum(finite, 1e-12), 1.0)
    counts = intensity if pulses is None else invert_dead_time(intensity, pulses)
    sum_, spread = float(finite[used].sum()), float(np.sqrt(np.maximum(variance[used], 0.0).sum() + 1e-12))
    flag = "pulses_unknown" if pulses is None else ""
    total: Measured = (sum_, spread, sum_ - NORMAL_95 * spread, sum_ + NORMAL_95 * spread, flag)
    # The root of a small count is a bad error; a running mean over a few scans stands in for its expectation.
    few = np.convolve(np.pad(variance, 4, mode="edge"), np.full(9, 1.0 / 9.0), "valid")
    point = np.where(finite < 25.0, np.maximum(few, 1.0 / 9.0), variance)
    reduced = ReducedIon(
        label=entry.ion,
        role=entry.role,
        mz=Ion.parse(entry.ion).mz,
        counts=counts,
        pulses=number,
        background=np.zeros(scans),
        intensity=intensity,
        std=np.where(np.isfinite(intensity), np.sqrt(point), np.nan),
        total=total,
        mass_error=NO_SPECTRUM,
        mass_resolution=NO_SPECTRUM,
        bin_low=0,
        bin_high=0,
        share=1.0,
        mass_axis=np.zeros(0),
        mass_spectrum=np.zeros(0),
        mass_fit=np.zeros(0),
        interface=None,
    )
    return reduced, CountData(finite, gain, np.full(scans, 1e-9))

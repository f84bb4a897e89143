"""The stage `tofsims_profile`: ions of a raw measurement, or an instrument's export, to depth profiles with errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.chemistry import IonEntry
from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.tofsims.assembly import ReducedIon, assemble
from depthlock.tofsims.deconvolution import with_deconvolved
from depthlock.tofsims.event_profile import reduce_events
from depthlock.tofsims.export_profile import reduce_export
from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.interface import fit_interface, no_interface
from depthlock.tofsims.interface_map import column_lags, substrate_columns, with_map
from depthlock.tofsims.normalisation import normalise, reference_ion
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.reduction import Reduction
from depthlock.tofsims.volume_profile import reduce_volume


def reduce_profile(events: xr.Dataset, options: ProfileOptions) -> xr.Dataset:
    """Depth profiles of the session's ions, dead-time corrected, with the substrate's interface.

    Parameters
    ----------
    events : xr.Dataset
        Contract `tofsims_events` or, from an instrument's software, `tofsims_export` or `tofsims_volume`. An export is
        recognised by its attribute `corrected` and not corrected for dead time again.
    options : ProfileOptions
        Ions to follow and how.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_profile`.

    Raises
    ------
    MeasurementError
        When no ion is asked for, or none of them can be in the file.
    """
    asked = options.ions
    options = _following_reference(options)
    reduced = _reduce(events, options)
    if not reduced.ions:
        raise MeasurementError(
            "none of the ions asked for can be in this file",
            expected=f"ions of polarity '{events.attrs.get('polarity', '?')}'",
            where=str(events.attrs.get("source", "")),
            hint="correct 'ions' in the session",
        )
    reduced, profile = _with_interfaces(events, reduced, options)
    if "event" in events.sizes and any(ion.role == "substrate" for ion in reduced.ions):
        reduced, profile = _with_surface(events, reduced, profile, options)
    if options.deconvolution == "forward":
        profile = with_deconvolved(profile, reduced.ions, reduced.data, reduced.scans, options.seed)
    profile = check(normalise(profile, options.normalisation), "tofsims_profile")
    # A reference that nobody asked to follow has done its work.
    return profile if options.ions == asked else profile.isel(ion=slice(0, -1))


def _with_interfaces(events: xr.Dataset, reduced: Reduction, options: ProfileOptions) -> tuple[Reduction, xr.Dataset]:
    """The reduction with the interfaces of its substrate ions, and its dataset."""
    flag = _axis_flag(events, reduced)
    ions = [
        _with_interface(ion, data, reduced, options, flag) for ion, data in zip(reduced.ions, reduced.data, strict=True)
    ]
    reduced = replace(reduced, ions=ions)
    return reduced, assemble(ions, reduced.scans, reduced.attrs).assign(reduced.geometry)


def _with_surface(
    events: xr.Dataset, reduced: Reduction, profile: xr.Dataset, options: ProfileOptions
) -> tuple[Reduction, xr.Dataset]:
    """The profile with the interface's map; with columns moved so that it is flat, when the session asks for that."""
    view = view_of(events, profile)
    columns = substrate_columns(events, profile, view)
    surface = None if columns is None else columns.surface()
    if options.flatten == "substrate":
        lag = None
        if columns is not None and surface is not None and surface.believed:
            lag = column_lags(columns, view, reduced.scans.sputter_time)
        if lag is None:
            reduced.attrs["notes"] = [*_notes(reduced), "the interface is flat within its errors: no column was moved"]
        else:
            reduced = _flattened(events, reduced, options, lag)
        reduced, profile = _with_interfaces(events, reduced, options)
    return reduced, with_map(profile, events, columns, surface)


def _flattened(events: xr.Dataset, standing: Reduction, options: ProfileOptions, lag: NDArray[np.int64]) -> Reduction:
    """The reduction with its columns moved; what the whole measurement counted stays that of the standing columns.

    Moved columns leave the scan range at both ends, and with lateral drift only pixels seen throughout are moved: what
    is left sums up to no total of the raster.
    """
    moved = reduce_events(events, options, lag)
    ions = [replace(one, total=before.total) for one, before in zip(moved.ions, standing.ions, strict=True)]
    return replace(moved, ions=ions)


def _notes(reduced: Reduction) -> list[str]:
    notes = reduced.attrs.get("notes", [])
    return list(notes) if isinstance(notes, list) else []


def _reduce(events: xr.Dataset, options: ProfileOptions) -> Reduction:
    if {"ion", "scan", "y", "x"} <= set(events.sizes):
        return reduce_volume(events, options)
    if events.attrs.get("corrected", 0) or "mass_bin" not in events.variables:
        return reduce_export(events, options)
    return reduce_events(events, options)


def _following_reference(options: ProfileOptions) -> ProfileOptions:
    """The options with the reference ion of the normalisation among the ions, as the last one if it was not."""
    label = reference_ion(options.normalisation)
    if not label or not options.ions:
        return options
    if Ion.parse(label).hill_formula in {Ion.parse(entry.ion).hill_formula for entry in options.ions}:
        return options
    return options.model_copy(update={"ions": (*options.ions, IonEntry(ion=label))})


def _axis_flag(events: xr.Dataset, reduced: Reduction) -> str:
    """Whether scans run along depth at all."""
    sputtered = events.attrs.get("acquisition_mode", "depth_profile") == "depth_profile"
    return "" if sputtered and float(np.ptp(reduced.scans.sputter_time)) > 0 else "no_sputter_axis"


def _with_interface(
    ion: ReducedIon, data: CountData, reduced: Reduction, options: ProfileOptions, axis_flag: str
) -> ReducedIon:
    if ion.role != "substrate" or ion.interface is not None:
        return ion
    time = reduced.scans.sputter_time
    if axis_flag:
        return replace(ion, interface=no_interface(time.size, f"interface_not_found;{axis_flag}"))
    interface = fit_interface(time, data, _fit_scans(time, reduced.scans.used, options))
    # An ion that may be another one may also rise at the other one's depth.
    doubts = [flag for flag in ion.total[4].split(";") if flag.startswith(("lookalike", "not_detected", "overlap"))]
    return replace(
        ion, interface=replace(interface, flag=";".join([part for part in [interface.flag, *doubts] if part]))
    )


def _fit_scans(time: NDArray[np.float64], used: NDArray[np.bool_], options: ProfileOptions) -> NDArray[np.bool_]:
    inside = used.copy()
    if options.first_time is not None:
        inside &= time >= options.first_time
    if options.last_time is not None:
        inside &= time <= options.last_time
    return inside

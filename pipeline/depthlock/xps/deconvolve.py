"""The stage `xps_deconvolve`: spectra of one sample to components, states and atomic percent per etch level."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from depthlock.model.chemistry import Region
from depthlock.model.constraints import Constraint, parse_constraint
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DeconvolveOptions
from depthlock.xps.assign import Assignment, assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.charge import CommonShift, common_shift
from depthlock.xps.diagnostics import differential_shift
from depthlock.xps.errors import covariance
from depthlock.xps.expert_match import with_expert
from depthlock.xps.expert_refit import as_experts, with_refit
from depthlock.xps.fit import GroupFit, fit_group
from depthlock.xps.links import linked_sets
from depthlock.xps.reference import EnergyFrame, choose_frame, hold_absent, in_frame, significance
from depthlock.xps.result import assemble, group_result
from depthlock.xps.series import Series, sort_spectra
from depthlock.xps.shape_choice import choose_shapes, component_shapes, open_components, settle_shapes, tails_alike
from depthlock.xps.shapes import FloatArray
from depthlock.xps.survey_result import AL_K_ALPHA_EV, add_survey, empty_fit
from depthlock.xps.windows import Window

DIFFERENTIAL_EV = 0.08
"""Charge shift of one region against the others that is given its own shifts."""


APART_EV = 0.15
"""How far, usually, a region charges apart from the others."""


def _fit(
    assignments: list[Assignment],
    options: DeconvolveOptions,
    *,
    near: FloatArray | None = None,
    held: FloatArray | None = None,
) -> GroupFit:
    """Fit some windows with one charge shift a level: free, near given ones, or held at given ones."""
    blocks, shared = build_blocks(
        assignments,
        options.background,
        loss=options.tougaard_loss,
        limits=options.fit_windows,
        constraints=_constraints(options),
        factors=options.sensitivity.factors if options.sensitivity is not None else {},
        open_labels=_open_labels(assignments, options),
    )
    if held is not None:
        shared = replace(shared, shift_mean=held, shift_std=np.zeros_like(held))
        return fit_group(blocks, shared, shift=held)
    if near is not None:
        shared = replace(shared, shift_mean=near, shift_std=np.full_like(near, APART_EV))
        return fit_group(blocks, shared, shift=near)
    return fit_group(blocks, shared)


def deconvolve(spectra: Mapping[str, xr.Dataset], options: DeconvolveOptions) -> xr.Dataset:
    """Fit all levels and regions of a sample at once.

    Parameters
    ----------
    spectra : mapping of str to xr.Dataset
        `xps_spectra` of one sample by region: counts (level, energy), binding_energy, etch_time, dwell_time, scans.
    options : DeconvolveOptions
        Regions, charge references and sensitivity factors come from the chemistry library.

    Returns
    -------
    xr.Dataset
        `xps_fit`: areas (counts/s eV), positions, widths (eV), fractions (1), atomic percent and charge shifts (eV)
        with errors, 95 % intervals and flags; curves and residuals on `point`.

    Raises
    ------
    MeasurementError
        When there is nothing to fit, or the charge reference asked for is not there.
    """
    options.verify()
    series = sort_spectra(spectra, surveys_alone=options.survey is not None)
    sample = str(next(iter(spectra.values())).attrs.get("sample", ""))
    result = _fit_core_levels(spectra, series, options, sample) if series.windows else empty_fit(series.times)
    if series.variable is not None:
        result = result.assign_coords(series=("level", series.variable.values, dict(series.variable.attrs)))
    if series.survey is not None and options.survey is not None:
        photon = _photon_energy({series.survey.key: spectra[series.survey.key]})
        energy = photon.get("photon_energy_eV", AL_K_ALPHA_EV)
        result = add_survey(result, series.survey, options.survey, options.sensitivity, energy)
    return result.assign_attrs(sample=sample, surveys_left_out=json.dumps(series.left_out))


def _fit_core_levels(
    spectra: Mapping[str, xr.Dataset], series: Series, options: DeconvolveOptions, sample: str
) -> xr.Dataset:
    """The core levels of a sample, as `deconvolve` gives them."""
    _check_windows(options, series.windows)
    regions = choose_shapes(chosen_states(options.regions, options.states), options.shapes)
    fitted = {key: spectra[key] for key in series.levels}
    own = assign_regions(series.windows, regions)
    assignments = as_experts(own, fitted) if options.background == "auto" else own
    held = _given_shift(options, series.times.size, sample)
    fits, assignments, common = _fit_all(assignments, options, held)
    strength: dict[str, float] = {}
    for fit in fits:
        strength.update(significance(fit))
    frame = choose_frame(options.charge_reference, options.charge_references, strength, sample)
    used: dict[str, str] = {}
    groups = []
    for fit in fits:
        framed = in_frame(fit, frame.reference)
        framed, absent = hold_absent(replace(framed, shared=tails_alike(framed)))
        framed = settle_shapes(framed, options.compared_shapes, _open_labels(assignments, options))
        groups.append(group_result(framed, absent))
        for block in framed.blocks:
            used |= component_shapes(block)
    result = assemble(groups, assignments, series.times, frame, options, common=common)
    levels = {key: numbers.tolist() for key, numbers in series.levels.items()}
    result = with_expert(result, fitted, levels, regions)
    result = with_refit(result, own, fitted, options)
    return result.assign_attrs(
        charge_reference=_describe(frame, options),
        background=_background(assignments, options),
        **_acquired(fitted),
        **_analyser(fitted, series.windows),
        constraints=json.dumps(options.constraints),
        **_notes(result, assignments, options),
        **_photon_energy(fitted),
        line_shapes=json.dumps({label: used[label] for label in result.component.values.tolist()}),
    )


def chosen_states(regions: Sequence[Region], states: Sequence[str]) -> tuple[Region, ...]:
    """Regions with their usual states and those optional ones that are named."""
    return tuple(
        region.model_copy(
            update={
                "components": tuple(
                    state
                    for state in region.components
                    if not state.optional or f"{region.name}/{state.name}" in states
                )
            }
        )
        for region in regions
    )


def _fit_all(
    assignments: list[Assignment], options: DeconvolveOptions, held: FloatArray | None
) -> tuple[list[GroupFit], list[Assignment], CommonShift | None]:
    """Fit all windows together where they charge alike.

    Returns
    -------
    list of GroupFit, list of Assignment, CommonShift or None
        Fits, the windows in their order, and what windows that charge apart have in common.
    """
    # Windows of unknown chemistry never decide the common charge shift: each has its own.
    known = [assignment for assignment in assignments if assignment.from_library]
    unknown = [assignment for assignment in assignments if not assignment.from_library]
    common = None
    if not known:
        fits = []
    elif options.charge_scope == "region":
        sets = _linked(known, options)
        fits = [_fit(linked, options, held=held) for linked in sets]
        known = [assignment for linked in sets for assignment in linked]
    else:
        fits = [_fit(known, options, held=held)]
        free = held is None and options.charge_scope == "auto" and len(known) > 1 and fits[0].state.shift.size > 1
        if free and differential_shift(fits[0]) > DIFFERENTIAL_EV:
            sets = _linked(known, options)
            shift = fits[0].state.shift
            fits = [_fit(linked, options, near=shift) for linked in sets]
            common = common_shift(shift, np.stack([fit.state.shift for fit in fits]), np.stack(_noise_of_shifts(fits)))
            known = [assignment for linked in sets for assignment in linked]
    fits += [_fit([assignment], options, held=held) for assignment in unknown]
    return fits, known + unknown, common


def _noise_of_shifts(fits: Sequence[GroupFit]) -> list[FloatArray]:
    """Squared errors of the shifts of every fit from level to level: with all that the levels share held, (levels,)."""
    held = [replace(fit, shared=replace(fit.shared, fixed=np.ones_like(fit.shared.fixed))) for fit in fits]
    return [covariance(fit).level[:, -1, -1] for fit in held]


def _constraints(options: DeconvolveOptions) -> list[Constraint]:
    return [parse_constraint(text) for text in options.constraints]


def _linked(assignments: list[Assignment], options: DeconvolveOptions) -> list[list[Assignment]]:
    """Windows whose core levels the session ties together, one set each: they are fitted at once."""
    windows = [{region.name for region in assignment.regions} for assignment in assignments]
    return [[assignments[k] for k in numbers] for numbers in linked_sets(_constraints(options), windows)]


def _notes(result: xr.Dataset, assignments: list[Assignment], options: DeconvolveOptions) -> dict[str, list[str]]:
    """What to say beside the numbers, as an attribute; none if nothing.

    Hazards, lines that are lacking, and constraints of components that were not measured.
    """
    measured = {
        label
        for assignment in assignments
        for region in assignment.regions
        for label in (region.name, *(f"{region.name}/{state.name}" for state in region.components))
    }
    notes = json.loads(result.attrs["hazards"])
    notes += [
        f"{region}: one more component, near {energy:g} eV, would describe the data better (BIC)."
        for region, energy in json.loads(result.attrs["suggested_lines"]).items()
    ]
    notes += [
        f"The constraint '{constraint.text}' has no effect: not all of its components were measured."
        for constraint in _constraints(options)
        if any(reference.label not in measured for reference in constraint.references)
    ]
    return {"notes": notes} if notes else {}


def _background(assignments: Sequence[Assignment], options: DeconvolveOptions) -> str:
    """The background that all windows have; `auto` where they differ."""
    if options.background != "auto":
        return options.background
    found = {"file" if assignment.expert_shape else "active_shirley" for assignment in assignments}
    return found.pop() if len(found) == 1 else "auto"


def _open_labels(assignments: Sequence[Assignment], options: DeconvolveOptions) -> frozenset[str]:
    """Components whose line shape nobody chose; none where the session wants the library's as it is."""
    if not options.open_tails:
        return frozenset()
    return open_components([region for a in assignments for region in a.regions], options.shapes)


def _given_shift(options: DeconvolveOptions, levels: int, sample: str) -> FloatArray | None:
    """Charge shifts that the user gives: zero for `none`, the session's for `manual`."""
    if options.charge_reference == "none":
        return np.zeros(levels)
    if options.charge_reference != "manual":
        return None
    given = np.asarray(options.manual_shift, dtype=float)
    if given.size not in (1, levels):
        raise MeasurementError(
            f"{given.size} manual shifts for {levels} levels",
            expected=f"1 or {levels} values in eV",
            where=f"{sample}: options.xps_deconvolve.manual_shift",
        )
    return np.broadcast_to(given, (levels,)).copy()


def _acquired(spectra: Mapping[str, xr.Dataset]) -> dict[str, str]:
    """When the levels were measured, as an attribute; none where the files do not say."""
    stated = [block["acquired"].values.tolist() for block in spectra.values() if "acquired" in block.coords]
    return {"acquired": json.dumps(stated[0])} if stated else {}


def _analyser(spectra: Mapping[str, xr.Dataset], windows: Sequence[Window]) -> dict[str, str]:
    """What the files say of the analyser, as an attribute by window; none where they say nothing."""
    names = ("pass_energy_eV", "work_function_eV", "analyser_mode")
    stated = {
        window.name: {name: spectra[window.key].attrs[name] for name in names if name in spectra[window.key].attrs}
        for window in windows
    }
    return {"analyser": json.dumps(stated)} if any(stated.values()) else {}


def _photon_energy(spectra: Mapping[str, xr.Dataset]) -> dict[str, float]:
    """Photon energy of the spectra, eV, as an attribute; none where no file states it."""
    stated = [float(block.attrs["photon_energy_eV"]) for block in spectra.values() if "photon_energy_eV" in block.attrs]
    return {"photon_energy_eV": stated[0]} if stated else {}


def _check_windows(options: DeconvolveOptions, windows: list[Window]) -> None:
    """Refuse a fit window for something that was not measured."""
    names = [window.name for window in windows]
    for name in options.fit_windows:
        if name not in names:
            raise MeasurementError(
                f"a fit window for {name!r}",
                expected=f"one of the windows measured: {', '.join(names)}",
                where="options.xps_deconvolve.fit_windows",
            )


def _describe(frame: EnergyFrame, options: DeconvolveOptions) -> str:
    if frame.reference is not None:
        line = frame.reference
        return f"{line.component} = {line.position:g} +- {line.std:g} eV ({line.source})"
    if frame.kind == "raw":
        return options.charge_reference or "none"
    return "library positions of all components together"

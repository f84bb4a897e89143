"""From fitted groups to the `xps_fit` dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from depthlock.model.line_shapes import FREE_MIXING
from depthlock.model.options import DeconvolveOptions
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.xps.assign import Assignment
from depthlock.xps.block_numbers import BlockNumbers, GroupResult, block_numbers, joined, where
from depthlock.xps.charge import CommonShift
from depthlock.xps.curves import curve_variables
from depthlock.xps.errors import at_zero, covariance, normal_at
from depthlock.xps.fit import GroupFit
from depthlock.xps.hazards import hazards
from depthlock.xps.model_checks import missing_line, window_spread
from depthlock.xps.quantify import RegionTotal, atomic_percent, choose_regions
from depthlock.xps.reference import EnergyFrame
from depthlock.xps.region_numbers import Columns, ShiftNumbers, add_region
from depthlock.xps.shapes import FloatArray
from depthlock.xps.tabulated import nearest_la
from depthlock.xps.unresolved import unresolved, within_bounds

LEAST_TAIL = 0.02
"""Share of short tails below which a line is a plain pseudo-Voigt to programs that know no other."""

COMPONENT_UNITS = {"area": "count * eV / s", "fraction": "1", "position": "eV", "fwhm": "eV"}


def group_result(fit: GroupFit, absent: set[str]) -> GroupResult:
    """A fitted group with its errors."""
    normal = normal_at(fit)
    bounded = covariance(fit, normal, stopped=at_zero(fit))
    errors = covariance(fit, normal)
    blocks = range(len(fit.blocks))
    movable = within_bounds(fit, normal)
    doublets = tuple(unresolved(fit, movable, number) for number in blocks)
    missing = tuple(missing_line(fit, number) or doublets[number].second for number in blocks)
    windows = tuple(window_spread(fit, errors))
    return GroupResult(fit, frozenset(absent), normal, errors, bounded, windows, missing, doublets)


def _shift(groups: Sequence[GroupResult], frame: EnergyFrame, common: CommonShift | None) -> ShiftNumbers:
    """The charge shift of the sample, which is taken off the measured axis.

    That of the group with the reference line, the user's, or the groups' mean. Where windows charge apart and nobody
    asked for the reference line, it is what they have in common, with the reference line at its energy on average: one
    line's own charging and chemistry would move all positions.
    """
    reference = "" if frame.reference is None else frame.reference.component
    values = np.stack([group.fit.state.shift for group in groups])
    variances = np.stack([np.maximum(group.errors.level[:, -1, -1], 1e-12) for group in groups])
    flag = "secondary_reference" if frame.secondary else ""
    for number, group in enumerate(groups):
        if f"{reference} position" in group.fit.shared.names:
            if common is None or frame.asked:
                std = np.sqrt(variances[number] + frame.std**2)
                return ShiftNumbers(values[number], std, flag, frame.std, reference, carried=True)
            std = np.sqrt(variances.min(axis=0) + common.std**2 + frame.std**2)
            value = common.gauged(values[number], variances[number])
            return ShiftNumbers(value, std, flag, frame.std, reference, carried=False)
    if frame.kind == "raw":
        return ShiftNumbers(values[0], np.zeros(values.shape[1]), "", 0.0, reference, carried=True)
    weights = 1.0 / variances
    mean = (weights * values).sum(axis=0) / weights.sum(axis=0)
    std = np.sqrt(1.0 / weights.sum(axis=0))
    return ShiftNumbers(mean, std, "no_charge_reference", 0.0, reference, carried=True)


def assemble(
    groups: Sequence[GroupResult],
    assignments: Sequence[Assignment],
    times: FloatArray,
    frame: EnergyFrame,
    options: DeconvolveOptions,
    *,
    common: CommonShift | None = None,
) -> xr.Dataset:
    """Build `xps_fit`.

    Parameters
    ----------
    groups : sequence of GroupResult
        Their blocks are in the order of the assignments.
    assignments : sequence of Assignment
    times : ndarray (levels,)
        Etch times, s.
    frame : EnergyFrame
    options : DeconvolveOptions
    common : CommonShift, optional
        What windows that charge apart have in common.

    Returns
    -------
    xr.Dataset
    """
    shift = _shift(groups, frame, common)
    if common is not None:
        shift = replace(shift, flag=join_flags(shift.flag, "differential_charging"))
    columns = Columns()
    reported: list[tuple[BlockNumbers, int]] = []
    order = iter(assignments)
    for group in groups:
        carries = f"{shift.reference} position" in group.fit.shared.names
        tied = len(groups) == 1 or (shift.carried and (frame.kind == "raw" or carries))
        for number in range(len(group.fit.blocks)):
            numbers = block_numbers(group, number, next(order))
            for place, wanted in enumerate(numbers.assignment.reported):
                if wanted:
                    add_region(columns, numbers, place, shift, tied=tied)
                    reported.append((numbers, place))
    names = [numbers.assignment.regions[place].name for numbers, place in reported]
    result = xr.Dataset(
        coords={
            "etch_time": ("level", times, {"units": "s"}),
            "component": ("component", columns.labels, {"units": "1"}),
            "region": ("component", columns.regions, {"units": "1"}),
            "core_level": ("core_level", names, {"units": "1"}),
        }
    )
    for key, unit in COMPONENT_UNITS.items():
        result = assign(result, key, ("level", "component"), _quantity(columns, key), unit)
    undetected = np.char.find(result["area_flag"].values.astype(np.str_), "not_detected") >= 0
    limit = np.where(undetected, np.stack(columns.values["area_limit"], axis=1), np.nan)
    result["area_limit"] = (("level", "component"), limit, {"units": COMPONENT_UNITS["area"]})
    charge = Quantity(shift.value, shift.std, flag=np.full(times.size, shift.flag))
    result = assign(result, "charge_shift", ("level",), charge, "eV")
    result = result.assign(_diagnostics(reported)).assign(_line_forms(reported))
    result, quantified = _with_atomic_percent(result, reported, options)
    result = result.assign(curve_variables([group.fit for group in groups], assignments, columns.labels))
    result = result.set_coords(["binding_energy", "region_of_point"])
    sensitivity = options.sensitivity
    return result.assign_attrs(
        sensitivity_set="" if sensitivity is None else f"{sensitivity.name}: {sensitivity.source}",
        quantified_regions=", ".join(quantified),
        transmission_corrected=", ".join(w.name for a in assignments for w in a.windows if w.transmission),
        attenuation_correction="none",
        hazards=hazards(result),
        suggested_lines=json.dumps(_suggested(reported)),
        casaxps_shapes=json.dumps(_casaxps_shapes(result)),
    )


def _suggested(reported: Sequence[tuple[BlockNumbers, int]]) -> dict[str, float]:
    """Binding energy, eV, of a line that a window lacks, by the core levels it holds."""
    found: dict[str, float] = {}
    for numbers, place in reported:
        energy = numbers.group.missing[numbers.number]
        if energy is not None:
            found[numbers.assignment.regions[place].name] = round(energy, 2)
    return found


def _casaxps_shapes(result: xr.Dataset) -> dict[str, str]:
    """What CasaXPS has nearest to lines with short tails, which it does not know, by component."""
    shares = zip(
        result["component"].values.tolist(),
        result["lorentzian_share"].values.tolist(),
        result["short_tail_share"].values.tolist(),
        strict=True,
    )
    return {label: nearest_la(mixing, tail) for label, mixing, tail in shares if tail > LEAST_TAIL}


def _quantity(columns: Columns, key: str) -> Quantity:
    value, std, lower, upper = (
        np.stack(columns.values[name], axis=1) for name in (key, f"{key}_std", f"{key}_lower", f"{key}_upper")
    )
    return Quantity(value, std, lower, upper, np.stack(columns.flags[key], axis=1).astype(np.str_))


def _diagnostics(reported: Sequence[tuple[BlockNumbers, int]]) -> dict[str, xr.Variable]:
    """Quality of the fit by level and core level."""
    dims = ("level", "core_level")
    flags = np.stack([numbers.common for numbers, _ in reported], axis=1).astype(np.str_)
    levels = flags.shape[0]
    scale = [np.full(levels, numbers.group.fit.noise_scale[numbers.number]) for numbers, _ in reported]
    reduced = [np.where(numbers.measured, numbers.grade.reduced, np.nan) for numbers, _ in reported]
    steps = [numbers.step(place) for numbers, place in reported]
    return {
        "fit_flag": xr.Variable(dims, flags, {"units": "1"}),
        "noise_scale": xr.Variable(dims, np.stack(scale, axis=1), {"units": "1"}),
        "reduced_chi_square": xr.Variable(dims, np.stack(reduced, axis=1), {"units": "1"}),
        "shirley_step": xr.Variable(dims, np.stack(steps, axis=1), {"units": "1/eV"}),
        "separation_limit": xr.Variable(("component",), _separations(reported), {"units": "eV"}),
    }


def _separations(reported: Sequence[tuple[BlockNumbers, int]]) -> FloatArray:
    """Least distance at which a component had shown as two lines; infinite where none had, NaN where not asked."""
    return np.concatenate(
        [numbers.group.doublets[numbers.number].limit[numbers.inside(place)] for numbers, place in reported]
    )


def _line_forms(reported: Sequence[tuple[BlockNumbers, int]]) -> dict[str, xr.Variable]:
    """What besides position and width makes a component's lines; NaN where a line has no such thing."""
    rows: list[tuple[float, ...]] = []
    for numbers, place in reported:
        fit, block = numbers.group.fit, numbers.group.fit.blocks[numbers.number]
        value, lines = fit.state.shared, block.lines
        for component in numbers.inside(place):
            own = np.flatnonzero(lines.component == component)
            mixing = float(value[lines.mixing[own[0]]]) if lines.shape[own[0]] in FREE_MIXING else np.nan
            tail = float(value[lines.tail[own[0]]]) if lines.tail[own[0]] >= 0 else np.nan
            weak = (np.nan, np.nan, np.nan)
            if own.size > 1:
                ratio = float(lines.share[own[1]] / lines.share[own[0]])
                weak = (float(value[lines.splitting[own[1]]]), ratio, float(value[lines.width[own[1]]]))
            rows.append((mixing, tail, *weak))
    names = {
        "lorentzian_share": "1",
        "short_tail_share": "1",
        "weak_line_distance": "eV",
        "weak_line_ratio": "1",
        "weak_line_fwhm": "eV",
    }
    return {
        name: xr.Variable(("component",), np.asarray(column), {"units": unit})
        for (name, unit), column in zip(names.items(), zip(*rows, strict=True), strict=True)
    }


def _with_atomic_percent(
    result: xr.Dataset, reported: Sequence[tuple[BlockNumbers, int]], options: DeconvolveOptions
) -> tuple[xr.Dataset, list[str]]:
    """Add atomic percent, and name the core levels it rests on; without factors the dim `element` is empty."""
    factors = options.sensitivity.factors if options.sensitivity is not None else {}
    totals, flags = [], {}
    for numbers, place in reported:
        region = numbers.assignment.regions[place]
        area, std = numbers.total(place)
        totals.append(RegionTotal(region.name, region.element, area, std, factors.get(region.name)))
        flags[region.name] = numbers.common
    chosen = choose_regions(totals)
    levels = result.sizes["level"]
    if not chosen:
        result = result.assign_coords(element=("element", np.array([], dtype=np.str_), {"units": "1"}))
        nothing = np.zeros((levels, 0))
        empty = Quantity(nothing, nothing, flag=np.zeros((levels, 0), dtype="<U1"))
        return assign(result, "atomic_percent", ("level", "element"), empty, "percent"), []
    elements, quantity = atomic_percent(chosen, options.sensitivity.relative_std if options.sensitivity else 0.0)
    unlisted = {total.element for total in totals} - {total.element for total in chosen}
    missing = where(np.full(levels, bool(unlisted)), "no_sensitivity_factor")
    own = np.asarray(quantity.flag)
    flag = np.stack([joined(own[:, k], flags[total.region], missing) for k, total in enumerate(chosen)], axis=1)
    result = result.assign_coords(element=("element", elements, {"units": "1"}))
    whole = Quantity(quantity.value, quantity.std, quantity.lower, quantity.upper, flag.astype(np.str_))
    return assign(result, "atomic_percent", ("level", "element"), whole, "percent"), [t.region for t in chosen]

"""Like with like: fits on the background, and with the line shape, of an expert's fit in the file; and without.

What differs between the two is the choice of background and shape, which the data alone often leave open by several
percent. Where nobody chose, the expert's choice is taken and ours stands beside it; where the session chose a
background, it is the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from depthlock.model.chemistry import Region
from depthlock.model.options import DeconvolveOptions
from depthlock.model.quantity import NORMAL_95, Quantity, assign, join_flags
from depthlock.xps.assign import Assignment
from depthlock.xps.block_numbers import joined, where
from depthlock.xps.build import build_blocks
from depthlock.xps.diagnostics import correlated, quality
from depthlock.xps.errors import area_intervals, covariance, normal_at
from depthlock.xps.evaluation import line_shape
from depthlock.xps.expert import ExpertLine, expert_fits
from depthlock.xps.fit import GroupFit, fit_group, refine
from depthlock.xps.shape_choice import OPEN_SHAPE, open_components, settle_shapes
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import block_slices

FIXED_FORMS = ("LA(1.53,243)",)
"""Forms tried as they are; of GL and SGL the percentage is fitted."""

SHIFT_STD_EV = 0.15
"""How far the charge shift may differ from that of the sample's own fit."""


def shape_of(energy: FloatArray, line: ExpertLine) -> str:
    """The line shape, in CasaXPS's words, that comes closest to an exported curve.

    Parameters
    ----------
    energy : ndarray (points,)
        As measured, eV.
    line : ExpertLine

    Returns
    -------
    str
    """

    def misfit(name: str) -> float:
        curve = line_shape(name, energy - line.position, np.array([line.fwhm]), 0.0).density
        share = float(curve @ line.curve) / float(curve @ curve)
        return float(np.sum((line.curve - share * curve) ** 2))

    found = {name: misfit(name) for name in FIXED_FORMS}
    for form in ("GL", "SGL"):
        best = minimize_scalar(
            lambda percent, form=form: misfit(f"{form}({percent:.1f})"), bounds=(0.0, 100.0), options={"xatol": 0.5}
        )
        found[f"{form}({best.x:.1f})"] = float(best.fun)
    return min(found, key=lambda name: found[name])


def as_experts(assignments: Sequence[Assignment], spectra: Mapping[str, xr.Dataset]) -> list[Assignment]:
    """Windows whose files hold an analyst's background and lines, with that line shape where nobody chose one."""
    found = []
    for assignment in assignments:
        shape = _expert_shape(assignment, spectra)
        regions = tuple(_with_shape(region, shape) for region in assignment.regions) if shape else assignment.regions
        found.append(replace(assignment, regions=regions, expert_shape=shape))
    return found


def _with_shape(region: Region, shape: str) -> Region:
    """The region with a line shape for the components that have none of their own."""
    components = tuple(
        component.model_copy(update={"shape": shape}) if component.shape == OPEN_SHAPE else component
        for component in region.components
    )
    return region.model_copy(update={"components": components})


def _expert_shape(assignment: Assignment, spectra: Mapping[str, xr.Dataset]) -> str:
    """The shape of the strongest line that the files of a window hold; empty without background or lines."""
    if any(window.background is None for window in assignment.windows):
        return ""
    lines = [
        (line.area, fit.energy, line)
        for window in assignment.windows
        for fit in expert_fits(spectra[window.key])
        if fit is not None
        for line in fit.lines
        if line.area > 0 and np.all(np.isfinite(line.curve))
    ]
    if not lines:
        return ""
    _, energy, line = max(lines, key=lambda entry: entry[0])
    return shape_of(energy, line)


def with_refit(
    result: xr.Dataset,
    assignments: Sequence[Assignment],
    spectra: Mapping[str, xr.Dataset],
    options: DeconvolveOptions,
) -> xr.Dataset:
    """`xps_fit` with the areas by the other choice of background and line shape; unchanged without an expert's fit.

    Parameters
    ----------
    result : xr.Dataset
        `xps_fit`.
    assignments : sequence of Assignment
        With the session's or library's line shapes.
    spectra : mapping of str to xr.Dataset
        The blocks fitted.
    options : DeconvolveOptions

    Returns
    -------
    xr.Dataset
        Also area_otherwise with its errors (counts/s eV) on (level, component): by an active Shirley background and the
        library's line shapes where the areas are on the expert's background, and on the expert's where they are not;
        NaN where a window's file holds no background and curves. The attribute expert_shapes names the shapes. Areas
        that differ from it beyond both errors are flagged background_decides.
    """
    size = (result.sizes["level"], result.sizes["component"])
    columns = {name: np.full(size, np.nan) for name in ("value", "std", "lower", "upper")}
    flag = np.full(size, "no_expert_fit", dtype=object)
    names = result["component"].values.tolist()
    shapes: dict[str, str] = {}
    for assignment, expert in zip(assignments, as_experts(assignments, spectra), strict=True):
        if not expert.expert_shape:
            continue
        fit = _other_fit(result, assignment, expert, options)
        block = fit.blocks[0]
        normal = normal_at(fit)
        grade = quality(fit, 0)
        errors = covariance(fit, normal)
        nothing = np.zeros((size[0], block.components))
        matched = correlated(errors, block, block_slices(fit.blocks)[0])
        areas = area_intervals(fit, 0, normal, errors, grade.inflation, nothing, matched)
        for number, label in enumerate(block.labels):
            if label not in names or not assignment.reported[int(block.region[number])]:
                continue
            place = names.index(label)
            shapes[label] = expert.expert_shape
            doubts = joined(where(grade.poor, "poor_fit"), where(areas.no_profile[:, number], "no_profile"))
            flag[:, place] = np.where(block.measured, doubts, "not_measured")
            for name, column in columns.items():
                column[:, place] = np.where(block.measured, getattr(areas, name)[:, number], np.nan)
    if not shapes:
        return result
    quantity = Quantity(**columns, flag=flag.astype(np.str_))
    result = assign(result, "area_otherwise", ("level", "component"), quantity, "count * eV / s")
    differs = np.abs(result["area"].values - columns["value"]) > NORMAL_95 * np.hypot(
        result["area_std"].values, columns["std"]
    )
    for name in ("area_flag", "fraction_flag"):
        told = [
            join_flags(str(flag), "background_decides" if other else "")
            for flag, other in zip(result[name].values.ravel(), differs.ravel(), strict=True)
        ]
        result[name] = (("level", "component"), np.reshape(told, size), result[name].attrs)
    return result.assign_attrs(expert_shapes=json.dumps(shapes))


def _other_fit(result: xr.Dataset, assignment: Assignment, expert: Assignment, options: DeconvolveOptions) -> GroupFit:
    """One window fitted with the choice that its areas do not rest on, at about the same charge shifts."""
    if options.background == "auto":
        open_labels = open_components(assignment.regions, options.shapes) if options.open_tails else frozenset()
        chosen, background = assignment, "active_shirley"
    else:
        open_labels, chosen, background = frozenset(), expert, "file"
    blocks, shared = build_blocks([chosen], background, limits=options.fit_windows, open_labels=open_labels)
    shift = np.asarray(result["charge_shift"].values, dtype=float)
    held = options.charge_reference in ("none", "manual")
    shared = replace(shared, shift_mean=shift, shift_std=np.full_like(shift, 0.0 if held else SHIFT_STD_EV))
    fit = fit_group(blocks, shared, shift=shift)
    fit = refine(fit.blocks, fit.shared, fit.state)
    return settle_shapes(fit, options.compared_shapes, open_labels) if open_labels else fit

"""Like with like: our fit of a window on the background, and with the line shape, of the expert's fit in the file.

What then differs from the expert is the fit; what differs from our own fit is the choice of background and shape,
which the data alone often leave open by several percent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from depthlock.model.options import DeconvolveOptions
from depthlock.model.quantity import NORMAL_95, Quantity, assign, join_flags
from depthlock.xps.assign import Assignment
from depthlock.xps.build import build_blocks
from depthlock.xps.diagnostics import quality
from depthlock.xps.errors import area_intervals, covariance, normal_at
from depthlock.xps.expert import ExpertLine, expert_fits
from depthlock.xps.fit import fit_group, refine
from depthlock.xps.model import line_shape
from depthlock.xps.shapes import FloatArray

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


def _shapes(assignment: Assignment, spectra: Mapping[str, xr.Dataset]) -> str | None:
    """The shape of the strongest line that the files of a window hold; None without lines."""
    lines = [
        (line.area, fit.energy, line)
        for window in assignment.windows
        for fit in expert_fits(spectra[window.key])
        if fit is not None
        for line in fit.lines
        if line.area > 0 and np.all(np.isfinite(line.curve))
    ]
    if not lines:
        return None
    _, energy, line = max(lines, key=lambda entry: entry[0])
    return shape_of(energy, line)


def with_refit(
    result: xr.Dataset,
    assignments: Sequence[Assignment],
    spectra: Mapping[str, xr.Dataset],
    options: DeconvolveOptions,
) -> xr.Dataset:
    """`xps_fit` with areas fitted on the experts' backgrounds and with their line shapes; unchanged without any.

    Parameters
    ----------
    result : xr.Dataset
        `xps_fit`.
    assignments : sequence of Assignment
    spectra : mapping of str to xr.Dataset
        The blocks fitted.
    options : DeconvolveOptions

    Returns
    -------
    xr.Dataset
        Also area_as_expert with its errors (counts/s eV) on (level, component), NaN where a window's file holds no
        background and curves; the attribute expert_shapes names the shapes. Areas of ours that differ from it beyond
        both errors are flagged expert_differs.
    """
    size = (result.sizes["level"], result.sizes["component"])
    columns = {name: np.full(size, np.nan) for name in ("value", "std", "lower", "upper")}
    flag = np.full(size, "no_expert_fit", dtype=object)
    names = result["component"].values.tolist()
    shapes: dict[str, str] = {}
    for assignment in assignments:
        if any(window.background is None for window in assignment.windows):
            continue
        shape = _shapes(assignment, spectra)
        if shape is None:
            continue
        regions = tuple(
            region.model_copy(
                update={"components": tuple(c.model_copy(update={"shape": shape}) for c in region.components)}
            )
            for region in assignment.regions
        )
        blocks, shared = build_blocks([replace(assignment, regions=regions)], "file", limits=options.fit_windows)
        shift = np.asarray(result["charge_shift"].values, dtype=float)
        held = options.charge_reference in ("none", "manual")
        shared = replace(shared, shift_mean=shift, shift_std=np.full_like(shift, 0.0 if held else SHIFT_STD_EV))
        fit = fit_group(blocks, shared, shift=shift)
        fit = refine(fit.blocks, fit.shared, fit.state)
        normal = normal_at(fit)
        grade = quality(fit, 0)
        nothing = np.zeros((size[0], blocks[0].components))
        areas = area_intervals(fit, 0, normal, covariance(fit, normal), grade.inflation, nothing)
        for number, label in enumerate(blocks[0].labels):
            if label not in names or not assignment.reported[int(blocks[0].region[number])]:
                continue
            place = names.index(label)
            shapes[label] = shape
            flag[:, place] = np.where(blocks[0].measured, np.where(grade.poor, "poor_fit", ""), "not_measured")
            for name, column in columns.items():
                column[:, place] = np.where(blocks[0].measured, getattr(areas, name)[:, number], np.nan)
    if not shapes:
        return result
    quantity = Quantity(**columns, flag=flag.astype(np.str_))
    result = assign(result, "area_as_expert", ("level", "component"), quantity, "count * eV / s")
    differs = np.abs(result["area"].values - columns["value"]) > NORMAL_95 * np.hypot(
        result["area_std"].values, columns["std"]
    )
    for name in ("area_flag", "fraction_flag"):
        told = [
            join_flags(str(flag), "expert_differs" if other else "")
            for flag, other in zip(result[name].values.ravel(), differs.ravel(), strict=True)
        ]
        result[name] = (("level", "component"), np.reshape(told, size), result[name].attrs)
    return result.assign_attrs(expert_shapes=json.dumps(shapes))

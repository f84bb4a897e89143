"""The measured and fitted curves of a sample, all regions one after another on `point`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from depthlock.xps.assign import Assignment
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import GroupFit

RATE_UNITS = "count / s"


def curve_variables(
    fits: Sequence[GroupFit], assignments: Sequence[Assignment], labels: Sequence[str]
) -> dict[str, xr.Variable]:
    """Curves on `point`.

    Parameters
    ----------
    fits : sequence of GroupFit
    assignments : sequence of Assignment
        One a block, in order.
    labels : sequence of str
        Components reported.

    Returns
    -------
    dict of str to xr.Variable
        counts_per_second, model, background, residual (data minus model), noise (one standard deviation) on
        (level, point), counts/s; component_curve (level, component, point), without background;
        binding_energy (point), the axis as measured: subtract a level's charge_shift for the referenced energy;
        region_of_point (point). NaN in levels not measured.
    """
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("counts_per_second", "model", "background", "residual", "noise")
    }
    energies: list[np.ndarray] = []
    names: list[np.ndarray] = []
    curves: list[np.ndarray] = []
    order = iter(assignments)
    for fit in fits:
        for block, level, weight in zip(fit.blocks, fit.state.level, fit.weights, strict=True):
            assignment = next(order)
            parts = evaluate(block, fit.state.shared, fit.state.shift, level)
            absent = ~block.measured[:, None]
            noise = 1.0 / np.sqrt(np.where(weight > 0, weight, 1.0))
            for name, values in (
                ("counts_per_second", block.rate),
                ("model", parts.model),
                ("background", parts.background),
                ("residual", block.rate - parts.model),
                ("noise", noise),
            ):
                columns[name].append(np.where(absent, np.nan, values))
            energies.append(block.energy)
            names.append(np.array([window.name for window in assignment.windows])[block.segment])
            drawn = np.zeros((block.rate.shape[0], len(labels), block.energy.size), dtype=np.float32)
            reported = {
                f"{region.name}/{component.name}"
                for region, flag in zip(assignment.regions, assignment.reported, strict=True)
                if flag
                for component in region.components
            }
            for number, label in enumerate(block.labels):
                if label in reported:
                    drawn[:, labels.index(label)] = level[:, number, None] * parts.lines[:, number]
            curves.append(drawn)
    result = {
        name: xr.Variable(("level", "point"), np.concatenate(parts, axis=1), {"units": RATE_UNITS})
        for name, parts in columns.items()
    }
    result["component_curve"] = xr.Variable(
        ("level", "component", "point"), np.concatenate(curves, axis=2), {"units": RATE_UNITS}
    )
    result["binding_energy"] = xr.Variable(
        ("point",),
        np.concatenate(energies),
        {"units": "eV", "description": "as measured; minus charge_shift of the level is charge-referenced"},
    )
    result["region_of_point"] = xr.Variable(("point",), np.concatenate(names), {"units": "1"})
    return result

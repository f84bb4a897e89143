"""The common depth axis of a sample and what is drawn on it: measured signals, layer profiles, points' depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.depth_response import reported_fraction
from depthlock.fusion.depth_scale import Thickness, depth_of_points
from depthlock.fusion.forward_fit import cell_centres
from depthlock.fusion.technique import TechniqueFit
from depthlock.model.options import DepthOptions

Array = NDArray[np.float64]

FARTHEST = 2.0
"""End of the axis as a multiple of the layer, at most: beyond, only the substrate's plateau is left."""

STEPS_IN_LAYER = 100
_MOST_STEPS = 5000
_UNITS = {"tofsims": "count", "xps": "count * eV / s"}


@dataclass(frozen=True)
class DepthAxis:
    """Points of the axis: fraction of the layer, depth in nm (NaN without a thickness) and its standard deviation."""

    fraction: Array
    depth: Array
    depth_std: Array


def depth_axis(
    fits: list[TechniqueFit],
    thickness: Thickness,
    samples: Array,
    options: DepthOptions,
    imaged: float | None = None,
) -> DepthAxis:
    """Equal steps from the surface to where the last technique ends, at most twice the layer.

    `depth_std` is the error with which the leading technique places a point there: of thickness, interface time and,
    beyond the interface, of the substrate's rate. Where no sputtering technique has an interface, images that reach to
    `imaged`, a fraction of the layer, give the axis; their only error is the thickness'.
    """
    scaled = [(fit, fit.interface) for fit in fits if fit.interface is not None]
    if not scaled and imaged is None:
        empty = np.zeros(0)
        return DepthAxis(empty, empty, empty)
    end = max(1.0, imaged or 1.0)
    for fit, interface in scaled:
        reached = depth_of_points(fit.time[np.isfinite(fit.time)], interface, samples).fraction
        end = max(end, float(np.max(reached)))
    end = min(end, FARTHEST)
    step = 1.0 / STEPS_IN_LAYER
    if options.depth_step is not None and thickness.known:
        step = options.depth_step / thickness.value
    count = int(np.clip(np.floor(end / step + 1e-6), 2, _MOST_STEPS))
    fraction: Array = np.asarray(step * np.arange(count + 1), dtype=np.float64)
    if not scaled:
        return DepthAxis(fraction, fraction * thickness.value, fraction * float(samples.std()))
    _, leading = scaled[0]
    # Where the middle of the samples sees a fraction, each sample sees its own: the spread is the error of the place.
    response = leading.response
    middle = np.median(response, axis=0)
    end_time = np.exp(middle[0])
    ratio = np.exp(middle[4])
    time: Array = np.where(fraction < 1.0, fraction * end_time, end_time * (1.0 + (fraction - 1.0) / ratio))
    seen = reported_fraction(time, response, leading.around.tilt) * samples[:, None]
    return DepthAxis(fraction, fraction * thickness.value, seen.std(axis=0))


def signal_on_axis(fits: list[TechniqueFit], axis: DepthAxis) -> dict[str, xr.Variable]:
    """Measured signals on the axis: linear between points, NaN outside the measured range."""
    species = [(fit, one) for fit in fits for one in fit.species]
    signal = np.full((axis.fraction.size, len(species)), np.nan)
    spread = signal.copy()
    for k, (fit, one) in enumerate(species):
        if fit.interface is None:
            continue
        good = np.isfinite(one.signal) & np.isfinite(one.signal_std) & np.isfinite(one.time)
        if np.count_nonzero(good) < 2:
            continue
        place = depth_of_points(one.time[good], fit.interface, np.ones(len(fit.interface.rows))).fraction
        order = np.argsort(place, kind="stable")
        place = place[order]
        for target, values in ((signal, one.signal), (spread, one.signal_std)):
            target[:, k] = np.interp(axis.fraction, place, values[good][order], left=np.nan, right=np.nan)
    # Intensities of unlike techniques have unlike units (ions a scan, CPS eV); `signal_unit` says which.
    return {
        "signal": xr.Variable(("depth", "species"), signal, {"units": "1"}),
        "signal_std": xr.Variable(("depth", "species"), spread, {"units": "1"}),
        "signal_unit": xr.Variable(
            ("species",),
            np.array([_UNITS[fit.technique] for fit, _ in species], dtype=np.str_),
            {"units": "1"},
        ),
    }


def layer_on_axis(fits: list[TechniqueFit], axis: DepthAxis) -> dict[str, xr.Variable]:
    """Profiles of the layer freed from the depth response: mean, std and 95 % band; NaN outside the layer."""
    species = [one for fit in fits for one in fit.species]
    inside = axis.fraction <= 1.0
    centre = cell_centres()
    drawn = {
        name: np.full((axis.fraction.size, len(species)), np.nan)
        for name in ("layer_signal", "layer_signal_std", "layer_signal_lower", "layer_signal_upper")
    }
    for k, one in enumerate(species):
        if one.fit is None:
            continue
        lower, upper = np.percentile(one.fit.layer, [2.5, 97.5], axis=0)
        curves = (one.fit.layer.mean(axis=0), one.fit.layer.std(axis=0), lower, upper)
        for target, curve in zip(drawn.values(), curves, strict=True):
            target[inside, k] = np.interp(axis.fraction[inside], centre, curve)
    return {name: xr.Variable(("depth", "species"), values, {"units": "1"}) for name, values in drawn.items()}


def point_depths(fits: list[TechniqueFit], samples: Array) -> dict[str, xr.Variable]:
    """Depth of every scan and etch level in nm, its std, and as a fraction of the layer."""
    variables: dict[str, xr.Variable] = {}
    for fit in fits:
        dim = "scan" if fit.technique == "tofsims" else "level"
        size = fit.time.size
        fraction, depth, std = (np.full(size, np.nan) for _ in range(3))
        good = np.isfinite(fit.time)
        if fit.interface is not None:
            place = depth_of_points(fit.time[good], fit.interface, samples)
            fraction[good], depth[good], std[good] = place.fraction, place.depth, place.depth_std
        variables[f"{dim}_depth"] = xr.Variable((dim,), depth, {"units": "nm"})
        variables[f"{dim}_depth_std"] = xr.Variable((dim,), std, {"units": "nm"})
        variables[f"{dim}_fraction"] = xr.Variable((dim,), fraction, {"units": "1"})
        variables[f"{dim}_time"] = xr.Variable((dim,), fit.time, {"units": "s"})
    return variables

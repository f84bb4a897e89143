"""The stage `eds_profile`: element maps or spectrum images to profiles along the layer's normal."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from depthlock.eds.element_maps import element_maps
from depthlock.eds.measured import QUANTITIES, UNITS, MeasuredMaps, flagged, labels, measure_maps, nothing
from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import EdsOptions
from depthlock.model.quantity import NORMAL_95, Quantity, assign, join_flags

LIGHT = {"H", "C", "N", "O", "F"}
"""Elements that the layer and its surroundings hold as well, so that they mark no substrate."""

DISAGREE = 3.0
"""Scatter of several maps' numbers over their errors beyond which they disagree."""


def measure_profile(measured: Sequence[xr.Dataset], options: EdsOptions) -> xr.Dataset:
    """Profiles of the elements along the layer's normal, and where and how evenly they lie.

    Parameters
    ----------
    measured : sequence of xr.Dataset
        Contract `eds_maps` or `eds_spectra`, one or more of one sample. Read from their attributes: `pixel_size_nm`
        ([y, x]), `k_factors` (JSON, by element), `k_factor_std` (relative), for spectra `elements`, `resolution_keV`.
    options : EdsOptions

    Returns
    -------
    xr.Dataset
        Contract `eds_profile`. `intensity` are net counts a pixel in bins of the signed distance from the crystal's
        edge, positive outwards. Quantities of several maps are weighted means. For data set k: `map_k` (element, y_k,
        x_k) net counts, `label_k` (0 outside, 1 layer, 2 crystal), `haadf_k`, both boundaries `inner_y_k`,
        `inner_x_k`, `outer_y_k`, `outer_x_k` in nm, and for a spectrum image `spectrum_k` with `spectrum_model_k` and
        `spectrum_background_k` on `energy_k`. `layer_thickness` speaks of the imaged pieces; `thickness_sampling_std`
        is the error of it as the mean of the whole sample, `thickness_sd` the spread of the chords, and `edge_std`
        (data_set) the error of the edge from which distances count, in nm.

    Raises
    ------
    MeasurementError
        When there is no data set, or one has no scale.
    """
    if not measured:
        raise MeasurementError("no EDS data", expected="at least one data set", hint="name one under `eds:`")
    substrate = options.substrate or _of_ions(options)
    found: list[MeasuredMaps] = []
    for number, data in enumerate(measured):
        maps = element_maps(data, options.elements)
        factors = json.loads(str(data.attrs.get("k_factors", "{}")))
        rng = np.random.default_rng([options.seed, number])
        error = float(data.attrs.get("k_factor_std", 0.0))
        found.append(measure_maps(maps, options, substrate, factors, error, rng))
    elements = tuple(dict.fromkeys(element for one in found for element in one.maps.elements))
    result = _profiles(found, elements, options)
    seen = np.zeros((len(found), len(elements)))
    for number, one in enumerate(found):
        result = result.assign(_pictures(one, number, elements))
        for element, significance in zip(one.maps.elements, one.maps.significance, strict=True):
            seen[number, elements.index(element)] = significance
    told = {"units": "1", "long_name": "counts in the whole map over their standard deviation"}
    result["significance"] = (("data_set", "element"), seen, told)
    result["edge_std"] = ("data_set", [one.edge_std for one in found], {"units": "nm"})
    names = [*QUANTITIES, *(["atomic_percent"] if any("atomic_percent" in one.quantities for one in found) else [])]
    for name in names:
        rows = [
            combined([one.quantities[name][element] for one in found if element in one.quantities.get(name, {})])
            for element in elements
        ]
        result = assign(result, name, ("element",), _stacked(rows), UNITS[name])
    thickness = combined([one.thickness for one in found])
    result = assign(result, "layer_thickness", (), thickness, "nm")
    result = result.assign(_of_sample(found, float(np.asarray(thickness.std))))
    return result.assign_attrs(
        data_sets=len(found),
        sources=[one.maps.source for one in found],
        pixel_size_nm=[list(one.maps.pixel) for one in found],
        substrate=list(dict.fromkeys(element for one in found for element in one.substrate)),
        map_flags=[";".join(one.flags) for one in found],
        lines=[
            ", ".join(f"{e} {line}" for e, line in zip(one.maps.elements, one.maps.lines, strict=True)) for one in found
        ],
        notes=[note for one in found for note in one.maps.notes],
    )


def _of_ions(options: EdsOptions) -> tuple[str, ...]:
    """Elements of the ions that stand for the substrate, such as V of V-."""
    named = [
        element for entry in options.ions if entry.role == "substrate" for element in Ion.parse(entry.ion).elements
    ]
    return tuple(dict.fromkeys(element for element in named if element not in LIGHT))


def _profiles(found: list[MeasuredMaps], elements: tuple[str, ...], options: EdsOptions) -> xr.Dataset:
    """Counts a pixel on one grid of distances for all data sets."""
    width = options.bin_width or max(max(one.maps.pixel) for one in found)
    numbers = {
        number: np.where(one.maps.good, np.rint(one.layer.distance / width).astype(int), _NOWHERE)
        for number, one in enumerate(found)
        if one.layer is not None
    }
    used = [index[index != _NOWHERE] for index in numbers.values()]
    first = min((int(index.min()) for index in used), default=0)
    size = max((int(index.max()) for index in used), default=-1) - first + 1
    shape = (len(found), len(elements), size)
    arrays = {name: np.full(shape, np.nan) for name in ("value", "std", "lower", "upper")}
    flags = np.full(shape, "not_measured", dtype="U64")
    pixels = np.zeros((len(found), size))
    for number, index in numbers.items():
        maps = found[number].maps
        own = np.where(index == _NOWHERE, -1, index - first)
        pixels[number] = np.bincount(own[own >= 0], minlength=size)
        counted = maps.counted.summed(own, size)
        low, high = counted.interval()
        area = np.where(pixels[number] > 0, pixels[number], np.nan)
        for row, element in enumerate(maps.elements):
            at = (number, elements.index(element))
            arrays["value"][at] = counted.net[row] / area
            arrays["std"][at] = np.sqrt(counted.variance[row]) / area
            arrays["lower"][at], arrays["upper"][at] = low[row] / area, high[row] / area
            flags[at] = np.where(pixels[number] > 0, maps.flags[row], "not_measured")
    coords = {
        "element": ("element", list(elements), {"units": "1"}),
        "distance": ("distance", (first + np.arange(size)) * width, {"units": "nm"}),
    }
    result = xr.Dataset({"pixels": (("data_set", "distance"), pixels, {"units": "1"})}, coords)
    quantity = Quantity(arrays["value"], arrays["std"], arrays["lower"], arrays["upper"], flags)
    return assign(result, "intensity", ("data_set", "element", "distance"), quantity, "1")


_NOWHERE = np.iinfo(np.int64).min


def _pictures(one: MeasuredMaps, number: int, elements: tuple[str, ...]) -> dict[str, xr.Variable]:
    """Maps, labels, boundaries and spectrum of one data set."""
    maps, layer = one.maps, one.layer
    y, x = f"y_{number}", f"x_{number}"
    shape = maps.good.shape
    net = np.full((len(elements), *shape), np.nan, dtype=np.float32)
    for row, element in enumerate(maps.elements):
        net[elements.index(element)] = np.where(maps.good, maps.counted.net[row], np.nan)
    pictures = {
        f"map_{number}": xr.Variable(("element", y, x), net, {"units": "1"}),
        f"label_{number}": xr.Variable((y, x), labels(layer, (shape[0], shape[1])), {"units": "1"}),
        y: xr.Variable(y, np.arange(shape[0]) * maps.pixel[0], {"units": "nm"}),
        x: xr.Variable(x, np.arange(shape[1]) * maps.pixel[1], {"units": "nm"}),
    }
    if maps.haadf is not None:
        pictures[f"haadf_{number}"] = xr.Variable((y, x), maps.haadf.astype(np.float32), {"units": "1"})
    lines = {} if layer is None else {"inner": layer.edge.points, "outer": layer.outer_line}
    for name, points in lines.items():
        if points is not None:
            for axis, values in zip("yx", points.T, strict=True):
                pictures[f"{name}_{axis}_{number}"] = xr.Variable(f"{name}_point_{number}", values, {"units": "nm"})
    if maps.spectrum is not None:
        for name in ("spectrum", "spectrum_model", "spectrum_background", "energy"):
            told = maps.spectrum[name]
            pictures[f"{name}_{number}"] = xr.Variable(f"energy_{number}", told.values, told.attrs)
    return pictures


def _of_sample(found: list[MeasuredMaps], std: float) -> dict[str, xr.Variable]:
    """How far the pieces' mean thickness may be from the sample's: they are short, and the layer is rough."""
    layers = [one.layer for one in found if one.layer is not None]
    chords = [layer.chords for layer in layers if layer.chords is not None]
    sampling, spread = np.nan, np.nan
    if chords:
        within = float(np.mean([one.piece_variance for one in chords]))
        between = float(np.var([one.mean for one in chords], ddof=1)) if len(chords) > 1 else 0.0
        sampling = float(np.sqrt(max(within, between) / len(chords) + std**2))
        spread = float(np.sqrt(np.mean([one.roughness**2 for one in chords])))
    told = {"units": "nm"}
    return {
        "thickness_sampling_std": xr.Variable((), sampling, told),
        "thickness_sd": xr.Variable((), spread, told),
    }


def combined(quantities: Sequence[Quantity]) -> Quantity:
    """Weighted mean of scalar quantities of several data sets; a single one stays as it is.

    Where they scatter more than their errors, the error grows with the scatter; beyond DISAGREE they are flagged.
    """
    known = [one for one in quantities if np.isfinite(float(np.asarray(one.value)))]
    if not known:
        return nothing(join_flags(*(str(one.flag) for one in quantities)) or "not_measured")
    if len(known) == 1:
        left_out = len(quantities) > 1
        return flagged(known[0], "images_left_out" if left_out else "")
    value = np.array([float(np.asarray(one.value)) for one in known])
    std = np.maximum([float(np.asarray(one.std)) for one in known], 1e-12)
    weight = std**-2
    mean = float(weight @ value / weight.sum())
    scatter = float(np.sqrt(weight @ (value - mean) ** 2 / (len(known) - 1)))
    error = float(weight.sum() ** -0.5) * max(1.0, scatter)
    flag = join_flags(
        *(str(one.flag) for one in known),
        "images_disagree" if scatter > DISAGREE else "",
        "images_left_out" if len(known) < len(quantities) else "",
    )
    return Quantity(mean, error, mean - NORMAL_95 * error, mean + NORMAL_95 * error, flag)


def _stacked(rows: Sequence[Quantity]) -> Quantity:
    arrays = [{key: float(values) for key, values in row.arrays().items()} for row in rows]
    value, std, lower, upper = (np.array([one[key] for one in arrays]) for key in ("", "std", "lower", "upper"))
    return Quantity(value, std, lower, upper, np.array([str(row.flag) for row in rows], dtype=np.str_))

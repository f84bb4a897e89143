"""Thickness and both lines at every position of every image, with its labels, crystallinity map and reflections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.options import ThicknessOptions
from depthlock.tem.chords import chord_samples, chord_starts
from depthlock.tem.labels import label_image
from depthlock.tem.measured import Boundaries, Layer
from depthlock.tem.statistics import STATISTICS
from depthlock.tem.streamlines import streamline_lengths

POSITION_UNITS = {"thickness": "nm", "thickness_std": "nm", "laplace_length": "nm"} | {
    f"{line}_{axis}": "pixel" for line in ("inner", "outer") for axis in ("y", "x")
}


def used_chords(boundaries: Boundaries, options: ThicknessOptions) -> NDArray[np.float64]:
    """Draws of the chords in nm, shape (n_samples, n_used)."""
    chords = chord_samples(boundaries.axis, boundaries.inner.samples, boundaries.outer.samples, options.edge_smoothing)
    return chords[:, boundaries.used]


def used_streamlines(boundaries: Boundaries, options: ThicknessOptions) -> NDArray[np.float64]:
    """Length in nm of the Laplace streamline at every used position, shape (n_used,).

    Between the same two lines as the chords: the smoothed crystal edge and the outer boundary. Stretches of the edge
    between unused columns are fields of their own.
    """
    axis, used = boundaries.axis, boundaries.used
    start = chord_starts(axis, boundaries.inner.mean[None], options.edge_smoothing)[0]
    inner, outer = axis.at(start), axis.at(np.maximum(boundaries.outer.mean, start))
    columns = np.nonzero(used)[0]
    stretches = np.split(columns, np.nonzero(np.diff(columns) > 1)[0] + 1)
    return np.concatenate([streamline_lengths(inner[stretch], outer[stretch]) for stretch in stretches])


def positions_of(
    images: Sequence[xr.Dataset], sizes: list[tuple[float, float]], layers: list[Layer], options: ThicknessOptions
) -> xr.Dataset:
    """Thickness and both lines at every position of every image, with the images and their labels."""
    columns: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ("arc_length", *POSITION_UNITS)}
    index: list[NDArray[np.int64]] = []
    pictures: dict[str, xr.Variable] = {}
    for number, (image, pixel, layer) in enumerate(zip(images, sizes, layers, strict=True)):
        values = image["image"].values
        lines = None
        if layer.boundaries is not None:
            boundaries = layer.boundaries
            axis, used = boundaries.axis, boundaries.used
            chords = used_chords(boundaries, options)
            start = chord_starts(axis, boundaries.inner.mean[None], options.edge_smoothing)[0]
            end = boundaries.outer.mean
            columns["arc_length"].append(axis.arc_length[used])
            columns["thickness"].append(chords.mean(axis=0))
            columns["thickness_std"].append(chords.std(axis=0))
            columns["laplace_length"].append(used_streamlines(boundaries, options))
            for name, depth in (("inner", start), ("outer", end)):
                points = axis.at(depth)[used] / np.asarray(pixel)
                columns[f"{name}_y"].append(points[:, 0])
                columns[f"{name}_x"].append(points[:, 1])
            index.append(np.full(int(used.sum()), number))
            depths = {"deep": start - 3.0, "inner": boundaries.inner.mean, "outer": end, "far": end + 3.0}
            lines = {name: axis.at(depth) for name, depth in depths.items()}
        dims = (f"y_{number}", f"x_{number}")
        pictures[f"image_{number}"] = xr.Variable(dims, values.astype(np.float32, copy=False), {"units": "1"})
        label = layer.labels
        if label is None:
            label = label_image(values.shape, pixel, layer.crystal, lines)
        pictures[f"label_{number}"] = xr.Variable(dims, label, {"units": "1"})
        pictures |= _window_maps(layer, number) | _reflections(layer, number)
    empty = np.zeros(0)
    joined = {name: np.concatenate(parts) if parts else empty for name, parts in columns.items()}
    coords = {
        "arc_length": xr.Variable("position", joined.pop("arc_length"), {"units": "nm"}),
        "image_index": xr.Variable(
            "position", np.concatenate(index) if index else empty.astype(np.int64), {"units": "1"}
        ),
        "statistic": xr.Variable("statistic", np.array(STATISTICS), {"units": "1"}),
    }
    variables = {
        name: xr.Variable("position", values, {"units": POSITION_UNITS[name]}) for name, values in joined.items()
    }
    return xr.Dataset({**variables, **pictures}, coords=coords)


def _window_maps(layer: Layer, number: int) -> dict[str, xr.Variable]:
    """The crystallinity map of one image, on the centres of its windows."""
    if layer.maps is None:
        return {}
    y, x = f"window_y_{number}", f"window_x_{number}"
    told = {"units": "1", "long_name": "largest power over the median of its ring, window by window"}
    return {
        f"crystallinity_{number}": xr.Variable((y, x), layer.maps.crystallinity, told),
        y: xr.Variable(y, layer.maps.y, {"units": "nm"}),
        x: xr.Variable(x, layer.maps.x, {"units": "nm"}),
    }


def _reflections(layer: Layer, number: int) -> dict[str, xr.Variable]:
    """The reflections refined in the crystal of one image; none of them without a crystal."""
    dim = f"reflection_{number}"
    columns = {
        "ky": ([fit.reflection.ky for fit in layer.lattice], "1/nm", "frequency along y"),
        "kx": ([fit.reflection.kx for fit in layer.lattice], "1/nm", "frequency along x"),
        "spacing": ([fit.spacing for fit in layer.lattice], "nm", "lattice spacing"),
        "spacing_std": ([fit.spacing_std for fit in layer.lattice], "nm", "without the pixel size's own error"),
        "angle": ([fit.reflection.angle for fit in layer.lattice], "degree", "azimuth from +x towards +y"),
        "angle_std": (
            [fit.angle_std for fit in layer.lattice],
            "degree",
            "without errors of the scan's or lens' shape",
        ),
        "local_spacing_std": ([fit.local_std for fit in layer.lattice], "nm", "of one tile of the spacing map"),
    }
    found = {
        f"reflection_{name}_{number}": xr.Variable(dim, np.array(values, float), {"units": units, "long_name": told})
        for name, (values, units, told) in columns.items()
    }
    if layer.lattice:
        first = layer.lattice[0]
        y, x = f"tile_y_{number}", f"tile_x_{number}"
        told = {"units": "nm", "long_name": "lattice spacing tile by tile in the crystal"}
        found[f"reflection_local_spacing_{number}"] = xr.Variable(
            (dim, y, x), np.stack([fit.local for fit in layer.lattice]), told
        )
        for axis, name in enumerate((y, x)):
            centres = (np.arange(first.local.shape[axis]) + 0.5) * first.tile[axis]
            found[name] = xr.Variable(name, centres, {"units": "nm"})
    return found


def evidence_of(layer: Layer) -> dict[str, float]:
    """What one image's boundaries rest on, in plain numbers; empty where there are none, or they are drawn by hand."""
    evidence = None if layer.boundaries is None else layer.boundaries.evidence
    if evidence is None:
        return {}
    numbers = {
        "inner_separation": round(evidence.inner_separation, 2),
        "outer_separation": round(evidence.outer_separation, 2),
        "sharpness": round(evidence.sharpness, 3),
        "inner_shift_nm": round(evidence.inner_shift.value, 4),
        "inner_shift_std_nm": round(evidence.inner_shift.std, 4),
        "outer_shift_nm": round(evidence.outer_shift.value, 4),
        "outer_shift_std_nm": round(evidence.outer_shift.std, 4),
        "fresnel_fringe_weight": round(evidence.outer_shift.fringe, 3),
        "fringes_used": float(evidence.fringes_used),
        "watched_crystal_shift_nm": round(evidence.watched.crystal.shift, 3),
        "watched_crystal_shift_std_nm": round(evidence.watched.crystal.std, 3),
        "watched_outer_shift_nm": round(evidence.watched.outer.shift, 3),
        "watched_outer_shift_std_nm": round(evidence.watched.outer.std, 3),
    }
    return {name: value for name, value in numbers.items() if np.isfinite(value)}

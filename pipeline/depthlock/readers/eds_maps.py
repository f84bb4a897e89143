"""STEM-EDS element maps: one file an element, with a dark-field image beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.eds_planes import Plane, fitted_plane, hyperspy_signals, is_hyperspy, is_map, line_of, read_plane
from depthlock.readers.hdf5_access import HDF5_SIGNATURE

SAME_SCALE = 0.02
"""Relative difference of pixel sizes up to which maps belong together."""


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is a map of one element by itself: HyperSpy says which line it holds."""
    if not head.startswith(HDF5_SIGNATURE) or not is_hyperspy(path):
        return False
    try:
        return any(is_map(signal) and line_of(signal) for signal in hyperspy_signals(path))
    except ReadError:
        return False


def read(path: Path) -> xr.Dataset:
    """Read the map of one element, named by the file; contract `eds_maps`."""
    plane = read_plane(path)
    return _dataset({plane.line.partition("_")[0]: (path, plane)}, None, [])


def read_maps(maps: Mapping[str, Path], haadf: Path | None = None) -> xr.Dataset:
    """Read maps of several elements of one field.

    Parameters
    ----------
    maps : mapping
        File by element.
    haadf : Path, optional
        Dark-field image of the same field, of any number of pixels.

    Returns
    -------
    xr.Dataset
        Contract `eds_maps`: `counts` (element, y, x), `line` (element), `haadf` (y, x) where there is one; y and x in
        nm when a file gives the scale, else pixels. Attributes: `pixel_size_nm` [y, x] (absent when unknown),
        `scale_source`, `display` (1 where values are no counts but stretched for a screen), `notes`, `source`.

    Raises
    ------
    ReadError
        When a file cannot be read, the maps differ in size or scale, or the HAADF shows another field.
    """
    planes = {element: (path, read_plane(path)) for element, path in maps.items()}
    notes: list[str] = []
    for element, (path, plane) in planes.items():
        named = plane.line.partition("_")[0]
        if named and named != element:
            raise ReadError(
                f"the file is a map of {plane.line}, the session says {element}",
                expected=f"a map of {element}",
                where=str(path),
                hint=f"write {named}: {path.name}",
            )
    first_path, first = next(iter(planes.values()))
    for path, plane in planes.values():
        if plane.values.shape != first.values.shape:
            raise ReadError(
                f"the map has {_size(plane)} pixels, that of {first_path.name} has {_size(first)}",
                expected="maps of one field and one size",
                where=str(path),
                hint="export all maps of a data set in the same way",
            )
        if plane.pixel_size and first.pixel_size:
            apart = max(abs(a / b - 1.0) for a, b in zip(plane.pixel_size, first.pixel_size, strict=True))
            if apart > SAME_SCALE:
                raise ReadError(
                    f"the map's pixel is {plane.pixel_size[1]:.4g} nm, that of {first_path.name}"
                    f" {first.pixel_size[1]:.4g} nm",
                    expected="maps of one scale",
                    where=str(path),
                    hint="name maps of one field, or give their `pixel_size` after exporting them alike",
                )
    return _dataset(planes, haadf, notes)


def _size(plane: Plane) -> str:
    return f"{plane.values.shape[0]} x {plane.values.shape[1]}"


def _dataset(planes: Mapping[str, tuple[Path, Plane]], haadf: Path | None, notes: list[str]) -> xr.Dataset:
    paths = [path for path, _ in planes.values()]
    maps = [plane for _, plane in planes.values()]
    shape = (maps[0].values.shape[0], maps[0].values.shape[1])
    size = next((plane.pixel_size for plane in maps if plane.pixel_size), None)
    display = any(plane.display for plane in maps)
    if display:
        notes.append("EDS: maps were stretched or coloured for a screen: their values are no counts")
    dark = None
    if haadf is not None:
        shown = read_plane(haadf)
        dark = fitted_plane(shown.values, shape)
        if dark is None:
            raise ReadError(
                f"the dark-field image has {_size(shown)} pixels, the maps have {_size(maps[0])}",
                expected="an image of the maps' field, with sides of the same ratio",
                where=str(haadf),
                hint="crop it to the mapped field, or remove 'haadf'",
            )
        if size is None and shown.pixel_size is not None:
            factor = [whole / part for whole, part in zip(shown.values.shape, shape, strict=True)]
            size = (shown.pixel_size[0] * factor[0], shown.pixel_size[1] * factor[1])
    attrs: dict[str, Any] = {
        "source": ", ".join(str(path) for path in paths),
        "scale_source": "file" if size else "none",
        "display": int(display),
        "notes": notes,
    }
    if size:
        attrs["pixel_size_nm"] = [float(size[0]), float(size[1])]
    step, units = (size, "nm") if size else ((1.0, 1.0), "1")
    coords: dict[str, Any] = {
        dim: (dim, step[number] * np.arange(shape[number], dtype=np.float64), {"units": units})
        for number, dim in enumerate(("y", "x"))
    }
    coords["element"] = ("element", list(planes), {"units": "1"})
    coords["line"] = ("element", [plane.line.partition("_")[2] for plane in maps], {"units": "1"})
    counts = np.stack([plane.values for plane in maps])
    dataset = xr.Dataset({"counts": (("element", "y", "x"), counts, {"units": "1"})}, coords, attrs)
    if dark is not None:
        dataset["haadf"] = (("y", "x"), dark, {"units": "1"})
    return dataset


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    dataset = read(path)
    size = dataset.attrs.get("pixel_size_nm")
    values = dataset["counts"].values
    return {
        "kind": "map of one element",
        "element": str(dataset["element"].values[0]),
        "line": str(dataset["line"].values[0]) or "not named",
        "pixels": f"{dataset.sizes['y']} x {dataset.sizes['x']} (y, x)",
        "values": f"{values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}",
        "pixel size": f"{size[1]:.5g} nm" if size else "not in the file; give `pixel_size` in the session",
    }

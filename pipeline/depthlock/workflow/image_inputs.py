"""What the session says of an image, laid on it: scale, lattice, hints, hand-corrected labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthlock.model.errors import ReadError
from depthlock.model.places import in_pixels
from depthlock.workflow.jobs import RawFile

if TYPE_CHECKING:
    import xarray as xr


def image_as_told(image: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Lay everything that the session says of an image on it.

    Raises
    ------
    ReadError
        When a label image does not fit, no scale bar is found where one is asked for, or a place is outside.
    """
    image = _labelled(rescaled(image, raw), raw)
    settings = raw.settings
    image.attrs["pixel_size_std"] = float(settings.get("pixel_size_std", 0.0))
    if "lattice_spacing" in settings:
        image.attrs["lattice_spacing_nm"] = float(settings["lattice_spacing"])
    if "calibrate_with" in settings:
        image.attrs["calibrate_with_nm"] = float(settings["calibrate_with"])
    return _hinted(_scaled_by_bar(image, raw), raw)


def rescaled(image: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Put the session's pixel size on an image or maps, in place of the file's."""
    import numpy as np

    image = image.copy(deep=False)
    size = raw.settings.get("pixel_size")
    if size is None:
        return image
    in_file = image.attrs.get("pixel_size_nm")
    if in_file is not None:
        image.attrs["pixel_size_nm_in_file"] = in_file
    image.attrs["pixel_size_nm"] = [float(size), float(size)]
    image.attrs["scale_source"] = "session"
    return image.assign_coords(
        {axis: (axis, np.arange(image.sizes[axis]) * float(size), {"units": "nm"}) for axis in ("y", "x")}
    )


def _labelled(image: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Lay the hand-corrected labels on an image, where the session names some."""
    if not raw.labels:
        return image
    from depthlock.readers.label_images import read_labels

    with _named_in_session(raw):
        labels = read_labels(Path(raw.labels), (image.sizes["y"], image.sizes["x"]))
    image = image.assign(labels=(("y", "x"), labels, {"units": "1"}))
    image.attrs["labels_source"] = Path(raw.labels).name
    return image


def _scaled_by_bar(image: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Take the scale from a burnt-in bar, where the session asks for it."""
    told = raw.settings.get("scale_bar")
    if told is None:
        return image
    from depthlock.readers.overlays import scaled_by_bar

    with _named_in_session(raw):
        near = None if told.get("at") is None else _place(told["at"], image, raw, "scale_bar: at")
        return scaled_by_bar(image, float(told["length"]), near)


def _hinted(image: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Lay the session's hints on an image, in pixels (row, column)."""
    told = raw.settings.get("hints")
    if told is None:
        return image
    with _named_in_session(raw):
        hints: dict[str, list[Any]] = {}
        for name, lines in told.items():
            if name == "layer_at":
                hints[name] = [_place(place, image, raw, f"hints: {name}") for place in lines]
            else:
                hints[name] = [[_place(place, image, raw, f"hints: {name}") for place in line] for line in lines]
    return image.assign_attrs(hints=json.dumps(hints))


def _place(place: Any, image: xr.Dataset, raw: RawFile, key: str) -> tuple[float, float]:
    """Row and column of a place that the session names."""
    size = image.attrs.get("pixel_size_nm")
    pixel = None if size is None else (float(size[0]), float(size[-1]))
    try:
        return in_pixels(place, (image.sizes["y"], image.sizes["x"]), pixel)
    except ValueError as error:
        raise ReadError(
            str(error), expected="a place in the picture", where=raw.path, hint=f"mend `{key}`; places are [x, y]"
        ) from error


@contextmanager
def _named_in_session(raw: RawFile) -> Iterator[None]:
    """Say where in the session the file of a reader's error is named."""
    try:
        yield
    except ReadError as error:
        place = f"{raw.where}: {error.where}" if raw.where else error.where
        raise ReadError(error.found, expected=error.expected, where=place, hint=error.hint) from error

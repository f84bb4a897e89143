"""What the session says of an image, laid on it: scale, lattice, hand-corrected labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
        When a label image does not fit, or no scale bar is found where one is asked for.
    """
    image = _labelled(rescaled(image, raw), raw)
    settings = raw.settings
    image.attrs["pixel_size_std"] = float(settings.get("pixel_size_std", 0.0))
    if "lattice_spacing" in settings:
        image.attrs["lattice_spacing_nm"] = float(settings["lattice_spacing"])
    if "calibrate_with" in settings:
        image.attrs["calibrate_with_nm"] = float(settings["calibrate_with"])
    return _scaled_by_bar(image, raw)


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
        try:
            near = None if told.get("at") is None else in_pixels(told["at"], (image.sizes["y"], image.sizes["x"]), None)
        except ValueError as error:
            raise ReadError(str(error), expected="pixels or percent", where=raw.path, hint="mend `at`") from error
        return scaled_by_bar(image, float(told["length"]), near)


@contextmanager
def _named_in_session(raw: RawFile) -> Iterator[None]:
    """Say where in the session the file of a reader's error is named."""
    try:
        yield
    except ReadError as error:
        place = f"{raw.where}: {error.where}" if raw.where else error.where
        raise ReadError(error.found, expected=error.expected, where=place, hint=error.hint) from error

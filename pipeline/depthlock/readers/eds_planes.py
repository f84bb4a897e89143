"""One map a file: an element's counts, or a dark-field image, from HyperSpy files and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers import images
from depthlock.readers.hdf5_access import HDF5_SIGNATURE, opened
from depthlock.readers.image_files import third_party
from depthlock.readers.image_scale import Axis, pixel_size_nm

SAME_ASPECT = 0.02
"""Relative difference of the sides' ratio up to which two images show one field."""

DISPLAYED = 255
"""Largest value of 8-bit pictures, in which a map was stretched for the screen."""


@dataclass(frozen=True)
class Plane:
    """A map.

    Attributes
    ----------
    values : ndarray, shape (n_y, n_x)
    pixel_size : tuple of float or None
        (y, x) in nm.
    line : str
        X-ray line that the file names, for instance ``Sr_Ka``; empty if none.
    display : bool
        Whether the values were stretched or coloured for a screen, so that they are no counts.
    """

    values: NDArray[np.float64]
    pixel_size: tuple[float, float] | None
    line: str
    display: bool


def is_hyperspy(path: Path) -> bool:
    """Whether an HDF5 file is HyperSpy's."""
    try:
        with opened(path) as file:
            return str(file.attrs.get("file_format", "")).lower() == "hyperspy"
    except ReadError:
        return False


def hyperspy_signals(path: Path) -> list[dict[str, Any]]:
    """The signals of a HyperSpy file, lazily."""
    with third_party("HyperSpy", path):
        from rsciio import hspy

        signals: list[dict[str, Any]] = hspy.file_reader(str(path), lazy=True)
        return signals


def is_map(signal: dict[str, Any]) -> bool:
    """Whether a signal is an image: two axes, none of energy, as a line scan of spectra has one."""
    units = {str(axis.get("units") or "").strip().lower() for axis in signal["axes"]}
    return len(signal["axes"]) == 2 and not units & {"kev", "ev"}


def line_of(signal: dict[str, Any]) -> str:
    """The one X-ray line that a signal of a single map names, or its one element; empty if there is none."""
    sample = signal.get("metadata", {}).get("Sample", {})
    for key in ("xray_lines", "elements"):
        named = np.atleast_1d(np.asarray(sample.get(key, []), dtype=object)).tolist()
        if len(named) == 1:
            return str(named[0])
    return ""


def read_plane(path: Path) -> Plane:
    """Read one map.

    Raises
    ------
    ReadError
        When the file is damaged, or holds no single image.
    """
    with path.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(HDF5_SIGNATURE) and is_hyperspy(path):
        flat = [signal for signal in hyperspy_signals(path) if is_map(signal)]
        if not flat:
            raise ReadError(
                "the HyperSpy file holds no single map",
                expected="a signal of two axes",
                where=str(path),
                hint="name a spectrum image under 'file:', without 'maps:'",
            )
        with third_party("HyperSpy", path):
            values = np.asarray(flat[0]["data"], dtype=np.float64)
        axes = [Axis(float(axis.get("scale", 1.0)), str(axis.get("units") or "")) for axis in flat[0]["axes"]]
        if min(values.shape) < images.SMALLEST or not np.isfinite(values).any():
            raise ReadError(
                f"the map has {values.shape[0]} x {values.shape[1]} pixels, or none is a number",
                expected="a map",
                where=str(path),
                hint="export it again",
            )
        return Plane(values, pixel_size_nm((axes[0], axes[1]))[0], line_of(flat[0]), False)
    image = images.read(path)
    size = image.attrs.get("pixel_size_nm")
    values = image["image"].values.astype(np.float64)
    stretched = image.attrs["bits"] == 8 and float(values.max()) == DISPLAYED
    return Plane(
        values, (float(size[0]), float(size[1])) if size else None, "", bool(image.attrs["colour"]) or stretched
    )


def fitted_plane(values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """An image on the pixels of another one of the same field; None when the fields differ.

    Larger images are averaged over the other's pixels, smaller ones interpolated.
    """
    if values.shape == shape:
        return values
    scale = [size / wanted for size, wanted in zip(values.shape, shape, strict=True)]
    if abs(scale[0] / scale[1] - 1.0) > SAME_ASPECT:
        return None
    from scipy import ndimage

    if min(scale) > 1.0:
        values = ndimage.uniform_filter(values, [max(1, round(one)) for one in scale], mode="nearest")
    # Centres of the pixels of one image in those of the other.
    at = np.meshgrid(*((np.arange(wanted) + 0.5) * one - 0.5 for wanted, one in zip(shape, scale, strict=True)),
                     indexing="ij")  # fmt: skip
    return np.asarray(ndimage.map_coordinates(values, at, order=1, mode="nearest"))

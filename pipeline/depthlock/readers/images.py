"""Electron-microscope images: dm3, dm4, emd, ser, mrc, tif, png, jpg, with the scale the file gives.

A scale is taken only from microscope metadata. Printing resolutions (dpi, cm), burnt-in bars and unset defaults are
none; the session's `pixel_size` then says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.image_files import ImageFormat, Picture, format_of
from depthlock.readers.image_scale import is_reciprocal, pixel_size_nm

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""

SMALLEST = 3
"""Pixels an image must have along both axes."""


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is in one of the image formats, by its content."""
    return format_of(path, head) is not None


def _load(path: Path) -> tuple[ImageFormat, list[Picture]]:
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise ReadError(f"the file cannot be opened: {error.strerror or error}", where=str(path)) from error
    known = format_of(path, head)
    if known is None:
        raise ReadError(
            "this is no image file that depthlock reads",
            expected="dm3, dm4, emd, ser, mrc, tif, png or jpg",
            where=str(path),
            hint="export the image as TIFF or DM3",
        )
    return known, known.load(path)


def _refusal(picture: Picture) -> str:
    """Why a signal is no image of the specimen; empty when it is one."""
    dims = len(picture.axes)
    if dims < 2:
        return "a line of numbers, not an image"
    if any(is_reciprocal(axis.units) for axis in picture.axes[-2:]):
        return f"a diffraction pattern (axes in {picture.axes[-1].units}), not an image of the specimen"
    if dims > 3:
        return f"a scan of {dims} dimensions (4D-STEM, diffraction patterns), not an image"
    if min(picture.data.shape[dims - 2 : dims]) < SMALLEST:
        return f"an array of {' x '.join(map(str, picture.data.shape))}, too small for an image"
    return ""


@dataclass(frozen=True)
class _Choice:
    known: ImageFormat
    picture: Picture
    usable: int
    others: tuple[str, ...]


def _choose(path: Path) -> _Choice:
    """The image of a file: of several the one with the most pixels, then the one of greatest depth."""
    known, pictures = _load(path)
    reasons = [_refusal(picture) for picture in pictures]
    usable = [picture for picture, reason in zip(pictures, reasons, strict=True) if not reason]
    if not usable:
        raise ReadError(
            f"the {known.title} file holds {reasons[0]}" if reasons else f"the {known.title} file holds no image",
            expected="an image of the layer in cross-section",
            where=str(path),
            hint="name the file of the HRTEM or STEM image",
        )
    best = max(usable, key=lambda one: (np.prod(one.data.shape[-2 - one.colour :][:2]), one.data.dtype.itemsize))
    others = tuple(f"{p.title or 'untitled'}: {r}" for p, r in zip(pictures, reasons, strict=True) if r)
    return _Choice(known, best, len(usable), others)


def read(path: Path, frame: int | None = None) -> xr.Dataset:
    """Read one image.

    Parameters
    ----------
    path : Path
    frame : int, optional
        Which image of a stack, counted from 0; the first if absent (`attrs["frames"]` says how many there are).

    Returns
    -------
    xr.Dataset
        Contract `tem_image`: `image` (y, x) as float32, coordinates in nm when the scale is known, else pixels.
        Attributes: `pixel_size_nm` [y, x] (absent when unknown), `scale_source` (``file`` or ``none``),
        `frames`, `frame`, `bits`, `colour`, `saturated_fraction`, `title`, `format`, `notes`, `source`.

    Raises
    ------
    ReadError
        When the file is damaged or cut short, holds no image (diffraction patterns, spectra), has no such frame, or
        the image has no contrast.
    """
    choice = _choose(path)
    picture = choice.picture
    frames = picture.data.shape[0] if len(picture.axes) == 3 else 1
    chosen = 0 if frame is None else frame
    if not 0 <= chosen < frames:
        raise ReadError(
            f"there is no frame {chosen}",
            expected=f"0 to {frames - 1}" if frames > 1 else "0: the file holds a single image",
            where=str(path),
            hint="set `frame` to one of them",
        )
    plane = picture.data[chosen] if len(picture.axes) == 3 else picture.data
    image = _grey(plane, picture.colour)
    # Real images have a spread; a flat one is a failed export, and everything measured on it would be noise.
    if not np.all(np.isfinite(image)) or float(image.min()) == float(image.max()):
        raise ReadError(
            "the image is flat or has pixels that are no numbers",
            expected="an image with contrast",
            where=str(path),
            hint="export it again",
        )
    size, reason = pixel_size_nm((picture.axes[-2], picture.axes[-1]))
    source = "file" if size else "none"
    notes = [note for note in (reason, *choice.others) if note]
    if choice.usable > 1:
        notes.append(f"the file holds {choice.usable} images; the largest is used")
    if frames > 1 and frame is None:
        notes.append(f"the file holds {frames} frames; the first is used, `frame` chooses another")
    attrs: dict[str, Any] = {
        "source": str(path),
        "format": choice.known.title,
        "title": picture.title or path.stem,
        "scale_source": source,
        "frames": frames,
        "frame": chosen,
        "bits": 8 * picture.data.dtype.itemsize if picture.data.dtype.kind != "b" else 1,
        "colour": int(picture.colour),
        "saturated_fraction": _saturated(plane[..., :3] if picture.colour else plane),
        "notes": notes,
    }
    if size:
        attrs["pixel_size_nm"] = [float(size[0]), float(size[1])]
    step, units = (size, "nm") if size else ((1.0, 1.0), "1")
    coords = {
        dim: (dim, step[axis] * np.arange(image.shape[axis], dtype=np.float64), {"units": units})
        for axis, dim in enumerate(("y", "x"))
    }
    return xr.Dataset({"image": (("y", "x"), image, {"units": "1"})}, coords, attrs)


def _grey(plane: NDArray[Any], colour: bool) -> NDArray[np.float32]:
    if np.iscomplexobj(plane):
        plane = np.abs(plane)
    if colour:
        plane = plane[..., :3].astype(np.float64) @ np.array(LUMINANCE)
    return np.ascontiguousarray(plane, dtype=np.float32)


def _saturated(plane: NDArray[Any]) -> float:
    """Share of pixels at the largest value of an integer type: clipped detail."""
    if plane.dtype.kind not in "iu":
        return 0.0
    return float(np.mean(plane == np.iinfo(plane.dtype).max))


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    choice = _choose(path)
    image = read(path)
    facts: dict[str, Any] = {
        "kind": choice.known.title,
        "title": image.attrs["title"],
        "pixels": f"{image.sizes['y']} x {image.sizes['x']} (y, x)",
        "frames": image.attrs["frames"],
        "stored as": f"{choice.picture.data.dtype}{', colour' if choice.picture.colour else ''}",
    }
    size = image.attrs.get("pixel_size_nm")
    if size:
        square = bool(np.isclose(size[0], size[1], rtol=1e-6))
        facts["pixel size"] = f"{size[1]:.5g} nm" if square else f"{size[0]:.5g} x {size[1]:.5g} nm (y, x)"
        facts["field of view"] = f"{size[0] * image.sizes['y']:.4g} x {size[1] * image.sizes['x']:.4g} nm (y, x)"
    else:
        facts["pixel size"] = "not in the file; give `pixel_size` in the session"
    if image.attrs["saturated_fraction"] > 0:
        facts["saturated pixels"] = f"{100 * image.attrs['saturated_fraction']:.2g} %"
    if image.attrs["notes"]:
        facts["notes"] = list(image.attrs["notes"])
    return facts

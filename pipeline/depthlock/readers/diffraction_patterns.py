"""Diffraction patterns of area detectors: EDF and CBF through fabio, pictures through the image readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.image_files import format_of, third_party

SMALLEST = 16
"""Pixels a pattern must have along both axes."""


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is a detector's EDF or CBF, or in one of the image formats."""
    return bool(_detector_format(head)) or format_of(path, head) is not None


def _detector_format(head: bytes) -> str:
    if head.startswith(b"###CBF"):
        return "CBF"
    return "EDF" if head.lstrip()[:1] == b"{" and b"Dim_1" in head and b"DataType" in head else ""


def read(path: Path, frame: int | None = None) -> xr.Dataset:
    """Read one pattern.

    Parameters
    ----------
    path : Path
    frame : int, optional
        Which picture of a stack, counted from 0.

    Returns
    -------
    xr.Dataset
        Contract `diffraction_pattern`: `intensity` (y, x) in counts as stored, row 0 on top; what detectors mark dead
        pixels with (negative counts, NaN) stays, and the largest number of the stored type becomes NaN; `saturated`
        (y, x) says where that is a count too large, not a mark. Attributes: `source`, `format`.

    Raises
    ------
    ReadError
        If the file is damaged, no picture of counts, a stack without `frame`, or fabio is not installed.
    """
    data, known = _picture(path)
    if data.ndim == 3:
        if frame is None and data.shape[0] > 1:
            raise ReadError(
                f"the file is a stack of {data.shape[0]} pictures", expected="one diffraction pattern",
                where=str(path), hint=f"name one: {{file: ..., frame: 0}} (0 to {data.shape[0] - 1})",
            )  # fmt: skip
        if not 0 <= (frame or 0) < data.shape[0]:
            raise ReadError(f"there is no frame {frame}", expected=f"0 to {data.shape[0] - 1}", where=str(path))
        data = data[frame or 0]
    elif frame not in (None, 0):
        raise ReadError(f"there is no frame {frame}", expected="0: the file holds one picture", where=str(path))
    if data.ndim != 2 or min(data.shape) < SMALLEST or data.dtype.kind not in "iuf":
        raise ReadError(
            f"an array of {' x '.join(map(str, data.shape))} {data.dtype}, no diffraction pattern",
            expected="a picture of counts, one number a pixel", where=str(path),
            hint="name the detector's own file, not a picture made for showing",
        )  # fmt: skip
    full = _at_limit(data)
    counts = np.where(full, np.nan, data.astype(np.float64))
    if not (counts > 0).any():
        raise ReadError("no pixel has a count", where=str(path), hint="name the file of the measurement")
    # Detectors mark their gaps with the largest number, too; where counts come near it, it is one of them.
    saturated = full & bool(np.nanmax(counts) > 0.5 * _limit(data))
    held = {"intensity": (("y", "x"), counts, {"units": "1"}), "saturated": (("y", "x"), saturated, {"units": "1"})}
    return xr.Dataset(held, attrs={"source": path.name, "format": known})


def _limit(data: NDArray[Any]) -> float:
    """Largest number that a pixel can hold; infinite for fractions."""
    return float(np.iinfo(data.dtype).max) if data.dtype.kind in "iu" else np.inf


def _at_limit(data: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(data == np.iinfo(data.dtype).max) if data.dtype.kind in "iu" else np.zeros(data.shape, dtype=bool)


def _picture(path: Path) -> tuple[NDArray[Any], str]:
    with path.open("rb") as stream:
        head = stream.read(8192)
    title = _detector_format(head)
    if title:
        try:
            import fabio
        except ImportError as error:
            raise ReadError(
                f"reading {title} files needs the package fabio, which is not installed",
                where=str(path),
                hint='pip install "depthlock[diffraction]"',
            ) from error
        with third_party(title, path), fabio.open(str(path)) as image:
            size = path.stat().st_size
            if title == "EDF" and size < image.data.nbytes and "COMPRESSION" not in str(image.header).upper():
                raise ReadError(
                    f"the EDF file is cut short: {size} bytes for {image.data.nbytes} of pixels",
                    expected="a whole file",
                    where=str(path),
                    hint="copy the file again",
                )
            return np.array(image.data), title
    known = format_of(path, head)
    if known is None:
        raise ReadError("this is no picture that depthlock reads", expected="edf, cbf, tif", where=str(path))
    pictures = [one for one in known.load(path) if not one.colour and len(one.axes) in (2, 3)]
    if not pictures:
        raise ReadError(
            "the file holds no picture of counts", expected="one number a pixel, no colours", where=str(path),
            hint="name the detector's own file, not a picture made for showing",
        )  # fmt: skip
    return pictures[0].data, known.title


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    data, known = _picture(path)
    return {
        "kind": known,
        "pixels": " x ".join(map(str, data.shape)) + (" (y, x)" if data.ndim == 2 else " (frame, y, x)"),
        "stored as": str(data.dtype),
        "masked pixels": int((~(np.isfinite(data) & (data >= 0))).sum()) if data.dtype.kind in "iuf" else 0,
        "geometry": "not in the file; give a .poni or distance, pixel_size, centre and wavelength in the session",
    }

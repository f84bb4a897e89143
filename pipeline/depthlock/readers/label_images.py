"""Hand-corrected label images: 0 outside, 1 layer, 2 crystal; png, tif or npy of the image's size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError

LABELS = (0, 1, 2)
"""Outside, layer, crystal."""


def read_labels(path: Path, shape: tuple[int, int]) -> NDArray[np.int8]:
    """Read a label image.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Rows and columns of the image it belongs to.

    Returns
    -------
    ndarray of int8, shape `shape`

    Raises
    ------
    ReadError
        When the file cannot be read as png, tif or npy, is of another size, holds other values than 0, 1 and 2, or
        holds no layer or no crystal.
    """
    values = np.asarray(_load(path))
    if values.ndim == 3 and values.shape[-1] in {3, 4} and np.all(values[..., :3] == values[..., :1]):
        values = values[..., 0]  # a grey picture saved in colour
    values = values.squeeze()
    if values.shape != shape:
        raise ReadError(
            f"the label image has {_size(values.shape)} pixels",
            expected=f"{_size(shape)} (rows x columns), the size of the image",
            where=str(path),
            hint="draw the labels on the image itself, without cropping or scaling it",
        )
    found = np.unique(values)
    if not np.all(np.isin(found, LABELS)):
        told = ", ".join(f"{value:g}" for value in found[:6].astype(float)) + (", ..." if found.size > 6 else "")
        raise ReadError(
            f"the label image holds the values {told}",
            expected="0 outside, 1 layer, 2 crystal",
            where=str(path),
            hint="save the labels themselves, not a picture of them in grey or colour",
        )
    for value, name in ((1, "layer"), (2, "crystal")):
        if value not in found:
            raise ReadError(
                f"the label image has no pixel of the {name} ({value})",
                expected="0 outside, 1 layer, 2 crystal",
                where=str(path),
                hint=f"mark the {name}",
            )
    return values.astype(np.int8)


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
            stream.seek(0)
            if head.startswith(b"\x93NUMPY"):
                return np.load(stream, allow_pickle=False)
            if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
                import tifffile

                return tifffile.imread(stream)
            if head.startswith(b"\x89PNG"):
                from PIL import Image

                with Image.open(stream) as image:
                    return np.array(image)
    except OSError as error:
        raise ReadError(
            f"the label image cannot be read: {error.strerror or error}", where=str(path), hint="check path and file"
        ) from error
    except (ValueError, SyntaxError, IndexError, KeyError, TypeError) as error:  # what decoders make of damage
        raise ReadError(
            f"the label image is damaged: {error}", where=str(path), hint="save it again as png, tif or npy"
        ) from error
    raise ReadError(
        "the label image is of no known format", expected="png, tif or npy", where=str(path), hint="save it as png"
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

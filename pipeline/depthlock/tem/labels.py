"""The label image: 0 outside, 1 layer, 2 crystal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.crystal import Crystal

OUTSIDE, LAYER, CRYSTAL = 0, 1, 2

PIECE = 8
"""Columns drawn at once."""


def label_image(
    shape: tuple[int, int],
    pixel: tuple[float, float],
    crystal: Crystal | None,
    lines: dict[str, NDArray[np.float64]] | None,
) -> NDArray[np.int8]:
    """Draw the crystal's mask, corrected along the measured edge, and the layer between its boundaries.

    Parameters
    ----------
    shape : tuple of int
    pixel : tuple of float
        nm.
    crystal : Crystal or None
    lines : dict or None
        ``deep``, ``inner``, ``outer``, ``far``: lines of shape (n, 2), (y, x) in nm, of equal length: well inside the
        crystal, its edge, the layer's outer boundary, and well outside.

    Returns
    -------
    ndarray of int8, shape `shape`
    """
    from skimage.draw import polygon

    label = np.zeros(shape, dtype=np.int8)
    if crystal is not None:
        rows, columns = (
            np.minimum(np.round(np.arange(n) * p / h).astype(int), m - 1)
            for n, p, h, m in zip(shape, pixel, crystal.step, crystal.mask.shape, strict=True)
        )
        label[crystal.mask[np.ix_(rows, columns)]] = CRYSTAL
    if lines is None:
        return label
    for first, second, value in (
        ("outer", "far", OUTSIDE),
        ("deep", "inner", CRYSTAL),
        ("inner", "outer", LAYER),
    ):
        count = len(lines[first])
        # A long polygon costs its box times its corners; short pieces that share a column cost almost nothing.
        for start in range(0, count - 1, PIECE):
            piece = slice(start, start + PIECE + 1)
            ring = np.concatenate([lines[first][piece], lines[second][piece][::-1]]) / np.asarray(pixel)
            rows, columns = polygon(ring[:, 0], ring[:, 1], shape)  # type: ignore[no-untyped-call]
            label[rows, columns] = value
    return label

"""The label image: 0 outside, 1 layer, 2 crystal."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

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
        # A long polygon may cross itself; short pieces that share a column do not.
        for start in range(0, count - 1, PIECE):
            piece = slice(start, start + PIECE + 1)
            ring = np.concatenate([lines[first][piece], lines[second][piece][::-1]]) / np.asarray(pixel)
            _kernel()(label, ring, value)
    return label


@cache
def _kernel() -> Callable[[NDArray[np.int8], NDArray[np.float64], int], None]:
    """The filling, compiled when it is first needed: it looks at edges, where point-in-polygon tests look at pixels."""
    import numba

    compiled: Callable[[NDArray[np.int8], NDArray[np.float64], int], None] = numba.njit(cache=True, nogil=True)(_fill)
    return compiled


def _fill(label: NDArray[np.int8], ring: NDArray[np.float64], value: int) -> None:
    """Set the pixels whose centre lies in a polygon of corners (row, column), row by row between its edges."""
    count = ring.shape[0]
    top, bottom = max(int(np.ceil(ring[:, 0].min())), 0), min(int(np.floor(ring[:, 0].max())), label.shape[0] - 1)
    crossings = np.empty(count)
    for row in range(top, bottom + 1):
        found = 0
        for corner in range(count):
            y0, x0 = ring[corner - 1]
            y1, x1 = ring[corner]
            if (y0 <= row) != (y1 <= row):
                crossings[found] = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
                found += 1
        at = np.sort(crossings[:found])
        for pair in range(0, found - 1, 2):
            first, last = max(int(np.ceil(at[pair])), 0), min(int(np.floor(at[pair + 1])), label.shape[1] - 1)
            for column in range(first, last + 1):
                label[row, column] = value

"""Values on a grid over an image, and what they are along the normals of a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.straighten import Axis


@dataclass(frozen=True)
class Field:
    """Values on a regular grid whose first point lies on the image's first pixel.

    Attributes
    ----------
    values : ndarray, shape (n_y, n_x), float32
    step : tuple of float
        Grid step in nm along y and x; it need not be the pixel's.
    extent : tuple of float
        Distance in nm from the image's first pixel to its last, along y and x: the grid may end a step before.
    """

    values: NDArray[np.float32]
    step: tuple[float, float]
    extent: tuple[float, float]

    def along(self, axis: Axis, depth: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values at every depth along the normals of a line, by bilinear interpolation.

        Parameters
        ----------
        axis : Axis
        depth : ndarray, shape (n_v,)
            Distance along the outward normals in nm, ascending, from below to above 0.

        Returns
        -------
        ndarray, shape (n_v, n_s), float32
            NaN from where the normal leaves the image: what follows beyond a gap belongs to nothing.
        """
        sampled = np.full((depth.size, len(axis.points)), np.nan, dtype=np.float32)
        start = int(np.searchsorted(depth, 0.0))
        _kernel()(self.values, self.step, self.extent, axis.points, axis.normals, depth, start, sampled)
        return sampled


@cache
def _kernel() -> Callable[..., None]:
    """The sampling, compiled when it is first needed."""
    import numba

    compiled: Callable[..., None] = numba.njit(cache=True, nogil=True)(_sample)
    return compiled


def _sample(
    values: NDArray[np.float32],
    step: tuple[float, float],
    extent: tuple[float, float],
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    depth: NDArray[np.float64],
    start: int,
    sampled: NDArray[np.float32],
) -> None:
    last_row, last_column = values.shape[0] - 1, values.shape[1] - 1
    for s in range(points.shape[0]):
        for side in range(2):
            # Outwards from the line, then inwards, each up to where the normal leaves the image.
            v = start if side == 0 else start - 1
            while 0 <= v < depth.size:
                y = points[s, 0] + depth[v] * normals[s, 0]
                x = points[s, 1] + depth[v] * normals[s, 1]
                if y < 0.0 or x < 0.0 or y > extent[0] or x > extent[1]:
                    break
                row, column = min(y / step[0], last_row), min(x / step[1], last_column)
                i, j = min(int(row), max(last_row - 1, 0)), min(int(column), max(last_column - 1, 0))
                a, b = row - i, column - j
                below, right = min(i + 1, last_row), min(j + 1, last_column)
                upper = (1.0 - b) * values[i, j] + b * values[i, right]
                lower = (1.0 - b) * values[below, j] + b * values[below, right]
                sampled[v, s] = (1.0 - a) * upper + a * lower
                v += 1 if side == 0 else -1

"""The slowly varying part of an image, on a coarse grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BLUR = 1.0
"""Standard deviation in nm of the Gaussian that leaves the background."""

BLOCK = 0.25
"""Side in nm of the blocks over which the image is averaged first."""


@dataclass(frozen=True)
class Background:
    """Means over blocks, blurred; linear between their centres.

    Attributes
    ----------
    values : ndarray, shape (n_y, n_x), float32
    y, x : ndarray
        Centres of the blocks in nm from the first pixel's centre.
    """

    values: NDArray[np.float32]
    y: NDArray[np.float64]
    x: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.float32], pixel: tuple[float, float]) -> Background:
        """The background of an image; beyond the borders it goes on as it ends."""
        means, centres = image, []
        for axis in (0, 1):
            starts = np.arange(0, image.shape[axis], max(1, round(BLOCK / pixel[axis])))
            counts = np.diff(np.append(starts, image.shape[axis]))
            shape = (-1, 1) if axis == 0 else (1, -1)
            means = np.asarray(np.add.reduceat(means, starts, axis=axis) / counts.reshape(shape), dtype=np.float32)
            centres.append(np.asarray((starts + 0.5 * (counts - 1)) * pixel[axis], dtype=np.float64))
        sigma = [BLUR / float(c[1] - c[0]) if c.size > 1 else 0.0 for c in centres]
        return cls(ndimage.gaussian_filter(means, sigma, mode="nearest"), *centres)

    def rows(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values at the places y times x in nm, shape (y.size, x.size), float32."""
        above, share = _between(y, self.y)
        lines = (
            self.values[above] * (1 - share)[:, None]
            + self.values[np.minimum(above + 1, len(self.y) - 1)] * (share[:, None])
        )
        left, share = _between(x, self.x)
        slope = np.diff(lines, axis=1, append=lines[:, -1:])
        return np.asarray(lines[:, left] + slope[:, left] * share)


def _between(at: NDArray[np.float64], centres: NDArray[np.float64]) -> tuple[NDArray[np.int_], NDArray[np.float32]]:
    """The centre before each place, and the share of the way to the next."""
    where = np.interp(at, centres, np.arange(centres.size))
    before = where.astype(int)
    return before, (where - before).astype(np.float32)

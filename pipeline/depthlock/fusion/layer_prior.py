"""The prior of a profile in the layer: positive, smooth, with the strength of the smoothing left to the data."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MODES = 12
"""Bending modes kept; the variance of mode m falls as m^-4, so more change nothing a measurement could see."""


@lru_cache(maxsize=4)
def bending_modes(cells: int) -> Array:
    """Orthogonal shapes of a twice integrated white noise on the layer, scaled by their standard deviation.

    A logarithm of a profile whose second derivative is white noise of unit density is a straight line plus a
    cubic-spline process (Wahba 1978). The line is a parameter of its own, so it is projected out, and the rest is given
    in its principal components.

    Parameters
    ----------
    cells : int
        Number of equal cells.

    Returns
    -------
    array (cells, MODES)
    """
    centre = (np.arange(cells) + 0.5) / cells
    near, far = np.minimum.outer(centre, centre), np.maximum.outer(centre, centre)
    covariance = near**2 * (3.0 * far - near) / 6.0
    line = np.stack([np.ones(cells), centre - 0.5], axis=1)
    orthonormal, _ = np.linalg.qr(line)
    project = np.eye(cells) - orthonormal @ orthonormal.T
    values, vectors = np.linalg.eigh(project @ covariance @ project)
    order = np.argsort(values)[::-1][:MODES]
    modes: Array = vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    modes.setflags(write=False)
    return modes


def log_profile(level: Array, slope: Array, bending: Array, log_strength: Array, cells: int) -> Array:
    """Logarithm of the profile in the cells.

    Parameters
    ----------
    level, slope, log_strength : array (...)
        Mean logarithm, its change across the layer, logarithm of the bending's strength.
    bending : array (..., MODES)
        Standard-normal coefficients of the bending modes.
    cells : int
        Number of cells.

    Returns
    -------
    array (..., cells)
    """
    centre = (np.arange(cells) + 0.5) / cells
    bent = np.exp(log_strength)[..., None] * (bending @ bending_modes(cells).T)
    return np.asarray(level[..., None] + slope[..., None] * (centre - 0.5) + bent, dtype=np.float64)

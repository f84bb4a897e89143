"""Uneven light: one smooth gain over crystal, layer and outside, each of its own brightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 0.3
"""Standard deviation of each term of log gain across the strip: light varies by a half, not tenfold."""


def gain_over_sides(
    brightness: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64], sides: list[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Relative illumination from a fit of log brightness = side + quadratic(y, x).

    A side that does not follow the common quadratic (bend contours in the crystal) has a larger residual and is
    weighted down by it.

    Parameters
    ----------
    brightness, y, x : ndarray, shape (n_v, n_s)
        Brightness without lattice, NaN outside the image, and positions in nm.
    sides : list of ndarray of bool, shape (n_v, n_s)
        Points known to be crystal, layer and outside.

    Returns
    -------
    ndarray, shape (n_v, n_s)
        Gain of geometric mean about 1 over the points used; 1 everywhere when the sides are too few.
    """
    valid = np.isfinite(brightness) & (brightness > 0)
    sides = [side & valid for side in sides]
    sides = [side for side in sides if side.sum() > 30]
    if not sides:
        return np.ones_like(brightness)
    used = np.any(sides, axis=0)
    # Every side counts alike, whatever its area; a few thousand points are plenty.
    thin = [max(1, int(side.sum()) // 3000) for side in sides]
    chosen = [np.nonzero(side.ravel())[0][::every] for side, every in zip(sides, thin, strict=True)]
    centre = [float(np.mean(a[used])) for a in (y, x)]
    extent = max(float(np.std(y[used])), float(np.std(x[used])), 1e-6) * 2

    def terms(at: NDArray[np.int_] | slice) -> NDArray[np.float64]:
        u, w = (y.ravel()[at] - centre[0]) / extent, (x.ravel()[at] - centre[1]) / extent
        return np.column_stack([u, w, u * u, u * w, w * w])

    logs = [np.log(brightness.ravel()[at]) for at in chosen]
    blocks = [terms(at) for at in chosen]
    scatter = [float(np.std(log)) + 1e-9 for log in logs]
    coefficients: NDArray[np.float64] = np.zeros(5)
    for _ in range(4):
        normal, right = np.eye(5) / PRIOR**2, np.zeros(5)
        for log, block, sd in zip(logs, blocks, scatter, strict=True):
            centred = block - block.mean(axis=0)
            normal += centred.T @ centred / sd**2
            right += centred.T @ (log - log.mean()) / sd**2
        coefficients = np.asarray(np.linalg.solve(normal, right), dtype=np.float64)
        scatter = [float(np.std(log - block @ coefficients)) + 1e-9 for log, block in zip(logs, blocks, strict=True)]
    everywhere = (terms(slice(None)) @ coefficients).reshape(brightness.shape)
    level = float(np.mean(everywhere[used]))
    return np.asarray(np.exp(np.clip(everywhere - level, -1.5, 1.5)))

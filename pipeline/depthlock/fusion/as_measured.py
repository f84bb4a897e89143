"""The layer's profile as it was measured: put on the depth axis, the depth response left in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CELLS = 20
"""Cells of the layer into which measured points are gathered."""


def measured_layer(fraction: Array, intensity: Array, intensity_std: Array, random: np.random.Generator) -> Array:
    """Samples of the measured profile inside the layer.

    Parameters
    ----------
    fraction : array (samples, point)
        Depth of the points as a fraction of the layer, in every sample of the depth scale.
    intensity, intensity_std : array (point,)
        As measured.

    Returns
    -------
    array (samples, CELLS)
        Non-negative; linear between neighbouring points where there are fewer points than cells. NaN in samples whose
        layer holds fewer than two points.
    """
    good = np.isfinite(intensity) & np.isfinite(intensity_std)
    fraction, value, std = fraction[:, good], intensity[good], intensity_std[good]
    samples = len(fraction)
    drawn = value + std * random.standard_normal((samples, value.size))
    fine = (np.arange(CELLS * 5) + 0.5) / (CELLS * 5)
    layer = np.full((samples, CELLS), np.nan)
    for k in range(samples):
        if np.count_nonzero((fraction[k] >= -0.02) & (fraction[k] <= 1.0)) < 2:
            continue
        inside = (fraction[k] >= 0.0) & (fraction[k] < 1.0)
        if np.count_nonzero(inside) >= 2 * CELLS:
            place = np.minimum((fraction[k][inside] * CELLS).astype(np.intp), CELLS - 1)
            number = np.bincount(place, minlength=CELLS)
            total = np.bincount(place, weights=drawn[k][inside], minlength=CELLS)
            filled = number > 0
            centre = (np.arange(CELLS) + 0.5) / CELLS
            layer[k] = np.interp(centre, centre[filled], total[filled] / number[filled])
        else:
            layer[k] = np.interp(fine, fraction[k], drawn[k]).reshape(CELLS, 5).mean(axis=1)
    return np.asarray(np.maximum(layer, 0.0), dtype=np.float64)

"""Pixels that are none of the specimen: a scale bar, its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMOOTH = 4.0
"""Width (sigma) in pixels over which what fills hidden pixels is smoothed: it must hold no edge and no texture."""


def filled(image: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The image with hidden pixels at the brightness of what is near, so that no window sees their edges.

    Nothing is measured there: the strips leave these pixels out.
    """
    if not hidden.any() or hidden.all():
        return image
    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(image[tuple(nearest)], SMOOTH, mode="nearest")
    return np.where(hidden, smooth, image).astype(np.float32)

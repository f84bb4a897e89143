"""Chords from the smoothed crystal edge along its normals to the layer's outer boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.straighten import FWHM, Axis


def chord_samples(
    axis: Axis, inner: NDArray[np.float64], outer: NDArray[np.float64], smoothing: float
) -> NDArray[np.float64]:
    """Length of the chord at every point of the axis, for every draw of the two boundaries.

    The crystal's edge is the axis plus the inner depth; smoothing both over `smoothing` nm gives the line the ruler
    is laid on. ISO 20263 determines the averaged position of an interface in the same sense; here the position stays
    local and the outer boundary is not smoothed.

    Parameters
    ----------
    axis : Axis
        A line close to the smoothed edge, whose normals are the chords' directions.
    inner, outer : ndarray, shape (n_samples, n_s)
        Depth in nm of both boundaries along the normals.
    smoothing : float
        Full width at half maximum in nm.

    Returns
    -------
    ndarray, shape (n_samples, n_s)
        nm.
    """
    return np.asarray(outer - chord_starts(axis, inner, smoothing))


def chord_starts(axis: Axis, inner: NDArray[np.float64], smoothing: float) -> NDArray[np.float64]:
    """Depth in nm of the smoothed crystal edge below the axis, for every draw; shape of `inner`."""
    smooth = smoother(len(axis.points), smoothing / FWHM / axis.spacing)
    shift = np.einsum("ni,ni->n", smooth @ axis.points - axis.points, axis.normals)
    return np.asarray(inner @ smooth.T + shift)


def smoother(count: int, sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing of `count` equidistant values as a matrix, by local straight lines.

    Inside this is the Gaussian mean; at the ends, where a mean would lag behind a slope and a mirrored continuation
    would hang on the last value, the line through what is there goes on (Fan & Gijbels 1996, local linear regression).
    """
    offset = np.arange(count)[None, :] - np.arange(count)[:, None]
    weight = np.exp(-0.5 * (offset / sigma) ** 2)
    moments = [(weight * offset**power).sum(axis=1, keepdims=True) for power in range(3)]
    matrix = weight * (moments[2] - moments[1] * offset)
    norm = matrix.sum(axis=1, keepdims=True)
    # A single value has no slope.
    return np.asarray(np.where(norm > 0, matrix / np.where(norm > 0, norm, 1.0), np.eye(count)))

"""Lateral structure: domains richer in one phase, and a substrate that is not flat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def smooth_field(shape: tuple[int, int], length: float, rng: np.random.Generator) -> FloatArray:
    """Periodic Gaussian random field of mean 0 and variance 1 with a Gaussian correlation of given length in px."""
    noise = rng.standard_normal(shape)
    ky = np.fft.fftfreq(shape[0])[:, None]
    kx = np.fft.rfftfreq(shape[1])[None, :]
    # exp(-r^2 / (2 length^2)) is the autocorrelation when the filter is its square root.
    kernel = np.exp(-((np.pi * length) ** 2) * (kx**2 + ky**2))
    field = np.fft.irfft2(np.fft.rfft2(noise) * kernel, s=shape)
    field -= field.mean()
    return np.asarray(field / field.std())


def domain_fields(
    shape: tuple[int, int], length: float, nodes: int, correlation: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Two stacks of fields over depth nodes, correlated with each other pixel by pixel.

    Parameters
    ----------
    shape : tuple
        (y, x) in px.
    length : float
        Lateral correlation length in px.
    nodes : int
        Independent fields from the surface to the substrate.
    correlation : float
        Correlation of the second stack with the first, -1 to 1.

    Returns
    -------
    two arrays, shape (nodes, y * x)
    """
    first = np.stack([smooth_field(shape, length, rng).ravel() for _ in range(nodes)])
    other = np.stack([smooth_field(shape, length, rng).ravel() for _ in range(nodes)])
    return first, correlation * first + np.sqrt(1.0 - correlation**2) * other


def modulation(nodes: FloatArray, fraction: FloatArray, contrast: float) -> FloatArray:
    """Positive factor with lateral mean 1 at every depth fraction.

    Parameters
    ----------
    nodes : array, shape (nodes, pixel)
        Standard normal fields.
    fraction : array, shape (depth,)
        Depth fractions from 0 to 1.
    contrast : float
        Standard deviation of the factor's logarithm (1).

    Returns
    -------
    array, shape (depth, pixel)
    """
    place = np.clip(fraction, 0.0, 1.0) * (nodes.shape[0] - 1)
    lower = np.minimum(place.astype(int), nodes.shape[0] - 2) if nodes.shape[0] > 1 else np.zeros(place.size, int)
    angle = (place - lower) * 0.5 * np.pi
    upper = np.minimum(lower + 1, nodes.shape[0] - 1)
    # cosine and sine weights keep the variance between two independent nodes
    blend = np.cos(angle)[:, None] * nodes[lower] + np.sin(angle)[:, None] * nodes[upper]
    factor = np.exp(contrast * blend)
    return np.asarray(factor / factor.mean(axis=1, keepdims=True))


def drift_path(scans: int, drift: tuple[float, float], wander: float, rng: np.random.Generator) -> FloatArray:
    """Place of the sample under the raster, shape (scan, 2) in px: a steady drift and a random walk, 0 at first."""
    path = np.linspace(0.0, 1.0, scans)[:, None] * np.asarray(drift)
    if wander > 0.0:
        walk = np.cumsum(rng.standard_normal((scans, 2)), axis=0) / np.sqrt(scans)
        path = path + wander * (walk - walk[0])
    return np.asarray(path, dtype=np.float64)


def drifted_voxels(
    voxel: NDArray[np.int64], path: FloatArray, pixels: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Voxels of the raster over which ions of voxels of the sample were counted.

    Ions come from anywhere in a pixel, so a drift of half a pixel takes every second one to the next. The sample is
    periodic: what drifts out on one side comes in on the other.
    """
    scan, place = np.divmod(voxel, pixels**2)
    moved = []
    for axis, at in enumerate(np.divmod(place, pixels)):
        within = at + rng.random(at.size) + path[scan, axis]
        moved.append(np.floor(within).astype(np.int64) % pixels)
    return np.asarray(scan * pixels**2 + moved[0] * pixels + moved[1], dtype=np.int64)

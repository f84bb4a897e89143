"""Lattice spacing from the phase of a demodulated reflection, inside the crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.demodulation import ImageSpectrum
from depthlock.tem.lattice import Reflection

TILE = 4.0
"""Side in nm of the tiles whose spread gives the error of the spacing."""

BOUND = 0.1 / TILE
"""Standard error in 1/nm of a tile's frequency where nothing better is known: a tenth of a period over the tile."""


@dataclass(frozen=True)
class LatticeFit:
    """A reflection refined in the crystal.

    Attributes
    ----------
    reflection : Reflection
        With the refined frequency.
    spacing, spacing_std : float
        nm; the error is that of the mean over tiles, without the pixel size's own.
    amplitude : float
        Root mean square amplitude in the crystal, in units of the image.
    tiles : int
        Tiles that carry the fit.
    angle_std : float
        Standard error in degrees of the reflection's azimuth, as that of the spacing.
    local : ndarray, shape (n_y, n_x)
        Spacing in nm tile by tile; NaN outside of the crystal.
    local_std : float
        Standard error in nm of one tile's spacing, from the differences of neighbours; NaN with fewer than three pairs.
    tile : tuple of float
        Side of a tile in nm along y and x; the first one begins at the image's corner.
    """

    reflection: Reflection
    spacing: float
    spacing_std: float
    amplitude: float
    tiles: int
    angle_std: float
    local: NDArray[np.float64]
    local_std: float
    tile: tuple[float, float]


def fit_reflection(
    spectrum: ImageSpectrum, reflection: Reflection, weight: NDArray[np.bool_], weight_step: tuple[float, float]
) -> LatticeFit:
    """Refine a reflection's frequency by the phase gradient of its amplitude.

    The argument of sum w A*(r) A(r + h) is 2 pi (g - g0) h, unbiased by noise once g0 has converged to g
    (geometric phase analysis: Hytch, Snoeck & Kilaas, Ultramicroscopy 74, 131 (1998)).

    Parameters
    ----------
    spectrum : ImageSpectrum
    reflection : Reflection
    weight : ndarray, shape (n_y, n_x)
        Crystal or not, on a grid of `weight_step` nm.
    weight_step : tuple of float

    Returns
    -------
    LatticeFit
    """
    ky, kx = reflection.ky, reflection.kx
    mask = np.empty((0, 0), dtype=np.float32)
    for _ in range(4):
        band = spectrum.demodulate(ky, kx, 0.5)
        amplitude, step = band.amplitude, band.step
        if mask.shape != amplitude.shape:
            places = (np.arange(n) * h / w for n, h, w in zip(amplitude.shape, step, weight_step, strict=True))
            at = np.meshgrid(*places, indexing="ij")
            mask = ndimage.map_coordinates(weight.astype(np.float32), at, order=1, mode="nearest")
        along_y = amplitude[1:, :-1] * amplitude[:-1, :-1].conj() * mask[:-1, :-1]
        along_x = amplitude[:-1, 1:] * amplitude[:-1, :-1].conj() * mask[:-1, :-1]
        ky += float(np.angle(along_y.sum())) / (2 * np.pi * step[0])
        kx += float(np.angle(along_x.sum())) / (2 * np.pi * step[1])
    size = (max(2, round(TILE / step[0])), max(2, round(TILE / step[1])))
    weights = _by_tile(mask[:-1, :-1], size)
    used = weights > 0.5 * size[0] * size[1]
    turns = [np.angle(_by_tile(part, size)) / (2 * np.pi * h) for part, h in zip((along_y, along_x), step, strict=True)]
    norm = float(np.hypot(ky, kx))
    local = norm + (ky * turns[0] + kx * turns[1]) / norm
    sideways = (kx * turns[0] - ky * turns[1]) / norm**2
    count = int(used.sum())
    strength = float(np.sqrt((np.abs(amplitude) ** 2 * mask).sum() / max(float(mask.sum()), 1e-9)))
    spacings = np.where(used, 1.0 / np.where(local > 0, local, np.inf), np.nan)
    return LatticeFit(
        Reflection(ky, kx, reflection.significance),
        1 / norm,
        _error_of_mean(local[used], BOUND) / norm**2,
        strength,
        count,
        float(np.rad2deg(_error_of_mean(sideways[used], BOUND / norm))),
        spacings,
        _error_of_one(spacings),
        (size[0] * step[0], size[1] * step[1]),
    )


def _by_tile(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Sums over tiles; the last row and column of tiles may be smaller."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], size[0]), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], size[1]), axis=1))


def _error_of_mean(tiles: NDArray[np.float64], bound: float) -> float:
    """Standard error of the mean over tiles, from their spread; `bound` is that of one tile of few."""
    if tiles.size < 4:
        return float(bound / np.sqrt(max(tiles.size, 1)))
    spread = 1.4826 * float(np.median(np.abs(tiles - np.median(tiles))))
    return float(max(spread, float(np.std(tiles))) / np.sqrt(tiles.size))


def _error_of_one(tiles: NDArray[np.float64]) -> float:
    """Standard error of one tile: neighbours differ by noise, and little by strain."""
    apart = np.concatenate([np.diff(tiles, axis=axis).ravel() for axis in (0, 1)])
    apart = apart[np.isfinite(apart)]
    return float(np.sqrt(np.mean(apart**2) / 2)) if apart.size >= 3 else float("nan")

"""Lattice spacing from the phase of a demodulated reflection, inside the crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.demodulation import ImageSpectrum
from depthlock.tem.lattice import Reflection

TILE = 4.0
"""Side in nm of the tiles whose spread gives the error of the spacing."""


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
    """

    reflection: Reflection
    spacing: float
    spacing_std: float
    amplitude: float
    tiles: int


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
    size = [max(2, round(TILE / h)) for h in step]
    tile = (np.arange(along_y.shape[0]) // size[0])[:, None] * 10000 + (np.arange(along_y.shape[1]) // size[1])[None]
    _, number = np.unique(tile, return_inverse=True)
    number = number.ravel()
    sums = [
        np.bincount(number, part.real.ravel()) + 1j * np.bincount(number, part.imag.ravel())
        for part in (along_y, along_x)
    ]
    share = np.bincount(number, mask[:-1, :-1].ravel()) / (size[0] * size[1])
    used = share > 0.5
    norm = float(np.hypot(ky, kx))
    local = (
        norm
        + (ky * np.angle(sums[0][used]) / (2 * np.pi * step[0]) + kx * np.angle(sums[1][used]) / (2 * np.pi * step[1]))
        / norm
    )
    count = int(used.sum())
    # With fewer than four tiles their spread says nothing: a tenth of a period over the tile is the bound.
    spread = 1.4826 * float(np.median(np.abs(local - np.median(local)))) if count >= 4 else 0.1 / TILE
    spread = max(spread, float(np.std(local))) if count >= 4 else spread
    strength = float(np.sqrt((np.abs(amplitude) ** 2 * mask).sum() / max(float(mask.sum()), 1e-9)))
    return LatticeFit(
        Reflection(ky, kx, reflection.significance),
        1 / norm,
        spread / np.sqrt(max(count, 1)) / norm**2,
        strength,
        count,
    )

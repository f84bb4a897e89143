"""Crystallinity and fringe amplitude from window to window of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.crystallinity import LIMIT, STEP, ring_contrast
from depthlock.tem.lattice import Reflection
from depthlock.tem.threads import on_threads
from depthlock.tem.windows import WINDOW, WindowGrid

APERTURE = 1.6
"""Radius of the aperture on a reflection, in channels of the spectrum: the Hann window's main lobe reaches 2."""


@dataclass(frozen=True)
class WindowMaps:
    """Maps over the windows of one image.

    Attributes
    ----------
    crystallinity : ndarray, shape (n_y, n_x), float32
        Largest power over the median of its ring.
    fringes : ndarray, shape (n_y, n_x), float32
        Amplitude of the lattice's spots above their rings; zero without reflections.
    y, x : ndarray
        Window centres in nm from the first pixel's centre.
    """

    crystallinity: NDArray[np.float32]
    fringes: NDArray[np.float32]
    y: NDArray[np.float64]
    x: NDArray[np.float64]


def window_maps(
    image: NDArray[np.float32],
    pixel: tuple[float, float],
    reflections: list[Reflection],
    *,
    window: float = WINDOW,
    step: float = STEP,
) -> WindowMaps:
    """Crystallinity and fringe amplitude of every window, a block of rows of windows at a time on each thread.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
    pixel : tuple of float
        nm along y and x.
    reflections : list of Reflection
        May be empty.
    window, step : float
        Side and distance of the windows in nm.

    Returns
    -------
    WindowMaps
    """
    grid = WindowGrid.lay((image.shape[0], image.shape[1]), pixel, window, step, LIMIT)
    ky, kx = grid.frequencies
    apertures = [aperture for r in reflections if (aperture := _aperture(r, ky, kx)) is not None]
    shape = (grid.rows.size, grid.columns.size)
    crystallinity, fringes = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def fill(block: slice) -> None:
        power, _ = grid.block_power(*grid.cut(image, block))
        crystallinity[block] = ring_contrast(power, ky, kx)
        for spot, ring in apertures:
            excess = power[..., spot].mean(axis=-1) - np.median(power[..., ring], axis=-1) / np.log(2.0)
            fringes[block] += np.maximum(excess, 0.0)

    on_threads(fill, grid.blocks)
    y, x = grid.centres
    return WindowMaps(crystallinity, np.sqrt(fringes), y, x)


def _aperture(
    reflection: Reflection, ky: NDArray[np.float64], kx: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Channels of a reflection (either sign), and of the rest of its ring; None beyond the plane."""
    step = max(float(ky[1] - ky[0]), float(kx[1] - kx[0]))
    distance = np.full((ky.size, kx.size), np.inf)
    for sign in (1.0, -1.0):
        here = np.hypot(ky[:, None] - sign * reflection.ky, kx[None, :] - sign * reflection.kx)
        distance = np.minimum(distance, here)
    radius = np.hypot(ky[:, None], kx[None, :])
    length = float(np.hypot(reflection.ky, reflection.kx))
    spot = distance <= APERTURE * step
    ring = (np.abs(radius - length) <= 1.5 * step) & (distance > 3.0 * step)
    return (spot, ring) if spot.any() and ring.sum() >= 8 and length <= LIMIT - step else None

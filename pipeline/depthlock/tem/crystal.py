"""The largest crystal of an image and its edges, from the Bragg amplitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.demodulation import BraggMap
from depthlock.tem.lattice import fringe_frequencies
from depthlock.tem.windows import WINDOW, Spectra

BRIDGE = 4.0
"""Gaps in the fringes up to twice this length in nm are bridged."""

LEAST_AREA = 12.0
"""Area in nm^2 below which a patch of fringes is no crystal to measure at."""

LEAST_HINTED_AREA, AROUND = 4.0, 10.0
"""The same where a person said that one is, and the distance in nm from there within which its level is taken."""

OTHER_WINDOWS = 12
"""Windows with fringes of another crystal, half a window apart, from which on it is none in the layer."""

LEAST_EDGE = 5.0
"""Length in nm below which an edge is not followed."""


@dataclass(frozen=True)
class Crystal:
    """The largest crystal.

    Attributes
    ----------
    mask : ndarray of bool, shape (n_y, n_x)
        On the Bragg map's grid, gaps bridged and holes filled.
    step : tuple of float
        Grid step in nm.
    level : float
        Bragg amplitude inside, in units of the image.
    patchiness : float
        Share of the mask, 1 nm inside its edge, where the amplitude is below half its level.
    """

    mask: NDArray[np.bool_]
    step: tuple[float, float]
    level: float
    patchiness: float


def largest_crystal(bragg: BraggMap, near: NDArray[np.float64] | None = None) -> Crystal | None:
    """The largest connected area whose Bragg amplitude is over half the crystal's own level and over the noise floor.

    Parameters
    ----------
    bragg : BraggMap
    near : ndarray, shape (n, 2), optional
        Points (y, x) in nm. The crystal nearest to them is taken, whatever its size, and its level is that around them.

    Returns
    -------
    Crystal or None
        None when no area of at least LEAST_AREA stands out.
    """
    smooth = [0.35 / h for h in bragg.step]
    excess = ndimage.gaussian_filter(bragg.power, smooth, mode="nearest") - bragg.floor
    amplitude = np.sqrt(np.maximum(excess, 0))
    # Speckle exceeds 3 x its mean power in 5 % of places, none of them as large as the disk.
    cell, disk = bragg.step[0] * bragg.step[1], _disk(0.6, bragg.step)
    there = np.ones(amplitude.shape, dtype=bool)
    if near is not None:
        fringed = ndimage.binary_opening(excess > 3.0 * bragg.floor, disk) & _around(near, there.shape, bragg.step)
        there = fringed if fringed.sum() * cell >= LEAST_HINTED_AREA else there
    strong = there & (amplitude > 0.5 * np.quantile(amplitude[there], 0.98))
    level = float(np.median(amplitude[strong])) if strong.any() else 0.0
    # An amplitude halves at a straight edge.
    mask = (amplitude > 0.5 * level) & (excess > 3.0 * bragg.floor)
    mask = ndimage.binary_opening(mask, disk) | (ndimage.binary_erosion(mask, disk, border_value=1))
    least = LEAST_AREA if near is None else LEAST_HINTED_AREA
    if level == 0 or mask.sum() * cell < least:
        return None
    fringes = mask
    mask = _closed(mask, _disk(BRIDGE, bragg.step))
    labels, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = ndimage.sum_labels(fringes, labels, np.arange(1, count + 1))
    large = np.flatnonzero(sizes * cell >= least) + 1
    if not large.size:
        return None
    chosen = int(np.argmax(sizes)) + 1
    if near is not None:
        rows, columns = (np.clip(np.round(near[:, k] / bragg.step[k]).astype(int), 0, n - 1)
                         for k, n in enumerate(labels.shape))  # fmt: skip
        away = [ndimage.distance_transform_edt(labels != label)[rows, columns].mean() for label in large]
        chosen = int(large[int(np.argmin(away))])
    mask = ndimage.binary_fill_holes(labels == chosen)
    inside = ndimage.binary_erosion(mask, _disk(1.0, bragg.step), border_value=1)
    patchiness = float(np.mean(amplitude[inside] < 0.5 * level)) if inside.any() else 1.0
    return Crystal(mask, bragg.step, level, patchiness)


def _around(points: NDArray[np.float64], shape: tuple[int, ...], step: tuple[float, float]) -> NDArray[np.bool_]:
    """Grid points within AROUND of a point."""
    y, x = (np.arange(n) * h for n, h in zip(shape, step, strict=True))
    near = np.zeros(shape, dtype=bool)
    for point in points:
        near |= np.hypot(y[:, None] - point[0], x[None, :] - point[1]) <= AROUND
    return near


def stray_fringes(crystal: Crystal, spectra: Spectra) -> float:
    """Share of the windows with fringes that lie outside of the crystal, by more than half a window.

    Fringes of many directions (soot, a heap of small crystals) leave no crystal whose edge would be the end of the
    crystalline matter: most of them lie outside of the largest patch of one direction.
    """
    seen = np.isfinite(fringe_frequencies(spectra))
    if not seen.any():
        return 0.0
    distance = ndimage.distance_transform_edt(~crystal.mask, sampling=crystal.step)
    rows, columns = (
        np.clip(np.round(centres / h).astype(int), 0, n - 1)
        for centres, h, n in zip((spectra.y, spectra.x), crystal.step, crystal.mask.shape, strict=True)
    )
    return float(np.mean(distance[np.ix_(rows, columns)][seen] > WINDOW / 2))


def nearer_to_others(crystal: Crystal, spectra: Spectra) -> NDArray[np.bool_]:
    """What lies nearer to another large crystal than to this one, on its grid: it may be that one's own layer.

    The others come in from the image's border, and are as wide as three windows. Smaller ones are small crystals in the
    layer, or speckle; the chain of windows along a Fresnel fringe is narrower.
    """
    rows, columns = (
        np.clip(np.round(centres / h).astype(int), 0, n - 1)
        for centres, h, n in zip((spectra.y, spectra.x), crystal.step, crystal.mask.shape, strict=True)
    )
    distance = ndimage.distance_transform_edt(~crystal.mask, sampling=crystal.step)[np.ix_(rows, columns)]
    seen = np.isfinite(fringe_frequencies(spectra)) & (distance > WINDOW / 2)
    block = np.ones((3, 3))
    parts, _ = ndimage.label(ndimage.binary_opening(seen, block), block)
    border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    sizes = np.bincount(parts.ravel())
    large = [part for part in border if part and sizes[part] >= OTHER_WINDOWS]
    others = np.isin(parts, large)
    if not others.any():
        return np.zeros(crystal.mask.shape, dtype=bool)
    nearest = [
        np.abs(np.arange(n)[:, None] * h - centres[None]).argmin(axis=1)
        for n, h, centres in zip(crystal.mask.shape, crystal.step, (spectra.y, spectra.x), strict=True)
    ]
    away, own = (
        ndimage.distance_transform_edt(~mask, sampling=crystal.step)
        for mask in (others[np.ix_(*nearest)], crystal.mask)
    )
    return np.asarray(away < own)


def crystal_edges(crystal: Crystal) -> list[NDArray[np.float64]]:
    """The crystal's edges inside the image, longest first.

    Returns
    -------
    list of ndarray, shape (n, 2)
        Points (y, x) in nm from the first pixel's centre. Ends that turn along the image border are cut off.
    """
    from skimage import measure

    height = ndimage.gaussian_filter(crystal.mask.astype(np.float32), [0.4 / h for h in crystal.step], mode="nearest")
    size = [(n - 1) * h for n, h in zip(height.shape, crystal.step, strict=True)]
    edges = []
    for contour in measure.find_contours(height, 0.5):  # type: ignore[no-untyped-call]
        points = contour * np.asarray(crystal.step)
        points = _trim_along_border(points, size)
        if points.shape[0] > 3 and _length(points) >= LEAST_EDGE:
            edges.append(points)
    return sorted(edges, key=_length, reverse=True)


def _trim_along_border(points: NDArray[np.float64], size: list[float], *, near: float = 1.2) -> NDArray[np.float64]:
    """Cut both ends back to where the edge comes away from the border or meets it at more than 30 degrees."""
    direction = np.gradient(ndimage.gaussian_filter1d(points, 2, axis=0, mode="nearest"), axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    along = np.zeros(len(points), dtype=bool)
    for axis in (0, 1):
        close = (points[:, axis] < near) | (points[:, axis] > size[axis] - near)
        along |= close & (np.abs(direction[:, axis]) < 0.5)
    free = np.nonzero(~along)[0]
    return points[free[0] : free[-1] + 1] if free.size else points[:0]


def _length(points: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _disk(radius: float, step: tuple[float, float]) -> NDArray[np.bool_]:
    rows, columns = (np.arange(-int(radius / h), int(radius / h) + 1) * h for h in step)
    disk: NDArray[np.bool_] = np.hypot(rows[:, None], columns[None, :]) <= radius
    return disk


def _closed(mask: NDArray[np.bool_], disk: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Closing that treats what lies beyond the border like the nearest pixel inside."""
    pad = max(disk.shape)
    wide = np.pad(mask, pad, mode="edge")
    closed: NDArray[np.bool_] = ndimage.binary_closing(wide, disk)[pad:-pad, pad:-pad]
    return closed

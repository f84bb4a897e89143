"""Smooth lines with their normals: arc length along one axis of a straightened strip, depth along the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""


@dataclass(frozen=True)
class Axis:
    """A smooth line with its outward normals, equidistant in arc length.

    Attributes
    ----------
    points, normals : ndarray, shape (n, 2)
        (y, x) in nm, and unit vectors.
    spacing : float
        Distance of the points in nm.
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    spacing: float

    @property
    def arc_length(self) -> NDArray[np.float64]:
        """Arc length in nm."""
        return np.asarray(np.arange(len(self.points)) * self.spacing, dtype=np.float64)

    def at(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points at `distance` (n,) nm along the normals."""
        return np.asarray(self.points + distance[:, None] * self.normals)

    def averaged(self, columns: int) -> Axis:
        """The axis at the middle of each group of `columns` points."""
        count = len(self.points) // columns
        points = self.points[: count * columns].reshape(count, columns, 2).mean(axis=1)
        normals = self.normals[: count * columns].reshape(count, columns, 2).mean(axis=1)
        return Axis(points, normals / np.linalg.norm(normals, axis=1, keepdims=True), self.spacing * columns)


def smooth_axis(
    points: NDArray[np.float64], smoothing: float, spacing: float, outward: int, extension: float = 0.0
) -> Axis:
    """Resample a line by arc length and smooth it.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        (y, x) in nm.
    smoothing : float
        Full width at half maximum in nm of the Gaussian that smooths the line along its arc length. Ends are
        continued by point reflection, so that a straight end stays straight.
    spacing : float
        Distance of the new points in nm.
    outward : {1, -1}
        Which of the two normals points out of the crystal: 1 for (t_x, -t_y) of direction (t_y, t_x).
    extension : float
        Length in nm by which both ends are continued straight: an edge on a coarse grid stops short of the border.

    Returns
    -------
    Axis
    """
    fine = _resample(points, spacing / 2)
    if extension:
        fine = _extended(fine, extension, spacing / 2)
    line = _resample(_smooth(fine, smoothing / FWHM / (spacing / 2)), spacing)
    direction = np.gradient(line, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    normals = outward * np.column_stack([direction[:, 1], -direction[:, 0]])
    return Axis(line, normals, spacing)


def outward_sign(points: NDArray[np.float64], mask: NDArray[np.bool_], step: tuple[float, float]) -> int:
    """The sign for `smooth_axis` that makes normals point away from the mask (grid step in nm)."""
    line = _smooth(_resample(points, 0.25), 4.0)
    direction = np.gradient(line, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    normal = np.column_stack([direction[:, 1], -direction[:, 0]])
    height = [
        ndimage.map_coordinates(
            mask.astype(np.float32), ((line + side * normal) / np.asarray(step)).T, order=1, mode="nearest"
        ).mean()
        for side in (1.0, -1.0)
    ]
    return 1 if height[0] < height[1] else -1


def _resample(points: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Points at equal distances along a polyline."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], steps > 0])
    points = points[keep]
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.arange(0.0, arc[-1] + 1e-9, spacing)
    return np.column_stack([np.interp(at, arc, points[:, axis]) for axis in (0, 1)])


def _extended(points: NDArray[np.float64], length: float, spacing: float) -> NDArray[np.float64]:
    """Continue both ends along the direction of their last 3 nm."""
    span = min(max(2, round(3.0 / spacing)), len(points) - 1)
    distance = np.arange(1, round(length / spacing) + 1)[:, None] * spacing
    ends = []
    for end, before in ((points[0], points[span]), (points[-1], points[-1 - span])):
        direction = (end - before) / max(float(np.linalg.norm(end - before)), 1e-12)
        ends.append(end + distance * direction)
    return np.concatenate([ends[0][::-1], points, ends[1]])


def _smooth(points: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing along the line with point-reflected ends."""
    pad = min(int(np.ceil(4 * sigma)), len(points) - 1)
    if pad < 1:
        return points
    wide = np.pad(points, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    smoothed: NDArray[np.float64] = ndimage.gaussian_filter1d(wide, sigma, axis=0, mode="nearest")[pad:-pad]
    return smoothed

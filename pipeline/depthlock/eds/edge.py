"""The crystal's edge as a line through the image, and every pixel's distance from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from depthlock.eds.detector import FWHM


@dataclass(frozen=True)
class Edge:
    """A smooth line, equidistant in arc length, with the crystal on one side.

    Attributes
    ----------
    points : ndarray, shape (n, 2)
        (y, x) in nm from the first pixel's centre.
    outward : int
        1 when (t_x, -t_y) of the direction (t_y, t_x) points away from the crystal, else -1.
    """

    points: NDArray[np.float64]
    outward: int

    @property
    def normals(self) -> NDArray[np.float64]:
        """Unit vectors away from the crystal, shape (n, 2)."""
        direction = np.gradient(self.points, axis=0)
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
        return np.asarray(self.outward * np.column_stack([direction[:, 1], -direction[:, 0]]))

    @property
    def along(self) -> NDArray[np.float64]:
        """Arc length in nm, shape (n,)."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def moved(self, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points moved outwards by `shift` (n,) nm."""
        return np.asarray(self.points + shift[:, None] * self.normals)


def edge_through(points: NDArray[np.float64], inside: NDArray[np.bool_], pixel: tuple[float, float],
                 smoothing: float) -> Edge:  # fmt: skip
    """The smooth edge through points along the border of a mask.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        (y, x) in nm.
    inside : ndarray of bool, shape (n_y, n_x)
        The crystal.
    pixel : tuple of float
        In nm.
    smoothing : float
        FWHM in nm of the Gaussian that smooths the line along its arc length; ends are continued by point reflection.
    """
    step = 0.5 * min(pixel)
    line = resampled(points, step)
    sigma = smoothing / FWHM / step
    pad = min(int(np.ceil(4 * sigma)), len(line) - 1)
    if pad > 0:
        wide = np.pad(line, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
        line = ndimage.gaussian_filter1d(wide, sigma, axis=0, mode="nearest")[pad:-pad]
    edge = Edge(resampled(line, step), 1)
    at = (edge.moved(np.full(len(edge.points), 1.5 * max(pixel))) / np.asarray(pixel)).T
    back = (edge.moved(np.full(len(edge.points), -1.5 * max(pixel))) / np.asarray(pixel)).T
    share = [ndimage.map_coordinates(inside.astype(float), side, order=1, mode="nearest").mean() for side in (at, back)]
    return edge if share[0] <= share[1] else Edge(edge.points, -1)


def resampled(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Points at equal distances along a polyline."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    points = points[np.concatenate([[True], lengths > 0])]
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0.0, arc[-1], max(3, round(arc[-1] / step) + 1))
    return np.column_stack([np.interp(at, arc, points[:, axis]) for axis in (0, 1)])


def coordinates(
    edge: Edge, shape: tuple[int, int], pixel: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every pixel's signed distance from the edge, and the arc length of the edge's point nearest to it.

    Returns
    -------
    distance, along : ndarray, shape `shape`
        In nm; the distance is positive outside the crystal. Both ends of the edge are continued straight.
    """
    height, width = shape[0] * pixel[0], shape[1] * pixel[1]
    points = _continued(edge.points, float(np.hypot(height, width)))
    line = Edge(points, edge.outward)
    rows, columns = np.indices(shape)
    at = np.column_stack([rows.ravel() * pixel[0], columns.ravel() * pixel[1]])
    nearest = cKDTree(points).query(at)[1]
    offset = at - points[nearest]
    distance = np.einsum("ij,ij->i", offset, line.normals[nearest])
    # Past a sharp bend the nearest point's normal does not lead to the pixel; then only its side is the normal's.
    straight = np.linalg.norm(offset, axis=1)
    distance = np.where(np.abs(distance) < 0.7 * straight, np.copysign(straight, distance), distance)
    along = line.along - np.linalg.norm(edge.points[0] - points[0])
    return distance.reshape(shape), along[nearest].reshape(shape)


def _continued(points: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Continue both ends along the direction of their last tenth; a closed line stays as it is."""
    step = float(np.linalg.norm(points[1] - points[0]))
    if np.linalg.norm(points[0] - points[-1]) < 3.0 * step:
        return points
    span = max(2, len(points) // 10)
    reach = np.arange(step, length, step)[:, None]
    ends = []
    for end, before in ((points[0], points[span]), (points[-1], points[-1 - span])):
        direction = (end - before) / max(float(np.linalg.norm(end - before)), 1e-12)
        ends.append(end + reach * direction)
    return np.concatenate([ends[0][::-1], points, ends[1]])

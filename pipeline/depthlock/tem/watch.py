"""A second look at the boundaries, by the windowed power spectra and by one feature at a time.

The paths of `trace` rest on local discriminants. What is here shares neither their features nor their seeds: the
crystal's edge where the power of the lattice's spots falls off from window to window, the outer edge where the mean
texture does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from depthlock.tem.straighten import Axis
from depthlock.tem.window_maps import WindowMaps
from depthlock.tem.windows import WINDOW

SPREAD = 0.181
"""Standard deviation of a Hann window over its length: sqrt(1/12 - 1/(2 pi^2))."""

REACHED = 0.6
"""Share of the columns that must reach a depth for it to be looked at."""

CRYSTAL_BIAS, CRYSTAL_TOLERANCE = 0.10, 0.30
"""Mean shift in nm of the watched crystal edge in simulated images, where it scatters by 0.07; and what is too far."""

OUTER_TOLERANCE = 0.10
"""The same for the outer edge; a step of 14 % in brightness repeats it within 0.01 nm."""

SHIFTS = np.arange(-2.5, 2.501, 0.05)
"""Shifts in nm of the watched edge against the measured one that are tried."""


@dataclass(frozen=True)
class EdgeCheck:
    """A watched edge against the measured one.

    Attributes
    ----------
    shift, std : float
        Mean distance in nm along the outward normals, and its standard error; NaN where nothing could be watched.
    """

    shift: float
    std: float

    def apart(self, bias: float, tolerance: float) -> bool:
        """Whether the shift, less its known bias, is over the tolerance and over 2.5 standard errors."""
        return abs(self.shift - bias) > max(tolerance, 2.5 * self.std)


NOTHING = EdgeCheck(float("nan"), float("nan"))


@dataclass(frozen=True)
class Watched:
    """What the second method says of both edges."""

    crystal: EdgeCheck
    outer: EdgeCheck

    def doubts(self) -> tuple[str, ...]:
        """The flag of a disagreement."""
        apart = self.crystal.apart(CRYSTAL_BIAS, CRYSTAL_TOLERANCE) or self.outer.apart(0.0, OUTER_TOLERANCE)
        return ("methods_disagree",) if apart else ()


def watch_boundaries(
    maps: WindowMaps,
    axis: Axis,
    brightness: NDArray[np.float64],
    depth: NDArray[np.float64],
    boundaries: tuple[NDArray[np.float64], NDArray[np.float64]],
    used: NDArray[np.bool_],
) -> Watched:
    """Look again at both boundaries of a layer.

    Parameters
    ----------
    maps : WindowMaps
    axis : Axis
        The line that depths count from, one point a column.
    brightness : ndarray, shape (n_v, n_s)
        Evenly lit, lattice removed, NaN outside the image.
    depth : ndarray, shape (n_v,)
        nm.
    boundaries : tuple of ndarray, shape (n_s,)
        Depth of the crystal's edge and of the layer's outer edge in nm.
    used : ndarray of bool, shape (n_s,)

    Returns
    -------
    Watched
    """
    inner, outer = boundaries
    return Watched(
        watched_crystal_edge(maps, axis.at(inner), axis.normals, used, axis.spacing),
        watched_outer_edge(brightness, depth, inner, outer, used, axis.spacing),
    )


def watched_crystal_edge(
    maps: WindowMaps,
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    used: NDArray[np.bool_],
    spacing: float,
) -> EdgeCheck:
    """Where the fringes end, by the amplitude of the lattice's spots from window to window.

    The amplitude of a window across a straight edge is the share of its weight on the crystal's side, close to a
    cumulative Gaussian of the window's own spread, halved at the edge.

    Parameters
    ----------
    maps : WindowMaps
    points, normals : ndarray, shape (n_s, 2)
        The measured edge, (y, x) in nm, and the outward normals.
    used : ndarray of bool, shape (n_s,)
    spacing : float
        Distance of the points in nm.

    Returns
    -------
    EdgeCheck
    """
    if min(maps.fringes.shape) < 4:
        return NOTHING
    steps = np.array([maps.y[1] - maps.y[0], maps.x[1] - maps.x[0]])
    depth = np.arange(-4.5, 4.51, 0.25)
    at = points[used][None] + depth[:, None, None] * normals[used][None]
    index = (at - np.array([maps.y[0], maps.x[0]])) / steps
    profile = ndimage.map_coordinates(
        maps.fringes, [index[..., 0], index[..., 1]], order=1, mode="constant", cval=np.nan
    )
    # Windows end half their length before the image does: depths that most columns reach, and columns that reach them.
    reached = np.isfinite(profile).mean(axis=1) >= REACHED
    if not reached[np.abs(depth) <= 1.5].all():
        return NOTHING
    first = int(np.argmax(np.logical_and.accumulate(reached[: depth.size // 2 + 1][::-1])[::-1]))
    last = depth.size // 2 + int(np.logical_and.accumulate(reached[depth.size // 2 :]).sum())
    profile, depth = profile[first:last], depth[first:last]
    profile = profile[:, np.isfinite(profile).all(axis=0)].T
    if len(profile) * spacing < 1.5 * WINDOW:
        return NOTHING
    level = profile[:, depth <= -1.25].mean(axis=1, keepdims=True)
    profile = profile[(level > 0.25 * np.median(level))[:, 0]]
    # Fringes of many strengths: every column counts with its own.
    return _shift_of_step(profile, depth, (SPREAD * WINDOW,), max(1, round(0.5 * WINDOW / spacing)))


def watched_outer_edge(
    brightness: NDArray[np.float64],
    depth: NDArray[np.float64],
    inner: NDArray[np.float64],
    outer: NDArray[np.float64],
    used: NDArray[np.bool_],
    spacing: float,
) -> EdgeCheck:
    """Where the layer ends, by the mean brightness across the boundary as a plain step and nothing else.

    Parameters
    ----------
    brightness : ndarray, shape (n_v, n_s)
        Evenly lit, lattice removed, NaN outside the image.
    depth : ndarray, shape (n_v,)
        nm.
    inner, outer : ndarray, shape (n_s,)
        The measured boundaries in nm.
    used : ndarray of bool, shape (n_s,)
    spacing : float
        Distance of the columns in nm.

    Returns
    -------
    EdgeCheck
    """
    columns = np.nonzero(used)[0]
    if columns.size < 8:
        return NOTHING
    gap = float(np.quantile((outer - inner)[columns], 0.1)) - 0.7
    across = np.arange(-min(4.0, gap), 4.01, 0.1)
    if across[0] > -1.5:
        return NOTHING
    profile = np.stack([np.interp(across + outer[s], depth, brightness[:, s]) for s in columns])
    profile = profile[np.isfinite(profile).all(axis=1)]
    return _shift_of_step(profile, across, (0.1, 0.2, 0.35, 0.55, 0.8, 1.1), max(1, round(1.0 / spacing)))


def _shift_of_step(
    profile: NDArray[np.float64], depth: NDArray[np.float64], blurs: tuple[float, ...], block: int
) -> EdgeCheck:
    """Least-squares shift of a blurred step in the mean profile; its error by leaving out blocks of columns."""
    count = len(profile) // block
    if count < 3:
        return NOTHING
    blocks = profile[: count * block].reshape(count, block, depth.size).mean(axis=1)
    whole = blocks.mean(axis=0)
    left_out = (whole[None] * count - blocks) / (count - 1)
    means = np.concatenate([whole[None], left_out])
    best = np.full((len(means), SHIFTS.size), np.inf)
    total = ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    for blur in blurs:
        step = ndtr(-(depth[None, :] - SHIFTS[:, None]) / blur)
        step -= step.mean(axis=1, keepdims=True)
        step /= np.linalg.norm(step, axis=1, keepdims=True)
        best = np.minimum(best, total[:, None] - (means @ step.T) ** 2)
    at = best.argmin(axis=1)
    if best[0, at[0]] > 0.5 * total[0]:
        return NOTHING  # there is no step
    shifts = SHIFTS[at] + _parabola(best, at)
    variance = (count - 1) / count * ((shifts[1:] - shifts[1:].mean()) ** 2).sum()
    return EdgeCheck(float(shifts[0]), float(np.sqrt(variance)))


def _parabola(best: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance in nm from the least of the tried shifts to that of the parabola through its neighbours."""
    middle = np.clip(at, 1, SHIFTS.size - 2)
    row = np.arange(len(best))
    before, here, after = (best[row, middle + side] for side in (-1, 0, 1))
    bend = before - 2 * here + after
    part = np.where(bend > 0, 0.5 * (before - after) / np.where(bend > 0, bend, 1.0), 0.0)
    return np.asarray(np.clip(part, -1.0, 1.0) * (SHIFTS[1] - SHIFTS[0]) * (middle == at))

"""Errors of a fitted group: the covariance of all parameters, and intervals of areas that cannot be negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95
from depthlock.xps.fit import GroupFit
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import Normal, block_slices, hold, normal_equations

LEAST_UPPER = 0.4
"""Least upper end of an area's interval in standard deviations, where noise alone pulls the estimate far below zero;
close to Feldman and Cousins (Phys. Rev. D 57, 1998, 3873) for a Gaussian bounded at zero, three sigma below."""


@dataclass(frozen=True)
class Covariance:
    """Covariance of a group's parameters; n level parameters with the shift last, s shared ones.

    Attributes
    ----------
    level : ndarray (levels, n, n)
    cross : ndarray (levels, n, s)
        Between a level's parameters and the shared ones.
    shared : ndarray (s, s)
    """

    level: FloatArray
    cross: FloatArray
    shared: FloatArray


@dataclass(frozen=True)
class AreaInterval:
    """Areas of a block with error and 95 % interval, (levels, components)."""

    value: FloatArray
    std: FloatArray
    lower: FloatArray
    upper: FloatArray
    bounded: NDArray[np.bool_]


def normal_at(fit: GroupFit) -> Normal:
    """The normal equations at the minimum."""
    return normal_equations(fit.blocks, fit.shared, fit.state, fit.weights)[1]


def covariance(fit: GroupFit, normal: Normal | None = None, *, hold_zero: bool = False) -> Covariance:
    """Covariance from the normal matrix.

    Parameters
    ----------
    fit : GroupFit
    normal : Normal, optional
        As given by `normal_at`.
    hold_zero : bool
        Hold areas at zero there. As a rule they count as free: the error of a neighbour must not profit from a bound
        that the truth need not be at. A sum over all states of a core level does not gain what a neighbour loses.

    Returns
    -------
    Covariance
        Held and empty parameters have variance zero.
    """
    normal = normal_at(fit) if normal is None else normal
    empty = np.einsum("lii->li", normal.level_level) <= 0
    if hold_zero:
        for block, level, part in zip(fit.blocks, fit.state.level, block_slices(fit.blocks), strict=True):
            empty[:, part.start : part.start + block.components] |= level[:, : block.components] <= 0.0
    held = hold(normal, empty, fit.shared.held)
    size = held.shared_shared.shape[0]
    scale = 1.0 / np.sqrt(np.einsum("lii->li", held.level_level))
    shared_scale = 1.0 / np.sqrt(np.diagonal(held.shared_shared))
    width = scale.shape[1]
    level = held.level_level * scale[:, :, None] * scale[:, None, :] + 1e-10 * np.eye(width)
    coupling = held.level_shared * scale[:, :, None] * shared_scale
    inverse = np.linalg.inv(level)
    gain = np.matmul(inverse, coupling)
    schur = held.shared_shared * shared_scale[:, None] * shared_scale + 1e-10 * np.eye(size)
    schur = schur - np.matmul(np.swapaxes(coupling, 1, 2), gain).sum(axis=0)
    shared = np.linalg.pinv(0.5 * (schur + schur.T), rcond=1e-12, hermitian=True)
    cross = -np.matmul(gain, shared)
    full = inverse - np.matmul(cross, np.swapaxes(gain, 1, 2))
    keep_level = (~empty).astype(float) * scale
    keep_shared = (~fit.shared.held).astype(float) * shared_scale
    free = Covariance(
        full * keep_level[:, :, None] * keep_level[:, None, :],
        cross * keep_level[:, :, None] * keep_shared,
        shared * keep_shared[:, None] * keep_shared,
    )
    links = fit.shared.links
    if links is None:
        return free
    return Covariance(
        links.level @ free.level @ links.level.T,
        links.level @ free.cross @ links.shared.T,
        links.shared @ free.shared @ links.shared.T,
    )


def area_intervals(
    fit: GroupFit,
    number: int,
    normal: Normal,
    errors: Covariance,
    inflation: FloatArray,
    added: FloatArray,
) -> AreaInterval:
    """Areas of one block with 95 % intervals that respect zero.

    An area at zero is freed alone and solved for once more (its profile likelihood is a parabola in the area): the
    interval is that of the unbounded estimate, cut at zero.

    Parameters
    ----------
    fit : GroupFit
    number : int
        Block.
    normal : Normal
    errors : Covariance
    inflation : ndarray (levels,)
        Factor on all errors of the block (bad fits).
    added : ndarray (levels, components)
        Variance from elsewhere (where the windows end).

    Returns
    -------
    AreaInterval
    """
    block = fit.blocks[number]
    part = block_slices(fit.blocks)[number]
    count = block.components
    area = fit.state.level[number][:, :count].copy()
    variance = np.einsum("lii->li", errors.level)[:, part.start : part.start + count]
    std = np.sqrt(np.maximum(variance, 0.0)) * inflation[:, None]
    centre = area.copy()
    bounded = area <= 0.0
    own = np.concatenate([np.arange(part.start, part.stop), [normal.level_level.shape[1] - 1]])
    tied = np.zeros(count, dtype=bool)
    if fit.shared.links is not None:
        tied = fit.shared.links.level_tied[part.start : part.start + count]
    for level, component in zip(*np.nonzero(bounded & ~tied & block.measured[:, None]), strict=True):
        matrix = normal.level_level[level][np.ix_(own, own)]
        gradient = normal.level_gradient[level][own]
        free = np.diagonal(matrix) > 0
        free[:count] &= ~bounded[level] | (np.arange(count) == component)
        index = np.flatnonzero(free)
        inverse = np.linalg.pinv(matrix[np.ix_(index, index)], hermitian=True)
        place = int(np.flatnonzero(index == component)[0])
        centre[level, component] = float(inverse[place] @ gradient[index])
        std[level, component] = float(np.sqrt(max(inverse[place, place], 0.0))) * inflation[level]
    std = np.sqrt(std**2 + added)
    lower = np.maximum(centre - NORMAL_95 * std, 0.0)
    upper = np.maximum(centre + NORMAL_95 * std, LEAST_UPPER * std)
    return AreaInterval(area, std, lower, upper, bounded)

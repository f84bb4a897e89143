"""Errors of a fitted group: the covariance of all parameters, and intervals of areas that cannot be negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95
from depthlock.xps.fit import GroupFit
from depthlock.xps.profile import ONE_SIDED_95, profile_intervals
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import Normal, block_slices, hold, normal_equations

LEAST_UPPER = 0.4
"""Least upper end of an area's interval in standard deviations, where noise alone pulls the estimate far below zero;
close to Feldman and Cousins (Phys. Rev. D 57, 1998, 3873) for a Gaussian bounded at zero, three sigma below."""


WEAK_SIGMA = 5.0
"""Area over its error below which its interval is that of its profile likelihood."""


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
    """Areas of a block with error and 95 % interval, (levels, components).

    `limit` is the one-sided 95 % upper limit; `no_profile` marks those whose profile was wanted and not found.
    """

    value: FloatArray
    std: FloatArray
    lower: FloatArray
    upper: FloatArray
    limit: FloatArray
    bounded: NDArray[np.bool_]
    no_profile: NDArray[np.bool_]


def normal_at(fit: GroupFit) -> Normal:
    """The normal equations at the minimum."""
    return normal_equations(fit.blocks, fit.shared, fit.state, fit.weights)[1]


def at_zero(fit: GroupFit) -> NDArray[np.bool_]:
    """Level parameters that are areas of zero, (levels, n)."""
    found = np.zeros((fit.state.shift.size, sum(block.level_parameters for block in fit.blocks) + 1), dtype=bool)
    for block, level, part in zip(fit.blocks, fit.state.level, block_slices(fit.blocks), strict=True):
        found[:, part.start : part.start + block.components] = level[:, : block.components] <= 0.0
    return found


def covariance(fit: GroupFit, normal: Normal | None = None, *, stopped: NDArray[np.bool_] | None = None) -> Covariance:
    """Covariance from the normal matrix.

    Parameters
    ----------
    fit : GroupFit
    normal : Normal, optional
        As given by `normal_at`.
    stopped : ndarray (levels, n) of bool, optional
        Level parameters that count as held, such as areas `at_zero`. As a rule they count as free: the error of a
        neighbour must not profit from a bound that the truth need not be at. A sum over all states of a core level
        does not gain what a neighbour loses.

    Returns
    -------
    Covariance
        Held and empty parameters have variance zero.
    """
    normal = normal_at(fit) if normal is None else normal
    empty = np.einsum("lii->li", normal.level_level) <= 0
    if stopped is not None:
        empty |= stopped
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
    correlated: NDArray[np.bool_],
) -> AreaInterval:
    """Areas of one block with 95 % intervals that respect zero.

    Those that are weak, at zero or correlated have the interval of their profile likelihood; its lower end is not above
    that of the covariance, with all areas free, where another area of the level stands at zero. The others, and those
    whose profile fails, have that of the covariance: an area at zero is freed alone and solved for once more, and the
    interval of the unbounded estimate is cut at zero.

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
    correlated : ndarray (levels, components) of bool
        Areas hard to tell from others.

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
    wanted = ((area < WEAK_SIGMA * std) | bounded | correlated) & block.measured[:, None]
    profile = profile_intervals(fit, normal, number, std, inflation, wanted)
    std = np.sqrt(std**2 + added)
    lower, upper, limit = (
        np.where(np.isfinite(end), area + np.sign(end - area) * np.hypot(end - area, sigma * np.sqrt(added)), other)
        for end, sigma, other in (
            (profile.lower, NORMAL_95, centre - NORMAL_95 * std),
            (profile.upper, NORMAL_95, np.maximum(centre + NORMAL_95 * std, LEAST_UPPER * std)),
            (profile.limit, ONE_SIDED_95, np.maximum(centre + ONE_SIDED_95 * std, LEAST_UPPER * std)),
        )
    )
    # What is not there must not seem to be there because neighbours, held at zero, cannot make up for it.
    crowded = bounded.sum(axis=1)[:, None] > bounded
    lower = np.where(crowded, np.minimum(lower, centre - NORMAL_95 * std), lower)
    failed = wanted & ~(np.isfinite(profile.lower) & np.isfinite(profile.upper) & np.isfinite(profile.limit))
    return AreaInterval(area, std, np.maximum(lower, 0.0), upper, limit, bounded, failed)

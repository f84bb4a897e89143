"""Least squares for a group of blocks: Levenberg-Marquardt with every level's own parameters eliminated.

The normal matrix of an etch series is an arrowhead: shared parameters couple to all levels, levels only to the
shared ones. Eliminating the levels (Schur complement) makes the cost linear in their number, and yields the full
covariance with correlations between levels. Bounds are kept by projection with an active set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.evaluation import evaluate
from depthlock.xps.model import Block, Shared, State
from depthlock.xps.shapes import FloatArray

STEP_PRIOR = (0.03, 0.15)
"""Mean and standard deviation (1/eV) of the weak prior on the Shirley step per area; it only decides where a level
shows no peak at all, since a visible peak's step is known ten times better."""

LOSS_PRIOR = (1.0, 1.0)
"""The same for the strength of a loss tail: the universal one is 1."""

MAXIMUM_LOSS = 10.0
"""Upper bound of the strength of a loss tail."""

MOST_DEVIATION = 4.0
"""Largest deviation of a level from a freed parameter, in its prior standard deviations."""

MAXIMUM_STEP = 1.0
"""Upper bound of the Shirley step per area, 1/eV."""


@dataclass(frozen=True)
class Normal:
    """Cost, gradient and arrowhead normal matrix; n = level parameters of all blocks + 1 (shift), last.

    Attributes
    ----------
    level_level : ndarray (levels, n, n)
    level_shared : ndarray (levels, n, s)
    shared_shared : ndarray (s, s)
    level_gradient : ndarray (levels, n)
    shared_gradient : ndarray (s,)
        Downhill gradients (half of minus the derivative of the cost).
    """

    level_level: FloatArray
    level_shared: FloatArray
    shared_shared: FloatArray
    level_gradient: FloatArray
    shared_gradient: FloatArray


def block_slices(blocks: Sequence[Block]) -> list[slice]:
    """Where each block's level parameters stand in the level vector."""
    edges = np.concatenate([[0], np.cumsum([block.level_parameters for block in blocks])])
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def pack(state: State) -> FloatArray:
    """Level parameters of all blocks and the shift as (levels, n)."""
    return np.concatenate([*state.level, state.shift[:, None]], axis=1)


def unpack(blocks: Sequence[Block], shared: FloatArray, packed: FloatArray) -> State:
    """The inverse of `pack`."""
    level = [packed[:, part].copy() for part in block_slices(blocks)]
    return State(shared.copy(), packed[:, -1].copy(), level)


def level_bounds(blocks: Sequence[Block]) -> tuple[FloatArray, FloatArray]:
    """Bounds of the level vector: areas and steps not negative, deviations within reason."""
    count = sum(block.level_parameters for block in blocks) + 1
    lower, upper = np.full(count, -np.inf), np.full(count, np.inf)
    for block, part in zip(blocks, block_slices(blocks), strict=True):
        lower[part.start : part.start + block.components] = 0.0
        deviations = slice(part.start + block.deviations.start, part.start + block.deviations.stop)
        losses = slice(part.start + block.losses.start, part.start + block.losses.stop)
        lower[losses], upper[losses] = 0.0, MAXIMUM_LOSS
        lower[deviations], upper[deviations] = block.freed_lower, MOST_DEVIATION * block.freed_std
        lower[part.stop - block.regions : part.stop] = 0.0
        upper[part.stop - block.regions : part.stop] = MAXIMUM_STEP if block.step else 0.0
    return lower, upper


def _shift_weight(shared: Shared) -> FloatArray:
    """Inverse variance of the shifts' prior; zero where the shift is held."""
    return np.where(shared.shift_std > 0, np.maximum(shared.shift_std, 1e-6) ** -2, 0.0)


def prior_cost(blocks: Sequence[Block], shared: Shared, state: State) -> float:
    """The priors' part of the cost."""
    total = float(np.sum(((state.shared - shared.mean) / shared.std)[~shared.fixed] ** 2))
    total += float(np.sum((state.shift - shared.shift_mean) ** 2 * _shift_weight(shared)))
    for block, level in zip(blocks, state.level, strict=True):
        if block.step:
            total += float(np.sum(((level[:, -block.regions :] - STEP_PRIOR[0]) / STEP_PRIOR[1]) ** 2))
        total += float(np.sum((level[:, block.deviations] / block.freed_std) ** 2))
        total += float(np.sum(((level[:, block.losses] - LOSS_PRIOR[0]) / LOSS_PRIOR[1]) ** 2))
    return total


def cost(blocks: Sequence[Block], shared: Shared, state: State, weights: Sequence[FloatArray]) -> float:
    """Weighted sum of squares plus priors."""
    total = prior_cost(blocks, shared, state)
    for block, level, weight in zip(blocks, state.level, weights, strict=True):
        model = evaluate(block, state.shared, state.shift, level).model
        total += float(np.sum(weight * (block.rate - model) ** 2))
    return total


def normal_equations(
    blocks: Sequence[Block], shared: Shared, state: State, weights: Sequence[FloatArray]
) -> tuple[float, Normal]:
    """Cost and normal equations at a state.

    Parameters
    ----------
    blocks : sequence of Block
    shared : Shared
    state : State
    weights : sequence of ndarray (levels, points)
        Inverse variances of the rates, per block.

    Returns
    -------
    float, Normal
        Folded onto the free parameters where the group has ties.
    """
    levels = state.shift.size
    width = sum(block.level_parameters for block in blocks) + 1
    size = state.shared.size
    level_level = np.zeros((levels, width, width))
    level_shared = np.zeros((levels, width, size))
    shared_shared = np.zeros((size, size))
    level_gradient = np.zeros((levels, width))
    shared_gradient = np.zeros(size)
    total = prior_cost(blocks, shared, state)
    for block, part, level, weight in zip(blocks, block_slices(blocks), state.level, weights, strict=True):
        curves = evaluate(block, state.shared, state.shift, level, jacobian=True)
        columns = curves.jacobian
        residual = block.rate - curves.model
        total += float(np.sum(weight * residual**2))
        weighted = columns * weight[:, :, None]
        gram = np.matmul(np.swapaxes(weighted, 1, 2), columns)
        slope = np.einsum("lpq,lp->lq", weighted, residual)
        own = np.concatenate([np.arange(part.start, part.stop), [width - 1]])
        used = block.shared
        split = own.size
        level_level[:, own[:, None], own[None, :]] += gram[:, :split, :split]
        level_shared[:, own[:, None], used[None, :]] += gram[:, :split, split:]
        shared_shared[np.ix_(used, used)] += gram[:, split:, split:].sum(axis=0)
        level_gradient[:, own] += slope[:, :split]
        shared_gradient[used] += slope[:, split:].sum(axis=0)
        if block.step:
            steps = np.arange(part.stop - block.regions, part.stop)
            level_level[:, steps, steps] += STEP_PRIOR[1] ** -2
            level_gradient[:, steps] += (STEP_PRIOR[0] - level[:, -block.regions :]) * STEP_PRIOR[1] ** -2
        free = part.start + np.arange(block.level_parameters)[block.deviations]
        level_level[:, free, free] += block.freed_std**-2
        level_gradient[:, free] -= level[:, block.deviations] * block.freed_std**-2
        tails = part.start + np.arange(block.level_parameters)[block.losses]
        level_level[:, tails, tails] += LOSS_PRIOR[1] ** -2
        level_gradient[:, tails] += (LOSS_PRIOR[0] - level[:, block.losses]) * LOSS_PRIOR[1] ** -2
    moving = shared.shift_std > 0
    level_level[:, -1, :] *= moving[:, None]
    level_level[:, :, -1] *= moving[:, None]
    level_shared[:, -1, :] *= moving[:, None]
    level_level[:, -1, -1] += _shift_weight(shared)
    level_gradient[:, -1] = level_gradient[:, -1] * moving + (shared.shift_mean - state.shift) * _shift_weight(shared)
    shared_shared[np.diag_indices(size)] += shared.std**-2
    shared_gradient += (shared.mean - state.shared) * shared.std**-2
    normal = Normal(level_level, level_shared, shared_shared, level_gradient, shared_gradient)
    return total, normal if shared.links is None else shared.links.fold(normal)


def hold(normal: Normal, level_held: NDArray[np.bool_], shared_held: NDArray[np.bool_]) -> Normal:
    """The normal equations with some parameters held: their rows become the identity, their gradient zero."""
    free_level = (~level_held).astype(float)
    free_shared = (~shared_held).astype(float)
    level_level = normal.level_level * free_level[:, :, None] * free_level[:, None, :]
    index = np.arange(level_held.shape[1])
    level_level[:, index, index] += level_held
    shared_shared = normal.shared_shared * free_shared[:, None] * free_shared[None, :]
    shared_shared[np.diag_indices(free_shared.size)] += shared_held
    return Normal(
        level_level,
        normal.level_shared * free_level[:, :, None] * free_shared[None, None, :],
        shared_shared,
        normal.level_gradient * free_level,
        normal.shared_gradient * free_shared,
    )


def _scaled(normal: Normal) -> tuple[Normal, FloatArray, FloatArray]:
    """Normal equations in units where every diagonal element is 1, which keeps the elimination well conditioned."""
    diagonal = np.einsum("lii->li", normal.level_level)
    level_scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    shared_diagonal = np.diagonal(normal.shared_shared)
    shared_scale = 1.0 / np.sqrt(np.where(shared_diagonal > 0, shared_diagonal, 1.0))
    scaled = Normal(
        normal.level_level * level_scale[:, :, None] * level_scale[:, None, :],
        normal.level_shared * level_scale[:, :, None] * shared_scale[None, None, :],
        normal.shared_shared * shared_scale[:, None] * shared_scale[None, :],
        normal.level_gradient * level_scale,
        normal.shared_gradient * shared_scale,
    )
    return scaled, level_scale, shared_scale


def _damped_step(normal: Normal, damping: float) -> tuple[FloatArray, FloatArray]:
    """Step of the level parameters (levels, n) and of the shared ones (s,)."""
    scaled, level_scale, shared_scale = _scaled(normal)
    width, size = level_scale.shape[1], shared_scale.size
    # 1e-10 stands for exactly degenerate directions (a component of no area has no position).
    level_level = scaled.level_level + (damping + 1e-10) * np.eye(width)
    solved = np.linalg.solve(
        level_level, np.concatenate([scaled.level_shared, scaled.level_gradient[:, :, None]], axis=2)
    )
    through = np.swapaxes(scaled.level_shared, 1, 2)
    schur = scaled.shared_shared + (damping + 1e-10) * np.eye(size)
    schur = schur - np.matmul(through, solved[:, :, :size]).sum(axis=0)
    right = scaled.shared_gradient - np.matmul(through, solved[:, :, size:]).sum(axis=0)[:, 0]
    shared_step = np.linalg.lstsq(schur, right, rcond=1e-12)[0]
    level_step = solved[:, :, size] - np.matmul(solved[:, :, :size], shared_step)
    return level_step * level_scale, shared_step * shared_scale


def minimise(
    blocks: Sequence[Block],
    shared: Shared,
    start: State,
    weights: Sequence[FloatArray],
    *,
    iterations: int = 100,
    tolerance: float = 1e-6,
) -> tuple[State, float]:
    """Minimise the cost under the bounds.

    Parameters
    ----------
    blocks, shared, start, weights
        As in `normal_equations`.
    iterations : int
        Most Jacobians evaluated.
    tolerance : float
        Ends when an accepted step lowers the cost (in units of chi-square) by less.

    Returns
    -------
    State, float
        The minimum and its cost.
    """
    lower, upper = level_bounds(blocks)

    def inside(shared_values: FloatArray, packed: FloatArray) -> State:
        values, packed = np.clip(shared_values, shared.lower, shared.upper), np.clip(packed, lower, upper)
        if shared.links is not None:
            packed, values = shared.links.apply(packed, values)
        return unpack(blocks, values, packed)

    state = inside(start.shared, pack(start))
    damping = 1e-3
    quiet = 0
    current = np.inf
    for _ in range(iterations):
        current, normal = normal_equations(blocks, shared, state, weights)
        packed = pack(state)
        empty = np.einsum("lii->li", normal.level_level) <= 0
        held = empty | ((packed <= lower) & (normal.level_gradient < 0))
        held |= (packed >= upper) & (normal.level_gradient > 0)
        shared_held = shared.held | ((state.shared <= shared.lower) & (normal.shared_gradient < 0))
        shared_held |= (state.shared >= shared.upper) & (normal.shared_gradient > 0)
        restricted = hold(normal, held, shared_held)
        accepted, rejected = False, False
        while damping < 1e8:
            level_step, shared_step = _damped_step(restricted, damping)
            trial = inside(state.shared + shared_step, packed + level_step)
            value = cost(blocks, shared, trial, weights)
            if np.isfinite(value) and value <= current:
                accepted = True
                break
            damping *= 8.0
            rejected = True
        if not accepted:
            break
        gain = current - value
        state, current = trial, value
        # A damping that had just to be raised is not lowered at once: that would be refused again.
        damping = damping if rejected else max(damping * 0.15, 1e-9)
        quiet = quiet + 1 if gain < tolerance else 0
        if quiet >= 2:
            break
    return state, current

"""Charge shift of every level: first guess over a grid, and the reference that turns it into a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthlock.xps.evaluation import evaluate
from depthlock.xps.model import Block, Shared, State
from depthlock.xps.shapes import FloatArray

SEARCH_EV = 4.0
"""Largest charge shift looked for, either sign."""

SEARCH_STEP_EV = 0.2
"""Grid of the search; a quarter of the narrowest line's half width."""

GUESS_STEP_PER_AREA = 0.03
"""Shirley step per area (1/eV) in the search."""

LEVEL_CHANGE_EV = 0.3
"""Scale of the exponential distribution of the shift's change from one level to the next, as the search's smoothness:
steps of an eV happen, but a path does not jump to and fro for a small gain."""

ABSOLUTE_EV = 2.0
"""Usual size of a charge shift, as the search's preference for small ones."""

APART_EV = 1.0
"""How far, at least, another assignment of the peaks lies from the first one."""

_COARSE_POINTS = 100


@dataclass(frozen=True)
class CommonShift:
    """What windows that charge apart have in common.

    Attributes
    ----------
    value : ndarray (levels,)
        Shift with which all windows together are described best, but for a constant, eV.
    std : float
        How far a window's own shifts usually lie from it, the noise of both and a constant apart, eV.
    """

    value: FloatArray
    std: float

    def gauged(self, own: FloatArray, variance: FloatArray) -> FloatArray:
        """The common shift with the mean of a window's own shifts.

        Parameters
        ----------
        own, variance : ndarray (levels,)
            Shifts (eV) of the window that holds the reference line, and their squared errors.

        Returns
        -------
        ndarray (levels,)
        """
        weight = 1.0 / (variance + self.std**2)
        return np.asarray(self.value + np.average(own - self.value, weights=weight))


def common_shift(value: FloatArray, own: FloatArray, variance: FloatArray) -> CommonShift:
    """The shift of a joint fit as the common one of windows that were then fitted each with its own.

    Parameters
    ----------
    value : ndarray (levels,)
        Shifts of the joint fit, eV.
    own, variance : ndarray (windows, levels)
        Shifts of every window (eV), and their squared errors from level to level.

    Returns
    -------
    CommonShift
    """
    weight = 1.0 / np.maximum(variance, 1e-12)
    apart = own - value
    apart = apart - np.average(apart, axis=1, weights=weight, keepdims=True)
    # Windows that hardly know their shift say little of how far it lies from the others'.
    weight = 1.0 / (variance + np.mean(apart**2))
    spread = np.average(apart**2 - variance, weights=weight)
    return CommonShift(value, float(np.sqrt(max(spread, 0.0))))


def unit_columns(block: Block, shared: FloatArray, shifts: FloatArray) -> FloatArray:
    """Unit-area components with their steps at some shifts, (shifts, points, components)."""
    count = shifts.size
    one = replace(
        block,
        rate=np.broadcast_to(block.rate[:1], (count, block.energy.size)),
        exposure=np.broadcast_to(block.exposure[:1], (count, block.energy.size)),
        fixed=np.zeros((count, block.energy.size)),
        measured=np.ones(count, dtype=bool),
    )
    curves = evaluate(one, shared, shifts, np.zeros((count, block.level_parameters)))
    rise = GUESS_STEP_PER_AREA if block.step else 0.0
    return np.asarray(np.swapaxes(curves.lines + rise * curves.steps, 1, 2))


def coarse(block: Block) -> Block:
    """The block with neighbouring points averaged, for searches."""
    bundle = max(1, block.energy.size // (_COARSE_POINTS * block.segments))
    # No bundle reaches over two segments.
    starts = np.concatenate([np.flatnonzero(block.segment == number)[::bundle] for number in range(block.segments)])
    sizes = np.diff(np.append(starts, block.energy.size))

    def average(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, starts, axis=-1) / sizes)

    return replace(
        block,
        energy=average(block.energy),
        segment=block.segment[starts],
        rate=average(block.rate),
        exposure=average(block.exposure) * sizes,
        fixed=average(block.fixed),
    )


def linear_levels(block: Block, columns: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Areas (not negative) and background of every level at given shapes and shift.

    Parameters
    ----------
    block : Block
    columns : ndarray (points, components) or (levels, points, components)
        As given by `unit_columns`, one for all levels or one a level.
    weight : ndarray (levels, points)
        Inverse variance.

    Returns
    -------
    ndarray (levels, level_parameters), ndarray (levels,)
        Level parameters and chi-square, by an active set of areas held at zero.
    """
    levels, count = block.rate.shape[0], block.components
    straight = block.straight
    used = np.flatnonzero(np.any(straight != 0.0, axis=0))
    lines = np.broadcast_to(columns, (levels, *columns.shape[-2:]))
    background = np.broadcast_to(straight[:, used], (levels, block.energy.size, used.size))
    design = np.concatenate([lines, background], axis=2)
    data = block.rate - block.fixed
    weighted = design * weight[:, :, None]
    gram = np.matmul(np.swapaxes(weighted, 1, 2), design)
    right = np.einsum("lpi,lp->li", weighted, data)
    diagonal = np.arange(design.shape[2])
    scale = 1.0 / np.sqrt(np.maximum(gram[:, diagonal, diagonal], 1e-300))
    gram, right = gram * scale[:, :, None] * scale[:, None, :], right * scale
    free = np.ones(right.shape, dtype=bool)
    every = np.arange(levels)
    for _ in range(3 * count):
        matrix = gram * free[:, :, None] * free[:, None, :]
        matrix[:, diagonal, diagonal] += ~free + 1e-10
        solved = np.linalg.solve(matrix, (right * free)[:, :, None])[:, :, 0]
        negative = solved[:, :count] < 0.0
        # One that is held comes back where the misfit asks for it and nothing else is to be held.
        pull = np.where(free, 0.0, right - np.matmul(gram, solved[:, :, None])[:, :, 0])[:, :count]
        wanted = pull.argmax(axis=1)
        back = (pull[every, wanted] > 1e-9 * np.abs(right).max(axis=1)) & ~negative.any(axis=1)
        if not (negative.any() or back.any()):
            break
        free[:, :count] &= ~negative
        free[every[back], wanted[back]] = True
    chi_square = np.einsum("lp,lp->l", weight, data**2) - np.einsum("li,li->l", solved, right)
    values = np.zeros((levels, block.level_parameters))
    values[:, :count] = np.maximum(solved[:, :count], 0.0) * scale[:, :count]
    values[:, count + used] = solved[:, count:] * scale[:, count:]
    values[:, -block.regions :] = GUESS_STEP_PER_AREA if block.step else 0.0
    return values, np.maximum(chi_square, 0.0)


def search_shifts(
    blocks: Sequence[Block],
    shared: FloatArray,
    weights: Sequence[FloatArray],
    centre: float = 0.0,
    apart_from: FloatArray | None = None,
) -> FloatArray:
    """First guess of the shift of every level, common to all blocks.

    At every shift of a grid the areas and backgrounds are solved for; the path over the levels is the best sum of
    misfit, change from level to level, and size (dynamic programming).

    Parameters
    ----------
    blocks : sequence of Block
        Coarse ones will do.
    shared : ndarray (n_shared,)
        Shared parameters: the library's values, or fitted ones to look again with.
    weights : sequence of ndarray (levels, points)
    centre : float
        Middle of the grid, eV.
    apart_from : ndarray (levels,), optional
        A path found before, eV, that is left aside with what is near it: another assignment of the peaks is wanted,
        which the grid's steps alone may have made to look the worse one.

    Returns
    -------
    ndarray (levels,)
        eV.
    """
    grid = centre + np.arange(-SEARCH_EV, SEARCH_EV + 1e-9, SEARCH_STEP_EV)
    levels = blocks[0].rate.shape[0]
    misfit = np.zeros((levels, grid.size))
    points = 0
    for block, weight in zip(blocks, weights, strict=True):
        points += block.energy.size
        for number, columns in enumerate(unit_columns(block, shared, grid)):
            misfit[:, number] += np.where(block.measured, linear_levels(block, columns, weight)[1], 0.0)
    # Library shapes do not fit to the noise: judge misfits relative to the best one.
    best = misfit.min(axis=1, keepdims=True)
    misfit = (misfit - best) / np.maximum(best / points, 1.0)
    total = misfit + (grid / ABSOLUTE_EV) ** 2
    if apart_from is not None:
        total[np.abs(grid - apart_from[:, None]) < APART_EV] = 1e12
    change = 2.0 * np.abs(grid[:, None] - grid[None, :]) / LEVEL_CHANGE_EV
    back = np.zeros((levels, grid.size), dtype=np.intp)
    running = total[0]
    for step in range(1, levels):
        options = running[:, None] + change
        back[step] = options.argmin(axis=0)
        running = options.min(axis=0) + total[step]
    path = [int(running.argmin())]
    for step in range(levels - 1, 0, -1):
        path.append(int(back[step, path[-1]]))
    return np.asarray(grid[path[::-1]])


def regauge(shared: Shared, state: State, parameter: int, energy: float) -> tuple[Shared, State]:
    """Put a component's position at its reference energy and hold it there; the shifts take up the difference.

    Parameters
    ----------
    shared : Shared
    state : State
    parameter : int
        Shared parameter that is the reference's position.
    energy : float
        Its energy, eV.

    Returns
    -------
    Shared, State
        With all positions and shifts moved; the priors stay where the library puts them.
    """
    move = energy - state.shared[parameter]
    positions = np.array([name.endswith(" position") for name in shared.names])
    fixed = shared.fixed & ~positions
    fixed[parameter] = True
    mean, lower, upper = shared.mean.copy(), shared.lower.copy(), shared.upper.copy()
    mean[parameter], lower[parameter], upper[parameter] = energy, energy - 1.0, energy + 1.0
    renewed = state.copy()
    renewed.shared[positions] += move
    renewed.shift -= move
    # Where a hard limit would cut the moved value, the limit gives way: the reference decides, not the library.
    lower = np.where(positions, np.minimum(lower, renewed.shared - 0.2), lower)
    upper = np.where(positions, np.maximum(upper, renewed.shared + 0.2), upper)
    renewed_shared = replace(
        shared, mean=mean, lower=lower, upper=upper, fixed=fixed, shift_mean=shared.shift_mean - move
    )
    return renewed_shared, renewed

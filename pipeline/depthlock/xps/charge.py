"""Charge shift of every level: first guess over a grid, and the reference that turns it into a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from depthlock.xps.model import Block, Shared, State, evaluate
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

_COARSE_POINTS = 100


def unit_columns(block: Block, shared: FloatArray, shift: float) -> FloatArray:
    """Unit-area components with their steps at one shift, (points, components)."""
    level = np.zeros((1, block.level_parameters))
    rise = GUESS_STEP_PER_AREA if block.step else 0.0
    one = replace(
        block, rate=block.rate[:1], exposure=block.exposure[:1], fixed=block.fixed[:1], measured=block.measured[:1]
    )
    curves = evaluate(one, shared, np.array([shift]), level)
    return np.asarray((curves.lines[0] + rise * curves.steps[0]).T)


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


def linear_level(
    block: Block, columns: FloatArray, straight: FloatArray, level: int, weight: FloatArray
) -> tuple[FloatArray, float]:
    """Areas (not negative) and background of one level at given shapes and shift.

    Parameters
    ----------
    block : Block
    columns : ndarray (points, components)
        As given by `unit_columns`.
    straight : ndarray (points, 2 S)
        The block's straight backgrounds.
    level : int
    weight : ndarray (points,)
        Inverse variance.

    Returns
    -------
    ndarray (K + 2 S + R,), float
        Level parameters and chi-square.
    """
    root = np.sqrt(weight)
    columns = columns * root[:, None]
    data = (block.rate[level] - block.fixed[level]) * root
    values = np.zeros(block.level_parameters)
    count = block.components
    values[-block.regions :] = GUESS_STEP_PER_AREA if block.step else 0.0
    used = np.flatnonzero(np.any(straight != 0.0, axis=0))
    if used.size:
        orthogonal, triangle = np.linalg.qr(straight[:, used] * root[:, None])
        areas, norm = nnls(columns - orthogonal @ (orthogonal.T @ columns), data - orthogonal @ (orthogonal.T @ data))
        values[count + used] = np.linalg.solve(triangle, orthogonal.T @ (data - columns @ areas))
    else:
        areas, norm = nnls(columns, data)
    values[:count] = areas
    return values, float(norm**2)


def search_shifts(
    blocks: Sequence[Block], shared: FloatArray, weights: Sequence[FloatArray], centre: float = 0.0
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
        straight = block.straight
        for number, shift in enumerate(grid):
            columns = unit_columns(block, shared, float(shift))
            for level in np.flatnonzero(block.measured):
                misfit[level, number] += linear_level(block, columns, straight, int(level), weight[level])[1]
    # Library shapes do not fit to the noise: judge misfits relative to the best one.
    best = misfit.min(axis=1, keepdims=True)
    misfit = (misfit - best) / np.maximum(best / points, 1.0)
    total = misfit + (grid / ABSOLUTE_EV) ** 2
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

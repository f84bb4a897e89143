"""Whether a fit would change with its window, and whether it lacks a line: what a model cannot say of itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.errors import Covariance, covariance
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import ROUGH, GroupFit
from depthlock.xps.model import Block
from depthlock.xps.shapes import FloatArray, pseudo_voigt
from depthlock.xps.solver import block_slices, minimise

OUTER_SHARE = 0.1
"""Part of a window, at either end, without which the fit is tried again."""

WINDOW_SIGMA = 4.0
"""Change of an area in standard errors of that change from which it counts."""

GRID_SHARE = 0.25
"""Step of the search for a missing line, as a share of the lines' full width."""


@dataclass(frozen=True)
class WindowSpread:
    """What areas of a block owe to where its windows end.

    Attributes
    ----------
    covariance : ndarray (levels, components, components)
        (counts/s eV)^2.
    sensitive : ndarray (levels, components) of bool
    """

    covariance: FloatArray
    sensitive: NDArray[np.bool_]


def _inner(block: Block) -> NDArray[np.bool_]:
    """Points that are not in the outer part of their window, (points,)."""
    keep = np.zeros(block.energy.size, dtype=bool)
    for number in range(block.segments):
        own = np.flatnonzero(block.segment == number)
        cut = round(OUTER_SHARE * own.size)
        keep[own[cut : own.size - cut]] = True
    return keep


def window_spread(fit: GroupFit, errors: Covariance) -> list[WindowSpread]:
    """Fit again without the outer parts of all windows.

    An area estimated from part of the data differs from that of all data by the difference of their variances
    (Hausman, Econometrica 46, 1978, 1251). One that differs by more depends on what the background does further out,
    and carries the change as an error.

    Parameters
    ----------
    fit : GroupFit
    errors : Covariance
        Of that fit.

    Returns
    -------
    list of WindowSpread
        One a block.
    """
    weights = [weight * _inner(block) for block, weight in zip(fit.blocks, fit.weights, strict=True)]
    state, _ = minimise(fit.blocks, fit.shared, fit.state.copy(), weights, iterations=12, tolerance=ROUGH)
    cut = covariance(replace(fit, state=state, weights=tuple(weights)))
    result = []
    for block, part, all_level, cut_level in zip(
        fit.blocks, block_slices(fit.blocks), fit.state.level, state.level, strict=True
    ):
        areas = slice(part.start, part.start + block.components)
        change = np.where(block.measured[:, None], (cut_level - all_level)[:, : block.components], 0.0)
        own = np.einsum("lii->li", errors.level[:, areas, areas])
        expected = np.maximum(np.einsum("lii->li", cut.level[:, areas, areas]) - own, 0.01 * own)
        sensitive = (np.abs(change) > WINDOW_SIGMA * np.sqrt(expected)) & (change**2 > own)
        moved = np.where(sensitive, change, 0.0)
        result.append(WindowSpread(moved[:, :, None] * moved[:, None, :], sensitive))
    return result


def missing_line(fit: GroupFit, number: int) -> float | None:
    """Where a block lacks a line that the Bayesian information criterion would add.

    A score test: one more line, of the block's median width, raises an area at every level; by how much chi-square
    would fall follows from the gradient at the minimum and the curvature with the level's own parameters free. The
    line costs what `depthlock.xps.diagnostics.needless` counts for one: an area a level, a position and a width.

    Parameters
    ----------
    fit : GroupFit
    number : int
        Block.

    Returns
    -------
    float or None
        Charge-referenced binding energy, eV.
    """
    block, state = fit.blocks[number], fit.state
    curves = evaluate(block, state.shared, state.shift, state.level[number], jacobian=True)
    own = curves.jacobian[:, :, : block.level_parameters]
    weight = fit.weights[number]
    residual = block.rate - curves.model
    width = float(np.median(state.shared[block.lines.width]))
    mixing = np.asarray(np.median(state.shared[block.lines.mixing]))
    shift = state.shift[block.measured]
    grid = np.arange(block.energy[0] - shift.min() + width, block.energy[-1] - shift.max() - width, GRID_SHARE * width)
    if grid.size == 0:
        return None
    gain = np.zeros(grid.size)
    for level in np.flatnonzero(block.measured):
        distance = block.energy[None, :] - state.shift[level] - grid[:, None]
        line = pseudo_voigt(distance, np.asarray(width), mixing).density
        columns = own[level][:, np.any(own[level] != 0.0, axis=0)]
        weighted = line * weight[level]
        coupling = weighted @ columns
        normal = (columns * weight[level][:, None]).T @ columns
        alone = np.einsum("gp,gp->g", weighted, line)
        curvature = alone - np.einsum("gi,gi->g", coupling @ np.linalg.pinv(normal, hermitian=True), coupling)
        # Where the level's own lines can stand in for it there is nothing to tell.
        usable = curvature > 0.05 * alone
        score = np.maximum(weighted @ residual[level], 0.0)
        gain += np.where(usable, score**2 / np.where(usable, curvature, 1.0), 0.0)
    best = int(gain.argmax())
    cost = (int(block.measured.sum()) + 2) * np.log(block.measured.sum() * block.energy.size)
    return float(grid[best]) if gain[best] > cost else None

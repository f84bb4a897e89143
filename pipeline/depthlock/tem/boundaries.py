"""Two ordered boundaries of least cost through a strip, by dynamic programming."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ordered_boundaries(
    inner_score: NDArray[np.float64],
    outer_score: NDArray[np.float64],
    *,
    least_gap: int,
    reach: int,
    stiffness: float,
) -> tuple[NDArray[np.int_], NDArray[np.int_], float]:
    """The best pair of boundaries, the outer at least `least_gap` beyond the inner in every column.

    Maximises sum_s inner_score[s, i_s] + outer_score[s, j_s] - stiffness [(i_s - i_s-1)^2 + (j_s - j_s-1)^2] over
    all i, j with j_s >= i_s + least_gap and steps of at most `reach`: exact, by dynamic programming over pairs
    (Li, Wu, Chen & Sonka, IEEE TPAMI 28, 119 (2006) pose the same problem as a graph cut).

    Parameters
    ----------
    inner_score, outer_score : ndarray, shape (n_s, n_v)
        Log-likelihood of the boundary lying before point v of column s.
    least_gap, reach : int
        In points.
    stiffness : float
        Cost of a step squared.

    Returns
    -------
    inner, outer : ndarray of int, shape (n_s,)
    score : float
        The maximum.
    """
    n_s, n_v = inner_score.shape
    allowed = np.arange(n_v)[None, :] >= np.arange(n_v)[:, None] + least_gap
    forbidden = np.where(allowed, 0.0, -np.inf)
    steps = np.arange(-reach, reach + 1)
    cost = stiffness * steps.astype(float) ** 2
    came_inner = np.zeros((n_s, n_v, n_v), dtype=np.int8)
    came_outer = np.zeros((n_s, n_v, n_v), dtype=np.int8)
    best = inner_score[0][:, None] + outer_score[0][None, :] + forbidden
    for column in range(1, n_s):
        # The penalty is a sum, so the maximum over both steps is one after the other.
        best, came_inner[column] = _best_step(best, steps, cost)
        turned, back = _best_step(best.T, steps, cost)
        best, came_outer[column] = turned.T, back.T
        best = best + inner_score[column][:, None] + outer_score[column][None, :] + forbidden
    at = np.unravel_index(int(np.argmax(best)), best.shape)
    score = float(best[at])
    i, j = int(at[0]), int(at[1])
    inner, outer = np.empty(n_s, dtype=int), np.empty(n_s, dtype=int)
    for column in range(n_s - 1, -1, -1):
        inner[column], outer[column] = i, j
        if column:
            step_outer = int(came_outer[column, i, j])
            j = j + step_outer
            i = i + int(came_inner[column, i, j])
    return inner, outer, score


def _best_step(
    best: NDArray[np.float64], steps: NDArray[np.int_], cost: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Best predecessor along the first axis: max over d of best[i + d] - cost(d), and the d."""
    reach = int(steps[-1])
    wide = np.pad(best, ((reach, reach), (0, 0)), constant_values=-np.inf)
    value = np.full_like(best, -np.inf)
    came = np.zeros(best.shape, dtype=np.int8)
    for step, price in zip(steps, cost, strict=True):
        candidate = wide[reach + step : reach + step + best.shape[0]] - price
        np.copyto(came, step, where=candidate > value)
        np.maximum(value, candidate, out=value)
    return value, came

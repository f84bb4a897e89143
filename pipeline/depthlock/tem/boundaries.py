"""Two ordered boundaries of least cost through a strip, by dynamic programming."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

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
        Log-likelihood of the boundary lying before point v of column s; minus infinity at points of the inner one
        that are not to be looked at.
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
    came_inner = np.zeros((n_s, n_v, n_v), dtype=np.int8)
    came_outer = np.zeros((n_s, n_v, n_v), dtype=np.int8)
    scores = (np.ascontiguousarray(score, dtype=np.float64) for score in (inner_score, outer_score))
    possible = np.flatnonzero(np.isfinite(inner_score).any(axis=0))
    first, last = (int(possible[0]), int(possible[-1]) + 1) if possible.size else (0, n_v)
    best = _forward_kernel()(*scores, first, last, least_gap, reach, stiffness, came_inner, came_outer)
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


@cache
def _forward_kernel() -> Callable[..., NDArray[np.float64]]:
    """The forward pass, compiled when it is first needed: importing numba takes longer than most strips."""
    import numba

    compiled: Callable[..., NDArray[np.float64]] = numba.njit(cache=True, nogil=True)(_forward)
    return compiled


def _forward(
    inner_score: NDArray[np.float64],
    outer_score: NDArray[np.float64],
    first: int,
    last: int,
    least_gap: int,
    reach: int,
    stiffness: float,
    came_inner: NDArray[np.int8],
    came_outer: NDArray[np.int8],
) -> NDArray[np.float64]:
    """Best score of every pair in the last column, the inner one from `first` to before `last`.

    Fills in the steps by which each pair was reached.
    """
    n_s, n_v = inner_score.shape
    best = np.full((n_v, n_v), -np.inf)
    between = np.full((n_v, n_v), -np.inf)
    for i in range(first, last):
        for j in range(i + least_gap, n_v):
            best[i, j] = inner_score[0, i] + outer_score[0, j]
    for column in range(1, n_s):
        # The penalty is a sum, so the maximum over both steps is one after the other.
        for i in range(first, last):
            for j in range(first + least_gap, n_v):
                value, came = -np.inf, 0
                for step in range(max(-reach, first - i), min(reach, last - 1 - i) + 1):
                    candidate = best[i + step, j] - stiffness * step * step
                    if candidate > value:
                        value, came = candidate, step
                between[i, j] = value
                came_inner[column, i, j] = came
        for i in range(first, last):
            for j in range(i + least_gap, n_v):
                value, came = -np.inf, 0
                for step in range(max(-reach, first + least_gap - j), min(reach, n_v - 1 - j) + 1):
                    candidate = between[i, j + step] - stiffness * step * step
                    if candidate > value:
                        value, came = candidate, step
                best[i, j] = value + inner_score[column, i] + outer_score[column, j]
                came_outer[column, i, j] = came
    return best

"""The fit of a group: noise scale, start values, iterated weights, and several starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthlock.xps.charge import ABSOLUTE_EV, LEVEL_CHANGE_EV, coarse, linear_levels, search_shifts, unit_columns
from depthlock.xps.evaluation import evaluate
from depthlock.xps.model import Block, Shared, State
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import minimise

WIDTH_STARTS = (1.0, 0.75, 1.35)
"""Factors on the library's widths from which the fit starts."""

OTHER_BASIN_EV = 0.35
"""A shift found again this far away may belong to another assignment of the peaks, which is tried too."""

ROUGH = 1e-2
"""Tolerance (chi-square) of fits that are fitted again."""

SAME_MINIMUM = 4.0
"""Two minima whose chi-square differs by less cannot be told apart (2 sigma)."""


@dataclass(frozen=True)
class GroupFit:
    """A fitted group.

    Attributes
    ----------
    blocks : tuple of Block
    shared : Shared
    state : State
    weights : tuple of ndarray (levels, points)
        Inverse variances at the minimum, noise scale included; zero in levels not measured.
    noise_scale : ndarray (blocks,)
        Variance of the counts over their mean.
    cost : float
    rivals : tuple of State
        Other minima that fit as well.
    rough : State or None
        The minimum that the rivals rival, found as they were.
    """

    blocks: tuple[Block, ...]
    shared: Shared
    state: State
    weights: tuple[FloatArray, ...]
    noise_scale: FloatArray
    cost: float
    rivals: tuple[State, ...] = ()
    rough: State | None = None


def second_difference_scale(block: Block, model: FloatArray) -> tuple[float, float]:
    """Noise variance over the mean, from second differences of the residual.

    A smooth misfit leaves second differences alone, so that this is the noise, not the badness of the model.

    Parameters
    ----------
    block : Block
    model : ndarray (levels, points)
        counts/s.

    Returns
    -------
    float, float
        Scale and its standard error. The statistic sums z^2/6 with lag correlations -2/3 and 1/6, so that its
        variance is 2 (1 + 2 (4/9 + 1/36)) / n.
    """
    variance = floor_rate(block, model) / block.exposure
    residual = (block.rate - model) / np.sqrt(variance)
    second = residual[block.measured, :-2] - 2.0 * residual[block.measured, 1:-1] + residual[block.measured, 2:]
    # A second difference must not reach from one window into the next.
    squares = second[:, block.segment[2:] == block.segment[:-2]] ** 2 / 6.0
    # Single spikes (an electronic glitch) would raise the scale of a whole block: leave out what is 6 sigma off.
    centre = float(np.median(squares)) / 0.4549
    good = squares <= 36.0 * max(centre, 1e-300)
    count = max(int(good.sum()), 1)
    scale = float(squares[good].mean())
    return max(scale, 1e-12), max(scale, 1e-12) * float(np.sqrt(2.0 * (1.0 + 2.0 * (4.0 / 9.0 + 1.0 / 36.0)) / count))


def floor_rate(block: Block, model: FloatArray) -> FloatArray:
    """The model where it is positive enough to be a variance: at least half a count."""
    return np.maximum(model, 0.5 / block.exposure)


def noise_scale(block: Block, model: FloatArray) -> float:
    """The scale used: exactly 1 where the data agree with Poisson noise within two standard errors."""
    scale, error = second_difference_scale(block, model)
    return 1.0 if abs(scale - 1.0) <= 2.0 * error else scale


def make_weights(block: Block, model: FloatArray, scale: float) -> FloatArray:
    """Inverse variances from a model; zero in levels not measured."""
    weight = block.exposure / (scale * floor_rate(block, model))
    return np.asarray(np.where(block.measured[:, None], weight, 0.0))


def smoothed(rate: FloatArray) -> FloatArray:
    """A running mean of five points, as the first model for weights."""
    padded = np.pad(rate, ((0, 0), (2, 2)), mode="edge")
    return np.asarray(np.mean([padded[:, k : k + rate.shape[1]] for k in range(5)], axis=0))


def start_state(blocks: Sequence[Block], shared: FloatArray, shift: FloatArray, weights: Sequence[FloatArray]) -> State:
    """Level parameters solved linearly at given shapes and shifts."""
    level = []
    for block, weight in zip(blocks, weights, strict=True):
        values, _ = linear_levels(block, unit_columns(block, shared, shift), weight)
        level.append(np.where(block.measured[:, None], values, 0.0))
    return State(shared.copy(), shift.copy(), level)


def models(blocks: Sequence[Block], state: State) -> list[FloatArray]:
    """The model of every block, counts/s."""
    return [
        evaluate(block, state.shared, state.shift, level).model
        for block, level in zip(blocks, state.level, strict=True)
    ]


def refine(
    blocks: Sequence[Block], shared: Shared, state: State, *, rounds: int = 3, tolerance: float = 1e-4
) -> GroupFit:
    """Iterate weights and minimum: weights from the model are what makes this the Poisson likelihood's maximum.

    Parameters
    ----------
    blocks, shared, state
        Start.
    rounds : int
        Most renewals of the weights.
    tolerance : float
        As in `minimise`: 1e-4 of chi-square leaves an area within a hundredth of its error.

    Returns
    -------
    GroupFit
    """
    value = np.inf
    weights: list[FloatArray] = []
    scales = np.ones(len(blocks))
    for _ in range(rounds):
        current = models(blocks, state)
        scales = np.array([noise_scale(block, model) for block, model in zip(blocks, current, strict=True)])
        weights = [make_weights(b, m, float(s)) for b, m, s in zip(blocks, current, scales, strict=True)]
        state, renewed = minimise(blocks, shared, state, weights, tolerance=tolerance)
        settled = abs(renewed - value) < 10.0 * tolerance
        value = renewed
        if settled:
            break
    return GroupFit(tuple(blocks), shared, state, tuple(weights), scales, value)


def fit_group(blocks: Sequence[Block], shared: Shared, *, shift: FloatArray | None = None) -> GroupFit:
    """Fit a group from several starts.

    Parameters
    ----------
    blocks : sequence of Block
    shared : Shared
    shift : ndarray (levels,), optional
        First guess of the charge shifts; searched for if absent, and searched for once more with the fitted shapes.

    Returns
    -------
    GroupFit
        The best minimum, with rivals that fit as well but differ.
    """
    # Starts are tried on spectra of about a hundred points; only the best goes on to the full ones.
    small = [coarse(block) for block in blocks]
    weights = [make_weights(block, smoothed(block.rate), _start_scale(block)) for block in small]
    begin = search_shifts(small, shared.mean, weights) if shift is None else shift
    is_width = np.array([" fwhm" in name for name in shared.names])
    found: list[tuple[State, float]] = []
    for factor in WIDTH_STARTS:
        values = shared.mean.copy()
        values[is_width] *= factor
        found.append(_from(small, shared, np.clip(values, shared.lower, shared.upper), begin, weights))
    found.sort(key=lambda pair: pair[1])
    if shift is None:
        # The grid's steps may have decided between two assignments of the peaks; their minima tell. One that takes more
        # charging is not looked for: where a model lacks a line, a wrong assignment describes the data better.
        apart = search_shifts(small, shared.mean, weights, apart_from=begin)
        other = _from(small, shared, shared.mean, apart, weights)
        less = np.abs(other[0].shift).sum() < np.abs(found[0][0].shift).sum()
        if less and _tried(other) < _tried(found[0]):
            found.insert(0, other)
        state = found[0][0]
        again = search_shifts(small, state.shared, weights, float(np.median(state.shift)))
        if np.any(np.abs(again - state.shift) > OTHER_BASIN_EV):
            found.append(_from(small, shared, state.shared, again, weights))
            found.sort(key=_tried)
    best = refine(blocks, shared, found[0][0], rounds=2, tolerance=ROUGH)
    rivals = tuple(state for state, value in found[1:] if value < found[0][1] + SAME_MINIMUM)
    return replace(best, rivals=rivals, rough=found[0][0])


def _start_scale(block: Block) -> float:
    """Noise scale for the starts; never below Poisson noise, since library shapes do not fit better than that."""
    return max(second_difference_scale(block, smoothed(block.rate))[0], 1.0)


def _from(
    blocks: Sequence[Block], shared: Shared, values: FloatArray, shift: FloatArray, weights: Sequence[FloatArray]
) -> tuple[State, float]:
    """A rough minimum from given shapes and shifts."""
    begin = start_state(blocks, values, shift, weights)
    return minimise(blocks, shared, begin, weights, iterations=40, tolerance=1e-2)


def _tried(found: tuple[State, float]) -> float:
    """Cost of a minimum with that of its path of shifts, as the search counts it."""
    shift = found[0].shift
    path = np.sum(2.0 * np.abs(np.diff(shift)) / LEVEL_CHANGE_EV) + np.sum((shift / ABSOLUTE_EV) ** 2)
    return found[1] + float(path)

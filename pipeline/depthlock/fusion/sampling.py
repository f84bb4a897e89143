"""Samples from the posterior of a profile.

The mode and its curvature give a Gaussian approximation for a few strengths of the smoothing, which starts an ensemble
of Markov chains that corrects it: differential evolution moves (ter Braak, Stat. Comput. 16 (2006) 239) where the depth
response is free, moves in every chain's own approximation where it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_response import PARAMETERS, Design
from depthlock.fusion.layer_prior import MODES, bending_modes
from depthlock.fusion.posterior import (
    BENDING,
    CELLS,
    COLUMNS,
    DRIFT,
    LEVEL,
    OWN,
    SLOPE,
    STRENGTH,
    SUBSTRATE,
    TRANSIENT,
    Measurement,
    Prior,
    Problem,
    Surroundings,
    expected,
    fisher_weight,
    layer_of,
    log_likelihood,
    log_prior,
    seen_by,
    surface_fading,
)

Array = NDArray[np.float64]

_STRENGTH_GRID = np.linspace(-1.5, 1.5, 6)


@dataclass(frozen=True)
class Mode:
    """A Gaussian approximation at the mode: row, covariance of `free` columns, log evidence."""

    row: Array
    free: NDArray[np.intp]
    factor: Array
    log_evidence: float


def find_mode(problem: Problem, prior: Prior, start: Array, iterations: int = 40) -> Mode:
    """Damped Fisher scoring from `start` (columns,) under `prior`, which may hold columns the problem leaves free."""
    free = prior.free
    seen = None if bool(np.any(free < PARAMETERS)) else problem.seen(start[None], problem.typical(1))
    steps = np.where(free < PARAMETERS, 1e-3, 1e-4)

    def model_of(rows: Array) -> Array:
        around = problem.typical(len(rows))
        return problem.expected(rows, around, problem.seen(rows, around) if seen is None else seen)

    def objective(row: Array, model: Array) -> float:
        return float(problem.log_likelihood(model)[0] + log_prior(prior, row[None])[0])

    row = start.copy()
    damping = 1e-2
    curvature = np.eye(len(free))
    best = -np.inf
    for _ in range(iterations):
        rows = np.repeat(row[None], len(free) + 1, axis=0)
        rows[np.arange(len(free)) + 1, free] += steps
        models = model_of(rows)
        model = models[0]
        best = objective(row, model[None])
        jacobian = (models[1:] - model).T / steps
        weight = problem.weight(model)
        precision = 1.0 / prior.std[free] ** 2
        curvature = (jacobian.T * weight) @ jacobian + np.diag(precision)
        gradient = jacobian.T @ (weight * (problem.value - model))
        gradient -= precision * (row[free] - prior.mean[free])
        moved = False
        gained = 0.0
        for _ in range(8):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            step *= min(1.0, 2.0 / float(np.max(np.abs(step)) + 1e-12))
            trial = row.copy()
            trial[free] += step
            value = objective(trial, model_of(trial[None]))
            if value > best:
                gained, row, moved = value - best, trial, True
                damping = max(damping / 5.0, 1e-6)
                break
            damping *= 6.0
        if not moved or gained < 1e-4:
            break
    cholesky = np.linalg.cholesky(curvature)
    factor = np.linalg.inv(cholesky).T
    log_evidence = best - float(np.sum(np.log(np.diag(cholesky)))) - float(np.sum(np.log(prior.std[free])))
    return Mode(row, free, factor, log_evidence)


def approximate(problem: Problem, starts: Array, chains: int, random: np.random.Generator) -> Array:
    """Rows (chains, columns) from a mixture of Gaussian approximations over the first profile's strength of smoothing.

    Each of `starts` (start, columns) is followed through all strengths, as there may be more than one mode.
    """
    prior = problem.prior
    grid = prior.mean[STRENGTH] + prior.std[STRENGTH] * _STRENGTH_GRID
    modes: list[Mode] = []
    held = replace(prior, std=prior.std.copy())
    held.std[STRENGTH] = 0.0
    for start in starts:
        row = start
        for strength in grid:
            row = row.copy()
            row[STRENGTH] = strength
            mode = find_mode(problem, held, row)
            modes.append(mode)
            row = mode.row
    weight = np.array([mode.log_evidence for mode in modes]) - 0.5 * np.tile(_STRENGTH_GRID, len(starts)) ** 2
    weight = np.exp(weight - weight.max())
    rows = np.empty((chains, starts.shape[1]))
    spacing = float(grid[1] - grid[0])
    for chain, choice in enumerate(random.choice(len(modes), chains, p=weight / weight.sum())):
        mode = modes[choice]
        rows[chain] = mode.row
        rows[chain, mode.free] += mode.factor @ random.standard_normal(len(mode.free))
        rows[chain, STRENGTH] += spacing * random.uniform(-0.5, 0.5)
    return rows


def conditional_modes(
    measurement: Measurement, prior: Prior, rows: Array, around: Surroundings, iterations: int = 25
) -> tuple[Array, Array, Array]:
    """Mode and Gaussian approximation of every chain at its own depth response and strength of smoothing.

    Parameters
    ----------
    rows : array (chains, COLUMNS)
        Starts; the response and the strength stay as they are.

    Returns
    -------
    rows : array (chains, COLUMNS)
    factor : array (chains, free, free)
        factor @ standard normal numbers has the covariance of the columns `_linear_columns(prior)`.
    log_evidence : array (chains,)
        Logarithm of how well each chain's response explains the data, up to a constant.
    """
    free = _linear_columns(prior)
    seen = seen_by(measurement, rows, around)
    fading = surface_fading(measurement, around)
    precision = 1.0 / prior.std[free] ** 2
    rows = rows.copy()
    best = np.full(len(rows), -np.inf)
    damping = np.full(len(rows), 1e-3)
    trial = rows.copy()
    curvature = np.empty((len(rows), len(free), len(free)))
    gradient = np.empty((len(rows), len(free)))
    for _ in range(iterations):
        model = expected(measurement, trial, around, seen)
        value = log_likelihood(measurement, model) + log_prior(prior, trial)
        better = value > best
        damping = np.where(better, np.maximum(damping / 5.0, 1e-7), damping * 8.0)
        converged = not np.any(better & (value > best + 1e-3))
        rows[better] = trial[better]
        best = np.maximum(best, value)
        jacobian = _jacobian(measurement, trial[better], seen.of(better), fading[better], model[better])[..., free]
        weight = fisher_weight(measurement, model[better])
        weighted = jacobian * weight[..., None]
        curvature[better] = np.swapaxes(weighted, 1, 2) @ jacobian + np.diag(precision)
        pull = measurement.value - model[better]
        slope = np.einsum("jkf,jk->jf", weighted, pull)
        gradient[better] = slope - precision * (rows[better][:, free] - prior.mean[free])
        if converged:
            break
        diagonal = np.einsum("jff->jf", curvature)
        damped = curvature + (damping[:, None] * diagonal)[:, :, None] * np.eye(len(free))
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1), 1e-12))[:, None]
        trial = rows.copy()
        trial[:, free] += step
    factor = np.swapaxes(np.linalg.inv(np.linalg.cholesky(curvature)), 1, 2)
    log_evidence = best + np.sum(np.log(np.einsum("jff->jf", factor)), axis=1)
    return rows, factor, log_evidence


def _linear_columns(prior: Prior) -> NDArray[np.intp]:
    """Free columns without the response and the strength: those in which the logarithm of the layer is linear."""
    free = prior.free
    return np.asarray(free[(free >= PARAMETERS) & (free != STRENGTH)], dtype=np.intp)


def _jacobian(measurement: Measurement, rows: Array, seen: Design, fading: Array, model: Array) -> Array:
    """Derivative (rows, k, COLUMNS) of the expected values by everything but response and strength."""
    drift = rows[:, DRIFT, None] * measurement.drifting
    gain = measurement.gain * np.exp(rows[:, TRANSIENT, None] * fading + drift)
    by_log_layer = seen.layer * (layer_of(rows)[:, None, :] * gain[..., None])
    jacobian = np.zeros((*model.shape, COLUMNS))
    centre = (np.arange(CELLS) + 0.5) / CELLS
    jacobian[..., LEVEL] = by_log_layer.sum(axis=-1)
    jacobian[..., SLOPE] = by_log_layer @ (centre - 0.5)
    bending = by_log_layer @ bending_modes(CELLS)
    jacobian[..., BENDING] = bending * np.exp(rows[:, STRENGTH, None, None])
    jacobian[..., SUBSTRATE] = seen.substrate * np.exp(rows[:, SUBSTRATE, None]) * gain
    jacobian[..., TRANSIENT] = (model - measurement.background) * fading
    jacobian[..., DRIFT] = (model - measurement.background) * measurement.drifting
    return jacobian


def _restrengthen(prior: Prior, rows: Array, random: np.random.Generator, shift: int = 0) -> None:
    """Metropolis move, in place, of the smoothing's strength at a profile that stays as it is.

    `shift` is where the profile's columns stand in a row of more than one profile.
    """
    strength, bending = STRENGTH + shift, slice(BENDING.start + shift, BENDING.stop + shift)
    if prior.std[strength] == 0:
        return
    move = 0.7 * random.standard_normal(len(rows))
    trial = rows.copy()
    trial[:, strength] += move
    trial[:, bending] *= np.exp(-move)[:, None]
    change = log_prior(prior, trial) - log_prior(prior, rows) - MODES * move
    take = np.log(random.uniform(size=len(rows))) < change
    rows[take] = trial[take]


def sample_conditional(
    measurement: Measurement,
    prior: Prior,
    rows: Array,
    around: Surroundings,
    steps: int,
    random: np.random.Generator,
) -> tuple[Array, float]:
    """Sample every chain at its own depth response: conditional mode, Gaussian draw, then `steps` Metropolis moves.

    Returns the rows and the share of accepted moves.
    """
    rows, factor, _ = conditional_modes(measurement, prior, rows, around)
    free = _linear_columns(prior)
    seen = seen_by(measurement, rows, around)
    mode = rows.copy()
    current = log_likelihood(measurement, expected(measurement, rows, around, seen)) + log_prior(prior, rows)
    accepted = 0
    length = 2.38 / np.sqrt(len(free))
    for step in range(steps):
        trial = rows.copy()
        normal = random.standard_normal((len(rows), len(free)))
        # The first moves jump from the mode by the whole Gaussian; a jump into a place the posterior does not
        # have is refused and the chain starts from nearer by.
        reach = length * random.choice([0.5, 1.0]) if step > 3 else 1.0 / (1 + step)
        trial[:, free] += reach * np.einsum("jfg,jg->jf", factor, normal)
        value = log_likelihood(measurement, expected(measurement, trial, around, seen)) + log_prior(prior, trial)
        ratio = value - current
        if step <= 3:
            ratio = ratio + 0.5 * np.sum((reach * normal) ** 2, axis=1)
            untouched = np.all(rows == mode, axis=1)
            take = untouched & (np.log(random.uniform(size=len(rows))) < ratio)
        else:
            take = np.log(random.uniform(size=len(rows))) < ratio
            accepted += int(take.sum())
        rows[take] = trial[take]
        current = np.where(take, value, current)
        if step > 3:
            before = log_prior(prior, rows)
            _restrengthen(prior, rows, random)
            current += log_prior(prior, rows) - before
    return rows, accepted / max((steps - 4) * len(rows), 1)


def sample(
    problem: Problem, rows: Array, around: Surroundings, steps: int, random: np.random.Generator
) -> tuple[Array, float]:
    """Move an ensemble `steps` times by differential evolution MCMC.

    Columns that the prior holds stay as each chain has them. Returns the rows and the share of accepted moves.
    """
    prior = problem.prior
    free = prior.free
    chains = len(rows)
    rows = rows.copy()
    current = problem.log_likelihood(problem.expected(rows, around, problem.seen(rows, around)))
    current += log_prior(prior, rows)
    jitter = 1e-3 * prior.std[free]
    accepted = 0
    scale = 2.38 / np.sqrt(2.0 * len(free))
    for _ in range(steps):
        first = (np.arange(chains) + random.integers(1, chains, chains)) % chains
        second = (np.arange(chains) + random.integers(1, chains, chains)) % chains
        length = scale * random.choice([0.35, 0.7, 1.0], chains)[:, None]
        trial = rows.copy()
        trial[:, free] += length * (rows[first][:, free] - rows[second][:, free])
        trial[:, free] += jitter * random.standard_normal((chains, len(free)))
        model = problem.expected(trial, around, problem.seen(trial, around))
        value = problem.log_likelihood(model) + log_prior(prior, trial)
        take = np.log(random.uniform(size=chains)) < value - current
        rows[take] = trial[take]
        current = np.where(take, value, current)
        accepted += int(take.sum())
        for part in range(len(problem.measurements)):
            before = log_prior(prior, rows)
            _restrengthen(prior, rows, random, OWN * part)
            current += log_prior(prior, rows) - before
    return rows, accepted / max(steps * chains, 1)

"""A boundary's posterior: forward filtering and backward sampling of a random walk on a fine grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.edge_profile import Shift

GRID = 0.03
"""Step in nm of the positions."""

WIDTHS = (0.014, 0.022, 0.035, 0.055, 0.085, 0.13, 0.2, 0.32, 0.5)
"""Standard deviations in nm of the step between columns that are tried."""

SCATTER = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Factors of the columns' squared scatter that are tried."""

NEGLIGIBLE = 1e-12
"""Probability of a place that is not followed on."""

STRAY = 0.01
"""Share of steps drawn from a walk three times as wide: facets and steps of the boundary are not Gaussian."""


@dataclass(frozen=True)
class BoundaryPosterior:
    """What the image says of one boundary.

    Attributes
    ----------
    samples : ndarray, shape (n_samples, n_s)
        Joint draws of the position in nm.
    roughness : float
        Most likely standard deviation in nm of the step between columns.
    scatter : float
        Most likely factor by which the columns' squared scatter exceeds what their scores say.
    """

    samples: NDArray[np.float64]
    roughness: float
    scatter: float = 1.0

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean position in nm."""
        return np.asarray(self.samples.mean(axis=0))

    def shifted(self, shift: Shift, rng: np.random.Generator) -> BoundaryPosterior:
        """Every draw moved by one draw of a common shift."""
        moves = shift.value + shift.std * rng.standard_normal((len(self.samples), 1))
        return replace(self, samples=self.samples + moves)


def sample_boundary(
    score: NDArray[np.float64], depth: NDArray[np.float64], n_samples: int, rng: np.random.Generator
) -> BoundaryPosterior:
    """Draw a boundary from its posterior under a random-walk prior.

    The walk's step and the factor by which the columns scatter more than their scores say are drawn by their evidence:
    scatter that does not grow with the distance of the columns is no roughness. For the evidence a column's score,
    normalised over positions, is the density of what was seen there about the position that it comes from.

    Parameters
    ----------
    score : ndarray, shape (n_s, n_v)
        Log-likelihood of the position `depth[v]` in each column.
    depth : ndarray, shape (n_v,)
        Positions in nm, equidistant.
    n_samples : int
    rng : numpy.random.Generator

    Returns
    -------
    BoundaryPosterior
        Each sample is drawn within its grid cell, so that the grid does not show.
    """
    score, depth = _refined(score, depth)
    step = float(depth[1] - depth[0])
    models = [(width, factor) for factor in SCATTER for width in WIDTHS]
    likelihoods = [_likelihood(score, factor, step) for factor in SCATTER]
    kernels = [_kernel(width, step, depth.size) for width in WIDTHS]
    filtered = np.empty(score.shape)
    run_filter, run_sampler = _compiled()
    evidence = [run_filter(likelihood, *kernel, filtered) for likelihood in likelihoods for kernel in kernels]
    weight = np.exp(np.array(evidence) - max(evidence))
    draws = rng.choice(len(models), size=n_samples, p=weight / weight.sum())
    samples = np.empty((n_samples, score.shape[0]))
    for number in np.unique(draws):
        kernel, norm = kernels[number % len(WIDTHS)]
        run_filter(likelihoods[number // len(WIDTHS)], kernel, norm, filtered)
        chosen = np.nonzero(draws == number)[0]
        index = np.empty((chosen.size, score.shape[0]), dtype=int)
        run_sampler(filtered / norm, kernel, rng.random(index.shape), index)
        samples[chosen] = depth[index] + rng.uniform(-0.5, 0.5, size=index.shape) * step
    width, factor = models[int(np.argmax(evidence))]
    return BoundaryPosterior(samples, width, factor)


def _refined(score: NDArray[np.float64], depth: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The score on a grid of GRID nm or finer, by straight lines: it is a sum over cells."""
    parts = max(1, int(np.ceil(float(depth[1] - depth[0]) / GRID - 1e-9)))
    at = np.arange((depth.size - 1) * parts + 1) / parts
    before, share = np.minimum(at.astype(int), depth.size - 2), at - np.minimum(at.astype(int), depth.size - 2)
    fine = score[:, before] * (1 - share) + score[:, before + 1] * share
    return fine, np.asarray(depth[0] + at * (depth[1] - depth[0]), dtype=np.float64)


def _likelihood(score: NDArray[np.float64], factor: float, step: float) -> NDArray[np.float64]:
    """Density per nm of what was seen in each column, its scatter `factor` times what the score says."""
    density = np.exp((score - score.max(axis=1, keepdims=True)) / factor)
    return np.asarray(density / (density.sum(axis=1, keepdims=True) * step))


def _kernel(width: float, step: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the steps -(count - 1) .. count - 1, and for each place the sum of those that stay on the grid."""
    distance = np.arange(1 - count, count) * step
    kernel = (1 - STRAY) * np.exp(-0.5 * (distance / width) ** 2) / width
    kernel += STRAY * np.exp(-0.5 * (distance / (3 * width)) ** 2) / (3 * width)
    total = np.concatenate([[0.0], np.cumsum(kernel)])
    place = np.arange(count)
    return kernel, np.asarray(total[2 * count - 1 - place] - total[count - 1 - place])


@cache
def _compiled() -> tuple[Callable[..., float], Callable[..., None]]:
    """Filter and sampler, compiled when they are first needed."""
    import numba

    compile_it = numba.njit(cache=True, nogil=True, fastmath=True)
    return compile_it(_filter), compile_it(_sample_backwards)


def _filter(
    likelihood: NDArray[np.float64],
    kernel: NDArray[np.float64],
    norm: NDArray[np.float64],
    filtered: NDArray[np.float64],
) -> float:
    """Fill in the forward-filtered probabilities, shape (n_s, n_v), and give the log evidence."""
    n_s, n_v = likelihood.shape
    reach = 0
    while reach < n_v - 1 and kernel[n_v + reach] > 1e-7 * kernel[n_v - 1]:
        reach += 1
    probability = np.full(n_v, 1.0 / n_v)
    first, last = 0, n_v
    evidence = 0.0
    for column in range(n_s):
        total = 0.0
        for i in range(n_v):
            here = probability[i] if column == 0 else 0.0
            if column > 0 and likelihood[column, i] > NEGLIGIBLE:
                for j in range(max(first, i - reach), min(last, i + reach + 1)):
                    here += kernel[j - i + n_v - 1] * probability[j]
            filtered[column, i] = here * likelihood[column, i] + 1e-300
            total += filtered[column, i]
        evidence += np.log(total)
        for i in range(n_v):
            filtered[column, i] /= total
            probability[i] = filtered[column, i] / norm[i]
        first, last = 0, n_v
        while first < n_v - 1 and filtered[column, first] < NEGLIGIBLE:
            first += 1
        while last > first + 1 and filtered[column, last - 1] < NEGLIGIBLE:
            last -= 1
    return evidence


def _sample_backwards(
    filtered: NDArray[np.float64], kernel: NDArray[np.float64], chance: NDArray[np.float64], index: NDArray[np.int_]
) -> None:
    """Fill in joint draws of the place, shape (count, n_s), from chances between 0 and 1 of the same shape."""
    n_s, n_v = filtered.shape
    cumulative = np.empty(n_v)
    for draw in range(index.shape[0]):
        for column in range(n_s - 1, -1, -1):
            total = 0.0
            for place in range(n_v):
                weight = filtered[column, place]
                if column < n_s - 1:
                    weight *= kernel[index[draw, column + 1] - place + n_v - 1]
                total += weight
                cumulative[place] = total
            found = np.searchsorted(cumulative, chance[draw, column] * total)
            index[draw, column] = min(found, n_v - 1)

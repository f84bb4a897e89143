"""A boundary's posterior: forward filtering and backward sampling of a random walk on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.edge_profile import Shift

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
    """

    samples: NDArray[np.float64]
    roughness: float

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
    """Draw a boundary from its posterior under a random-walk prior whose step is chosen by its evidence.

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
    step = float(depth[1] - depth[0])
    likelihood = np.exp(score - score.max(axis=1, keepdims=True))
    widths = np.array([0.03, 0.045, 0.065, 0.1, 0.14, 0.2, 0.3, 0.45])
    filtered = [_filter(likelihood, _transition(depth, width)) for width in widths]
    evidence = np.array([value for _, value in filtered])
    # The step is drawn too, so that its own uncertainty reaches the spread.
    weight = np.exp(evidence - evidence.max())
    draws = rng.choice(len(widths), size=n_samples, p=weight / weight.sum())
    samples = np.empty((n_samples, score.shape[0]))
    for number in np.unique(draws):
        chosen = np.nonzero(draws == number)[0]
        index = _sample_backwards(filtered[number][0], _transition(depth, widths[number]), chosen.size, rng)
        samples[chosen] = depth[index] + rng.uniform(-0.5, 0.5, size=index.shape) * step
    return BoundaryPosterior(samples, float(widths[int(np.argmax(evidence))]))


def _transition(depth: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    distance = depth[:, None] - depth[None, :]
    kernel = (1 - STRAY) * np.exp(-0.5 * (distance / width) ** 2) / width
    kernel += STRAY * np.exp(-0.5 * (distance / (3 * width)) ** 2) / (3 * width)
    return np.asarray(kernel / kernel.sum(axis=0, keepdims=True))


def _filter(likelihood: NDArray[np.float64], transition: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Forward-filtered probabilities and the log evidence."""
    filtered = np.empty_like(likelihood)
    probability = np.full(likelihood.shape[1], 1.0 / likelihood.shape[1])
    evidence = 0.0
    for column in range(likelihood.shape[0]):
        if column:
            probability = transition @ probability
        probability = probability * likelihood[column] + 1e-300
        total = float(probability.sum())
        evidence += float(np.log(total))
        probability = probability / total
        filtered[column] = probability
    return filtered, evidence


def _sample_backwards(
    filtered: NDArray[np.float64], transition: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int_]:
    """Joint draws of the grid index, shape (count, n_s)."""
    n_s = filtered.shape[0]
    index = np.empty((count, n_s), dtype=int)
    weights = np.broadcast_to(filtered[-1], (count, filtered.shape[1]))
    for column in range(n_s - 1, -1, -1):
        if column < n_s - 1:
            weights = filtered[column][None, :] * transition[index[:, column + 1]]
        cumulative = np.cumsum(weights, axis=1)
        draw = rng.random(count) * cumulative[:, -1]
        index[:, column] = np.minimum((cumulative < draw[:, None]).sum(axis=1), filtered.shape[1] - 1)
    return index

"""Non-negative factors of a table of counts by Poisson likelihood, from several starts that are compared."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import chi2

from depthlock.tofsims.component_number import poisson_scale
from depthlock.tofsims.exponential_gauss import FloatArray

_TOLERANCE = 1e-6
_FIRST_UPDATES = 100
"""Iterations after which it shows which starts are worth going on with."""

_FOLLOWED = 3
"""Starts that are followed to their end."""

_MOST_WORK = 1.5e8
"""Entries of the table times iterations of one start: about a second."""


@dataclass(frozen=True)
class Factors:
    """Components of a table of counts, the one with most ions first.

    Attributes
    ----------
    spectra : ndarray, shape (component, peak)
        Each of unit sum.
    amounts : ndarray, shape (voxel, component)
        Ions.
    deviance, flat_deviance : float
        Poisson deviance of the fit, and with one spectrum everywhere.
    noise_deviance : float
        What counting noise alone would leave, less what so many free numbers fit of it.
    stability : ndarray, shape (component,)
        Least cosine of its spectrum, scaled to even noise, with that of other starts that the ions cannot tell from
        the best; NaN where there was none.
    starts : int
        Starts that the ions cannot tell from the best, itself included.
    """

    spectra: FloatArray
    amounts: FloatArray
    deviance: float
    flat_deviance: float
    noise_deviance: float
    stability: FloatArray
    starts: int


def factorise(ions: FloatArray, number: int, starts: int, seed: int) -> Factors:
    """Factor a table of counts into spectra and amounts that are not negative.

    Parameters
    ----------
    ions : ndarray, shape (voxel, peak)
        Not negative.
    number : int
        Components.
    starts : int
        Random starts.
    seed : int
        Of the first start.

    Notes
    -----
    Minimises the Kullback-Leibler divergence, which is Poisson likelihood, by multiplicative updates (Lee and Seung,
    NIPS 13 (2000) 556; Fevotte and Idier, Neural Comput. 23 (2011) 2421), as scikit-learn has them.
    """
    flat = np.outer(ions.sum(axis=1), ions.sum(axis=0)) / ions.sum()
    flat_deviance = poisson_deviance(ions, flat)
    solutions = [_random_start(ions, number, seed + start) for start in range(starts if number > 1 else 1)]
    solutions = [_improved(ions, one, _FIRST_UPDATES) for one in solutions]
    solutions.sort(key=lambda one: poisson_deviance(ions, one[0] @ one[1]))
    most = int(np.clip(_MOST_WORK / ions.size, _FIRST_UPDATES, 2000))
    solutions = [_improved(ions, one, most) for one in solutions[:_FOLLOWED]]
    deviances = np.array([poisson_deviance(ions, amounts @ spectra) for amounts, spectra in solutions])
    best = int(np.argmin(deviances))
    amounts, spectra = solutions[best]
    order = np.argsort(-amounts.sum(axis=0), kind="stable")
    amounts, spectra = amounts[:, order], spectra[order]
    # Spectra within the joint 95 % region of all their numbers.
    near = deviances - deviances[best] <= chi2.ppf(0.95, number * (ions.shape[1] - 1))
    others = [solutions[k][1] for k in np.flatnonzero(near) if k != best]
    scale = poisson_scale(ions).max(axis=0)
    alike = [_matched_cosines(spectra * scale, other * scale) for other in others]
    stability = np.min(alike, axis=0) if alike else np.full(number, np.nan if number > 1 else 1.0)
    free = 1.0 - number * (sum(ions.shape) - number) / ions.size
    noise = float(_expected_deviance(amounts @ spectra).sum()) * max(free, 0.0)
    return Factors(spectra, amounts, float(deviances[best]), flat_deviance, noise, stability, len(others) + 1)


def _random_start(ions: FloatArray, number: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Amounts and spectra at random; every spectrum holds something of the mean one, so that none starts empty."""
    rng = np.random.default_rng(seed)
    mean = ions.sum(axis=0) / ions.sum()
    spectra = mean * rng.gamma(0.5, 2.0, size=(number, ions.shape[1])) + 1e-3 * mean
    amounts = ions.sum(axis=1, keepdims=True) * rng.dirichlet(np.ones(number), size=ions.shape[0])
    return np.maximum(amounts, 1e-9), spectra / spectra.sum(axis=1, keepdims=True)


def _improved(ions: FloatArray, start: tuple[FloatArray, FloatArray], most: int) -> tuple[FloatArray, FloatArray]:
    """Amounts and spectra of unit sum after at most so many iterations."""
    from sklearn.decomposition import non_negative_factorization
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A slow last stretch changes nothing that the comparison of starts does not show.
        warnings.simplefilter("ignore", ConvergenceWarning)
        amounts, spectra, _ = non_negative_factorization(
            ions,
            start[0].copy(),
            start[1].copy(),
            n_components=start[1].shape[0],
            init="custom",
            solver="mu",
            beta_loss="kullback-leibler",
            max_iter=most,
            tol=_TOLERANCE,
        )
    total = np.maximum(spectra.sum(axis=1), 1e-300)
    return amounts * total, spectra / total[:, np.newaxis]


def _matched_cosines(one: FloatArray, other: FloatArray) -> FloatArray:
    """Cosine of each row of `one` with its partner in `other`, partners chosen for the largest sum."""
    from scipy.optimize import linear_sum_assignment

    unit = [table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300) for table in (one, other)]
    cosine = unit[0] @ unit[1].T
    rows, columns = linear_sum_assignment(-cosine)
    return np.asarray(cosine[rows, columns], dtype=np.float64)


def poisson_deviance(counts: FloatArray, expected: FloatArray) -> float:
    """Twice the log likelihood ratio of counts that were expected exactly, and these expectations."""
    ratio = np.where(counts > 0, counts / np.maximum(expected, 1e-300), 1.0)
    return float(2.0 * np.sum(counts * np.log(ratio) - counts + expected))


def _expected_deviance(expected: FloatArray) -> FloatArray:
    """Mean deviance of a Poisson count, which is 1 only for many ions."""
    mean = np.geomspace(1e-6, 50.0, 200)[:, np.newaxis]
    count = np.arange(200.0)
    chance = np.exp(count * np.log(mean) - mean - gammaln(count + 1.0))
    terms = 2.0 * (np.where(count > 0, count * np.log(np.maximum(count, 1.0) / mean), 0.0) - count + mean)
    table: NDArray[np.float64] = np.sum(chance * terms, axis=1)
    # Beyond the table: the first terms of the series in 1 / mean.
    tail = 1.0 + 1.0 / (6.0 * np.maximum(expected, 50.0))
    inside = np.interp(np.log(np.maximum(expected, 1e-6)), np.log(mean[:, 0]), table)
    return np.where(expected > 50.0, tail, np.where(expected < 1e-6, 0.0, inside))

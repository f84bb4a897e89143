"""The course of a boundary: how far it departs from a smooth line, from noisy places along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LENGTHS = (0.5, 1.0, 2.0)
"""Correlation lengths that are considered, over the smoothing length."""

SPREADS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Standard deviations of the departures that are considered beside none at all, over the places' scatter."""

MOST_POINTS = 200
"""Points of a line over which its mean is taken."""


@dataclass(frozen=True)
class Course:
    """Departures along a line, with the uncertainty of their mean.

    Attributes
    ----------
    departure : ndarray, shape (n_points,)
        In nm outwards, at every point of the line.
    mean, variance : float
        Mean over the chosen points in nm, and its error's variance in nm^2, as far as the places' own errors and what
        lies between them decide.
    common_variance : float
        Variance of the one shift that all places share, where the departures are held: what is counted twice when the
        error of a fit of that shift is added.
    piece_variance : float
        Variance of the mean of a piece as long as the chosen points about the mean of an endless line, in nm^2.
    roughness : float
        Standard deviation of the departures in nm.
    """

    departure: NDArray[np.float64]
    mean: float
    variance: float
    common_variance: float
    piece_variance: float
    roughness: float


def level_course(points: int, place: float) -> Course:
    """A line without departures, where too little is seen of it to know any."""
    return Course(np.full(points, place), place, 0.0, 0.0, 0.0, 0.0)


def follow(
    at: NDArray[np.float64],
    place: NDArray[np.float64],
    variance: NDArray[np.float64],
    where: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    smoothing: float,
) -> Course:
    """The course through measured places.

    Parameters
    ----------
    at, place, variance : ndarray, shape (n_places,)
        Arc length of the places, their distance from the line and its error's variance, in nm and nm^2.
    where : ndarray, shape (n_points,)
        Arc length of the line's points.
    chosen : ndarray of bool, shape (n_points,)
        Points whose mean is wanted; at least one.
    smoothing : float
        Typical correlation length in nm.

    Returns
    -------
    Course
        A Gaussian process with an unknown mean (universal kriging: Rasmussen & Williams, Gaussian Processes for
        Machine Learning, 2006, 2.7), averaged over its standard deviations SPREADS and correlation lengths LENGTHS with
        their marginal likelihoods, so that few noisy places neither prove nor exclude that the line is rough.
    """
    weight = 1.0 / variance
    scatter = np.sqrt(np.average((place - np.average(place, weights=weight)) ** 2, weights=weight))
    scale = max(float(scatter), float(np.sqrt(1.0 / np.mean(weight))))
    # Straight and rough are alike before the places are seen.
    candidates = [(0.0, 1.0, float(len(LENGTHS)))] + [(spread, length, 1.0) for spread in SPREADS for length in LENGTHS]
    fits = [
        _kriged(at, place, variance, where, chosen, spread * scale, length * smoothing)
        for spread, length, _ in candidates
    ]
    score = np.array([one.score for one in fits])
    share = np.array([prior for _, _, prior in candidates]) * np.exp(score - score.max())
    share /= share.sum()
    means = np.array([one.mean for one in fits])
    mean = float(share @ means)
    within, piece, spread = (
        float(share @ np.array([getattr(one, name) for one in fits])) for name in ("variance", "piece", "spread")
    )
    return Course(
        departure=np.asarray(share @ np.array([one.departure for one in fits])),
        mean=mean,
        variance=within + float(share @ (means - mean) ** 2),
        common_variance=float(1.0 / weight.sum()),
        piece_variance=piece,
        roughness=float(np.sqrt(spread)),
    )


@dataclass(frozen=True)
class _Kriged:
    """The course for one spread and length: log of its marginal likelihood, and what `Course` is averaged from."""

    score: float
    departure: NDArray[np.float64]
    mean: float
    variance: float
    piece: float
    spread: float


def _kriged(
    at: NDArray[np.float64],
    place: NDArray[np.float64],
    variance: NDArray[np.float64],
    where: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    deviation: float,
    length: float,
) -> _Kriged:
    def shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(deviation**2 * np.exp(-0.5 * ((one[:, None] - other[None]) / length) ** 2))

    factor = np.linalg.cholesky(shared(at, at) + np.diag(variance))
    ones, values = np.linalg.solve(factor, np.column_stack([np.ones(at.size), place])).T
    information = float(ones @ ones)
    centre = float(ones @ values) / information
    left = values - centre * ones
    score = -0.5 * float(left @ left) - float(np.log(np.diag(factor)).sum()) - 0.5 * float(np.log(information))
    departure = centre + shared(where, at) @ np.linalg.solve(factor.T, left)
    some = where[chosen][:: max(1, int(chosen.sum()) // MOST_POINTS)]
    towards = np.linalg.solve(factor, shared(some, at).mean(axis=0))
    piece = float(shared(some, some).mean())
    # Variance of the mean: what the places leave open, and the error of the unknown mean as far as they leave it open.
    free = 1.0 - float(ones @ towards)
    error = max(piece - float(towards @ towards), 0.0) + free**2 / information
    return _Kriged(score, departure, float(departure[chosen].mean()), error, piece, deviation**2)

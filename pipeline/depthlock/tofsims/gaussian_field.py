"""Smoothing of scattered averages with their errors: a Gaussian random field whose size and length the data choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depthlock.tofsims.exponential_gauss import FloatArray

_LENGTHS = (0.03, 0.05, 0.08, 0.12, 0.18, 0.27, 0.4)
"""Correlation lengths tried, in sides of the area."""

_SIZES = (0.15, 0.3, 0.5, 0.75, 1.1, 1.6, 2.4, 4.0, 7.0)
"""Standard deviations of the field tried, in median errors of the averages."""

_PAIRS = 12
"""Pairs of size and length from which samples are drawn."""


@dataclass(frozen=True)
class Averages:
    """Values of a field averaged over boxes.

    Attributes
    ----------
    centre, side : ndarray, shape (box, 2)
        Of each box along y and x.
    value, std : ndarray, shape (box,)
    """

    centre: FloatArray
    side: FloatArray
    value: FloatArray
    std: FloatArray


@dataclass(frozen=True)
class SmoothField:
    """A field at the places asked for.

    Attributes
    ----------
    mean, std : ndarray, shape (place,)
    samples : ndarray, shape (sample, place)
        Fields that are as likely as the data say.
    gain : float
        Twice the gain in log-likelihood over a constant.
    """

    mean: FloatArray
    std: FloatArray
    samples: FloatArray
    gain: float


def covariance(one: Averages, other: Averages, length: float) -> FloatArray:
    """Covariance between box averages of a field of variance 1 with correlation ``exp(-d^2 / (2 length^2))``.

    Averaging over a box of side a is taken as smoothing with a Gaussian of variance a^2 / 12, which keeps it in closed
    form.
    """
    result = np.ones((one.value.size, other.value.size))
    for axis in (0, 1):
        wide = length**2 + (one.side[:, axis][:, np.newaxis] ** 2 + other.side[:, axis][np.newaxis, :] ** 2) / 12.0
        apart = one.centre[:, axis][:, np.newaxis] - other.centre[:, axis][np.newaxis, :]
        result *= length / np.sqrt(wide) * np.exp(-0.5 * apart**2 / wide)
    return np.asarray(result, dtype=np.float64)


def smooth(data: Averages, places: Averages, extent: float, draws: int, random: np.random.Generator) -> SmoothField:
    """Smooth averages and tell the field's mean, error and likely shapes.

    Parameters
    ----------
    data : Averages
    places : Averages
        Boxes where the field is asked for; their values are not looked at.
    extent : float
        Side of the whole area.
    draws : int
        Samples.
    random : numpy Generator

    Notes
    -----
    Size and correlation length are not fixed: every pair is weighed by its likelihood (Rasmussen and Williams, Gaussian
    Processes for Machine Learning, 2006, chapters 2 and 5), with the constant mean integrated out.
    """
    unit = float(np.median(data.std))
    flat = _log_likelihood(data, np.zeros((data.value.size, data.value.size)))
    shapes = {length: covariance(data, data, length * extent) for length in _LENGTHS}
    tried = [
        (_log_likelihood(data, (size * unit) ** 2 * shape), length * extent, size * unit)
        for length, shape in shapes.items()
        for size in _SIZES
    ]
    best = max(tried)[0]
    weight = np.array([np.exp(one[0] - best) for one in tried])
    numbers = random.multinomial(_PAIRS, weight / weight.sum())
    samples = [
        _draw(data, places, length, size, int(number) * -(-draws // _PAIRS), random)
        for (_, length, size), number in zip(tried, numbers, strict=True)
        if number
    ]
    field = np.concatenate(samples)
    return SmoothField(field.mean(axis=0), field.std(axis=0), field, max(2.0 * (best - flat), 0.0))


def _log_likelihood(data: Averages, field: FloatArray) -> float:
    lower = np.linalg.cholesky(field + np.diag(data.std**2))
    whitened = np.linalg.solve(lower, np.column_stack([data.value, np.ones(data.value.size)]))
    mean = float(whitened[:, 0] @ whitened[:, 1] / (whitened[:, 1] @ whitened[:, 1]))
    rest = whitened[:, 0] - mean * whitened[:, 1]
    determinant = 2.0 * float(np.log(np.diag(lower)).sum()) + float(np.log(whitened[:, 1] @ whitened[:, 1]))
    return -0.5 * (float(rest @ rest) + determinant)


def _draw(
    data: Averages, places: Averages, length: float, size: float, number: int, random: np.random.Generator
) -> FloatArray:
    """Fields from the posterior at one size and length, shape (number, place)."""
    total = size**2 * covariance(data, data, length) + np.diag(data.std**2)
    across = size**2 * covariance(places, data, length)
    lower = np.linalg.cholesky(total)
    whitened = np.linalg.solve(lower, np.column_stack([data.value, np.ones(data.value.size), across.T]))
    value, one, reach = whitened[:, 0], whitened[:, 1], whitened[:, 2:]
    precision = float(one @ one)
    constant = float(one @ value) / precision
    mean = constant + reach.T @ (value - constant * one)
    unknown = 1.0 - reach.T @ one
    spread = size**2 * covariance(places, places, length) - reach.T @ reach + np.outer(unknown, unknown) / precision
    # Smooth fields are nearly singular: a ten-thousandth of their size keeps the root of rounded numbers real.
    root = np.linalg.cholesky(spread + 1e-8 * size**2 * np.eye(mean.size))
    return np.asarray(mean + random.standard_normal((number, mean.size)) @ root.T, dtype=np.float64)

"""Mean, spread and quantiles of the thickness, with an error budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95

STATISTICS = ("mean", "sd", "p05", "p95")

METHOD_BIAS = {"mean": 0.02, "sd": 0.03, "p05": 0.05, "p95": 0.05}
"""Standard deviation in nm of what the posterior does not hold: where a blurred, speckled boundary is said to lie.

Measured on simulated images of 0.02 to 0.05 nm a pixel and 100 to 3000 electrons a square Angstrom, beside what
`edge_profile` already adds to each boundary.
"""


@dataclass(frozen=True)
class ThicknessStatistics:
    """Statistics of the chords of all images, in the order of STATISTICS, all in nm.

    Attributes
    ----------
    value, std, lower, upper : ndarray, shape (4,)
        About the imaged pieces of the layer.
    sampling_std : float
        Error of the mean as the mean of the whole sample.
    between_images : float
        Standard deviation of the images' means; NaN with fewer than two.
    correlation_length : float
        Length over which the thickness repeats itself (integral of its autocorrelation).
    independent : float
        Number of independent positions.
    """

    value: NDArray[np.float64]
    std: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    sampling_std: float
    between_images: float
    correlation_length: float
    independent: float


def describe(chords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, standard deviation, 5 and 95 % of chords along the last axis; shape (4, ...)."""
    low, high = np.quantile(chords, [0.05, 0.95], axis=-1)
    return np.stack([chords.mean(axis=-1), chords.std(axis=-1), low, high])


def thickness_statistics(
    chords: Sequence[NDArray[np.float64]], spacing: float, scale_std: Sequence[float]
) -> ThicknessStatistics:
    """Statistics of the chords over all images.

    Each draw of the boundaries has its own statistics; their mean is the value and their spread the error, so the
    noise of the boundaries widens the error and, as it is part of the posterior, not the distribution. To it come
    the method's bias, once an image, and the pixel size's own error.

    Parameters
    ----------
    chords : sequence of ndarray, shape (n_samples, n_positions)
        Draws of the chords of each image in nm; the same number of draws.
    spacing : float
        Distance of positions in nm.
    scale_std : sequence of float
        Relative standard error of each image's pixel size.

    Returns
    -------
    ThicknessStatistics
    """
    pooled = np.concatenate(list(chords), axis=1)
    draws = describe(pooled)
    value = draws.mean(axis=1)
    share = np.array([c.shape[1] for c in chords]) / pooled.shape[1]
    bias = np.array([METHOD_BIAS[name] for name in STATISTICS]) * np.sqrt(float((share**2).sum()))
    means = np.array([c.mean() for c in chords])
    # Images of one magnification share its error; adding the parts linearly never understates it.
    scale = np.abs(value) * float(share @ np.asarray(scale_std))
    extra = np.hypot(bias, scale)
    std = np.hypot(draws.std(axis=1), extra)
    # The spread cannot be negative, and its relative error is what the images give: a log-normal interval.
    lower, upper = value - NORMAL_95 * std, value + NORMAL_95 * std
    lower[1], upper[1] = _positive_interval(value[1], std[1])
    lengths = [_correlated_columns(c.mean(axis=0)) for c in chords]
    independent = float(sum(max(1.0, c.shape[1] / n) for c, n in zip(chords, lengths, strict=True)))
    # The spread seen in few independent positions is too small by (n - 1) / n.
    variance = value[1] ** 2 * independent / max(independent - 1.0, 0.5)
    within = variance / independent
    between = float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")
    sampling = max(within, between**2 / len(means)) if len(means) > 1 else within
    return ThicknessStatistics(
        value,
        std,
        lower,
        upper,
        float(np.sqrt(sampling + std[0] ** 2)),
        between,
        float(np.average(lengths, weights=share) * spacing),
        independent,
    )


def _positive_interval(value: float, std: float) -> tuple[float, float]:
    ratio = np.sqrt(np.log1p((std / max(value, 1e-12)) ** 2))
    return max(0.0, value - NORMAL_95 * std), float(max(value * np.exp(NORMAL_95 * ratio), value + NORMAL_95 * std))


def _correlated_columns(thickness: NDArray[np.float64]) -> float:
    """Number of positions that count as one: 1 + 2 sum of the autocorrelation up to its first zero."""
    deviation = thickness - thickness.mean()
    count = deviation.size
    if count < 4 or not np.any(deviation):
        return float(count)
    correlation = np.correlate(deviation, deviation, mode="full")[count - 1 :]
    correlation = correlation / correlation[0]
    crossing = int(np.argmax(correlation <= 0)) if np.any(correlation <= 0) else count
    return float(min(count, max(1.0, 1.0 + 2.0 * correlation[1:crossing].sum())))

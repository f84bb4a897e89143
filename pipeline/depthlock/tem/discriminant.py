"""Linear discriminants between two sides of a boundary, calibrated as log-likelihood ratios per nm of depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RUN = 1.0
"""Length in nm along the depth over which features are averaged to learn their scatter: longer than speckle."""

DRIFT = 8.0
"""Length in nm (sigma) along the interface over which a side's mean may drift: uneven light, bend contours."""


@dataclass(frozen=True)
class Discriminant:
    """A log-likelihood ratio at every point of a strip.

    Attributes
    ----------
    ratio : ndarray, shape (n_v, n_s)
        Log-likelihood ratio of the inner against the outer side per point; 0 where there is no image.
    separation : float
        Distance of the sides' means in standard deviations of a run of 1 nm in one column.
    weights : ndarray, shape (n_features,)
        Share of each feature in the squared separation.
    """

    ratio: NDArray[np.float64]
    separation: float
    weights: NDArray[np.float64]


def discriminate(
    features: NDArray[np.float64],
    inner: NDArray[np.bool_],
    outer: NDArray[np.bool_],
    depth_step: float,
    column_step: float,
    drift: Sequence[float] | None = None,
) -> Discriminant | None:
    """Fisher's linear discriminant between two seeded sides.

    Features that mix linearly over a blurred boundary cross the middle of the two means at its centre, so the ratio
    changes its sign there whatever the blur. The scatter is that of means over runs of 1 nm, so that the ratio counts
    correlated speckle once; what neighbouring columns share divides it further.

    Parameters
    ----------
    features : ndarray, shape (n_features, n_v, n_s)
        NaN outside the image.
    inner, outer : ndarray of bool, shape (n_v, n_s)
        Seeds of the two sides.
    depth_step, column_step : float
        Steps in nm.
    drift : sequence of float, optional
        Length in nm (sigma) along the interface over which the sides' means of each feature drift; DRIFT if absent.

    Returns
    -------
    Discriminant or None
        None when a side has too few seeds.
    """
    there = np.isfinite(features).all(axis=0)
    sides = [inner & there, outer & there]
    run = max(2, round(RUN / depth_step))
    if min(np.count_nonzero(side) for side in sides) < 4 * run * 3:
        return None
    features = np.where(there, features, 0.0)
    sigma = np.array(drift or [DRIFT] * len(features)) / column_step
    means = [_drifting_mean(features, side, sigma) for side in sides]
    scatter, shared = _scatter(features, sides, means, run)
    difference = means[0] - means[1]
    typical = np.mean(difference, axis=1)
    weight = np.linalg.solve(scatter, typical)
    squared = float(typical @ weight)
    if not np.isfinite(squared) or squared <= 0:
        return None
    middle = 0.5 * (means[0] + means[1])
    value = np.tensordot(weight, features, axes=1) - (weight @ middle)[None, :]
    # A contrast that fades along the interface carries less: scale by the local difference.
    fade = np.clip((weight @ difference) / squared, 0.2, 2.0)
    value = np.clip(value * fade[None, :], -1.5 * squared, 1.5 * squared)
    ratio = np.where(there, value, 0.0) * (depth_step / RUN) / shared
    return Discriminant(ratio, float(np.sqrt(squared / shared)), typical * weight / squared)


def _drifting_mean(
    features: NDArray[np.float64], side: NDArray[np.bool_], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of each feature over a side's seeds, drifting along the interface; shape (n_features, n_s)."""
    count = side.sum(axis=0).astype(float)
    total = np.einsum("fvs,vs->fs", features, side.astype(float))
    overall = total.sum(axis=1) / count.sum()
    # A pinch of the overall mean fills columns without seeds.
    pinch = 1e-3 * float(count.sum()) / len(count)
    means = np.empty(total.shape)
    for number, width in enumerate(sigma):
        weight = ndimage.gaussian_filter1d(count, width, mode="constant")
        drifting = ndimage.gaussian_filter1d(total[number], width, mode="constant")
        means[number] = (drifting + pinch * overall[number]) / (weight + pinch)
    return means


def _scatter(
    features: NDArray[np.float64], sides: list[NDArray[np.bool_]], means: list[NDArray[np.float64]], run: int
) -> tuple[NDArray[np.float64], float]:
    """Pooled covariance of run means within the sides, and the factor by which neighbouring columns repeat it."""
    covariances, factors = [], []
    n_runs = features.shape[1] // run
    for side, mean in zip(sides, means, strict=True):
        residual = ((features - mean[:, None, :]) * side)[:, : n_runs * run]
        count = side[: n_runs * run].reshape(n_runs, run, -1).sum(axis=1)
        total = residual.reshape(len(features), n_runs, run, -1).sum(axis=2)
        full = count >= 0.6 * run
        blocks = np.where(full[None], total / np.maximum(count, 1), np.nan)
        values = blocks[:, full]
        covariance = values @ values.T / max(values.shape[1] - 1, 1)
        covariances.append(covariance)
        factors.append(_shared(blocks, covariance))
    pooled = 0.5 * (covariances[0] + covariances[1])
    scale = np.diag(pooled)
    pooled = pooled + np.diag(1e-3 * scale + 1e-12)
    return pooled, max(1.0, float(np.mean(factors)))


def _shared(blocks: NDArray[np.float64], covariance: NDArray[np.float64], group: int = 4) -> float:
    """Variance of means over `group` columns times `group`, over that of single columns (mean over features)."""
    columns = blocks.shape[2] // group * group
    if columns < 3 * group:
        return 1.0
    grouped = blocks[:, :, :columns].reshape(*blocks.shape[:2], -1, group).mean(axis=3)
    values = grouped[:, np.isfinite(grouped).all(axis=0)]
    if values.shape[1] < 8:
        return 1.0
    ratio = (values**2).mean(axis=1) * group / np.maximum(np.diag(covariance), 1e-30)
    return float(np.mean(ratio))

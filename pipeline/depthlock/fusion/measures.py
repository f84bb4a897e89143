"""Numbers of a layer's profiles: centroid, separation, overlap, interlocking, substrate in the layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_scale import summarise
from depthlock.fusion.forward_fit import unit_area
from depthlock.model.quantity import Quantity

Array = NDArray[np.float64]


def centroid_fraction(layer: Array) -> Array:
    """Intensity-weighted mean depth (samples,) as a fraction of the layer, of profiles (samples, cells)."""
    cells = layer.shape[-1]
    return np.asarray(unit_area(layer) @ ((np.arange(cells) + 0.5) / cells), dtype=np.float64)


@dataclass(frozen=True)
class Overlap:
    """Overlap of two sampled profiles, with what their noise does to it.

    Attributes
    ----------
    samples : array (samples,)
        Overlap of every pair of samples, between 0 and 1, not corrected.
    lowered : float
        Overlap of the mean profiles minus the mean of the samples, >= 0.
    may_be_one : bool
        Whether the difference of the mean profiles is within its own scatter (95 %), so that they may be one profile.
    """

    samples: Array
    lowered: float
    may_be_one: bool


def overlap_of(first: Array, second: Array) -> Overlap:
    """Overlap of two profiles sampled on the same depth scales.

    The overlap of two unit-area profiles is 1 - sum |a - b| / 2. Whatever noise is in a - b raises the sum, so the
    samples lie too low: the posterior's spread lowers their mean under the overlap of the mean profiles, and the error
    of the mean profiles, of the same size, lowers that under the true one once more.

    Parameters
    ----------
    first, second : array (samples, cells)
        Samples of the profiles, any scale.
    """
    difference = unit_area(first) - unit_area(second)
    mean = difference.mean(axis=0)
    samples = 1.0 - 0.5 * np.abs(difference).sum(axis=1)
    scatter = 0.5 * np.abs(difference - mean).sum(axis=1)
    apart = 0.5 * float(np.abs(mean).sum())
    lowered = max(1.0 - apart - float(samples.mean()), 0.0)
    return Overlap(np.asarray(samples), lowered, apart <= float(np.percentile(scatter, 95.0)))


def debiased(samples: Array, lowered: float, may_be_one: bool, flag: str = "") -> Quantity:
    """Summary of a measure between 0 and 1 whose samples noise has lowered twice by `lowered`.

    The value is corrected for the first part, which is certain, and so is the lower end; the upper end for both. Close
    to 1 that is not enough, as the truth cannot lie on both sides: where the two profiles may be one, the interval ends
    at 1.
    """
    plain = summarise(samples, flag)
    value, std = float(np.asarray(plain.value)), float(np.asarray(plain.std))
    lower, upper = float(np.asarray(plain.lower)), float(np.asarray(plain.upper))
    if not np.isfinite(value):
        return plain
    return Quantity(
        float(np.clip(value + lowered, 0.0, 1.0)),
        float(np.hypot(std, lowered)),
        float(np.clip(lower + lowered, 0.0, 1.0)),
        1.0 if may_be_one else float(np.clip(upper + 2.0 * lowered, 0.0, 1.0)),
        plain.flag,
    )


def interlocking_samples(overlaps: Array, separation_fraction: Array) -> Array:
    """`overlap x (1 - |separation| / thickness)`, 0 stacked to 1 interlocked, of samples (samples,)."""
    return np.asarray(overlaps * (1.0 - np.minimum(np.abs(separation_fraction), 1.0)), dtype=np.float64)


def substrate_share(layer: Array, substrate: Array) -> Array:
    """Mean level in the layer over the level in the substrate, of samples (samples, cells) and (samples,)."""
    return np.asarray(layer.mean(axis=1) / substrate, dtype=np.float64)


def pair_measures(first: Array, second: Array, thickness: Array, flag: str, length_flag: str) -> dict[str, Quantity]:
    """Separation in nm, overlap and interlocking of two species.

    Parameters
    ----------
    first, second : array (samples, cells)
        Samples of their profiles in the layer.
    thickness : array (samples,)
        Samples of the thickness in nm, NaN if unknown.
    flag, length_flag : str
        Reasons not to trust the profiles, and lengths in nm.

    Returns
    -------
    dict
        By the names of the results' table. The separation is the first's centroid minus the second's.
    """
    apart = centroid_fraction(first) - centroid_fraction(second)
    shared = overlap_of(first, second)
    locked = interlocking_samples(shared.samples, apart)
    # Noise in the centroids lowers 1 - |separation| in the same manner as it lowers the overlap.
    shrink = 1.0 - abs(float(apart.mean()))
    locked_lowered = max((float(shared.samples.mean()) + shared.lowered) * shrink - float(locked.mean()), 0.0)
    return {
        "separation": summarise(apart * thickness, length_flag),
        "overlap": debiased(shared.samples, shared.lowered, shared.may_be_one, flag),
        "interlocking": debiased(locked, locked_lowered, shared.may_be_one, flag),
    }

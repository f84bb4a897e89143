"""Slabs fitted to element maps: counts along the distance, and both boundaries in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.element_maps import ElementMaps
from depthlock.eds.slabs import Profiles, Slabs, dispersed, fit_boundary, levels, log_likelihood

FINE = 0.5
"""Width of the bins in which boundaries are fitted, in pixels."""

CRYSTAL_REACH = 30.0
"""Pixels of the crystal that take part: what lies deeper says nothing of its edge."""

POORER = 0.4
"""Share of its mean in the layer to which an element, or the HAADF, falls outside it."""

LEAST_GAIN = 10.0
"""Gain of logarithmic likelihood by which an outer boundary must describe the maps better than none."""

LEAST_LAYER = 3
"""Pixels that a layer must be thick."""


def distance_profiles(maps: ElementMaps, distance: NDArray[np.float64], step: float) -> Profiles:
    """Counts of all elements, and of the HAADF as a last channel, in fine bins of the distance."""
    width = FINE * step
    number = np.floor(distance / width).astype(int)
    first = max(int(number.min()), -int(CRYSTAL_REACH / FINE))
    index = np.where(maps.good & (number >= first), number - first, -1)
    size = int(index.max()) + 1
    counted = maps.counted.summed(index, size)
    used = index >= 0
    pixels = np.bincount(index[used], minlength=size).astype(float)
    mean = np.bincount(index[used], weights=distance[used], minlength=size) / np.maximum(pixels, 1.0)
    counts = counted.signal
    scale = counted.signal_variance.sum(axis=1) / np.maximum(counts.sum(axis=1), 1e-12)
    if maps.haadf is not None:
        bright = np.bincount(index[used], weights=maps.haadf[used] - maps.haadf[used].min(), minlength=size)
        counts = np.vstack([counts, bright])
        scale = np.append(scale, max(float(bright.mean()) * 1e-4, 1e-12))
    full = pixels > 0
    return Profiles(mean[full], pixels[full], counts[:, full], np.maximum(scale, 1e-12))


def least_scale(maps: ElementMaps, profiles: Profiles) -> NDArray[np.float64]:
    """Variance over mean that the channels have at least: that of counting, where the maps are counts."""
    return profiles.scale if maps.are_counts else np.full(len(profiles.scale), 1e-6)


def fit_slabs(
    maps: ElementMaps, profiles: Profiles, slabs: Slabs, crystal: list[int], step: float
) -> tuple[Profiles, Slabs]:
    """Both boundaries, one after the other until they fit each other, and the profiles with their scatter.

    Parameters
    ----------
    maps : ElementMaps
    profiles : Profiles
        Their counts along the distance.
    slabs : Slabs
        Start; an outer boundary is looked for where there is none.
    crystal : list of int
        Channels that mark the crystal.
    step : float
        Width of a pixel in nm.
    """
    least = least_scale(maps, profiles)
    slabs = fit_boundary(profiles.channels(crystal), slabs, "inner", step)
    if not np.isfinite(slabs.outer):
        slabs = _with_outer(dispersed(profiles, slabs, least), slabs, step, least)
    for _ in range(2):
        profiles = dispersed(profiles, slabs, least)
        slabs = fit_boundary(profiles.channels(crystal), slabs, "inner", step)
        if np.isfinite(slabs.outer):
            slabs = fit_boundary(profiles, slabs, "outer", step)
    return profiles, slabs


def _with_outer(profiles: Profiles, slabs: Slabs, step: float, least: NDArray[np.float64]) -> Slabs:
    """Slabs with an outer boundary, where one is to be seen: the layer's elements, or the HAADF, fall at it."""
    places = np.arange(slabs.inner + LEAST_LAYER * step, profiles.distance.max() - LEAST_LAYER * step, step)
    if places.size == 0:
        return slabs
    tried = [replace(slabs, outer=float(place), outer_blur=blur * step) for place in places for blur in (1.0, 3.0)]
    rough = profiles
    for _ in range(2):
        scores = [log_likelihood(rough, one) for one in tried]
        best = tried[int(np.argmax(scores))]
        rough = dispersed(profiles, best, least)
    found = levels(rough, best)
    layer, outside = 0.5 * (found[:, 1] + found[:, 2]), found[:, 3]
    total = layer.sum()
    falls = (outside < POORER * layer) & (layer > 0.05 * total if total > 0 else False)
    gain = log_likelihood(rough, best) - log_likelihood(rough, replace(slabs, outer=np.inf))
    return best if falls.any() and gain > LEAST_GAIN else slabs

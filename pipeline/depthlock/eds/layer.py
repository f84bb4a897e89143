"""Crystal, layer and outside in element maps: both boundaries, and every pixel's distance from the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.edge import Edge, coordinates
from depthlock.eds.element_maps import ElementMaps
from depthlock.eds.slabs import (
    Boundary,
    Profiles,
    Slabs,
    Which,
    boundary_interval,
    dispersed,
    fit_boundary,
    levels,
    log_likelihood,
    slab_shapes,
)

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

TURNS = 3
"""Times that the edge is fitted; between them it is moved to follow the counts."""

LOCAL_REACH = 4.0
"""Largest local departure of a boundary from its smooth line, in its blur or pixels."""


@dataclass(frozen=True)
class MappedLayer:
    """The layer in one set of maps.

    Attributes
    ----------
    edge : Edge
        The crystal's edge.
    distance, along : ndarray, shape (n_y, n_x)
        Signed distance from the edge (positive outwards) and arc length along it in nm.
    slabs : Slabs
    inner : Boundary
        The edge itself: its position is 0 to within what is left of the fit.
    outer : Boundary or None
        The layer's outer boundary; None where nothing lies outside.
    outer_line : ndarray, shape (n, 2), or None
        (y, x) in nm.
    """

    edge: Edge
    distance: NDArray[np.float64]
    along: NDArray[np.float64]
    slabs: Slabs
    inner: Boundary
    outer: Boundary | None
    outer_line: NDArray[np.float64] | None

    @property
    def inside(self) -> tuple[float, float]:
        """Distances in nm between which everything is layer, clear of both boundaries' blur."""
        low = self.slabs.inner + 2.0 * self.slabs.inner_blur
        if self.outer is None:
            return low, float(self.distance.max())
        return low, self.slabs.outer - 2.0 * self.slabs.outer_blur


def map_layer(maps: ElementMaps, edge: Edge, substrate: Sequence[str], smoothing: float) -> MappedLayer:
    """Refine the crystal's edge, and find the layer's outer boundary.

    Parameters
    ----------
    maps : ElementMaps
    edge : Edge
        First edge of the crystal.
    substrate : sequence of str
        Elements that mark the crystal.
    smoothing : float
        Correlation length in nm of the boundaries' departures from a smooth line.

    Returns
    -------
    MappedLayer
    """
    crystal = [maps.elements.index(element) for element in substrate]
    step = float(np.mean(maps.pixel))
    slabs = Slabs(0.0, 1.5 * step, np.inf, 1.5 * step)
    for turn in range(TURNS):
        distance, along = coordinates(edge, maps.good.shape, maps.pixel)
        profiles, slabs = _fitted(
            distance_profiles(maps, distance, step), replace(slabs, inner=0.0), crystal, step, maps
        )
        shift = np.full(len(edge.points), slabs.inner)
        if turn < TURNS - 1:
            shift += _departures(maps, crystal, distance, along, slabs, "inner", smoothing, edge)
        edge = Edge(edge.moved(shift), edge.outward)
    # Distances count from the edge, where the last fit has put it.
    distance = distance - slabs.inner
    profiles = replace(profiles, distance=profiles.distance - slabs.inner)
    slabs = replace(slabs, inner=0.0, outer=slabs.outer - slabs.inner)
    inner = boundary_interval(profiles.channels(crystal), slabs, "inner", step)
    outer = boundary_interval(profiles, slabs, "outer", step) if np.isfinite(slabs.outer) else None
    line = None
    if outer is not None:
        everything = list(range(len(maps.elements)))
        departures = _departures(maps, everything, distance, along, slabs, "outer", smoothing, edge)
        line = edge.moved(slabs.outer + departures)
    return MappedLayer(edge, distance, along, slabs, inner, outer, line)


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


def _fitted(
    profiles: Profiles, slabs: Slabs, crystal: list[int], step: float, maps: ElementMaps
) -> tuple[Profiles, Slabs]:
    """Both boundaries, one after the other until they fit each other, and the profiles with their scatter."""
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


def _departures(
    maps: ElementMaps,
    channels: list[int],
    distance: NDArray[np.float64],
    along: NDArray[np.float64],
    slabs: Slabs,
    which: Which,
    smoothing: float,
    edge: Edge,
) -> NDArray[np.float64]:
    """Local departures in nm of a boundary from its mean place, at every point of the edge.

    In stretches of half the smoothing length the boundary is moved to where the counts of the fitted slabs describe
    the stretch best; the moves, weighted with their precision, are smoothed as a Gaussian process whose variance is
    what they scatter beyond their errors.
    """
    step = float(np.mean(maps.pixel))
    place, blur = getattr(slabs, which), getattr(slabs, f"{which}_blur")
    reach = LOCAL_REACH * max(blur, step)
    length = max(smoothing / 2.0, 3.0 * step)
    profiles = distance_profiles(maps, distance, step).channels(channels)
    near = maps.good & (np.abs(distance - place) < 2.0 * reach)
    stretch = np.floor(along / length).astype(int)
    stretch -= int(stretch[near].min()) if near.any() else 0
    first = float(np.floor(along[near] / length).min() * length) if near.any() else 0.0
    size = int(stretch[near].max()) + 1 if near.any() else 0
    if size < 2:
        return np.zeros(len(edge.points))
    moves = np.linspace(-reach, reach, 33)
    amounts = levels(profiles, slabs)
    counts = maps.counted.signal[channels][:, near]
    scale = profiles.scale[:, None]
    gain = np.zeros((moves.size, size))
    for number, move in enumerate(moves):
        shapes = slab_shapes(distance[near], replace(slabs, **{which: place + move}))
        expected = np.maximum(amounts @ shapes.T, 1e-4)
        terms = ((counts * np.log(expected) - expected) / scale).sum(axis=0)
        gain[number] = np.bincount(stretch[near], weights=terms, minlength=size)
    weight = np.exp(gain - gain.max(axis=0))
    weight /= weight.sum(axis=0)
    mean = moves @ weight
    variance = np.maximum((moves**2) @ weight - mean**2, (0.02 * step) ** 2)
    at = first + (np.arange(size) + 0.5) * length
    return _smoothed(np.asarray(at, dtype=np.float64), mean, np.asarray(variance), smoothing, edge.along)


def _smoothed(
    at: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    length: float,
    where: NDArray[np.float64],
) -> NDArray[np.float64]:
    """A Gaussian process through measured places; its mean is the places' weighted mean."""
    weight = 1.0 / variance
    centre = float(weight @ mean / weight.sum())
    scatter = float(weight @ (mean - centre) ** 2 / weight.sum())
    excess = max(scatter - float(at.size / weight.sum()), 0.0)
    if excess <= 0:
        return np.zeros(where.size)
    own = excess * np.exp(-0.5 * ((at[:, None] - at[None]) / length) ** 2) + np.diag(variance)
    shared = excess * np.exp(-0.5 * ((where[:, None] - at[None]) / length) ** 2)
    departures: NDArray[np.float64] = shared @ np.linalg.solve(own, mean - centre)
    return departures - float(departures.mean())

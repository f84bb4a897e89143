"""Crystal, layer and outside in element maps: both boundaries, and every pixel's distance from the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.course import Course, follow, level_course
from depthlock.eds.edge import Edge, coordinates
from depthlock.eds.element_maps import ElementMaps
from depthlock.eds.places import Pixels, Places, local_places
from depthlock.eds.slab_fit import distance_profiles, fit_slabs
from depthlock.eds.slabs import Boundary, Profiles, Slabs, Which, boundary_interval

TURNS = 3
"""Times that both boundaries are fitted; between them they are moved to follow the counts."""

STRETCH = 0.5
"""Length of the stretches in which boundaries are followed, over the smoothing length; at least three pixels."""

THINNEST = 0.2
"""Local thickness over the mean that is believed at least."""


@dataclass(frozen=True)
class Chords:
    """Chords from the crystal's edge along its normal to the outer boundary.

    Attributes
    ----------
    mean : float
        Mean length in nm of those that lie wholly in the image.
    variance : float
        Its error's variance in nm^2 beside what the fits of the mean boundaries tell: both are seen unevenly.
    piece_variance : float
        Variance of such a piece's mean about that of an endless layer in nm^2, from the roughness that is seen.
    roughness : float
        Standard deviation of their lengths in nm.
    complete : bool
        Whether any lies wholly in the image; otherwise they are those of the whole edge.
    """

    mean: float
    variance: float
    piece_variance: float
    roughness: float
    complete: bool


@dataclass(frozen=True)
class MappedLayer:
    """The layer in one set of maps.

    Attributes
    ----------
    edge : Edge
        The crystal's edge.
    distance, along : ndarray, shape (n_y, n_x)
        Signed distance from the edge (positive outwards) and arc length along it in nm.
    straight : ndarray, shape (n_y, n_x)
        The same on the straightened layer, which has its mean thickness everywhere.
    slabs : Slabs
        Of the straightened layer.
    inner : Boundary
        The edge itself: its position is 0 to within what is left of the fit.
    outer : Boundary or None
        The layer's outer boundary; None where nothing lies outside.
    chords : Chords or None
        None where nothing lies outside.
    outer_line : ndarray, shape (n, 2), or None
        (y, x) in nm.
    """

    edge: Edge
    distance: NDArray[np.float64]
    along: NDArray[np.float64]
    straight: NDArray[np.float64]
    slabs: Slabs
    inner: Boundary
    outer: Boundary | None
    chords: Chords | None
    outer_line: NDArray[np.float64] | None

    @property
    def inside(self) -> tuple[float, float]:
        """Straightened distances in nm between which everything is layer, clear of both boundaries' blur."""
        low = self.slabs.inner + 2.0 * self.slabs.inner_blur
        if self.outer is None:
            return low, float(self.straight.max())
        return low, self.slabs.outer - 2.0 * self.slabs.outer_blur


@dataclass(frozen=True)
class _Turn:
    """The layer as one turn has fitted it; `thickness` is the local one at the edge's points, or None."""

    maps: ElementMaps
    edge: Edge
    thickness: NDArray[np.float64] | None
    distance: NDArray[np.float64]
    along: NDArray[np.float64]
    straight: NDArray[np.float64]
    profiles: Profiles
    slabs: Slabs


def map_layer(maps: ElementMaps, edge: Edge, substrate: Sequence[str], smoothing: float) -> MappedLayer:
    """Refine the crystal's edge, find the layer's outer boundary, and follow both along the layer.

    Parameters
    ----------
    maps : ElementMaps
    edge : Edge
        First edge of the crystal.
    substrate : sequence of str
        Elements that mark the crystal.
    smoothing : float
        Typical correlation length in nm of the boundaries' departures from a smooth line.

    Returns
    -------
    MappedLayer
    """
    crystal = [maps.elements.index(element) for element in substrate]
    everything = list(range(len(maps.elements)))
    step = float(np.mean(maps.pixel))
    slabs = Slabs(0.0, 1.5 * step, np.inf, 1.5 * step)
    thickness: NDArray[np.float64] | None = None
    for _ in range(TURNS):
        turn = _turn(maps, edge, thickness, slabs, crystal)
        slabs = turn.slabs
        whole = _whole_chords(turn)
        chosen = whole if whole.any() else np.ones_like(whole)
        inner = _course(turn, crystal, "inner", smoothing, chosen)
        edge = Edge(edge.moved(inner.departure), edge.outward)
        if np.isfinite(slabs.outer):
            outer = _course(turn, everything, "outer", smoothing, chosen)
            thickness = np.maximum(outer.departure - inner.departure, THINNEST * (slabs.outer - slabs.inner))
    # Distances count from the edge, where the last fit has put it.
    profiles = replace(turn.profiles, distance=turn.profiles.distance - slabs.inner)
    moved = replace(slabs, inner=0.0, outer=slabs.outer - slabs.inner)
    found = MappedLayer(
        edge=edge,
        distance=turn.distance - slabs.inner,
        along=turn.along,
        straight=turn.straight - slabs.inner,
        slabs=moved,
        inner=boundary_interval(profiles.channels(crystal), moved, "inner", step),
        outer=None,
        chords=None,
        outer_line=None,
    )
    if thickness is None:
        return found
    variance = inner.variance + outer.variance - inner.common_variance - outer.common_variance
    return replace(
        found,
        outer=boundary_interval(profiles, moved, "outer", step),
        chords=Chords(
            outer.mean - inner.mean, max(variance, 0.0), outer.piece_variance, outer.roughness, bool(whole.any())
        ),
        outer_line=edge.moved(thickness),
    )


def _turn(
    maps: ElementMaps, edge: Edge, thickness: NDArray[np.float64] | None, slabs: Slabs, crystal: list[int]
) -> _Turn:
    step = float(np.mean(maps.pixel))
    distance, along = coordinates(edge, maps.good.shape, maps.pixel)
    straight = distance
    if thickness is not None:
        straight = straightened(distance, np.interp(along, edge.along, thickness), float(thickness.mean()))
    profiles = distance_profiles(maps, straight, step)
    profiles, slabs = fit_slabs(maps, profiles, replace(slabs, inner=0.0), crystal, step)
    return _Turn(maps, edge, thickness, distance, along, straight, profiles, slabs)


def straightened(distance: NDArray[np.float64], local: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Distances in nm on a layer drawn from its `local` thickness to the `mean`: stretched inside, moved outside."""
    return np.where(
        distance <= 0, distance, np.where(distance < local, distance * mean / local, distance - local + mean)
    )


def _whole_chords(turn: _Turn) -> NDArray[np.bool_]:
    """Points of the edge whose chord to the outer boundary, if there is one, lies in the image."""
    edge, shape, pixel = turn.edge, turn.maps.good.shape, turn.maps.pixel
    whole = _inside(edge.points, shape, pixel)
    if np.isfinite(turn.slabs.outer):
        thickness = np.full(len(edge.points), turn.slabs.outer) if turn.thickness is None else turn.thickness
        whole &= _inside(edge.moved(thickness), shape, pixel)
    return whole


def _inside(points: NDArray[np.float64], shape: tuple[int, ...], pixel: tuple[float, float]) -> NDArray[np.bool_]:
    at = points / np.asarray(pixel) + 0.5
    return np.asarray(np.all((at >= 0) & (at <= np.asarray(shape)), axis=1))


def _course(turn: _Turn, channels: list[int], which: Which, smoothing: float, chosen: NDArray[np.bool_]) -> Course:
    """How a boundary runs along the edge, as distances in nm from it."""
    profiles, along = turn.profiles.channels(channels), turn.edge.along
    places = _places(turn.maps, channels, turn.straight, turn.along, profiles, turn.slabs, which, smoothing)
    if places is None:
        return level_course(along.size, getattr(turn.slabs, which))
    place = places.place
    if which == "outer" and turn.thickness is not None:
        place = place + np.interp(places.along, along, turn.thickness) - float(turn.thickness.mean())
    return follow(places.along, place, places.variance, along, chosen, smoothing)


def uneven_variance(maps: ElementMaps, layer: MappedLayer, number: int, profiles: Profiles, slabs: Slabs,
                    smoothing: float) -> float:  # fmt: skip
    """Variance in nm^2 of an element's mean place at the crystal's edge, beside that of its counts: it lies unevenly.

    Parameters
    ----------
    maps : ElementMaps
    layer : MappedLayer
    number : int
        Which element.
    profiles : Profiles
        Of this element.
    slabs : Slabs
        Fitted to it.
    smoothing : float
        As for `map_layer`.
    """
    places = _places(maps, [number], layer.straight, layer.along, profiles, slabs, "inner", smoothing)
    if places is None:
        return 0.0
    along = layer.edge.along
    course = follow(places.along, places.place, places.variance, along, np.ones(along.size, dtype=bool), smoothing)
    return max(course.variance - course.common_variance, 0.0)


def _places(
    maps: ElementMaps,
    channels: list[int],
    straight: NDArray[np.float64],
    along: NDArray[np.float64],
    profiles: Profiles,
    slabs: Slabs,
    which: Which,
    smoothing: float,
) -> Places | None:
    step = float(np.mean(maps.pixel))
    pixels = Pixels(maps.counted.signal[channels][:, maps.good], straight[maps.good], along[maps.good])
    return local_places(pixels, profiles, slabs, which, max(STRETCH * smoothing, 3.0 * step), step)

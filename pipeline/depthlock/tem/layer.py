"""The amorphous layer of one image: crystal, straightened strip, both boundaries and their posterior."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.crystal import Crystal, crystal_edges, largest_crystal, nearer_to_others, stray_fringes
from depthlock.tem.demodulation import BraggMap, ImageSpectrum, bragg_map
from depthlock.tem.discriminant import Discriminant
from depthlock.tem.edge_profile import Shift, boundary_shift
from depthlock.tem.features import COLUMN, POINTS, Fields, StripFeatures, evenly_lit, make_fields, strip_features
from depthlock.tem.fringes import local_fringes
from depthlock.tem.hints import (
    Hints,
    contradicted,
    drawn_crystal,
    fringes_elsewhere,
    hinted_edges,
    hinted_reflections,
    outward_reach,
    stroke_masks,
)
from depthlock.tem.lattice import SHORTEST_SPACING, Reflection, find_reflections
from depthlock.tem.measured import Boundaries, Evidence, Layer
from depthlock.tem.posterior import BoundaryPosterior, sample_boundary
from depthlock.tem.spacing import LatticeFit, fit_reflection
from depthlock.tem.straighten import Axis, outward_sign, smooth_axis
from depthlock.tem.threads import on_threads
from depthlock.tem.trace import Trace, around, cumulative, edge_sharpness, trace_layer
from depthlock.tem.watch import watch_boundaries
from depthlock.tem.window_maps import WindowMaps, window_maps
from depthlock.tem.windows import windowed_spectra

INWARD = 6.0
"""Depth in nm to which the strip reaches into the crystal."""

BEYOND = 6.0
"""Length in nm beyond the largest thickness that the strip reaches outwards."""

AGAIN = 12.0
"""Length in nm by which the second strip reaches beyond the thickest place: the outside's seeds end at 8."""

FIRST_SMOOTHING = 6.0
"""Least smoothing in nm of the edge read from the Bragg amplitude, whose ripples are noise."""

EXTENSION = 1.5
"""Length in nm by which that edge is continued: it ends short of the image's border, and smoothing shortens it."""

BAND = 1.5
"""Half width in nm around the coarse boundary within which its posterior is computed."""


SHARP = 0.35
"""Least share of the step from layer to outside that happens at the boundary: a ramp of light has no edge."""

LEAST_THICKNESS = 1.2
"""Mean thickness in nm below which blur and Fresnel fringes of a bare edge cannot be told from a layer."""

MEASURABLE = 1.5
"""Least distance between layer and outside, in standard deviations of 1 nm of one column, that carries a boundary."""

SUFFICIENT = 3.5
"""The same between crystal and layer, without the lattice, above which the fringes are not needed."""

APART, APART_SHARE = 0.5, 0.10
"""Crystal edges with and without the fringes further apart (nm) over more than this share of the length disagree."""

FAINT, FAINT_SHARE = 1.0, 0.20
"""From this separation on the edge without the fringes still says whether they fade before the crystal ends."""

STRAY = 0.6
"""Share of the fringes outside of the largest crystal from which on it is none: 0.05 to 0.4 beside a real one."""

PATCHY = 0.05
"""Share of the crystal without fringes from which on a disagreement is put down to them."""


def measure_layer(
    image: NDArray[np.float32],
    pixel: tuple[float, float],
    *,
    smoothing: float,
    maximum_thickness: float,
    hint: float | None,
    samples: int,
    rng: np.random.Generator,
    hidden: NDArray[np.bool_] | None = None,
    hints: Hints | None = None,
) -> Layer:
    """Find the layer next to the largest crystal.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        Finite, of median about 1.
    pixel : tuple of float
        Pixel size in nm along y and x.
    smoothing : float
        Full width at half maximum in nm of the smoothing of the crystal's edge.
    maximum_thickness : float
        Largest thickness in nm looked for.
    hint : float or None
        Expected lattice spacing in nm.
    samples : int
        Posterior draws.
    rng : numpy.random.Generator
    hidden : ndarray of bool, optional
        Pixels that are none of the specimen (`hidden.filled` has gone over them).
    hints : Hints, optional
        What a person said of the image.

    Returns
    -------
    Layer
    """
    spectra = windowed_spectra(image, pixel, limit=1 / SHORTEST_SPACING)
    reflections = find_reflections(spectra, hint=hint) if hints is None else hinted_reflections(spectra, hints, hint)
    maps = window_maps(image, pixel, reflections)
    spectrum = ImageSpectrum(image, pixel)
    bragg = bragg_map(spectrum, reflections) if reflections else None
    crystal = None if bragg is None else largest_crystal(bragg, None if hints is None else hints.near_crystal)
    doubts: tuple[str, ...] = ()
    if bragg is None or crystal is None:
        crystal = None if hints is None else drawn_crystal(hints, (image.shape[0], image.shape[1]), pixel)
        if hints is None or crystal is None:
            return Layer(("no_crystal",), fringes=local_fringes(spectra), maps=maps)
        bragg, reflections = BraggMap.nothing(crystal.mask.shape, crystal.step), []
        doubts = ("no_fringes", *(("hint_contradicted",) if fringes_elsewhere(spectra, hints) else ()))
    elif stray_fringes(crystal, spectra) > STRAY:
        # Where a person points to one of many crystals, its edge may be one; the doubt stays.
        if hints is None:
            return Layer(("no_crystal", "fringes_everywhere"), fringes=local_fringes(spectra), maps=maps)
        doubts = ("fringes_everywhere",)
    lattice = _lattice(spectrum, reflections, crystal)
    found = Layer(("no_outside", *doubts), crystal, lattice, maps=maps)
    edges = crystal_edges(crystal)
    if hints is not None:
        edges = hinted_edges(edges, hints)
    if not edges:
        return found
    shape = (image.shape[0], image.shape[1])
    strokes = None if hints is None or not hints.strokes else stroke_masks(hints, shape, pixel)
    fields = make_fields(
        spectrum, [fit.reflection for fit in lattice], bragg, hidden, strokes, nearer_to_others(crystal, spectra)
    )
    del spectrum
    for edge in edges[:3]:
        sign = outward_sign(edge, crystal.mask, crystal.step)
        farthest = maximum_thickness + BEYOND
        if hints is not None:
            farthest = outward_reach(edge, hints, farthest)
        strips = _Strips(fields, sign, smoothing, bool(lattice))
        boundaries, flags = _along_edge(edge, strips, farthest, crystal, maps, samples, rng)
        found = replace(found, boundaries=boundaries, flags=(*flags, *doubts))
        if boundaries is not None:
            break
    if hints is not None and found.boundaries is not None and contradicted(hints, found.boundaries):
        return found.flagged("hint_contradicted")
    return found


def _lattice(spectrum: ImageSpectrum, reflections: list[Reflection], crystal: Crystal) -> tuple[LatticeFit, ...]:
    return tuple(on_threads(lambda one: fit_reflection(spectrum, one, crystal.mask, crystal.step), reflections))


@dataclass(frozen=True)
class _Strips:
    """Makes strips along one edge of one image."""

    fields: Fields
    outward: int
    smoothing: float
    fringes: bool

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether to use the fringes: without, and with them where there are any."""
        return (False, True) if self.fringes else (False,)

    def along(self, points: NDArray[np.float64], smoothing: float, reach: float) -> tuple[Axis, StripFeatures]:
        """The axis with one point a column, and the features along it to `reach` nm outside."""
        line = smooth_axis(points, smoothing, COLUMN / POINTS, self.outward, EXTENSION)
        return line.averaged(POINTS), strip_features(line, self.fields, INWARD, reach)


def _along_edge(
    edge: NDArray[np.float64],
    strips: _Strips,
    farthest: float,
    crystal: Crystal,
    maps: WindowMaps,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Boundaries | None, tuple[str, ...]]:
    axis, features = strips.along(edge, max(strips.smoothing, FIRST_SMOOTHING), farthest)
    first = _choose(*_both(on_threads(lambda use: trace_layer(features, None, use_bragg=use), strips.ways)))
    if first is None:
        return None, ("no_outside",)
    # Straighten again along the edge just found, so that depths are chords along its own normals.
    reach = min(float((first.outer - first.inner).max()) + AGAIN, farthest)
    again, features = strips.along(axis.at(first.inner), strips.smoothing, reach)
    here = np.arange(len(again.points)) * again.spacing - EXTENSION
    thickness = np.interp(here, axis.arc_length, first.outer - first.inner)
    start = (np.zeros_like(thickness), thickness)
    plain, latticed = _both(on_threads(lambda use: trace_layer(features, start, use_bragg=use), strips.ways))
    final = _choose(plain, latticed)
    if final is None or final.outer_side.separation < MEASURABLE or edge_sharpness(features, final) < SHARP:
        return None, ("no_outside",)
    lines = ((final.inner_side, final.inner, rng.spawn(1)[0]), (final.outer_side, final.outer, rng.spawn(1)[0]))
    inner, outer = on_threads(lambda line: _posterior(features, *line[:2], samples, line[2]), lines)
    first_depth, last_depth = features.reach()
    used = (first_depth <= inner.mean) & (last_depth >= outer.mean) & features.seen(inner.mean, outer.mean)
    if not used.any() or float((outer.mean - inner.mean)[used].mean()) < LEAST_THICKNESS:
        return None, ("no_layer",)
    lit = evenly_lit(features, list(around(features, inner.mean, outer.mean))).values[0]
    inner_shift, outer_shift = _shifts(lit, features.depth, inner.mean, outer.mean, used, rng)
    inner, outer = inner.shifted(inner_shift, rng), outer.shifted(outer_shift, rng)
    watched = watch_boundaries(maps, again, lit, features.depth, (inner.mean, outer.mean), used)
    evidence = Evidence(
        final.inner_side.separation,
        final.outer_side.separation,
        edge_sharpness(features, final),
        inner_shift,
        outer_shift,
        final is not plain,
        watched,
    )
    flags = (*_doubts(plain, latticed, crystal, used), *watched.doubts())
    return Boundaries(again, inner, outer, used, evidence), tuple(dict.fromkeys(flags))


def _shifts(
    lit: NDArray[np.float64],
    depth: NDArray[np.float64],
    inner: NDArray[np.float64],
    outer: NDArray[np.float64],
    used: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[Shift, Shift]:
    """Common shifts of both boundaries by the mean brightness across them."""
    gap = float(np.quantile((outer - inner)[used], 0.1)) - 0.6 if used.any() else 0.0
    lines = ((inner, (-4.0, gap), rng.spawn(1)[0]), (outer, (-gap, 4.0), rng.spawn(1)[0]))
    first, second = on_threads(lambda line: boundary_shift(lit, depth, line[0], used, line[1], line[2]), lines)
    return first, second


def _both(traces: list[Trace | None]) -> tuple[Trace | None, Trace | None]:
    """The traces without and with the fringes."""
    return traces[0], traces[1] if len(traces) > 1 else None


def _choose(plain: Trace | None, latticed: Trace | None) -> Trace | None:
    """Without the fringes where brightness and texture tell crystal from layer: that is the steadier answer."""
    if plain is None or latticed is None:
        return plain or latticed
    return plain if plain.inner_side.separation >= SUFFICIENT else latticed


def _doubts(plain: Trace | None, latticed: Trace | None, crystal: Crystal, used: NDArray[np.bool_]) -> tuple[str, ...]:
    flags = ["patchy_fringes"] if crystal.patchiness > 2 * PATCHY else []
    if plain is not None and latticed is not None and plain.inner_side.separation >= FAINT:
        apart = np.abs(plain.inner - latticed.inner)[used] > APART
        share = APART_SHARE if plain.inner_side.separation >= SUFFICIENT else FAINT_SHARE
        if apart.any() and apart.mean() > share:
            flags.append("patchy_fringes" if crystal.patchiness > PATCHY else "methods_disagree")
    return tuple(dict.fromkeys(flags))


def _posterior(
    features: StripFeatures, side: Discriminant, path: NDArray[np.float64], samples: int, rng: np.random.Generator
) -> BoundaryPosterior:
    edges = features.edges
    near = (edges >= path.min() - BAND) & (edges <= path.max() + BAND)
    score = cumulative(side)[:, near]
    score = np.where(np.abs(edges[near][None, :] - path[:, None]) <= BAND, score, -1e6)
    return sample_boundary(score, edges[near], samples, rng)

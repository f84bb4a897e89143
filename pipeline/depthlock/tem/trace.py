"""Both boundaries of the layer in one straightened strip, from seeds laid by anatomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.boundaries import ordered_boundaries
from depthlock.tem.demodulation import BraggMap, ImageSpectrum, coherent_amplitude
from depthlock.tem.discriminant import DRIFT, Discriminant, discriminate
from depthlock.tem.field import Field
from depthlock.tem.illumination import gain_over_sides
from depthlock.tem.lattice import Reflection
from depthlock.tem.straighten import Axis
from depthlock.tem.threads import on_threads

COLUMN = 0.5
"""Width in nm of a column of the strip: boundaries are found once a column."""

POINTS = 8
"""Points along the interface that are averaged to a column."""

FINE = 0.06
"""Depth in nm of a cell of the strip."""

TEXTURE_BANDS = ((0.8, 1.8), (1.8, 4.5))
"""Bands in 1/nm whose power, lattice removed, is a texture feature."""

COARSE = 0.25
"""Depth step in nm of the dynamic programming over pairs."""

ROUNDS, SETTLED = 4, 0.02
"""Most rounds of laying seeds around the last answer, and the mean change in nm after which there is no need."""

STIFFNESS = 0.3
"""Change of depth in nm from column to column that costs as much as one standard deviation."""

LEAST_STROKES = 8.0
"""Area in nm^2 of strokes on one side from which on they take the place of the seeds by anatomy."""

NEAR = 1.0
"""Distance in nm from a boundary within which it must be seen."""

PATCHES = 3.0
"""Length in nm (sigma) along the interface over which the strength of the fringes drifts: they come in patches."""

CLEAR = 0.7
"""Distance in nm from a boundary within which no seed is taken: blur, overlap and windows mix the sides there."""


Sides = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
"""Where crystal, layer and outside are known to be."""


@dataclass(frozen=True)
class Fields:
    """Feature images of one image: brightness and texture without the lattice, and the Bragg amplitude.

    `hidden` marks pixels that are none of the specimen, `strokes` those a person put in crystal, layer and outside;
    `others` is what lies nearer to another crystal, on the Bragg map's grid.
    """

    brightness: Field
    textures: tuple[Field, ...]
    bragg: Field
    hidden: Field | None = None
    strokes: tuple[Field, Field, Field] | None = None
    others: Field | None = None


def make_fields(
    spectrum: ImageSpectrum,
    reflections: list[Reflection],
    bragg: BraggMap,
    hidden: NDArray[np.bool_] | None = None,
    strokes: Sides | None = None,
    others: NDArray[np.bool_] | None = None,
) -> Fields:
    """Compute the feature images; texture bands past the camera's own limit are left out."""
    limit = 0.45 / max(spectrum.pixel)
    bands = [(low, min(high, limit)) for low, high in TEXTURE_BANDS if low < 0.7 * limit]
    textures = tuple(spectrum.texture(reflections, *band) for band in bands)
    brightness = spectrum.brightness(reflections)
    extent = brightness.extent

    def field(mask: NDArray[np.bool_ | np.float32], step: tuple[float, float]) -> Field:
        return Field(mask.astype(np.float32), step, extent)

    drawn = None
    if strokes is not None:
        crystal, layer, outside = (field(mask, spectrum.pixel) for mask in strokes)
        drawn = (crystal, layer, outside)
    return Fields(
        brightness,
        textures,
        Field(*coherent_amplitude(spectrum, reflections), extent) if reflections else field(bragg.power, bragg.step),
        None if hidden is None else field(hidden, spectrum.pixel),
        drawn,
        None if others is None or not others.any() else field(others, bragg.step),
    )


@dataclass(frozen=True)
class StripFeatures:
    """Features averaged over cells of a strip.

    Attributes
    ----------
    values : ndarray, shape (n_features, n_v, n_s)
        The Bragg amplitude last; NaN outside the image.
    depth : ndarray, shape (n_v,)
        Centres of the cells in nm.
    y, x : ndarray, shape (n_v, n_s)
        Centres of the cells in nm from the first pixel's centre.
    depth_step, column_step : float
        Size of a cell in nm.
    strokes : tuple of ndarray of bool, shape (n_v, n_s), or None
        Cells that a person put in crystal, layer and outside.
    """

    values: NDArray[np.float64]
    depth: NDArray[np.float64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    depth_step: float
    column_step: float
    strokes: Sides | None = None

    @property
    def edges(self) -> NDArray[np.float64]:
        """Lower edges of the cells in nm: where a boundary before the cell lies."""
        return np.asarray(self.depth - self.depth_step / 2)

    def seen(self, inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Columns of which nothing is hidden from NEAR inside the inner boundary to NEAR beyond the outer one."""
        there = np.isfinite(self.values).all(axis=0)
        first, last = self.reach()
        depth = self.depth[:, None]
        looked_at = (depth >= np.maximum(inner - NEAR, first)) & (depth <= np.minimum(outer + NEAR, last))
        return np.asarray((there | ~looked_at).all(axis=0))

    def reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First and last depth in nm inside the image, of each column; inf and -inf in columns outside."""
        there = np.isfinite(self.values).all(axis=0)
        depth = self.depth[:, None]
        return np.where(there, depth, np.inf).min(axis=0), np.where(there, depth, -np.inf).max(axis=0)


def strip_features(line: Axis, fields: Fields, inward: float, outward: float) -> StripFeatures:
    """Sample the feature images from `inward` nm inside to `outward` nm outside a line of POINTS points a column.

    Cut where no column is left in the image.
    """
    depth = np.asarray(np.arange(-round(inward / FINE), round(outward / FINE) + 1) * FINE, dtype=np.float64)
    axis = line.averaged(POINTS)
    count = len(axis.points)

    def cells(field: Field) -> NDArray[np.float64]:
        points = field.along(line, depth)[:, : count * POINTS]
        return np.asarray(points.reshape(depth.size, count, POINTS).mean(axis=2, dtype=np.float64))

    values = np.stack(on_threads(cells, (fields.brightness, *fields.textures, fields.bragg)))
    there = np.flatnonzero(np.isfinite(values[0]).any(axis=1))
    keep = slice(int(there[0]), int(there[-1]) + 1) if there.size else slice(0, 0)
    if fields.hidden is not None:
        values[:, cells(fields.hidden) > 0] = np.nan
    if fields.others is not None:
        values[:, cells(fields.others) > 0.5] = np.nan
    strokes = None
    if fields.strokes is not None:
        crystal, layer, outside = (cells(field)[keep] > 0.5 for field in fields.strokes)
        strokes = (crystal, layer, outside)
    y, x = (axis.points[None, :, i] + depth[keep, None] * axis.normals[None, :, i] for i in (0, 1))
    return StripFeatures(values[:, keep], depth[keep], y, x, FINE, axis.spacing, strokes)


def evenly_lit(features: StripFeatures, sides: list[NDArray[np.bool_]]) -> StripFeatures:
    """The features divided by the illumination common to the three sides (textures, as powers, by its square)."""
    gain = gain_over_sides(features.values[0], features.y, features.x, sides)
    powers = np.ones(len(features.values))
    powers[1:-1] = 2.0
    return replace(features, values=features.values / gain[None] ** powers[:, None, None])


@dataclass(frozen=True)
class Trace:
    """Both boundaries in a strip, with what they rest on.

    Attributes
    ----------
    inner, outer : ndarray, shape (n_s,)
        Depth in nm of the crystal's edge and of the layer's outer edge.
    inner_side, outer_side : Discriminant
        Crystal against layer, layer against outside.
    """

    inner: NDArray[np.float64]
    outer: NDArray[np.float64]
    inner_side: Discriminant
    outer_side: Discriminant

    def apart(self, other: Trace) -> float:
        """Mean distance in nm of the boundaries from those of another trace of the strip."""
        return float(np.mean(np.abs([self.inner - other.inner, self.outer - other.outer])))


def trace_layer(
    features: StripFeatures, start: tuple[NDArray[np.float64], NDArray[np.float64]] | None, *, use_bragg: bool
) -> Trace | None:
    """Find both boundaries, laying the seeds again around each answer.

    Parameters
    ----------
    features : StripFeatures
    start : tuple of ndarray, optional
        Inner and outer boundary known roughly. Without them the seeds are laid by anatomy around depth 0: layer
        0.8 to 2.5 nm outside the crystal, outside at the far end.
    use_bragg : bool
        Whether the Bragg amplitude is among the features.

    Returns
    -------
    Trace or None
        None when the seeds cannot be told apart at all.
    """
    seeds = _first_seeds(features) if start is None else around(features, *start)
    lit = features if start is None else evenly_lit(features, list(seeds))
    # Bridged gaps in the fringes put the first axis this far into or out of the crystal; afterwards it is the edge.
    reach = (-4.0, 6.0) if start is None else (-2.5, 2.5)
    trace: Trace | None = None
    for _ in range(ROUNDS):
        crystal, layer, outside = seeds
        # The lattice says nothing of where the layer ends.
        plain = lit.values[:-1]
        values, drift = (lit.values, (DRIFT,) * len(plain) + (PATCHES,)) if use_bragg else (plain, None)
        inner_side = discriminate(values, crystal, layer, lit.depth_step, lit.column_step, drift)
        outer_side = discriminate(plain, layer, outside, lit.depth_step, lit.column_step)
        if inner_side is None or outer_side is None:
            return trace
        inner, outer = _coarse_pair(lit, inner_side, outer_side, reach)
        before, trace = trace, Trace(inner, outer, inner_side, outer_side)
        if before is not None and trace.apart(before) < SETTLED:
            break
        seeds = around(features, inner, outer)
        lit = evenly_lit(features, list(seeds))
    return trace


def _first_seeds(features: StripFeatures) -> Sides:
    """Seeds by anatomy, or the strokes of a side where there are enough of them."""
    by_anatomy = _anatomy(features)
    if features.strokes is None:
        return by_anatomy
    least = LEAST_STROKES / (features.depth_step * features.column_step)
    crystal, layer, outside = (
        own if own.sum() >= least else seeds for own, seeds in zip(features.strokes, by_anatomy, strict=True)
    )
    return _with_strokes((crystal, layer, outside), features)


def _with_strokes(seeds: Sides, features: StripFeatures) -> Sides:
    """The seeds with the strokes of their own side, and without those of the others."""
    if features.strokes is None:
        return seeds
    drawn = np.any(features.strokes, axis=0)
    crystal, layer, outside = (side & ~drawn | own for side, own in zip(seeds, features.strokes, strict=True))
    return crystal, layer, outside


def _anatomy(features: StripFeatures) -> Sides:
    depth = np.broadcast_to(features.depth[:, None], features.values.shape[1:])
    _, last = features.reach()
    crystal = (depth >= -4.0) & (depth <= -0.8)
    layer = (depth >= 0.8) & (depth <= 2.5)
    # Columns that leave the image early may end in the layer: they seed no outside.
    long_enough = last >= 0.6 * np.quantile(last, 0.9)
    far = (depth > 2.5 + 0.75 * np.maximum(last - 2.5, 0)) & long_enough[None, :]
    return crystal, layer, far


def around(features: StripFeatures, inner: NDArray[np.float64], outer: NDArray[np.float64]) -> Sides:
    """Seeds of crystal, layer and outside on both sides of known boundaries, and under strokes."""
    depth = features.depth[:, None]
    clear = np.minimum(CLEAR, 0.3 * (outer - inner))[None, :]
    crystal = (depth >= inner - 5.0) & (depth <= inner - CLEAR)
    layer = (depth >= inner[None, :] + clear) & (depth <= outer[None, :] - clear)
    outside = (depth >= outer + CLEAR) & (depth <= outer + 8.0)
    return _with_strokes((crystal, layer, outside), features)


def edge_sharpness(features: StripFeatures, trace: Trace) -> float:
    """Share of the step from layer to outside within 1.5 nm of the boundary: 1 for an edge, less for a ramp."""
    ratio = trace.outer_side.ratio
    depth = features.depth[:, None] - trace.outer[None, :]
    there = np.isfinite(features.values).all(axis=0)

    def level(low: float, high: float) -> float:
        chosen = there & (depth >= low) & (depth < high)
        return float(ratio[chosen].mean()) if chosen.any() else float("nan")

    whole = level(-8.0, -0.3) - level(0.3, 8.0)
    return (level(-1.5, -0.3) - level(0.3, 1.5)) / whole if whole else float("nan")


def cumulative(side: Discriminant) -> NDArray[np.float64]:
    """Log-likelihood that the boundary lies before each cell, shape (n_s, n_v)."""
    total = np.cumsum(side.ratio, axis=0) - side.ratio
    return np.asarray(total.T)


def _coarse_pair(
    features: StripFeatures, inner_side: Discriminant, outer_side: Discriminant, inner_reach: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = max(1, round(COARSE / features.depth_step))
    step = rows * features.depth_step
    edges = features.edges[::rows]
    inner_score = cumulative(inner_side)[:, ::rows]
    # What lies far outside is never crystal, however much it looks like it.
    inner_score[:, (edges < inner_reach[0]) | (edges > inner_reach[1])] = -np.inf
    inner, outer, _ = ordered_boundaries(
        inner_score,
        cumulative(outer_side)[:, ::rows],
        least_gap=max(1, round(0.5 / step)),
        reach=3,
        stiffness=0.5 * (step / STIFFNESS) ** 2,
    )
    smooth = [ndimage.gaussian_filter1d(edges[index], 0.8, mode="nearest") for index in (inner, outer)]
    return smooth[0], smooth[1]

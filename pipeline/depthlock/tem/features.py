"""Feature images of an image, and what they are in the cells of a strip straightened along a line."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.demodulation import BraggMap, ImageSpectrum, coherent_amplitude
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

NEAR = 1.0
"""Distance in nm from a boundary within which it must be seen."""

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

"""Hints of a person: roughly where the layer is, and a few strokes in each class. They guide; the image decides.

They choose crystal and edge, end the strip, and are seeds of the discriminants beside those laid by anatomy. No
boundary is put where a stroke is: where the measured layer and the strokes differ, the image contradicts the hint.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.crystal import AROUND, Crystal
from depthlock.tem.labels import CRYSTAL, LAYER, OUTSIDE
from depthlock.tem.lattice import Reflection, find_reflections
from depthlock.tem.windows import WINDOW, Spectra

if TYPE_CHECKING:
    from depthlock.tem.measured import Boundaries

STROKES = {"outside": OUTSIDE, "layer": LAYER, "crystal": CRYSTAL}
"""Classes of which strokes can be drawn, with their labels."""

STROKE_WIDTH = 1.0
"""Width in nm of a stroke: enough for the scatter of the features over 1 nm, and less than a layer."""

BEYOND_STROKES = 2.0
"""Length in nm past the farthest stroke outside to which the strip reaches."""

CLOSE = 0.5
"""Distance in nm by which a stroke may miss its class at a boundary: nobody draws better."""

ROUGH = 3.0
"""The same for the layer's rough position."""

CONTRADICTED = 0.25
"""Share of the length of a class's strokes outside of it from which on the image contradicts them."""

GRID = 0.25
"""Step in nm on which the places nearest to strokes are found."""


@dataclass(frozen=True)
class Hints:
    """What a person said of one image.

    Attributes
    ----------
    layer_at : ndarray, shape (n, 2)
        A point or line (y, x) in nm roughly in the layer; empty without.
    strokes : dict of str to list of ndarray, shape (n, 2)
        Lines (y, x) in nm by class of `STROKES`.
    """

    layer_at: NDArray[np.float64]
    strokes: dict[str, list[NDArray[np.float64]]]

    @classmethod
    def read(cls, text: str, pixel: tuple[float, float]) -> Hints:
        """Hints from JSON: `layer_at`, a list of [row, column] in pixels, and lists of such lists by class."""
        told = json.loads(text)
        layer_at = np.asarray(told.get("layer_at", []), dtype=np.float64).reshape(-1, 2) * pixel
        strokes = {
            name: [np.asarray(line, dtype=np.float64) * pixel for line in told[name]]
            for name in STROKES
            if told.get(name)
        }
        return cls(layer_at, strokes)

    @property
    def told(self) -> str:
        """What was given, in words."""
        given = ["rough position"] if len(self.layer_at) else []
        if self.strokes:
            given.append("strokes in " + ", ".join(self.strokes))
        return " and ".join(given)

    def points(self, name: str) -> NDArray[np.float64]:
        """Points (y, x) in nm along all strokes of a class, about GRID apart, shape (n, 2)."""
        lines = [_dense(line) for line in self.strokes.get(name, [])]
        return np.concatenate(lines) if lines else np.empty((0, 2))

    @property
    def near_crystal(self) -> NDArray[np.float64] | None:
        """Points in or near the crystal to measure at: its strokes, or else where the layer is; None without."""
        strokes = self.points("crystal")
        points = strokes if len(strokes) else self.in_layer
        return points if len(points) else None

    @property
    def in_layer(self) -> NDArray[np.float64]:
        """Points roughly in the layer; empty without."""
        return np.concatenate([_dense(self.layer_at), self.points("layer")])


def _dense(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points about GRID apart along a line, shape (n, 2)."""
    if len(line) < 2:
        return line
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, arc[-1], max(2, int(arc[-1] / GRID) + 1))
    return np.column_stack([np.interp(at, arc, line[:, axis]) for axis in (0, 1)])


def stroke_masks(
    hints: Hints, shape: tuple[int, int], pixel: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels under the strokes of crystal, layer and outside, shape `shape` each."""
    masks = []
    for name in ("crystal", "layer", "outside"):
        points = hints.points(name)
        mask = np.zeros(shape, dtype=bool)
        if len(points):
            mask = _distance(points, shape, pixel) <= STROKE_WIDTH / 2
        masks.append(mask)
    return masks[0], masks[1], masks[2]


def windows_near(spectra: Spectra, points: NDArray[np.float64], reach: float) -> Spectra:
    """The windows whose centre is within `reach` nm of a point, in one column; the nearest one at least."""
    centres = np.stack(np.meshgrid(spectra.y, spectra.x, indexing="ij"), axis=-1).reshape(-1, 2)
    distance = np.min(np.linalg.norm(centres[:, None] - points[None], axis=2), axis=1)
    chosen = distance <= max(reach, float(distance.min()))
    power = spectra.power.reshape(-1, 1, *spectra.power.shape[2:])[chosen]
    return Spectra(power, spectra.ky, spectra.kx, spectra.y, spectra.x)


def hinted_reflections(spectra: Spectra, hints: Hints, spacing: float | None) -> list[Reflection]:
    """Reflections of the hinted crystal: under its strokes; or around the layer, or anywhere where none is near."""
    strokes = hints.points("crystal")
    if len(strokes):
        return find_reflections(windows_near(spectra, strokes, WINDOW / 2), hint=spacing)
    near = find_reflections(windows_near(spectra, hints.in_layer, AROUND), hint=spacing) if len(hints.in_layer) else []
    return near or find_reflections(spectra, hint=spacing)


def fringes_elsewhere(spectra: Spectra, hints: Hints) -> bool:
    """Whether there are fringes under strokes in the layer or outside."""
    points = np.concatenate([hints.points(name) for name in ("layer", "outside")])
    return bool(len(points)) and bool(find_reflections(windows_near(spectra, points, WINDOW / 4)))


def drawn_crystal(hints: Hints, shape: tuple[int, int], pixel: tuple[float, float]) -> Crystal | None:
    """The places nearer to a stroke in the crystal than to any other, where no fringes show a crystal.

    None without strokes in crystal and layer.
    """
    if not {"crystal", "layer"} <= set(hints.strokes):
        return None
    steps = tuple(max(GRID, p) for p in pixel)
    coarse = tuple(max(2, int((n - 1) * p / h) + 1) for n, p, h in zip(shape, pixel, steps, strict=True))
    step, grid = (steps[0], steps[1]), (coarse[0], coarse[1])
    others = np.concatenate([hints.points(name) for name in ("layer", "outside")])
    mask = _distance(hints.points("crystal"), grid, step) < _distance(others, grid, step)
    return Crystal(mask, step, float("nan"), 0.0)


def _distance(points: NDArray[np.float64], shape: tuple[int, int], pixel: tuple[float, float]) -> NDArray[np.float64]:
    """Distance in nm of every pixel from the nearest point."""
    rows, columns = (
        np.clip(np.round(points[:, axis] / pixel[axis]).astype(int), 0, shape[axis] - 1) for axis in (0, 1)
    )
    away = np.ones(shape, dtype=bool)
    away[rows, columns] = False
    return np.asarray(ndimage.distance_transform_edt(away, sampling=pixel))


def hinted_edges(edges: list[NDArray[np.float64]], hints: Hints) -> list[NDArray[np.float64]]:
    """The edge that passes nearest to the layer's rough position, as far as that reaches; all of them without one."""
    points = hints.in_layer
    if not len(points) or not edges:
        return edges
    nearest = min(edges, key=lambda edge: float(np.mean(_to_line(points, edge)[0])))
    if len(hints.layer_at) < 2:
        return [nearest]
    at = _to_line(_dense(hints.layer_at), nearest)[1]
    part = nearest[int(at.min()) : int(at.max()) + 1]
    return [part if len(part) > 3 else nearest]


def _to_line(points: NDArray[np.float64], line: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Distance in nm of every point from the nearest point of a line, and which one that is."""
    distance = np.linalg.norm(points[:, None] - line[None], axis=2)
    return distance.min(axis=1), distance.argmin(axis=1)


def outward_reach(edge: NDArray[np.float64], hints: Hints, most: float) -> float:
    """How far in nm beyond an edge the strip goes: past the strokes outside, or `most` without any."""
    points = hints.points("outside")
    if not len(points):
        return most
    return min(most, float(_to_line(points, edge)[0].max()) + BEYOND_STROKES)


def contradicted(hints: Hints, found: Boundaries) -> bool:
    """Whether more than CONTRADICTED of a class's strokes lie in another one, or the layer is not where it was said.

    Strokes past the ends of the measured interface count for nothing.
    """
    for name in STROKES:
        depth, inner, outer = _in_strip(hints.points(name), found)
        nothing = np.full(depth.shape, np.inf)
        low = {"crystal": -nothing, "layer": inner, "outside": outer}[name]
        high = {"crystal": inner, "layer": outer, "outside": nothing}[name]
        wrong = (depth < low - CLOSE) | (depth > high + CLOSE)
        if wrong.sum() > CONTRADICTED * wrong.size:
            return True
    depth, inner, outer = _in_strip(_dense(hints.layer_at), found)
    beside = np.maximum(np.maximum(inner - depth, depth - outer), 0.0)
    return bool(len(hints.layer_at)) and (depth.size == 0 or float(np.median(beside)) > ROUGH)


def _in_strip(
    points: NDArray[np.float64], found: Boundaries
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Depth of points along the normals of the axis, and both boundaries there; points beyond its ends left out."""
    axis = found.axis
    if not len(points):
        return np.empty(0), np.empty(0), np.empty(0)
    _, at = _to_line(points, axis.points[found.used])
    column = np.flatnonzero(found.used)[at]
    away = points - axis.points[column]
    depth = np.sum(away * axis.normals[column], axis=1)
    tangent = np.column_stack([axis.normals[column, 1], -axis.normals[column, 0]])
    beside = np.abs(np.sum(away * tangent, axis=1)) <= axis.spacing
    return depth[beside], found.inner.mean[column][beside], found.outer.mean[column][beside]

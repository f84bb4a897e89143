"""Both boundaries of the layer in one straightened strip, from seeds laid by anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.boundaries import ordered_boundaries
from depthlock.tem.discriminant import DRIFT, Discriminant, discriminate
from depthlock.tem.features import Sides, StripFeatures, evenly_lit

COARSE = 0.25
"""Depth step in nm of the dynamic programming over pairs."""

ROUNDS, SETTLED = 4, 0.02
"""Most rounds of laying seeds around the last answer, and the mean change in nm after which there is no need."""

STIFFNESS = 0.3
"""Change of depth in nm from column to column that costs as much as one standard deviation."""

LEAST_STROKES = 8.0
"""Area in nm^2 of strokes on one side from which on they take the place of the seeds by anatomy."""

PATCHES = 3.0
"""Length in nm (sigma) along the interface over which the strength of the fringes drifts: they come in patches."""

CLEAR = 0.7
"""Distance in nm from a boundary within which no seed is taken: blur, overlap and windows mix the sides there."""


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

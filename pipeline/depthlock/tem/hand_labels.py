"""The layer of a hand-corrected label image: its boundaries where a person drew them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.crystal import Crystal, crystal_edges
from depthlock.tem.demodulation import ImageSpectrum
from depthlock.tem.features import COLUMN
from depthlock.tem.field import Field
from depthlock.tem.labels import CRYSTAL, OUTSIDE
from depthlock.tem.lattice import SHORTEST_SPACING, find_reflections
from depthlock.tem.layer import BEYOND, EXTENSION, INWARD
from depthlock.tem.measured import Boundaries, Layer
from depthlock.tem.posterior import BoundaryPosterior
from depthlock.tem.spacing import LatticeFit, fit_reflection
from depthlock.tem.straighten import Axis, outward_sign, smooth_axis
from depthlock.tem.window_maps import window_maps
from depthlock.tem.windows import windowed_spectra

HAND = 0.15
"""Standard error in nm of where a person puts a whole boundary; at least a pixel."""


def layer_from_labels(
    image: NDArray[np.float32],
    labels: NDArray[np.int8],
    pixel: tuple[float, float],
    *,
    smoothing: float,
    maximum_thickness: float,
    hint: float | None,
    samples: int,
    rng: np.random.Generator,
) -> Layer:
    """Both boundaries from labels, and the lattice from the image under the crystal's label.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        Finite, of median about 1.
    labels : ndarray of int8, shape (n_y, n_x)
        0 outside, 1 layer, 2 crystal. Where crystal borders on outside, the layer is 0 nm thick.
    pixel, smoothing, maximum_thickness, hint, samples, rng
        As for `layer.measure_layer`.

    Returns
    -------
    Layer
        Without evidence of its own: the boundaries' error is that of a hand.
    """
    crystal = _labelled_crystal(labels, pixel)
    reflections = find_reflections(windowed_spectra(image, pixel, limit=1 / SHORTEST_SPACING), hint=hint)
    lattice: tuple[LatticeFit, ...] = ()
    if reflections:
        spectrum = ImageSpectrum(image, pixel)
        lattice = tuple(fit_reflection(spectrum, r, crystal.mask, crystal.step) for r in reflections)
    maps = window_maps(image, pixel, reflections)
    found: Boundaries | None = None
    for edge in crystal_edges(crystal)[:3]:
        axis = smooth_axis(edge, smoothing, COLUMN, outward_sign(edge, crystal.mask, crystal.step), EXTENSION)
        drawn = _drawn(labels, pixel, axis, maximum_thickness)
        if drawn is not None:
            error = max(HAND, *pixel)
            inner, outer = (_posterior(line, error, min(pixel), samples, rng) for line in drawn[:2])
            found = Boundaries(axis, inner, outer, drawn[2], None)
            break
    flags = () if found is not None else ("no_outside",)
    return Layer(flags, crystal, lattice, found, maps=maps, labels=labels)


def _labelled_crystal(labels: NDArray[np.int8], pixel: tuple[float, float]) -> Crystal:
    parts, count = ndimage.label(labels == CRYSTAL)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    mask = ndimage.binary_fill_holes(parts == int(np.argmax(sizes)) + 1)
    return Crystal(np.asarray(mask, dtype=bool), pixel, float("nan"), 0.0)


def _drawn(
    labels: NDArray[np.int8], pixel: tuple[float, float], axis: Axis, maximum_thickness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """Depth of both drawn boundaries in every column, and which columns have both; None where there are none."""
    step = min(pixel) / 2
    reach = np.arange(-round(INWARD / step), round((maximum_thickness + BEYOND) / step) + 1)
    depth = np.asarray(reach * step, dtype=np.float64)
    extent = ((labels.shape[0] - 1) * pixel[0], (labels.shape[1] - 1) * pixel[1])
    crystal, outside = (
        Field((labels == side).astype(np.float32), pixel, extent).along(axis, depth) for side in (CRYSTAL, OUTSIDE)
    )
    inner = _crossing(-crystal, depth, np.full(crystal.shape[1], -np.inf), nearest=True)
    outer = _crossing(outside, depth, inner - 2.0 * max(pixel), nearest=False)
    used = np.isfinite(inner) & np.isfinite(outer)
    if not used.any():
        return None
    thickness = np.maximum(outer - inner, 0.0)
    # Columns without both lines are not used; they take their neighbours' to be smoothed over.
    at = np.arange(inner.size)
    inner = np.interp(at, at[used], inner[used])
    return inner, inner + np.interp(at, at[used], thickness[used]), used


def _crossing(
    share: NDArray[np.float32], depth: NDArray[np.float64], start: NDArray[np.float64], *, nearest: bool
) -> NDArray[np.float64]:
    """Depth at which a share rises through a half (falls, when negated): the first past `start`, or that nearest 0."""
    level = -0.5 if nearest else 0.5
    before, after = share[:-1], share[1:]
    with np.errstate(invalid="ignore"):
        part = np.clip((level - before) / np.where(after > before, after - before, np.inf), 0.0, 1.0)
        at = depth[:-1, None] + part * (depth[1] - depth[0])
        rises = (before < level) & (after >= level) & (at >= start[None])
    rank = np.where(rises, np.abs(at) if nearest else at, np.inf)
    best = rank.argmin(axis=0)
    column = np.arange(share.shape[1])
    return np.asarray(np.where(np.isfinite(rank[best, column]), at[best, column], np.nan), dtype=np.float64)


def _posterior(
    line: NDArray[np.float64], error: float, pixel: float, samples: int, rng: np.random.Generator
) -> BoundaryPosterior:
    common = error * rng.standard_normal((samples, 1))
    own = pixel / np.sqrt(12.0) * rng.standard_normal((samples, line.size))
    return BoundaryPosterior(line[None] + common + own, 0.0)

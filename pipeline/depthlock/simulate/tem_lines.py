"""The two boundaries of an imaged piece of layer, and the chords between them that are the true thickness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EDGE_SMOOTHING_NM = 5.0
"""Length over which the crystal's edge is smoothed before its normals are taken, in nm (FWHM of a Gaussian)."""

_STEP_NM = 0.05
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class BoundaryLines:
    """Heights of both boundaries over a straight axis along the interface.

    Attributes
    ----------
    along : array, shape (n,)
        Distance along the axis in nm, in equal steps.
    inner, outer : array, shape (n,)
        Height of the crystal's edge and of the layer's outer boundary in nm; the crystal lies below.
    """

    along: FloatArray
    inner: FloatArray
    outer: FloatArray


def rough_line(along: FloatArray, deviation: float, length: float, rng: np.random.Generator) -> FloatArray:
    """Stationary Gaussian process of mean 0 with a Gaussian correlation of given length, on equal steps.

    The process is drawn on more than the line, so that a piece of it has the mean that chance gives it.
    """
    step = float(along[1] - along[0])
    margin = int(np.ceil(4.0 * length / step)) + 1
    reach = np.arange(-margin, margin + 1) * step
    kernel = np.exp(-((reach / length) ** 2))
    kernel /= np.sqrt(np.sum(kernel**2))
    noise = rng.standard_normal(along.size + 2 * margin)
    return np.asarray(deviation * np.convolve(noise, kernel, mode="valid"))


def draw_lines(
    half_width_nm: float,
    thickness_nm: float,
    curvature_per_nm: float,
    inner_roughness: tuple[float, float],
    thickness_roughness: tuple[float, float],
    rng: np.random.Generator,
) -> BoundaryLines:
    """Draw both boundaries.

    Parameters
    ----------
    half_width_nm : float
        Half of the axis' length in nm.
    thickness_nm : float
        Mean thickness of the sample in nm; the drawn piece differs by chance.
    curvature_per_nm : float
        Curvature of the crystal's edge in 1/nm, positive when the crystal is hollow.
    inner_roughness, thickness_roughness : tuple of float
        Standard deviation and correlation length in nm of the crystal's edge and of the thickness.
    rng : numpy Generator
        Draws the roughness.
    """
    along = np.arange(-half_width_nm, half_width_nm + _STEP_NM, _STEP_NM)
    inner = 0.5 * curvature_per_nm * along**2 + rough_line(along, *inner_roughness, rng)
    slope = curvature_per_nm * along
    thickness = np.maximum(thickness_nm + rough_line(along, *thickness_roughness, rng), 0.5)
    # a layer of equal thickness on a slope is taller in the direction of the axis
    return BoundaryLines(along, inner, inner + thickness * np.sqrt(1.0 + slope**2))


def chords(lines: BoundaryLines, inside: NDArray[np.bool_] | None = None) -> FloatArray:
    """Thickness in nm at equal steps along the edge: from the smoothed edge along its normal to the outer boundary.

    Parameters
    ----------
    lines : BoundaryLines
        Both boundaries.
    inside : bool array, shape (n,), optional
        Steps of the axis to use.
    """
    starts, ends = chord_ends(lines)
    length = np.hypot(*(ends - starts))
    keep = np.isfinite(length)
    return np.asarray(length[keep if inside is None else keep & inside])


def chord_ends(lines: BoundaryLines) -> tuple[FloatArray, FloatArray]:
    """Start and end of every chord, each of shape (2, n): along and height in nm; NaN where a chord meets nothing."""
    step = float(lines.along[1] - lines.along[0])
    sigma = EDGE_SMOOTHING_NM / _FWHM
    reach = np.arange(-int(4 * sigma / step), int(4 * sigma / step) + 1) * step
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel /= kernel.sum()
    half = reach.size // 2
    # odd reflection keeps straight and sloping lines straight at the ends
    start, end = lines.inner[0], lines.inner[-1]
    padded = np.concatenate(
        (2 * start - lines.inner[half:0:-1], lines.inner, 2 * end - lines.inner[-2 : -half - 2 : -1])
    )
    smooth = np.convolve(padded, kernel, mode="valid")
    slope = np.gradient(smooth, step)
    norm = np.sqrt(1.0 + slope**2)
    direction = np.stack((-slope / norm, 1.0 / norm))
    starts = np.stack((lines.along, smooth))
    # walk outwards until the point is above the outer boundary; then the crossing by linear interpolation
    distance = np.arange(0.0, 1.5 * float((lines.outer - smooth).max()) + 2.0, 0.02)
    lengths = np.full(lines.along.size, np.nan)
    for index in range(lines.along.size):
        along = starts[0, index] + distance * direction[0, index]
        above = starts[1, index] + distance * direction[1, index] - np.interp(along, lines.along, lines.outer)
        crossed = np.flatnonzero(above >= 0.0)
        if crossed.size and crossed[0] > 0 and lines.along[0] <= along[crossed[0]] <= lines.along[-1]:
            last = crossed[0]
            share = -above[last - 1] / (above[last] - above[last - 1])
            lengths[index] = distance[last - 1] + share * 0.02
    return starts, starts + lengths * direction

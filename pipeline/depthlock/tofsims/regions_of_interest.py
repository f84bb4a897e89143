"""Regions of interest: pixels inside polygons, and where an ion's image is strong or weak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from depthlock.model.errors import MeasurementError
from depthlock.model.regions_of_interest import Area, RegionOfInterest
from depthlock.tofsims.exponential_gauss import FloatArray

BoolArray = NDArray[np.bool_]

IONS_A_PIXEL = 30.0
"""Ions on which a pixel of a smoothed image stands, so that a mask follows the sample and not the counting noise."""

_MAXIMUM = 0.99
"""Quantile taken as the maximum of an image: single pixels do not make it."""


def region_mask(
    region: RegionOfInterest,
    shape: tuple[int, int],
    pitch: float | None,
    image_of: Callable[[str], FloatArray],
    where: str,
) -> BoolArray:
    """Pixels of a region of interest.

    Parameters
    ----------
    region : RegionOfInterest
    shape : tuple of int
        Rows and columns of the raster.
    pitch : float or None
        Width of a pixel in µm; None when the file has no scale.
    image_of : callable
        Gives the counts of an ion on (y, x).
    where : str
        The file, for messages.

    Returns
    -------
    ndarray of bool, shape (y, x)

    Raises
    ------
    MeasurementError
        When a polygon reaches out of the raster, needs a scale that the file lacks, or nothing is left.
    """

    def area(one: Area, key: str) -> BoolArray:
        if one.ion is not None:
            return ion_mask(image_of(one.ion), one)
        return polygon_mask(_corners(one, shape, pitch, f"{where}: region_of_interest {key}"), shape)

    inside = np.zeros(shape, dtype=bool) if region.include else np.ones(shape, dtype=bool)
    for number, one in enumerate(region.include):
        inside |= area(one, f"include[{number}]")
    for number, one in enumerate(region.exclude):
        inside &= ~area(one, f"exclude[{number}]")
    if not inside.any():
        raise MeasurementError(
            "the region of interest holds no pixel",
            expected=f"some of the {shape[0]} x {shape[1]} pixels",
            where=where,
            hint="widen 'include', or correct the levels of an ion's mask",
        )
    return inside


def _corners(area: Area, shape: tuple[int, int], pitch: float | None, where: str) -> FloatArray:
    """Corners as (y, x) in pixels, from the first pixel's outer corner."""
    if area.unit == "µm" and pitch is None:
        raise MeasurementError(
            "a polygon in µm, and the file has no pixel size",
            expected="corners in pixels",
            where=where,
            hint="write 'unit: px' beside the polygon",
        )
    size = 1.0 if area.unit == "px" or pitch is None else pitch
    corners = np.array(area.polygon, dtype=np.float64)[:, ::-1]
    limit = np.array(shape) * size
    out = (corners < -1e-9 * limit) | (corners > limit * (1.0 + 1e-9))
    if out.any():
        y, x = corners[np.flatnonzero(out.any(axis=1))[0]]
        raise MeasurementError(
            f"the corner [{x:g}, {y:g}] lies outside the raster",
            expected=f"x from 0 to {limit[1]:g} and y from 0 to {limit[0]:g} {area.unit}",
            where=where,
            hint="correct the corners, or their unit",
        )
    return np.asarray(corners / size, dtype=np.float64)


def polygon_mask(corners: FloatArray, shape: tuple[int, int]) -> BoolArray:
    """Pixels whose centre lies inside a polygon, by the even-odd rule.

    Parameters
    ----------
    corners : ndarray, shape (corner, 2)
        y and x in pixels; the centre of the first pixel is at 0.5, 0.5.
    shape : tuple of int

    Returns
    -------
    ndarray of bool, shape (y, x)
    """
    y = np.arange(shape[0])[:, np.newaxis] + 0.5
    x = np.arange(shape[1])[np.newaxis, :] + 0.5
    inside = np.zeros(shape, dtype=bool)
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


def ion_mask(image: FloatArray, area: Area) -> BoolArray:
    """Pixels where an ion's smoothed image is between the limits of an area.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        Counts.
    area : Area
        With `ion`.
    """
    mean = float(image.mean())
    span = int(np.ceil(np.sqrt(IONS_A_PIXEL / mean))) if mean > 0 else 1
    smooth = uniform_filter(np.asarray(image, dtype=np.float64), min(span, *image.shape), mode="nearest")

    def level(share: float) -> float:
        if area.of == "quantile":
            return float(np.quantile(smooth, share))
        return share * float(np.quantile(smooth, _MAXIMUM))

    chosen = np.ones(image.shape, dtype=bool)
    if area.above is not None:
        chosen &= smooth > level(area.above)
    if area.below is not None:
        chosen &= smooth < level(area.below)
    return chosen


def largest_rectangle(inside: BoolArray) -> tuple[slice, slice]:
    """Rows and columns of the largest rectangle of pixels that are all inside.

    Parameters
    ----------
    inside : ndarray of bool, shape (y, x)
    """
    best, found = 0, (slice(0, 0), slice(0, 0))
    height = np.zeros(inside.shape[1], dtype=np.int64)
    for row in range(inside.shape[0]):
        height = np.where(inside[row], height + 1, 0)
        # The largest rectangle under a skyline, by a stack of rising heights.
        rising: list[int] = []
        for column, tall in enumerate([*height.tolist(), 0]):
            while rising and height[rising[-1]] >= tall:
                top = int(height[rising.pop()])
                left = rising[-1] + 1 if rising else 0
                if top * (column - left) > best:
                    best = top * (column - left)
                    found = (slice(row + 1 - top, row + 1), slice(left, column))
            rising.append(column)
    return found

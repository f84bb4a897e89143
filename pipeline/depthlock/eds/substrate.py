"""Where the substrate is: a first edge from the maps of its elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.eds.edge import Edge, edge_through
from depthlock.eds.element_maps import ElementMaps

COUNTS_AT_ONCE = 60.0
"""Counts of the substrate that are averaged before a pixel is told from its surroundings."""

LEAST_RATIO = 1.4
"""Counts inside the substrate over those outside, below which there is no substrate to be seen."""

LEAST_DIFFERENCE = 4.0
"""Difference of inside and outside in standard deviations of the averaged counts."""

LEAST_PIXELS = 4
"""Pixels that the edge must be long."""


def substrate_elements(maps: ElementMaps, named: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The elements that mark the substrate, and a flag where they had to be guessed.

    Parameters
    ----------
    maps : ElementMaps
    named : sequence of str
        What the session or its chemistry library say.

    Returns
    -------
    elements : tuple of str
        Those named that are there; else the element whose rich area is the largest of those with two clear levels.
    flag : str
    """
    known = tuple(name for name in named if name in maps.elements)
    if known:
        return known, ""
    best, area = "", 0.0
    for number, element in enumerate(maps.elements):
        found = _rich_area(maps, (number,))
        if found is not None and float(found[0].mean()) > area:
            best, area = element, float(found[0].mean())
    return ((best,), "substrate_guessed") if best else ((), "substrate_guessed")


def first_edge(maps: ElementMaps, elements: Sequence[str], smoothing: float) -> Edge | None:
    """The edge of the largest area rich in the substrate's elements, to within the averaging.

    Returns
    -------
    Edge or None
        None where no two levels stand out, or no edge runs through the image.
    """
    from skimage import measure

    found = _rich_area(maps, [maps.elements.index(element) for element in elements])
    if found is None:
        return None
    inside, smooth, level = found
    lines = measure.find_contours(smooth, level)  # type: ignore[no-untyped-call]
    contours = [line for line in lines if len(line) >= LEAST_PIXELS]
    if not contours:
        return None
    points = max(contours, key=len) * np.asarray(maps.pixel)
    return edge_through(points, inside, maps.pixel, max(smoothing, 3.0 * max(maps.pixel)))


def _rich_area(
    maps: ElementMaps, numbers: Sequence[int]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float] | None:
    """The largest area rich in some elements, the averaged counts, and the level between rich and poor."""
    from skimage.filters import threshold_otsu

    if not maps.good.any():
        return None
    counts = maps.counted.net[list(numbers)].sum(axis=0)
    variance = maps.counted.variance[list(numbers)].sum(axis=0)
    weight = maps.good.astype(float)
    dense = float(np.quantile(ndimage.gaussian_filter(counts * weight, 2.0), 0.9))
    noise = float(variance[maps.good].mean()) / max(float(counts[maps.good].mean()), 1e-9)
    sigma = float(np.clip(np.sqrt(COUNTS_AT_ONCE * max(noise, 1.0) / (4.0 * np.pi * max(dense, 1e-6))), 0.7, 6.0))
    share = np.maximum(ndimage.gaussian_filter(weight, sigma, mode="nearest"), 1e-3)
    smooth = ndimage.gaussian_filter(counts * weight, sigma, mode="nearest") / share
    if float(np.ptp(smooth)) <= 0:
        return None
    level = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    rich = smooth > level
    high, low = float(smooth[rich].mean()), float(smooth[~rich].mean())
    averaged = np.sqrt(float(variance[maps.good].mean()) / (4.0 * np.pi * sigma**2))
    if high < LEAST_RATIO * max(low, 0.0) or high - low < LEAST_DIFFERENCE * averaged:
        return None
    parts, _ = ndimage.label(rich)
    largest = int(np.argmax(np.bincount(parts.ravel())[1:])) + 1
    inside = np.asarray(ndimage.binary_fill_holes(parts == largest), dtype=bool)
    # Islands outside the largest area, and holes inside, are not followed.
    smooth = np.where(inside, np.maximum(smooth, level * 1.0001), np.where(rich, level * 0.999, smooth))
    return inside, smooth, 0.5 * (high + low) if low > 0 else level

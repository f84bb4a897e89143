"""One pass over all ions: how many each scan, row and column holds, and coarse images of the scans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.raster import Raster

BANDS = 8
"""Stretches of flight time with equally many entries: what changes the yield of one ion does not change all of them."""

IMAGE_SIDE = 64
"""Most cells of a coarse image a side."""


@dataclass(frozen=True)
class ScanSurvey:
    """Sums over all ions.

    Attributes
    ----------
    bands : ndarray, shape (band, scan)
        Ions of each scan in stretches of flight time.
    rows, columns : ndarray, shape (row,), (column,)
        Ions of each line of the raster.
    images : ndarray of float32, shape (scan, y, x)
        Ions in cells of `cell` x `cell` pixels; incomplete cells at the ends are left out.
    cell : int
    """

    bands: FloatArray
    rows: FloatArray
    columns: FloatArray
    images: NDArray[np.float32]
    cell: int

    @property
    def totals(self) -> FloatArray:
        """All ions of each scan, shape (scan,)."""
        return np.asarray(self.bands.sum(axis=0), dtype=np.float64)


def event_blocks(events: xr.Dataset) -> Iterator[tuple[int, NDArray[np.int64], FloatArray]]:
    """Entries of the store, one dask block at a time: number of the first one, pixel numbers and counts."""
    pixel, count = events["pixel_id"].chunk().data, events["count"].chunk().data
    start = 0
    for ids, numbers in zip(pixel.blocks, count.rechunk(pixel.chunks).blocks, strict=True):
        pixels = np.asarray(ids.compute(), dtype=np.int64)
        yield start, pixels, np.asarray(numbers.compute(), dtype=np.float64)
        start += pixels.size


def survey_scans(events: xr.Dataset, raster: Raster) -> ScanSurvey:
    """Sum all ions by scan, line and coarse cell, one dask block at a time.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    raster : Raster
    """
    cell = max(-(-max(raster.rows, raster.columns) // IMAGE_SIDE), 1)
    ny, nx = max(raster.rows // cell, 1), max(raster.columns // cell, 1)
    bands = np.zeros(BANDS * raster.scans)
    lateral = np.zeros(raster.pixels)
    images = np.zeros(raster.scans * ny * nx, dtype=np.float32)
    entries = max(int(events.sizes["event"]), 1)
    for start, pixel, count in event_blocks(events):
        scan, place = raster.scan_of(pixel), raster.place_of(pixel)
        band = (start + np.arange(pixel.size)) * BANDS // entries
        bands += np.bincount(band * raster.scans + scan, weights=count, minlength=bands.size)
        lateral += np.bincount(place, weights=count, minlength=lateral.size)
        y, x = place // raster.columns // cell, place % raster.columns // cell
        inside = (y < ny) & (x < nx)
        voxel = (scan * ny + y) * nx + x
        np.add.at(images, voxel[inside], count[inside].astype(np.float32))
    image = lateral.reshape(raster.rows, raster.columns)
    return ScanSurvey(
        bands.reshape(BANDS, raster.scans),
        image.sum(axis=1),
        image.sum(axis=0),
        images.reshape(raster.scans, ny, nx),
        cell,
    )

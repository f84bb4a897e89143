"""The spectrum image: ions of every peak of the spectrum by voxel, gathered in one pass over the event store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import FieldOfView
from depthlock.tofsims.mass_drift import MassDrift
from depthlock.tofsims.peaks import Peak
from depthlock.tofsims.raster import Raster

MOST_ENTRIES = 4_000_000
"""Voxels times peaks at most: 32 MB as float64, however many ions the store holds."""

_IONS_A_VOXEL = 20.0
"""Mean ions a voxel below which it says little about its composition, and larger ones say it faster."""

_MAP_SIDE = 128
"""Pixels a side of the maps at most."""


@dataclass(frozen=True)
class SpectrumImage:
    """Counts of peaks at three binnings: by voxel for factors, by scan for profiles, by place for maps.

    Attributes
    ----------
    voxels : ndarray, shape (voxel, peak)
        Counts by voxel, scans slowest.
    shape : tuple of int
        Groups of scans, rows and columns of the voxels.
    steps : tuple of int
        Scans, rows and columns in a voxel; the last one of an axis may hold fewer.
    scans : ndarray, shape (scan, peak)
        Counts by scan, over all places.
    places : ndarray, shape (y, x, peak)
        Counts by place, over all scans.
    map_step : int
        Pixels a side of a place.
    visits : ndarray, shape (voxel,)
        How often pixels were measured in each voxel.
    """

    voxels: FloatArray
    shape: tuple[int, int, int]
    steps: tuple[int, int, int]
    scans: FloatArray
    places: FloatArray
    map_step: int
    visits: FloatArray


def grouped(table: FloatArray, shape: tuple[int, int, int], steps: tuple[int, int, int]) -> FloatArray:
    """Sums over groups of voxels.

    Parameters
    ----------
    table : ndarray, shape (voxel, ...)
        Voxels with scans slowest, x fastest.
    shape : tuple of int
        Voxels along scans, y and x.
    steps : tuple of int
        Voxels in a group along each; the last group of an axis may hold fewer.
    """
    summed = table.reshape(*shape, *table.shape[1:])
    for axis, step in enumerate(steps):
        if step > 1:
            summed = np.add.reduceat(summed, np.arange(0, summed.shape[axis], step), axis=axis)
    return np.asarray(summed.reshape(-1, *table.shape[1:]), dtype=np.float64)


def peak_windows(peaks: Sequence[Peak]) -> FloatArray:
    """First and last flight time of the window of each peak, up to half way to its neighbours.

    Parameters
    ----------
    peaks : sequence of Peak
        In order of flight time.

    Returns
    -------
    ndarray, shape (peak, 2)
        In mass bins.
    """
    position = np.array([peak.position for peak in peaks])
    fwhm = np.array([peak.fwhm for peak in peaks])
    half_way = 0.5 * (position[1:] + position[:-1])
    low = np.maximum(position - 1.3 * fwhm, np.concatenate([[-np.inf], half_way]))
    high = np.minimum(position + 1.8 * fwhm, np.concatenate([half_way, [np.inf]]))
    return np.column_stack([low, high])


def voxel_steps(raster: Raster, peaks: int, ions: float) -> tuple[int, int, int]:
    """Scans, rows and columns of a voxel that bound the table's size and give voxels enough ions.

    Depth gets more voxels than a side, as layers are thinner than patches are small.
    """
    most = max(min(MOST_ENTRIES / max(peaks, 1), ions / _IONS_A_VOXEL), 64.0)
    scan = -(-raster.scans // max(int((4.0 * most) ** (1.0 / 3.0)), 1))
    side = max(int(np.sqrt(most / -(-raster.scans // scan))), 1)
    step = -(-max(raster.rows, raster.columns) // side)
    return scan, min(step, raster.rows), min(step, raster.columns)


def read_spectrum_image(
    events: xr.Dataset, view: FieldOfView, drift: MassDrift | None, windows: FloatArray, steps: tuple[int, int, int]
) -> SpectrumImage:
    """Count the ions of each peak, one block of the store at a time.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    view : FieldOfView
        Which ions count, and where they belong.
    drift : MassDrift or None
        Drift of the mass scale, taken out before ions are told apart.
    windows : ndarray, shape (peak, 2)
        From :func:`peak_windows`: ascending, not overlapping.
    steps : tuple of int
        Scans, rows and columns of a voxel.
    """
    peaks, raster = windows.shape[0], view.raster
    grid = (raster.scans, raster.rows, raster.columns)
    shape = tuple(-(-size // step) for size, step in zip(grid, steps, strict=True))
    map_step = -(-max(raster.rows, raster.columns) // _MAP_SIDE)
    sides = (-(-raster.rows // map_step), -(-raster.columns // map_step))
    tables = [np.zeros(cells * peaks) for cells in (int(np.prod(shape)), raster.scans, sides[0] * sides[1])]

    def voxel_of(scan: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        row, column = place // raster.columns, place % raster.columns
        return (scan // steps[0] * shape[1] + row // steps[1]) * shape[2] + column // steps[2]

    for mass_bin, pixel, ions in _blocks(events, windows, drift.margin(int(windows[-1, 1])) if drift else 0):
        counted, scan, place = view.locate(pixel)
        steady = mass_bin if drift is None else mass_bin - drift.bins(mass_bin, raster.scan_of(pixel))
        # An odd number of window ends passed means that an ion lies inside a window.
        passed = np.searchsorted(windows.ravel(), steady[counted] + 0.5, side="right")
        inside = np.flatnonzero(passed % 2 == 1)
        peak, weight, scan, place = passed[inside] // 2, ions[counted][inside], scan[inside], place[inside]
        spot = place // raster.columns // map_step * sides[1] + place % raster.columns // map_step
        for table, cell in zip(tables, (voxel_of(scan, place), scan, spot), strict=True):
            table += np.bincount(cell * peaks + peak, weights=weight, minlength=table.size)
    visits = np.zeros(tables[0].size // peaks)
    everywhere = np.arange(raster.pixels)
    for number in range(raster.scans):
        voxel = voxel_of(np.full(raster.pixels, number), everywhere)
        visits += np.bincount(voxel, weights=view.visits(number), minlength=visits.size)
    voxels, scans, places = (table.reshape(-1, peaks) for table in tables)
    return SpectrumImage(
        voxels, (shape[0], shape[1], shape[2]), steps, scans, places.reshape(*sides, peaks), map_step, visits
    )


def _blocks(
    events: xr.Dataset, windows: FloatArray, margin: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]]:
    """Mass bins, pixel numbers and ions of the cells near the windows, block by block of the store."""
    indptr, bins = events["indptr"].values.astype(np.int64), events["mass_bin"].values.astype(np.int64)
    passed = [np.searchsorted(windows.ravel(), bins + offset, side="right") for offset in (-margin, margin + 1)]
    near = (passed[0] % 2 == 1) | (passed[0] != passed[1])
    start = 0
    for size in events["count"].chunk().data.chunks[0]:
        first = int(np.searchsorted(indptr, start, side="right")) - 1
        last = int(np.searchsorted(indptr, start + size, side="left"))
        ends = np.clip(indptr[first : last + 1] - start, 0, size)
        wanted = np.flatnonzero(np.repeat(near[first:last], ends[1:] - ends[:-1]))
        if wanted.size:
            part = events[["pixel_id", "count"]].isel(event=slice(start, start + size)).compute()
            mass_bin = np.repeat(bins[first:last], ends[1:] - ends[:-1])[wanted]
            pixel = part["pixel_id"].values[wanted].astype(np.int64)
            yield mass_bin, pixel, part["count"].values[wanted].astype(np.float64)
        start += size

"""One ion's counts on (scan, y, x), taken out of the event store on demand."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.tofsims.field_of_view import FieldOfView, whole_raster
from depthlock.tofsims.mass_drift import MassDrift
from depthlock.tofsims.raster import Raster, pixel_pitch, raster_of

LARGEST_CHUNK = 1 << 25
"""Voxels of a chunk at most, 128 MB: nearly all volumes are one."""


def ion_volume(
    events: xr.Dataset,
    bin_low: int,
    bin_high: int,
    bin_y: int = 1,
    bin_x: int = 1,
    bin_scan: int = 1,
    view: FieldOfView | None = None,
    drift: MassDrift | None = None,
) -> xr.DataArray:
    """Counts of a mass window by scan and pixel, as a lazy array.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    bin_low, bin_high : int
        Mass bins of the window, `bin_high` not included.
    bin_y, bin_x, bin_scan : int
        How many pixels or scans make one voxel; the last voxel of an axis may hold fewer.
    view : FieldOfView, optional
        Which ions count, and where they belong; all of them, where they were counted, if absent.
    drift : MassDrift or None
        Drift of the mass scale that the window was found without: `mass_drift.drift_of` the profile.

    Returns
    -------
    xr.DataArray
        ``counts`` on (scan, y, x), uint32, dask-backed in chunks of `LARGEST_CHUNK` voxels: the window is one
        contiguous slice of the store, read once a chunk. Coordinates are voxel centres: sputter_time in s, y and x in
        µm, or in pixels where the file has no pixel pitch.

    Raises
    ------
    MeasurementError
        When the window is empty or the binning is not positive.
    """
    if bin_high <= bin_low or min(bin_y, bin_x, bin_scan) < 1:
        raise MeasurementError(
            f"a volume of mass bins {bin_low}..{bin_high} at binning {bin_scan} x {bin_y} x {bin_x}",
            expected="bin_low < bin_high and binnings of 1 or more",
        )
    import dask.array as da
    from dask.delayed import delayed

    view = view or whole_raster(raster_of(events))
    raster = view.raster
    margin = drift.margin(bin_high) if drift is not None and drift.seen else 0
    window = (bin_low, bin_high, margin)
    shape = tuple(
        -(-size // step) for size, step in ((raster.scans, bin_scan), (raster.rows, bin_y), (raster.columns, bin_x))
    )
    steps = (bin_scan, bin_y, bin_x)
    deep = max(LARGEST_CHUNK // (shape[1] * shape[2]), 1)
    parts = []
    for first in range(0, shape[0], deep):
        scans = range(first, min(first + deep, shape[0]))
        # In a partial, dask leaves the store lazy: the task reads it block by block.
        counted = delayed(partial(_count_voxels, events, window, view, drift, steps, shape[1:], scans))()
        parts.append(da.from_delayed(counted, shape=(len(scans), *shape[1:]), dtype=np.uint32))  # type: ignore[no-untyped-call]  # dask has no types
    cube = da.concatenate(parts)  # type: ignore[no-untyped-call]
    time, y, x, unit = grid_centres(events, raster, steps)
    coords = {
        "sputter_time": ("scan", time, {"units": "s"}),
        "y": ("y", y, {"units": unit}),
        "x": ("x", x, {"units": unit}),
    }
    return xr.DataArray(cube, dims=("scan", "y", "x"), coords=coords, name="counts", attrs={"units": "1"})


def grid_centres(
    events: xr.Dataset, raster: Raster, steps: tuple[int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str]:
    """Centres of voxels of `steps` scans, rows and columns: sputter time in s, y and x, and the lateral unit.

    The unit is ``micrometer``, or ``pixel`` where the file has no pixel pitch.
    """
    pitch = pixel_pitch(events)
    size, unit = (1.0, "pixel") if pitch is None else (pitch, "micrometer")
    time = centres(events["sputter_time"].values.astype(np.float64), steps[0])
    rows, columns = (np.arange(count, dtype=np.float64) * size for count in (raster.rows, raster.columns))
    return time, centres(rows, steps[1]), centres(columns, steps[2]), unit


def _count_voxels(
    events: xr.Dataset,
    window: tuple[int, int, int],
    view: FieldOfView,
    drift: MassDrift | None,
    steps: tuple[int, int, int],
    shape: tuple[int, ...],
    scans: range,
) -> NDArray[np.uint32]:
    """Counts on (scan, y, x) of some groups of scans, with one block of the window's ions in memory at a time."""
    low, high, margin = window
    bins, indptr = events["mass_bin"].values, events["indptr"].values
    first, last = (int(k) for k in np.searchsorted(bins, [low - margin, high + margin], side="left"))
    start, stop = int(indptr[first]), int(indptr[last])
    pixel, count = (events[name].chunk().data[start:stop] for name in ("pixel_id", "count"))
    summed = np.zeros(len(scans) * shape[0] * shape[1], dtype=np.uint32)
    for ids, numbers in zip(pixel.blocks, count.rechunk(pixel.chunks).blocks, strict=True):
        place_ids = np.asarray(ids.compute(scheduler="synchronous")).astype(np.int64)
        weights = np.asarray(numbers.compute(scheduler="synchronous")).astype(np.uint32)
        if margin and drift is not None:
            row = np.searchsorted(indptr, np.arange(start, start + place_ids.size), side="right") - 1
            steady = bins[row] - drift.late(low, high)[view.raster.scan_of(place_ids)]
            weights = np.where((steady >= low) & (steady < high), weights, 0).astype(np.uint32)
        start += place_ids.size
        counted, scan, place = view.locate(place_ids)
        group = scan // steps[0] - scans.start
        voxel = group * shape[0] + place // view.raster.columns // steps[1]
        voxel = voxel * shape[1] + place % view.raster.columns // steps[2]
        here = (group >= 0) & (group < len(scans))
        np.add.at(summed, voxel[here], weights[counted][here])
    return summed.reshape(len(scans), *shape)


def centres(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Mean coordinate of each group of `step` values; the last group may hold fewer."""
    starts = np.arange(0, values.size, step)
    return np.asarray(np.add.reduceat(values, starts) / np.diff(np.append(starts, values.size)), dtype=np.float64)

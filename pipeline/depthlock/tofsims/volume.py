"""One ion's counts on (scan, y, x), taken out of the event store on demand."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.tofsims.field_of_view import FieldOfView, whole_raster
from depthlock.tofsims.mass_drift import MassDrift
from depthlock.tofsims.raster import Raster, pixel_pitch, raster_of


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
        ``counts`` on (scan, y, x), uint32, dask-backed in one chunk: the window is one contiguous slice of the store,
        so the ions are read once. Coordinates are voxel centres: sputter_time in s, y and x in µm, or in pixels where
        the file has no pixel pitch.

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
    bins, indptr = events["mass_bin"].values, events["indptr"].values
    margin = drift.margin(bin_high) if drift is not None and drift.seen else 0
    first, last = (int(k) for k in np.searchsorted(bins, [bin_low - margin, bin_high + margin], side="left"))
    window = slice(int(indptr[first]), int(indptr[last]))
    shape = tuple(
        -(-size // step) for size, step in ((raster.scans, bin_scan), (raster.rows, bin_y), (raster.columns, bin_x))
    )
    steps = (bin_scan, bin_y, bin_x)
    pixel, count = events["pixel_id"].chunk().data[window], events["count"].chunk().data[window]
    if margin and drift is not None:
        row = np.repeat(bins[first:last].astype(np.int64), np.diff(indptr[first : last + 1]).astype(np.int64))
        count = delayed(_inside)(pixel, count, row, bin_low, bin_high, raster, drift)
    counted = delayed(_count_voxels)(pixel, count, view, steps, shape)
    cube = da.from_delayed(counted, shape=shape, dtype=np.uint32)  # type: ignore[no-untyped-call]  # dask has no types
    time, y, x, unit = grid_centres(events, raster, steps)
    coords = {
        "sputter_time": ("scan", time, {"units": "s"}),
        "y": ("y", y, {"units": unit}),
        "x": ("x", x, {"units": unit}),
    }
    return xr.DataArray(cube, dims=("scan", "y", "x"), coords=coords, name="counts", attrs={"units": "1"})


def _inside(
    pixel_id: NDArray[np.generic],
    count: NDArray[np.generic],
    mass_bin: NDArray[np.int64],
    bin_low: int,
    bin_high: int,
    raster: Raster,
    drift: MassDrift,
) -> NDArray[np.generic]:
    """The counts, with zeros for ions that are in the window only for their scan's drift."""
    scan = raster.scan_of(np.asarray(pixel_id).astype(np.int64))
    steady = mass_bin - drift.late(bin_low, bin_high)[scan]
    return np.where((steady >= bin_low) & (steady < bin_high), count, 0)


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
    pixel_id: NDArray[np.generic],
    count: NDArray[np.generic],
    view: FieldOfView,
    steps: tuple[int, int, int],
    shape: tuple[int, int, int],
) -> NDArray[np.uint32]:
    counted, scan, place = view.locate(np.asarray(pixel_id).astype(np.int64))
    voxel = scan // steps[0]
    voxel = voxel * shape[1] + place // view.raster.columns // steps[1]
    voxel = voxel * shape[2] + place % view.raster.columns // steps[2]
    weights = np.asarray(count, dtype=np.float64)[counted]
    summed = np.bincount(voxel, weights=weights, minlength=int(np.prod(shape)))
    return np.asarray(summed, dtype=np.uint32).reshape(shape)


def centres(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Mean coordinate of each group of `step` values; the last group may hold fewer."""
    starts = np.arange(0, values.size, step)
    return np.asarray(np.add.reduceat(values, starts) / np.diff(np.append(starts, values.size)), dtype=np.float64)

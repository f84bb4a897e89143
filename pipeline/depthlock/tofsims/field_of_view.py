"""Which ions count, and where in the sample they came from: the region looked at, lateral drift, flattened columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.tofsims.raster import Raster, pixel_pitch, raster_of

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class FieldOfView:
    """Pixels of the sample that count, and how the raster of each scan lies on them.

    Attributes
    ----------
    raster : Raster
    inside : ndarray of bool, shape (pixel,)
        Pixels of the sample that count.
    shift : ndarray of int64, shape (scan, 2)
        Rows and columns by which the sample has moved: pixel (y, x) of the sample lies at (y, x) + shift in a scan.
    lag : ndarray of int64, shape (2, pixel), or None
        Scans by which a column is moved towards the surface, for its even and its odd scans.
    whole : ndarray of bool, shape (scan,)
        Scans that were measured whole. Moved columns take nothing from others.
    """

    raster: Raster
    inside: NDArray[np.bool_]
    shift: IntArray
    lag: IntArray | None
    whole: NDArray[np.bool_]

    def locate(self, pixel_id: IntArray) -> tuple[NDArray[np.bool_] | slice, IntArray, IntArray]:
        """Find out where ions belong.

        Parameters
        ----------
        pixel_id : ndarray of int64, shape (ion,)

        Returns
        -------
        counted : ndarray of bool, shape (ion,), or slice
            Which of the ions count; the next two are of these only.
        scan, place : ndarray of int64
            Scan and lateral pixel number in the sample.
        """
        scan, place = self.raster.scan_of(pixel_id), self.raster.place_of(pixel_id)
        if self.is_raster:
            return slice(None), scan, place
        counted = np.ones(scan.size, dtype=bool)
        if self.shift.any():
            y, x = np.divmod(place, self.raster.columns)
            y, x = y - self.shift[scan, 0], x - self.shift[scan, 1]
            counted = (y >= 0) & (y < self.raster.rows) & (x >= 0) & (x < self.raster.columns)
            place = np.where(counted, y * self.raster.columns + x, 0)
        counted &= self.inside[place]
        if self.lag is not None:
            counted &= self.whole[scan]
            scan = scan - self.lag[scan % 2, place]
            counted &= (scan >= 0) & (scan < self.raster.scans)
        return counted, scan[counted], place[counted]

    @cached_property
    def is_raster(self) -> bool:
        """Whether every ion counts where it was counted."""
        return bool(self.inside.all()) and self.lag is None and not self.shift.any()

    def visits(self, scan: int) -> IntArray:
        """How often each pixel was measured for a scan, shape (pixel,): 0 or 1, or up to 2 where columns were moved."""
        if self.lag is None:
            return self.inside.astype(np.int64)
        number = np.zeros(self.inside.size, dtype=np.int64)
        for parity in (0, 1):
            origin = scan + self.lag[parity]
            there = (origin >= 0) & (origin < self.raster.scans) & (origin % 2 == parity)
            number += self.inside & there & self.whole[np.where(there, origin, 0)]
        return number

    @cached_property
    def coverage(self) -> NDArray[np.float64]:
        """Pixels measured for each scan over those that count, shape (scan,); below 1 at the ends of moved columns."""
        return np.asarray(self.pixels / max(int(self.inside.sum()), 1), dtype=np.float64)

    @cached_property
    def pixels(self) -> IntArray:
        """Pixels measured for each scan, shape (scan,)."""
        if self.lag is None:
            return np.full(self.raster.scans, int(self.inside.sum()), dtype=np.int64)
        return np.array([int(self.visits(scan).sum()) for scan in range(self.raster.scans)], dtype=np.int64)


def whole_raster(raster: Raster) -> FieldOfView:
    """Every ion where it was counted."""
    return FieldOfView(
        raster,
        np.ones(raster.pixels, dtype=bool),
        np.zeros((raster.scans, 2), dtype=np.int64),
        None,
        np.ones(raster.scans, dtype=bool),
    )


def seen_throughout(raster: Raster, shift: IntArray) -> NDArray[np.bool_]:
    """Pixels of the sample that lie in the raster of every scan, shape (pixel,).

    Parameters
    ----------
    raster : Raster
    shift : ndarray of int64, shape (scan, 2)
        See `FieldOfView`.
    """
    low, high = shift.min(axis=0), shift.max(axis=0)
    y, x = np.divmod(np.arange(raster.pixels), raster.columns)
    rows = (y + low[0] >= 0) & (y + high[0] < raster.rows)
    return np.asarray(rows & (x + low[1] >= 0) & (x + high[1] < raster.columns), dtype=np.bool_)


def region_variables(events: xr.Dataset, view: FieldOfView) -> dict[str, xr.Variable]:
    """A view as variables of a profile, from which `view_of` makes it again; none for the whole raster."""
    raster = view.raster
    if view.is_raster:
        return {}
    pitch = pixel_pitch(events)
    variables = {
        name: xr.Variable(
            (name,), np.arange(size) * (pitch or 1.0), {"units": "pixel" if pitch is None else "micrometer"}
        )
        for name, size in (("y", raster.rows), ("x", raster.columns))
    }
    inside = view.inside.reshape(raster.rows, raster.columns).astype(np.int8)
    if view.lag is not None:
        lag = view.lag.reshape(2, raster.rows, raster.columns).astype(np.int16)
        variables["column_lag"] = xr.Variable(("parity", "y", "x"), lag, {"units": "1"})
        variables["whole_scans"] = xr.Variable(("scan",), view.whole.astype(np.int8), {"units": "1"})
    return {
        **variables,
        "region": xr.Variable(("y", "x"), inside, {"units": "1"}),
        "raster_shift": xr.Variable(("scan", "axis"), view.shift, {"units": "pixel"}),
        "axis": xr.Variable(("axis",), np.array(["y", "x"]), {"units": "1"}),
    }


def view_of(events: xr.Dataset, profile: xr.Dataset) -> FieldOfView:
    """The view of a profile's maps and volumes: its region of interest, drift taken out, columns as they were moved.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    profile : xr.Dataset
        Its `tofsims_profile`.
    """
    view = whole_raster(raster_of(events))
    if "region" not in profile:
        return view
    inside = profile["region"].values.astype(bool).ravel()
    shift = profile["raster_shift"].values.astype(np.int64)
    if "column_lag" not in profile:
        return replace(view, inside=inside, shift=shift, whole=profile["used_scans"].values.astype(bool))
    lag = profile["column_lag"].values.astype(np.int64).reshape(2, -1)
    return replace(view, inside=inside, shift=shift, lag=lag, whole=profile["whole_scans"].values.astype(bool))

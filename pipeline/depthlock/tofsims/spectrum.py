"""The mass scale, and ions of a lazy event store gathered by flight time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from depthlock.tofsims.exponential_gauss import FloatArray

PICOSECOND = 1e-6
"""Microseconds in a picosecond: flight times in the mass scale are in µs."""


@dataclass(frozen=True)
class MassScale:
    """Flight time to m/z: ``m/z = (slope * t + offset)^2``.

    Attributes
    ----------
    slope : float
        In sqrt(Da)/µs.
    offset : float
        In sqrt(Da).
    bin_width : float
        Width of a mass bin in ps.
    covariance : ndarray, shape (2, 2)
        Of slope and offset; zero for a scale taken as given.
    scatter : float
        Relative error of m/z that stays from peak to peak, beyond the covariance (1).
    """

    slope: float
    offset: float
    bin_width: float
    covariance: FloatArray
    scatter: float = 0.0

    def mz(self, position: ArrayLike) -> FloatArray:
        """m/z in Da at flight times given in mass bins (edges; the centre of bin k is k + 0.5)."""
        time = np.asarray(position, dtype=np.float64) * self.bin_width * PICOSECOND
        return np.asarray((self.slope * time + self.offset) ** 2, dtype=np.float64)

    def position(self, mz: ArrayLike) -> FloatArray:
        """Flight time in mass bins of an m/z in Da."""
        time = (np.sqrt(np.asarray(mz, dtype=np.float64)) - self.offset) / self.slope
        return np.asarray(time / (self.bin_width * PICOSECOND), dtype=np.float64)

    def relative_std(self, mz: float) -> float:
        """Standard error of the scale at `mz`, as a fraction of m/z."""
        time = float(self.position(mz)) * self.bin_width * PICOSECOND
        gradient = np.array([time, 1.0])
        variance = float(gradient @ self.covariance @ gradient) * 4.0 / mz
        return float(np.sqrt(max(variance, 0.0) + self.scatter**2))

    def relative_per_bin(self, mz: float) -> float:
        """Relative change of m/z in one mass bin."""
        return float(2.0 * self.slope * self.bin_width * PICOSECOND / np.sqrt(mz))


def file_scale(events: xr.Dataset) -> MassScale:
    """The mass scale that the raw file states."""
    return MassScale(
        float(events.attrs["calibration_slope"]),
        float(events.attrs["calibration_offset"]),
        float(events.attrs["mass_bin_width_ps"]),
        np.zeros((2, 2)),
    )


@dataclass(frozen=True)
class Spectrum:
    """Counts of all scans and pixels by mass bin.

    Attributes
    ----------
    mass_bin : ndarray of int64, shape (bin,)
        Occupied bins, ascending.
    counts : ndarray, shape (bin,)
    """

    mass_bin: NDArray[np.int64]
    counts: NDArray[np.int64] | FloatArray

    def without_dead_time(self, dead_bins: int, pulses: float) -> Spectrum:
        """The spectrum with mean dead-time losses restored, so that peaks are not pulled to short times.

        For positions and shapes only: it takes all pulses as alike.
        """
        total = np.concatenate([[0.0], np.cumsum(self.counts, dtype=np.float64)])
        start = np.searchsorted(self.mass_bin, self.mass_bin - dead_bins, side="left")
        blocked = total[:-1] - total[start]
        return Spectrum(self.mass_bin, self.counts * (pulses / np.maximum(pulses - blocked, 0.05 * pulses)))

    def histogram(self, edges: FloatArray) -> FloatArray:
        """Counts between edges in mass bins; bins cut by an edge are shared in proportion.

        Parameters
        ----------
        edges : ndarray, shape (channel + 1,)
            Ascending, in mass bins.
        """
        total = np.concatenate([[0.0], np.cumsum(self.counts, dtype=np.float64)])
        whole = np.floor(edges).astype(np.int64)
        below = np.searchsorted(self.mass_bin, whole, side="left")
        inside = np.minimum(below, self.mass_bin.size - 1)
        here = np.where(self.mass_bin[inside] == whole, self.counts[inside], 0)
        return np.asarray(np.diff(total[below] + (edges - whole) * here), dtype=np.float64)


def total_spectrum(events: xr.Dataset) -> Spectrum:
    """Sum the counts of every occupied mass bin, one dask block of ions at a time."""
    indptr = events["indptr"].values.astype(np.int64)
    occupied = indptr.size - 1
    sums = np.zeros(occupied, dtype=np.int64)
    count = events["count"].chunk().data
    start = 0
    for block, size in zip(count.blocks, count.chunks[0], strict=True):
        values = np.asarray(block.compute(), dtype=np.int64)
        first = int(np.searchsorted(indptr, start, side="right")) - 1
        last = int(np.searchsorted(indptr, start + size, side="left"))
        local = np.clip(indptr[first : last + 1] - start, 0, size)
        running = np.concatenate([[0], np.cumsum(values)])
        sums[first:last] += np.diff(running[local])
        start += size
    return Spectrum(events["mass_bin"].values.astype(np.int64), sums)


@dataclass(frozen=True)
class IonSlice:
    """Ions of a contiguous stretch of flight time.

    Attributes
    ----------
    mass_bin : ndarray of int64, shape (event,)
    pixel_id : ndarray of int64, shape (event,)
    count : ndarray of int64, shape (event,)
    """

    mass_bin: NDArray[np.int64]
    pixel_id: NDArray[np.int64]
    count: NDArray[np.int64]


def ions_between(events: xr.Dataset, bin_low: int, bin_high: int) -> IonSlice:
    """Read the ions whose mass bin is in ``[bin_low, bin_high)``; only that slice of the store is touched."""
    bins = events["mass_bin"].values
    indptr = events["indptr"].values
    first, last = (int(k) for k in np.searchsorted(bins, [bin_low, bin_high], side="left"))
    start, stop = int(indptr[first]), int(indptr[last])
    repeats = np.diff(indptr[first : last + 1]).astype(np.int64)
    part = events[["pixel_id", "count"]].isel(event=slice(start, stop)).compute()
    return IonSlice(
        np.repeat(bins[first:last].astype(np.int64), repeats),
        part["pixel_id"].values.astype(np.int64),
        part["count"].values.astype(np.int64),
    )

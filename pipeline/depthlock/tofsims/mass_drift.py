"""Drift of the mass calibration from scan to scan: charging and warming supplies stretch all flight times alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.raster import Raster
from depthlock.tofsims.spectrum import IonSlice, Spectrum, ions_between

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class MassDrift:
    """How much longer than on average ions fly in each scan.

    Attributes
    ----------
    stretch, std : ndarray, shape (scan,)
        Flight time since `origin` over the average one less 1, and its standard error; half the relative error of m/z.
    origin : float
        Mass bin at which m/z is 0.
    flag : str
        Why what was left of the drift may matter, or empty.
    """

    stretch: FloatArray
    std: FloatArray
    origin: float
    flag: str = ""

    @classmethod
    def none(cls, scans: int, origin: float) -> MassDrift:
        """No drift at all, and no idea of one."""
        return cls(np.zeros(scans), np.full(scans, np.nan), origin)

    @property
    def seen(self) -> bool:
        """Whether there is a drift to be taken out."""
        return bool(self.stretch.any())

    @property
    def ppm(self) -> FloatArray:
        """Error of m/z by scan in ppm."""
        return 2e6 * self.stretch

    def margin(self, mass_bin: int) -> int:
        """Mass bins by which ions near a mass bin are moved at most."""
        return int(np.ceil(float(np.abs(self.stretch).max(initial=0.0)) * max(mass_bin - self.origin, 0.0))) + 1

    def rounding(self, mass_bin: float) -> float:
        """Variance in mass bins squared that is added to a peak by moving its ions by whole bins."""
        part = self.stretch * (mass_bin - self.origin) % 1.0
        return float(np.mean(part * (1.0 - part)))

    def late(self, low: int, high: int) -> NDArray[np.int64]:
        """Whole mass bins by which the ions of a narrow window came late, by scan."""
        return self.bins(0.5 * (low + high), np.arange(self.stretch.size))

    def bins(self, mass_bin: NDArray[np.int64] | float, scan: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whole mass bins by which ions came late.

        A scan's fraction of a bin is rounded up or down in an even sequence of scans: nothing is left on average.
        """
        late = self.stretch[scan] * (np.asarray(mass_bin, dtype=np.float64) + 0.5 - self.origin)
        return np.asarray(np.floor(late + (scan + 1) * _GOLDEN % 1.0), dtype=np.int64)


def drift_of(profile: xr.Dataset) -> MassDrift | None:
    """The drift that a `tofsims_profile` was corrected for; None where none was measured."""
    if "mass_drift" not in profile:
        return None
    stretch, std = (0.5e-6 * profile[name].values for name in ("mass_drift", "mass_drift_std"))
    return MassDrift(stretch, std, float(profile.attrs["mass_origin_bin"]), str(profile.attrs["mass_drift_flag"]))


def steady_ions(events: xr.Dataset, raster: Raster, drift: MassDrift | None, low: int, high: int) -> IonSlice:
    """Ions whose mass bin, with the drift taken out, is in ``[low, high)``.

    All ions of a scan are moved by the same number of bins: windows are narrow.
    """
    if drift is None or not drift.seen:
        return ions_between(events, low, high)
    margin = drift.margin(high)
    wide = ions_between(events, low - margin, high + margin)
    mass_bin = wide.mass_bin - drift.late(low, high)[raster.scan_of(wide.pixel_id)]
    inside = (mass_bin >= low) & (mass_bin < high)
    return IonSlice(mass_bin[inside], wide.pixel_id[inside], wide.count[inside])


def steady_spectrum(events: xr.Dataset, raster: Raster, drift: MassDrift) -> Spectrum:
    """Counts of all ions by mass bin with the drift taken out, one dask block of ions at a time."""
    bins, indptr = events["mass_bin"].values.astype(np.int64), events["indptr"].values.astype(np.int64)
    pixel, count = events["pixel_id"].chunk().data, events["count"].chunk().data
    places, sums = [], []
    start = 0
    for ids, numbers in zip(pixel.blocks, count.rechunk(pixel.chunks).blocks, strict=True):
        size = ids.shape[0]
        row = np.searchsorted(indptr, np.arange(start, start + size), side="right") - 1
        scan = raster.scan_of(np.asarray(ids.compute(), dtype=np.int64))
        # A block is a stretch of flight time, so that few bins are shared with the next one.
        found, which = np.unique(bins[row] - drift.bins(bins[row], scan), return_inverse=True)
        places.append(found)
        sums.append(np.bincount(which, weights=np.asarray(numbers.compute(), dtype=np.float64)))
        start += size
    found, which = np.unique(np.concatenate(places), return_inverse=True)
    total = np.bincount(which, weights=np.concatenate(sums)).astype(np.int64)
    return Spectrum(found[found >= 0], total[found >= 0])

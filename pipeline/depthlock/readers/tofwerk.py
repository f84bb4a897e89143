"""Files of Tofwerk's TofDAQ (HDF5): peak signals by write, segment and buffer, and the mean spectrum.

In a FIB-SIMS measurement a write is a slice, a segment a row and a buffer a column of the image. What stands in the
file are integrated analog signals, no counted ions: counting errors cannot be had from them, so that no stage takes
them. `read` gives them for one's own use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.hdf5_access import HDF5_FAULTS, HDF5_SIGNATURE, attribute, dataset, opened

if TYPE_CHECKING:
    import h5py

PEAKS, TABLE, TIMES = "/PeakData/PeakData", "/PeakData/PeakTable", "/TimingData/BufTimes"
_COPY = "copy the file again from the instrument's computer"
_COUNTED = "export single ions (event lists) as tof-sims-sparse-hdf5 (.h5), or depth profiles in counts"


def recognises(path: Path, head: bytes) -> bool:
    """Whether an HDF5 file was written by TofDAQ.

    Raises
    ------
    ReadError
        For an HDF5 file that cannot be opened at all (cut short, damaged).
    """
    if not head.startswith(HDF5_SIGNATURE):
        return False
    with opened(path) as file:
        return attribute(file, "TofDAQ Version", path) is not None


def _peaks(file: h5py.File, path: Path) -> tuple[h5py.Dataset, np.ndarray]:
    if PEAKS not in file or TABLE not in file:
        raise ReadError(
            "the file holds no peak signals", expected=f"{PEAKS} and {TABLE}", where=str(path), hint=_COUNTED
        )
    signals, table = dataset(file, PEAKS, path), dataset(file, TABLE, path)
    names = table.dtype.names or ()
    if signals.ndim != 4 or table.ndim != 1 or signals.shape[3] != table.shape[0] or "mass" not in names:
        raise ReadError(
            f"the peak signals have the shape {signals.shape}, their table {table.shape}",
            expected="write, segment, buffer, peak, and a row a peak",
            where=f"{path}:{PEAKS}",
            hint=_COPY,
        )
    try:
        return signals, np.asarray(table[()])
    except HDF5_FAULTS as error:
        raise ReadError(f"the peak table is damaged ({error})", where=f"{path}:{TABLE}", hint=_COPY) from error


def read(path: Path) -> xr.Dataset:
    """Read the peak signals, one write at a time, summed over segments and buffers.

    Returns
    -------
    xr.Dataset
        `signal` (ion, scan) in the file's own units (millivolt times nanosecond, or ions an extraction), with `mz`,
        `mz_lower`, `mz_upper` in Da and `time` (scan) in s (NaN where the file has none); `scan` is the write.

    Raises
    ------
    ReadError
        When the file is damaged or holds no peak signals.
    """
    with opened(path) as file:
        signals, table = _peaks(file, path)
        writes = signals.shape[0]
        sums = np.empty((table.shape[0], writes))
        try:
            for write in range(writes):
                sums[:, write] = np.asarray(signals[write]).sum(axis=(0, 1), dtype=np.float64)
            times = np.asarray(file[TIMES])[:, 0].astype(float) if TIMES in file else np.full(writes, np.nan)
        except HDF5_FAULTS as error:
            raise ReadError(f"the signals cannot be decoded ({error})", where=f"{path}:{PEAKS}", hint=_COPY) from error
        sign = {"positive": "+", "negative": "-"}.get(str(attribute(file, "IonMode", path, "")).lower(), "")
    labels = [bytes(label).split(b"\0")[0].decode("latin-1") for label in table["label"]]
    coords = {
        "ion": ("ion", np.array(labels), {"units": "1"}),
        "mz": ("ion", table["mass"].astype(float), {"units": "Da"}),
        "mz_lower": ("ion", table["lower integration limit"].astype(float), {"units": "Da"}),
        "mz_upper": ("ion", table["upper integration limit"].astype(float), {"units": "Da"}),
        "time": ("scan", times[:writes], {"units": "s"}),
    }
    signal = (("ion", "scan"), sums, {"units": "1", "long_name": "peak signal in the file's own units"})
    return xr.Dataset({"signal": signal}, coords, {"source": str(path), "polarity": sign})


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    with opened(path) as file:
        signals, table = _peaks(file, path)
        stated = attribute(file, "NbrWrites", path)
        planned = stated[0] if isinstance(stated, list) and stated else stated
        writes, segments, buffers, _ = signals.shape
        full = file.get("FullSpectra")
        samples = attribute(file, "NbrSamples", path)
        facts: dict[str, Any] = {
            "axes": f"{writes} writes x {segments} segments x {buffers} buffers",
            "peaks": int(table.shape[0]),
            "m/z of the peaks": f"{float(table['mass'].min()):.3f} to {float(table['mass'].max()):.3f} Da",
            "samples a spectrum": samples[0] if isinstance(samples, list) and samples else samples,
            "calibration": str(attribute(full, "MassCalibration Function", path, "not in the file"))
            if full is not None
            else "not in the file",
            "ion mode": str(attribute(file, "IonMode", path, "not in the file")),
            "measured": str(attribute(file, "HDF5 File Creation Time", path, "not in the file")),
            "instrument": str(attribute(file, "DAQ Hardware", path, "not in the file")),
            "event lists": "yes" if full is not None and "EventList" in full else "none",
        }
    notes = [f"analog signals, no counted ions: no stage takes them. {_COUNTED[0].upper()}{_COUNTED[1:]}"]
    if isinstance(planned, int | float) and planned != writes:
        notes.append(f"the file states {int(planned)} writes and holds {writes}")
    facts["notes"] = notes
    return facts

"""Event stores: TOF-SIMS ions in the open format `tof-sims-sparse-hdf5` 0.1 (ULVAC-PHI).

Ions stand in compressed sparse rows keyed on the flight-time bin: all cells (cycle, frame, y, x) that recorded an ion
in one bin are contiguous, so that any mass window is one slice. The section numbers below are those of the format's
specification (PyPI package ``simsh5``, ``docs/hdf5-format.md``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_layout import FORMAT, PRIMARY, read_layout
from depthlock.readers.event_metadata import measurement
from depthlock.readers.event_slices import EventSlices, chunk_lengths
from depthlock.readers.hdf5_access import HDF5_SIGNATURE, attribute, opened, read_slice, vector

if TYPE_CHECKING:
    import h5py


COUNTED_CELLS = 100_000_000
"""Cells up to which `describe` goes through the whole file: some ten seconds."""


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is an event store.

    Raises
    ------
    ReadError
        For an HDF5 file that cannot be opened at all (cut short, damaged).
    """
    if not head.startswith(HDF5_SIGNATURE):
        return False
    with opened(path) as file:
        return bool(attribute(file, "format", path) == FORMAT)


def read(path: Path) -> xr.Dataset:
    """Open an event store; see :func:`open_events`."""
    return open_events(path)


def open_events(path: str | Path) -> xr.Dataset:
    """Open an event store lazily.

    The row index (bins and pointers) is read; pixel ids and counts stay in the file and are read chunk by chunk, each
    read opening the file anew, so that threads and processes may read at once.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    xr.Dataset
        Contract `tofsims_events`. `scan` is the first axis of `row_shape`: the cycle of a depth profile, the frame of
        an image, the tile of a mosaic; ``scan = pixel_id // prod(row_shape[1:])``. Attributes beside those of the
        contract: `axes` (names of `row_shape`), `sputter_time_source`, `frames_per_cell`, `notes`, and, where the
        file tells, `pixel_pitch_um`, `shots_per_pixel` (primary pulses behind one cell of `row_shape`),
        `dead_time_ns`.

    Raises
    ------
    ReadError
        With the HDF5 path of what is wrong. All of section 11 is checked by
        :func:`depthlock.readers.event_checks.validate_events`.
    """
    import dask.array as da

    path = Path(path)
    with opened(path) as file:
        layout = read_layout(file, path)
        mass_bin = _all(vector(file, f"{PRIMARY}/mass_bin", path), path)
        indptr = _all(vector(file, f"{PRIMARY}/indptr", path), path)
        pixel_source = vector(file, f"{PRIMARY}/pixel_id", path)
        chunks = chunk_lengths(pixel_source)
        count_chunks = chunk_lengths(vector(file, f"{PRIMARY}/count", path))
        time, time_source, attrs = measurement(file, path, layout)
    if layout.bins and (np.any(np.diff(mass_bin) <= 0) or mass_bin[0] < 0):
        raise ReadError(
            "the bins do not ascend", expected="strictly ascending bins", where=f"{path}:{PRIMARY}/mass_bin"
        )
    if indptr[0] != 0 or indptr[-1] != layout.cells or np.any(np.diff(indptr) < 0):
        raise ReadError(
            f"the row pointers run from {indptr[0]} to {indptr[-1]}",
            expected=f"ascending from 0 to {layout.cells}",
            where=f"{path}:{PRIMARY}/indptr",
        )
    # Both arrays get the same chunks, so that a window of both costs one pass each.
    chunks = max(chunks, count_chunks)
    lazy = {}
    for key in ("pixel_id", "count"):
        column = EventSlices.of(path, f"{PRIMARY}/{key}", layout.cells)
        lazy[key] = da.from_array(column, chunks=chunks, inline_array=True)  # type: ignore[no-untyped-call]
    variables = {
        "mass_bin": ("bin", mass_bin, {"units": "1", "long_name": "flight-time bin"}),
        "indptr": ("bin_edge", indptr, {"units": "1", "long_name": "first cell of each bin"}),
        "pixel_id": ("event", lazy["pixel_id"], {"units": "1", "long_name": "flat index over row_shape"}),
        "count": ("event", lazy["count"], {"units": "1", "long_name": "ions of the cell"}),
    }
    coords = {"sputter_time": ("scan", time, {"units": "s"})}
    return xr.Dataset(variables, coords, attrs={**attrs, "sputter_time_source": time_source})


def _all(source: h5py.Dataset, path: Path) -> NDArray[np.int64]:
    values = read_slice(source, 0, source.shape[0], path)
    if values.size and int(values.max()) > np.iinfo(np.int64).max:
        raise ReadError(f"a value is {values.max()}", expected="values below 2^63", where=f"{path}:{source.name}")
    return values.astype(np.int64)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``; ions are counted, and the whole file checked, up to `COUNTED_CELLS` cells."""
    events = open_events(path)
    cells, bins = events.sizes["event"], events.sizes["bin"]
    checked = validate_events(path) if cells <= COUNTED_CELLS else None
    slope, offset = events.attrs["calibration_slope"], events.attrs["calibration_offset"]
    facts: dict[str, Any] = {
        "mode": events.attrs["acquisition_mode"],
        "polarity": events.attrs["polarity"],
        "axes": " x ".join(f"{size} {axis}" for size, axis in zip(events.row_shape, events.axes, strict=True)),
        "ions": checked.ions if checked else f"{cells} or more; not counted",
        "occupied cells": cells,
        "occupied flight-time bins": bins,
    }
    if bins:
        edges = events["mass_bin"].values[[0, -1]] * events.attrs["mass_bin_width_ps"] * 1e-6
        low, high = np.maximum(slope * edges + offset, 0.0) ** 2
        facts["m/z by the file's calibration"] = (
            f"{low:.3f} to {high:.3f} Da" if high > 0 else "none: all flight times lie before its zero"
        )
    facts["flight-time bin"] = f"{events.attrs['mass_bin_width_ps']:g} ps"
    facts["calibration"] = f"sqrt(m/z) = {slope:.7g} /us * t {offset:+.7g}"
    facts["times"] = events.attrs["sputter_time_source"]
    if events.attrs["sputter_time_source"] != "none":
        time = events["sputter_time"].values
        facts["time range"] = f"{time[0]:g} to {time[-1]:g} s"
    for key, title, unit in (
        ("pixel_pitch_um", "pixel pitch", " um"),
        ("shots_per_pixel", "shots a pixel", ""),
        ("dead_time_ns", "dead time", " ns"),
    ):
        facts[title] = f"{events.attrs[key]:g}{unit}" if key in events.attrs else "not in the file"
    if checked and checked.ms2_ions is not None:
        facts["MS2 ions"] = checked.ms2_ions
    if events.attrs["notes"]:
        facts["notes"] = list(events.attrs["notes"])
    return facts

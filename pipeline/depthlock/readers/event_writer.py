"""Writing event stores from unsorted ions, out of core; see :mod:`depthlock.readers.event_spill`."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from depthlock.model.errors import WorkflowError
from depthlock.readers.event_groups import Integers
from depthlock.readers.event_layout import DETECTOR, FORMAT, PRIMARY, VERSION
from depthlock.readers.event_sorting import MEMORY_WORDS, Cells, sorted_cells
from depthlock.readers.event_source import EventBlock, StoreHeader
from depthlock.readers.event_spill import Spill

if TYPE_CHECKING:
    import h5py

__all__ = ["MEMORY_WORDS", "EventBlock", "StoreHeader", "write_events", "write_store"]

HDF5_CHUNK = 1 << 16
CELLS_AT_ONCE = 1 << 24
"""Cells that are carried to the disk together."""


def write_events(
    path: str | Path, blocks: Iterable[EventBlock], header: StoreHeader, *, memory_words: int = MEMORY_WORDS
) -> None:
    """Write ions as an event store; the file appears under its name only when it is whole.

    Parameters
    ----------
    path : str or Path
        The store; replaced if it exists.
    blocks : iterable of EventBlock
        Gone through once. Ions of the same bin and pixel are added up.
    header : StoreHeader
    memory_words : int
        Ions sorted at once. All ions wait in a file beside `path`, four or eight bytes each.

    Raises
    ------
    ValueError
        When a pixel id lies outside `row_shape`, or a bin or count does not fit 32 bits.
    WorkflowError
        When the disk is full or not writable.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            iterator = iter(blocks)
            spill = Spill.begun(Path(folder), header.row_shape, iterator)
            try:
                for block in iterator:
                    spill.add(block)
                spill.flush()
                write_store(path, Path(folder), spill, header, memory_words)
            finally:
                spill.close()
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> WorkflowError:
    """What to say when the disk does not take a store."""
    return WorkflowError(
        f"the event store cannot be written: {error.strerror or error}",
        where=str(path),
        hint="make room on the disk and check the folder's permissions",
    )


def write_store(path: Path, folder: Path, spill: Spill, header: StoreHeader, memory_words: int = MEMORY_WORDS) -> int:
    """Write spilled ions as a store at `path`, by way of a file in `folder`; the number of its cells."""
    import h5py

    whole = folder / "store.h5"
    with whole.open("wb") as stream:
        with h5py.File(whole, "w", libver="v108") as file:
            _write_header(file, header)
            pieces = _carried_to_disk(sorted_cells(spill, memory_words), stream.fileno())
            cells = _write_cells(file.create_group(PRIMARY), pieces, header)
        os.fsync(stream.fileno())
    whole.replace(path)
    return cells


def _carried_to_disk(pieces: Iterable[Cells], file: int) -> Iterator[Cells]:
    """The same pieces, while what was written of those before is carried to the disk."""
    with ThreadPoolExecutor(1) as thread:
        flush, cells = thread.submit(os.fsync, file), 0
        for piece in pieces:
            yield piece
            cells += piece.pixel_id.size
            if cells >= CELLS_AT_ONCE and flush.done():
                flush.result()
                flush, cells = thread.submit(os.fsync, file), 0
        flush.result()


class _Column:
    """A one-dimensional dataset that grows chunk by chunk.

    Chunks are written as they are. Compressing them would make the file half as large and take twice as long as
    everything else: the pixels of an ion are close to random numbers.
    """

    def __init__(self, group: h5py.Group, name: str, dtype: str) -> None:
        self._data = group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(HDF5_CHUNK,))
        self._held = np.empty(HDF5_CHUNK, dtype)
        self._room = self._start = self._used = 0

    def __len__(self) -> int:
        return self._start + self._used

    def append(self, values: Integers) -> None:
        """Add values at the end."""
        values = values.astype(self._held.dtype, copy=False)
        while values.size:
            if not self._used and values.size >= HDF5_CHUNK:
                self._write(values[:HDF5_CHUNK])
                values = values[HDF5_CHUNK:]
                continue
            part = min(values.size, HDF5_CHUNK - self._used)
            self._held[self._used : self._used + part] = values[:part]
            values, self._used = values[part:], self._used + part
            if self._used == HDF5_CHUNK:
                self._used = 0
                self._write(self._held)

    def _write(self, chunk: Integers) -> None:
        if self._start == self._room:
            # Making room is slow, so that it is done for more and more chunks at once.
            self._room = 2 * self._room + HDF5_CHUNK
            self._data.resize(self._room, axis=0)
        self._data.id.write_direct_chunk((self._start,), chunk)
        self._start += HDF5_CHUNK

    def end(self) -> None:
        """Write what is left."""
        self._data.resize(len(self), axis=0)
        self._data[self._start :] = self._held[: self._used]


def _write_cells(group: h5py.Group, pieces: Iterable[Cells], header: StoreHeader) -> int:
    columns = {
        name: _Column(group, name, dtype)
        for name, dtype in (("mass_bin", "<u4"), ("indptr", "<u8"), ("pixel_id", "<u4"), ("count", "u1"))
    }
    exceptions: dict[str, _Column] = {}
    cells, last = 0, -1
    for piece in pieces:
        # A bin may go on from the piece before.
        new = slice(int(piece.bins[0] == last), None)
        last = int(piece.bins[-1])
        columns["mass_bin"].append(piece.bins[new])
        columns["indptr"].append(cells + piece.starts[new])
        columns["pixel_id"].append(piece.pixel_id)
        columns["count"].append(piece.count)
        if piece.large.size:
            if not exceptions:
                inside = group.create_group("count_exceptions")
                exceptions = {
                    name: _Column(inside, name, dtype) for name, dtype in (("nnz_index", "<u8"), ("value", "<u4"))
                }
            exceptions["nnz_index"].append(cells + piece.large)
            exceptions["value"].append(piece.exact)
        cells += piece.pixel_id.size
    columns["indptr"].append(np.array([cells]))
    for column in (*columns.values(), *exceptions.values()):
        column.end()
    group.attrs["n_nnz"] = np.uint64(cells)
    group.attrs["n_occupied_mass_bins"] = np.uint64(len(columns["mass_bin"]))
    group.attrs["max_mass_bin"] = np.uint32(max(last, 0))
    group.attrs["sort_order_within_row"] = "pixel_id_ascending"
    group.attrs["mass_bin_width_ps"] = np.uint32(header.bin_width_ps)
    return cells


def _write_header(file: h5py.File, header: StoreHeader) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = VERSION
    file.attrs["acquisition_mode"] = header.mode
    file.attrs["polarity"] = header.polarity
    file.attrs["source_format"] = header.source_format
    file.attrs["source_md5"] = header.source_md5
    file.attrs["created"] = dt.datetime.now(dt.UTC).isoformat()
    mass = file.create_group("calibration/mass")
    mass.attrs["model"] = "phi_quadratic"
    mass.attrs["ps_per_bin"] = np.float64(128.0)
    mass["coefficients"] = np.array([header.slope, header.offset], np.float64)
    if header.pixel_pitch_um is not None:
        file.create_group("calibration/spatial").attrs["pixel_pitch_um"] = float(header.pixel_pitch_um)
    detector = {"shots_per_pixel": header.shots_per_pixel, "dead_time_ns": header.dead_time_ns}
    known = {key: value for key, value in detector.items() if value is not None}
    if known:
        file.create_group(DETECTOR).attrs.update(known)
    geometry = file.create_group("geometry")
    geometry.attrs["acquisition_mode"] = header.mode
    geometry.attrs["row_shape"] = np.array(header.row_shape, np.uint64)
    geometry.attrs["row_count"] = np.uint64(header.rows)
    geometry.attrs["row_order"] = "C"
    geometry.attrs["frames_summed"] = False
    if header.sputter_time_s:
        file["frames/sputter_time_s"] = np.array(header.sputter_time_s, np.float64)
    if header.raw_header:
        raw = file.create_dataset("raw_header", data=np.frombuffer(header.raw_header, np.uint8), compression="gzip")
        raw.attrs["encoding"] = "latin-1"
        raw.attrs["byte_length"] = len(header.raw_header)

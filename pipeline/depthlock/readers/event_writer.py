"""Writing event stores from unsorted ions, out of core: spill sorted runs, then merge them bin range by bin range."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import WorkflowError
from depthlock.readers.event_layout import AXES, DETECTOR, FORMAT, PRIMARY, VERSION

if TYPE_CHECKING:
    import h5py

MEMORY_EVENTS = 4_000_000
"""Ions held in memory at once; sorting them takes about 150 bytes each."""

HDF5_CHUNK = 65536
_CELL = np.dtype([("mass_bin", "<u4"), ("pixel_id", "<u4"), ("count", "<u4")])


@dataclass(frozen=True)
class EventBlock:
    """Some ions, in any order, all arrays of one length.

    Attributes
    ----------
    mass_bin : ndarray of integers
        Flight-time bins.
    pixel_id : ndarray of integers
        Flat C-order indices over the store's `row_shape`.
    count : ndarray of integers, optional
        Ions; one each if absent.
    """

    mass_bin: NDArray[np.integer]
    pixel_id: NDArray[np.integer]
    count: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class StoreHeader:
    """What an event store says beside its ions.

    Attributes
    ----------
    row_shape : tuple of int
        (frames, ny, nx), or (cycles or tiles, frames, ny, nx).
    mode : str
        ``image_2d``, ``depth_profile`` or ``mosaic``.
    polarity : str
        ``"+"`` or ``"-"``.
    bin_width_ps : int
        Width of a flight-time bin in ps.
    slope, offset : float
        sqrt(m/z) = slope * t + offset, t in us.
    source_format, source_md5 : str
        Origin.
    sputter_time_s : tuple of float
        One time a cycle; empty for other modes.
    pixel_pitch_um, shots_per_pixel, dead_time_ns : float or None
        Left out of the store where None.
    raw_header : bytes
        The instrument's own header, verbatim.
    """

    row_shape: tuple[int, ...]
    mode: str
    polarity: str
    bin_width_ps: int
    slope: float
    offset: float
    source_format: str
    source_md5: str = ""
    sputter_time_s: tuple[float, ...] = ()
    pixel_pitch_um: float | None = None
    shots_per_pixel: int | None = None
    dead_time_ns: float | None = None
    raw_header: bytes = b""

    def __post_init__(self) -> None:
        if self.mode not in AXES or len(self.row_shape) != len(AXES[self.mode]) or min(self.row_shape) < 1:
            raise ValueError(f"row_shape {self.row_shape} does not fit the mode {self.mode!r}")
        if self.polarity not in {"+", "-"}:
            raise ValueError(f"polarity {self.polarity!r} is neither '+' nor '-'")
        if self.rows > 1 << 32:
            raise ValueError(f"{self.rows} pixels do not fit the 32 bits of pixel_id")
        if self.sputter_time_s and len(self.sputter_time_s) != self.row_shape[0]:
            raise ValueError(f"{len(self.sputter_time_s)} sputter times for {self.row_shape[0]} cycles")

    @property
    def rows(self) -> int:
        """Number of pixel cells."""
        return int(np.prod(self.row_shape, dtype=np.int64))


def write_events(
    path: str | Path, blocks: Iterable[EventBlock], header: StoreHeader, *, memory_events: int = MEMORY_EVENTS
) -> None:
    """Write ions as an event store; the file appears under its name only when it is whole.

    Parameters
    ----------
    path : str or Path
        The store; replaced if it exists.
    blocks : iterable of EventBlock
        Gone through once. Ions of the same bin and pixel are added up.
    header : StoreHeader
    memory_events : int
        Ions held in memory at once. Beyond it, sorted runs are spilled to files beside `path`.

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
            runs = list(_sorted_runs(blocks, header.rows, Path(folder), memory_events))
            whole = Path(folder) / "store.h5"
            _write_store(whole, runs, header, memory_events)
            del runs
            with whole.open("rb") as stream:
                os.fsync(stream.fileno())
            whole.replace(path)
    except OSError as error:
        raise WorkflowError(
            f"the event store cannot be written: {error.strerror or error}",
            where=str(path),
            hint="make room on the disk and check the folder's permissions",
        ) from error


def _cells(block: EventBlock, rows: int) -> NDArray[np.void]:
    size = len(block.mass_bin)
    cells = np.empty(size, _CELL)
    count = np.ones(size, np.uint32) if block.count is None else block.count
    for key, values, limit in (
        ("mass_bin", block.mass_bin, 1 << 32),
        ("pixel_id", block.pixel_id, rows),
        ("count", count, 1 << 32),
    ):
        values = np.asarray(values)
        if values.size and (int(values.min()) < 0 or int(values.max()) >= limit):
            raise ValueError(f"{key} runs from {values.min()} to {values.max()}; expected 0 to {limit - 1}")
        cells[key] = values
    return cells[cells["count"] > 0]


def _merged(cells: NDArray[np.void]) -> NDArray[np.void]:
    """Cells sorted by bin and pixel, those of the same bin and pixel added up."""
    key = (cells["mass_bin"].astype(np.uint64) << np.uint64(32)) | cells["pixel_id"]
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=key[:1] ^ np.uint64(1)) != 0)
    result = cells[order[first]]
    if first.size:
        result["count"] = np.add.reduceat(cells["count"][order].astype(np.uint64), first)
    return result


def _sorted_runs(
    blocks: Iterable[EventBlock], rows: int, folder: Path, memory_events: int
) -> Iterator[NDArray[np.void]]:
    """Runs sorted by bin and pixel: memory-mapped files, except a last one that is still in memory."""
    held: list[NDArray[np.void]] = []
    size = spilled = 0
    for block in blocks:
        # A block may be larger than the memory limit on its own; it is spilled at once then.
        cells = _cells(block, rows)
        held.append(cells)
        size += cells.size
        if size >= memory_events:
            name = folder / f"run-{spilled}.npy"
            np.save(name, _merged(np.concatenate(held)))
            yield np.load(name, mmap_mode="r")
            held, size, spilled = [], 0, spilled + 1
    if held:
        yield _merged(np.concatenate(held))


def _ranges(runs: list[NDArray[np.void]], memory_events: int) -> Iterator[NDArray[np.void]]:
    """The merged cells of consecutive bin ranges, each of about `memory_events` cells or of a single bin."""
    starts = [0] * len(runs)
    while any(start < run.size for start, run in zip(starts, runs, strict=True)):
        # Each run may give an equal part; the smallest bin at which one of them ends is where all are cut.
        part = max(1, memory_events // len(runs))
        lasts = [
            int(run["mass_bin"][min(start + part, run.size) - 1])
            for start, run in zip(starts, runs, strict=True)
            if start < run.size
        ]
        cut = min(lasts)
        stops = [
            start + int(np.searchsorted(run["mass_bin"][start:], cut, side="right"))
            for start, run in zip(starts, runs, strict=True)
        ]
        pieces = [np.asarray(run[a:b]) for run, a, b in zip(runs, starts, stops, strict=True)]
        yield _merged(np.concatenate(pieces))
        starts = stops


@contextmanager
def _created(path: Path) -> Iterator[h5py.File]:
    import h5py

    with h5py.File(path, "w", libver="v108") as file:
        yield file


def _column(group: h5py.Group, name: str, dtype: str) -> h5py.Dataset:
    return group.create_dataset(
        name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(HDF5_CHUNK,), compression="gzip",
        compression_opts=4, shuffle=True,
    )  # fmt: skip


def _append(column: h5py.Dataset, values: NDArray[np.integer]) -> None:
    start = column.shape[0]
    column.resize(start + values.size, axis=0)
    column[start:] = values


def _write_store(path: Path, runs: list[NDArray[np.void]], header: StoreHeader, memory_events: int) -> None:
    with _created(path) as file:
        _write_header(file, header)
        group = file.create_group(PRIMARY)
        columns = {
            name: _column(group, name, dtype)
            for name, dtype in (("mass_bin", "<u4"), ("indptr", "<u8"), ("pixel_id", "<u4"), ("count", "u1"))
        }
        exceptions: dict[str, h5py.Dataset] = {}
        total = 0
        _append(columns["indptr"], np.zeros(1, np.uint64))
        for cells in _ranges(runs, memory_events):
            first = np.flatnonzero(np.diff(cells["mass_bin"].astype(np.int64), prepend=-1))
            _append(columns["mass_bin"], cells["mass_bin"][first])
            _append(columns["indptr"], (total + np.append(first[1:], cells.size)).astype(np.uint64))
            _append(columns["pixel_id"], cells["pixel_id"])
            _append(columns["count"], np.minimum(cells["count"], 255).astype(np.uint8))
            large = np.flatnonzero(cells["count"] > 255)
            if large.size:
                if not exceptions:
                    inside = group.create_group("count_exceptions")
                    exceptions["nnz_index"] = _column(inside, "nnz_index", "<u8")
                    exceptions["value"] = _column(inside, "value", "<u4")
                _append(exceptions["nnz_index"], (total + large).astype(np.uint64))
                _append(exceptions["value"], cells["count"][large])
            total += cells.size
        bins = columns["mass_bin"].shape[0]
        group.attrs["n_nnz"] = np.uint64(total)
        group.attrs["n_occupied_mass_bins"] = np.uint64(bins)
        group.attrs["max_mass_bin"] = np.uint32(columns["mass_bin"][-1] if bins else 0)
        group.attrs["sort_order_within_row"] = "pixel_id_ascending"
        group.attrs["mass_bin_width_ps"] = np.uint32(header.bin_width_ps)


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

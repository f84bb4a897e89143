"""Writing event stores from unsorted ions, out of core; see :mod:`depthlock.readers.event_sorting`."""

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
from depthlock.readers.event_sorting import MEMORY_EVENTS, Cells, EventBlock, sorted_cells

if TYPE_CHECKING:
    import h5py

__all__ = ["MEMORY_EVENTS", "EventBlock", "StoreHeader", "write_events"]

HDF5_CHUNK = 65536


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
            whole = Path(folder) / "store.h5"
            _write_store(whole, sorted_cells(blocks, header.rows, Path(folder), memory_events), header)
            with whole.open("rb") as stream:
                os.fsync(stream.fileno())
            whole.replace(path)
    except OSError as error:
        raise WorkflowError(
            f"the event store cannot be written: {error.strerror or error}",
            where=str(path),
            hint="make room on the disk and check the folder's permissions",
        ) from error


@contextmanager
def _created(path: Path) -> Iterator[h5py.File]:
    import h5py

    with h5py.File(path, "w", libver="v108") as file:
        yield file


def _column(group: h5py.Group, name: str, dtype: str) -> h5py.Dataset:
    import hdf5plugin

    # One of the format's filters; four times as fast as gzip at the same size.
    packed = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.SHUFFLE)
    return group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(HDF5_CHUNK,), **packed)


def _append(column: h5py.Dataset, values: NDArray[np.integer]) -> None:
    start = column.shape[0]
    column.resize(start + values.size, axis=0)
    column[start:] = values


def _write_store(path: Path, cells: Iterable[Cells], header: StoreHeader) -> None:
    with _created(path) as file:
        _write_header(file, header)
        group = file.create_group(PRIMARY)
        columns = {
            name: _column(group, name, dtype)
            for name, dtype in (("mass_bin", "<u4"), ("indptr", "<u8"), ("pixel_id", "<u4"), ("count", "u1"))
        }
        exceptions: dict[str, h5py.Dataset] = {}
        total, last = 0, -1
        for key, count in cells:
            bins = (key >> np.uint64(32)).astype(np.uint32)
            first = np.flatnonzero(bins[1:] != bins[:-1]) + 1
            # A bin may go on from the cells before.
            first = first if int(bins[0]) == last else np.append(0, first)
            last = int(bins[-1])
            _append(columns["mass_bin"], bins[first])
            _append(columns["indptr"], (total + first).astype(np.uint64))
            _append(columns["pixel_id"], key.astype(np.uint32))
            large = np.flatnonzero(count > 255) if count is not None else np.empty(0, np.int64)
            small = np.ones(key.size, np.uint8) if count is None else np.minimum(count, np.uint32(255)).astype(np.uint8)
            _append(columns["count"], small)
            if large.size and count is not None:
                if not exceptions:
                    inside = group.create_group("count_exceptions")
                    exceptions["nnz_index"] = _column(inside, "nnz_index", "<u8")
                    exceptions["value"] = _column(inside, "value", "<u4")
                _append(exceptions["nnz_index"], (total + large).astype(np.uint64))
                _append(exceptions["value"], count[large])
            total += key.size
        _append(columns["indptr"], np.array([total], np.uint64))
        group.attrs["n_nnz"] = np.uint64(total)
        group.attrs["n_occupied_mass_bins"] = np.uint64(columns["mass_bin"].shape[0])
        group.attrs["max_mass_bin"] = np.uint32(max(last, 0))
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

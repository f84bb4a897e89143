"""All invariants of an event store (section 11 of the format), checked in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.event_layout import PRIMARY, csr_lengths, read_layout
from depthlock.readers.event_slices import CHUNK_EVENTS, EventSlices, chunk_lengths
from depthlock.readers.hdf5_access import opened, read_slice, vector

if TYPE_CHECKING:
    import h5py

MS2 = "/data/ms2_csr"
PIXEL_INDEX = "/data/pixel_index"


@dataclass(frozen=True)
class Checked:
    """Totals of a store that keeps all invariants.

    Attributes
    ----------
    ions : int
        Sum of all counts, exceptions applied.
    cells : int
        Non-zero (bin, pixel) cells.
    bins : int
        Occupied flight-time bins.
    ms2_ions : int or None
        Ions of the MS2 channel, if there is one.
    """

    ions: int
    cells: int
    bins: int
    ms2_ions: int | None


def validate_events(path: str | Path) -> Checked:
    """Check every invariant of section 11, reading the file once from end to end in chunks.

    Raises
    ------
    ReadError
        With the HDF5 path, and for long columns the place in it, of the first violation.
    """
    path = Path(path)
    with opened(path) as file:
        layout = read_layout(file, path)
        ions = _check_csr(file, PRIMARY, layout.rows, path)
        if PIXEL_INDEX in file:
            _check_pixel_index(file, layout.rows, layout.cells, path)
        ms2_ions = _check_csr(file, MS2, layout.rows, path) if MS2 in file else None
    return Checked(ions, layout.cells, layout.bins, ms2_ions)


def _pieces(source: h5py.Dataset, path: Path) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Start and values of consecutive pieces; each piece after the first begins with the last value before it."""
    step = max(CHUNK_EVENTS, chunk_lengths(source))
    for start in range(0, source.shape[0], step):
        first = max(start - 1, 0)
        values = read_slice(source, first, min(start + step, source.shape[0]), path)
        if values.size and int(values.max()) > np.iinfo(np.int64).max:
            raise ReadError(f"a value is {values.max()}", expected="below 2^63", where=f"{path}:{source.name}")
        yield first, values.astype(np.int64)


def _check_csr(file: h5py.File, group: str, rows: int, path: Path) -> int:
    """Check one compressed-sparse-row group; the sum of its counts."""
    cells, _ = csr_lengths(file, group, path)
    _check_ascending(vector(file, f"{group}/mass_bin", path), path, strictly=True)
    indptr = vector(file, f"{group}/indptr", path)
    _check_pointers(indptr, cells, path)
    pixel_id = vector(file, f"{group}/pixel_id", path)
    for first, values in _pieces(pixel_id, path):
        if int(values.max()) >= rows or int(values.min()) < 0:
            place = first + int(np.argmax((values >= rows) | (values < 0)))
            raise ReadError(
                f"pixel_id[{place}] is {values[place - first]}",
                expected=f"0 to {rows - 1} (row_count - 1)",
                where=f"{path}:{group}/pixel_id",
            )
        falls = first + 1 + np.flatnonzero(np.diff(values) < 0)
        if falls.size:
            _check_row_starts(indptr, falls, f"{path}:{group}/pixel_id", path)
    _check_exceptions(file, group, cells, path)
    return _sum_counts(file, group, cells, path)


def _check_ascending(source: h5py.Dataset, path: Path, *, strictly: bool) -> None:
    least = 1 if strictly else 0
    for first, values in _pieces(source, path):
        wrong = np.flatnonzero(np.diff(values) < least)
        if wrong.size:
            place = first + int(wrong[0]) + 1
            raise ReadError(
                f"{source.name}[{place}] is {values[wrong[0] + 1]} after {values[wrong[0]]}",
                expected="strictly ascending values" if strictly else "ascending values",
                where=f"{path}:{source.name}",
            )


def _check_pointers(indptr: h5py.Dataset, cells: int, path: Path) -> None:
    ends = [int(read_slice(indptr, at, at + 1, path)[0]) for at in (0, indptr.shape[0] - 1)]
    if ends != [0, cells]:
        raise ReadError(
            f"the row pointers run from {ends[0]} to {ends[1]}",
            expected=f"from 0 to {cells}, the number of cells",
            where=f"{path}:{indptr.name}",
        )
    _check_ascending(indptr, path, strictly=False)


def _check_row_starts(indptr: h5py.Dataset, falls: NDArray[np.int64], where: str, path: Path) -> None:
    """Pixel ids may fall only where a new row starts; `falls` are the indices of the smaller values."""
    unexplained = falls
    for _, pointers in _pieces(indptr, path):
        if pointers[-1] < unexplained[0]:
            continue
        at = np.minimum(np.searchsorted(pointers, unexplained), pointers.size - 1)
        unexplained = unexplained[pointers[at] != unexplained]
        if not unexplained.size:
            return
    raise ReadError(
        f"pixel_id[{unexplained[0]}] is smaller than the one before it in the same row",
        expected="ascending pixel ids within each row",
        where=where,
    )


def _check_exceptions(file: h5py.File, group: str, cells: int, path: Path) -> None:
    if f"{group}/count_exceptions" not in file:
        return
    source = vector(file, f"{group}/count_exceptions/nnz_index", path)
    for first, values in _pieces(source, path):
        wrong = np.flatnonzero((values >= cells) | (values < 0))
        if wrong.size:
            raise ReadError(
                f"nnz_index[{first + int(wrong[0])}] is {values[wrong[0]]}",
                expected=f"0 to {cells - 1}",
                where=f"{path}:{source.name}",
            )


def _sum_counts(file: h5py.File, group: str, cells: int, path: Path) -> int:
    step = max(CHUNK_EVENTS, chunk_lengths(vector(file, f"{group}/count", path)))
    column = EventSlices.of(path, f"{group}/count", cells)
    return sum(int(column[start : start + step].sum(dtype=np.int64)) for start in range(0, cells, step))


def _check_pixel_index(file: h5py.File, rows: int, cells: int, path: Path) -> None:
    indptr = vector(file, f"{PIXEL_INDEX}/indptr", path, length=rows + 1)
    _check_pointers(indptr, cells, path)
    vector(file, f"{PIXEL_INDEX}/primary_nnz", path, length=cells)

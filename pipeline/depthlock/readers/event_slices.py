"""Lazy access to the long columns of an event store, safe for threads, processes and a cluster's workers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.hdf5_access import opened, read_slice, vector

if TYPE_CHECKING:
    import h5py

CHUNK_EVENTS = 1 << 20
"""Cells a dask chunk holds where the file's own chunks are smaller: 4 MB as uint32."""

UINT32_MAX = np.iinfo(np.uint32).max


def chunk_lengths(source: h5py.Dataset) -> int:
    """Length of a dask chunk: a multiple of the HDF5 chunk, so that no HDF5 chunk is decoded twice."""
    own = source.chunks[0] if source.chunks else CHUNK_EVENTS
    return int(own * max(1, CHUNK_EVENTS // own))


@dataclass(frozen=True)
class EventSlices:
    """One column of an event store as an array that is read on access.

    Every access opens the file and closes it again: h5py's handles must not be shared between processes, and opening
    costs about a millisecond. Exceptions to the 8-bit counts (section 3) are applied.
    """

    path: str
    name: str
    length: int
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path, name: str, length: int) -> EventSlices:
        """The column `name` of the file as it is now; a later change of the file is noticed and refused."""
        return cls(str(path.absolute()), name, length, _stamp(str(path)))

    @property
    def shape(self) -> tuple[int]:
        """Shape, as dask asks for it."""
        return (self.length,)

    @property
    def ndim(self) -> int:
        """Number of dimensions, as dask asks for it."""
        return 1

    @property
    def dtype(self) -> np.dtype[np.uint32]:
        """Type, as dask asks for it."""
        return np.dtype(np.uint32)

    def __getitem__(self, key: Any) -> NDArray[np.uint32]:
        """The values of a slice with step 1."""
        window = key[0] if isinstance(key, tuple) else key
        start, stop, step = window.indices(self.length)
        if _stamp(self.path) != self.stamp:
            raise ReadError(
                "the file was changed while it was being read", where=self.path, hint="run again when it is at rest"
            )
        path = Path(self.path)
        with opened(path) as file:
            values = read_slice(vector(file, self.name, path, length=self.length), start, stop, path)
        if values.size and (int(values.min()) < 0 or int(values.max()) > UINT32_MAX):
            raise ReadError("a value does not fit 32 bits", where=f"{self.path}:{self.name}[{start}:{stop}]")
        result = values.astype(np.uint32)
        if self.name.endswith("/count"):
            index, exact = _exceptions(self.path, self.name.removesuffix("/count"), self.stamp)
            low, high = np.searchsorted(index, (start, stop))
            result[index[low:high] - start] = exact[low:high]
        return result[::step]


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise ReadError(
            f"the file is no longer there ({error.strerror})", where=path, hint="connect its drive and run again"
        ) from error
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=16)
def _exceptions(path: str, group: str, _stamp_of_file: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Indices, ascending, and exact values of the cells with more than 255 ions.

    `_stamp_of_file` is there for the cache alone: a changed file has another one.
    """
    location = Path(path)
    with opened(location) as file:
        if f"{group}/count_exceptions" not in file:
            return np.empty(0, np.int64), np.empty(0, np.uint32)
        stored = vector(file, f"{group}/count_exceptions/nnz_index", location)
        index = read_slice(stored, 0, stored.shape[0], location).astype(np.int64)
        values = vector(file, f"{group}/count_exceptions/value", location, length=index.size)
        exact = read_slice(values, 0, index.size, location).astype(np.uint32)
    order = np.argsort(index, kind="stable")
    return index[order], exact[order]

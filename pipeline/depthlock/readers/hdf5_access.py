"""Opening HDF5 files so that every failure names the file and the place in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError

if TYPE_CHECKING:
    import h5py

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

HDF5_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
"""What h5py raises on damaged files, depending on where in its layers the damage is noticed."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, with the Blosc2, Zstd and Bitshuffle filters registered.

    Raises
    ------
    ReadError
        When the file is missing, no HDF5, damaged or cut short.
    """
    import hdf5plugin  # noqa: F401  (importing it registers the filters)

    try:
        file = _handle(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except HDF5_FAULTS as error:
        raise ReadError(
            _why_unopened(path, error),
            expected="a whole HDF5 file",
            where=str(path),
            hint="copy the file again from the instrument's computer; its size should be the same there",
        ) from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError) as error:
            # Damage in the tree of groups shows itself at any access, even at asking whether a name exists.
            raise ReadError(
                f"the HDF5 file is damaged ({error})",
                expected="a whole HDF5 file",
                where=str(path),
                hint="copy the file again from the instrument's computer",
            ) from error


def _handle(path: Path) -> h5py.File:
    import h5py

    try:
        # Raw data often lies on network drives without file locks; nothing here writes, so locks add only failures.
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        # Somebody else in this process, a notebook for instance, has the file open with locks.
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")


def _missing(path: Path) -> ReadError:
    if path.is_symlink():
        return ReadError(
            f"the file is a link to {path.readlink()}, which is not there",
            where=str(path),
            hint="event files are not copied into the results: move the raw data with them, or run the session again",
        )
    return ReadError("there is no such file", where=str(path), hint="check the path")


def _why_unopened(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
        size = path.stat().st_size
    except OSError as problem:
        return f"the file cannot be opened: {problem.strerror or problem}"
    if head != HDF5_SIGNATURE:
        return "this is no HDF5 file"
    if "truncated" in str(error):
        return f"the HDF5 file is cut short: it has {size} bytes, fewer than its own header says"
    return f"the HDF5 file is damaged ({error})"


def dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """The dataset at an HDF5 path; `ReadError` when it is missing, a group, or its header is damaged."""
    import h5py

    try:
        found = file.get(name)
    except HDF5_FAULTS as error:
        raise ReadError(f"the entry is damaged ({error})", where=f"{path}:{name}", hint=_COPY) from error
    if not isinstance(found, h5py.Dataset):
        what = "is missing" if found is None else "is a group"
        raise ReadError(f"the dataset {name} {what}", expected="a dataset", where=f"{path}:{name}", hint=_COPY)
    return found


_COPY = "copy or convert the file again"


def vector(file: h5py.File, name: str, path: Path, *, kinds: str = "iu", length: int | None = None) -> h5py.Dataset:
    """A one-dimensional dataset of a numeric kind (`kinds` as in `numpy.dtype.kind`), optionally of a given length.

    Raises
    ------
    ReadError
        With the HDF5 path, when the dataset is missing or has another shape or type.
    """
    found = dataset(file, name, path)
    if found.dtype.kind not in kinds:
        wanted = "floating-point numbers" if kinds == "f" else "integers" if kinds in {"iu", "u"} else "numbers"
        raise ReadError(f"{name} holds {found.dtype}", expected=wanted, where=f"{path}:{name}", hint=_COPY)
    if found.ndim != 1:
        raise ReadError(
            f"{name} has the shape {found.shape}", expected="one dimension", where=f"{path}:{name}", hint=_COPY
        )
    if length is not None and found.shape[0] != length:
        raise ReadError(
            f"{name} has {found.shape[0]} values",
            expected=f"{length} values",
            where=f"{path}:{name}",
            hint=_COPY,
        )
    return found


def read_slice(source: h5py.Dataset, start: int, stop: int, path: Path) -> NDArray[Any]:
    """Values ``start:stop`` of a dataset; `ReadError` with the place when a chunk cannot be decoded."""
    try:
        return np.asarray(source[start:stop])
    except HDF5_FAULTS as error:
        raise ReadError(
            f"the values {start} to {stop} cannot be decoded ({error})",
            expected="intact data chunks",
            where=f"{path}:{source.name}",
            hint=_COPY,
        ) from error


def attribute(item: h5py.Group | h5py.Dataset, key: str, path: Path, default: Any = None) -> Any:
    """A scalar or array attribute as plain Python values; bytes become text."""
    try:
        value = item.attrs.get(key, default)
    except HDF5_FAULTS as error:
        raise ReadError(
            f"the attribute '{key}' is damaged ({error})", where=f"{path}:{item.name}@{key}", hint=_COPY
        ) from error
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value

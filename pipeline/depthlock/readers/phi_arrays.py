"""The arrays behind the text header of PHI MultiPak files (.spe, .pro).

Layout read off real files of a VersaProbe 4 (no public description exists): four little-endian u32 (version, entries,
bytes of directory, 16), a directory of 96 bytes an entry, and the arrays, whose offsets count from the header's end. An
entry holds, as u32 unless said otherwise: 0 its number, 3 the spectral region (0: none), 5 to 7 the array's lengths
with the first varying fastest, at byte 32 and 40 the names of its axes (``pnt``, ``cyc``, ``reg``, ``sar``), at byte 56
the unit (``c/s``, ``s``, ``c/s * eV``), at byte 72 the type (``f4``), at byte 76 the size and at byte 80 the offset.
The array with the unit ``s`` over cycle and region is the sputter time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from depthlock.model.errors import ReadError

_ENTRY_BYTES = 96
_TYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u4": "<u4", "i2": "<i2", "u2": "<u2"}


@dataclass(frozen=True)
class PhiArray:
    """One array: its spectral region (0: none), axes, unit, and values (slow axis, fast axis)."""

    region: int
    axes: tuple[str, str]
    unit: str
    values: npt.NDArray[np.float64]


def damaged(path: Path, offset: int, found: str, expected: str) -> ReadError:
    """The error for bytes that are not as they should be."""
    return ReadError(
        found,
        expected=expected,
        where=f"{path}, byte {offset}",
        hint="the file is damaged or cut off; copy it from the instrument again",
    )


def read_arrays(raw: bytes, base: int, path: Path) -> list[PhiArray]:
    """Read all arrays of a file.

    Parameters
    ----------
    raw : bytes
        The whole file.
    base : int
        Where the text header ends.
    path : Path
        For messages.

    Returns
    -------
    list of PhiArray

    Raises
    ------
    ReadError
        With the byte where the file is not as it should be.
    """
    if len(raw) < base + 16:
        raise damaged(path, len(raw), "the file ends after its text header", "the directory of its arrays")
    _, entries, size, offset = struct.unpack_from("<4I", raw, base)
    if entries == 0 or size != entries * _ENTRY_BYTES or offset != 16:
        raise damaged(
            path,
            base,
            f"a directory of {entries} entries and {size} bytes",
            f"a directory of {_ENTRY_BYTES} bytes an entry",
        )
    if len(raw) < base + offset + size:
        raise damaged(path, len(raw), "the file ends in the directory of its arrays", f"{entries} entries")
    starts = range(base + offset, base + offset + size, _ENTRY_BYTES)
    return [_array(raw, base, start, path) for start in starts]


def _array(raw: bytes, base: int, entry: int, path: Path) -> PhiArray:
    region = struct.unpack_from("<I", raw, entry + 12)[0]
    shape = struct.unpack_from("<3I", raw, entry + 20)
    axes = (_word(raw, entry + 32, 4), _word(raw, entry + 40, 4))
    unit = _word(raw, entry + 56, 16)
    kind = _TYPES.get(_word(raw, entry + 72, 4))
    size, offset = struct.unpack_from("<2I", raw, entry + 76)
    if kind is None:
        raise damaged(path, entry + 72, f"an array of type {_word(raw, entry + 72, 4)!r}", ", ".join(_TYPES))
    points = shape[0] * shape[1] * shape[2]
    if points * np.dtype(kind).itemsize != size or points == 0:
        raise damaged(path, entry + 20, f"an array of {shape} values in {size} bytes", "sizes that agree")
    if base + offset + size > len(raw):
        raise damaged(
            path,
            len(raw),
            f"the file ends {base + offset + size - len(raw)} bytes before the end of an array",
            f"{size} bytes from byte {base + offset} on",
        )
    if shape[2] != 1:
        raise ReadError(
            f"the array of region {region} has {shape[2]} areas besides its {shape[1]} cycles",
            expected="one area a file",
            where=f"{path}, byte {entry}",
            hint="export each area by itself from MultiPak; the order of several is not known for certain",
        )
    with np.errstate(invalid="ignore"):
        values = np.frombuffer(raw, kind, points, base + offset).astype(np.float64).reshape(shape[1], shape[0])
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        at = base + offset + first * np.dtype(kind).itemsize
        raise damaged(path, at, "a value that is no finite number", "an intensity or a time")
    return PhiArray(region, axes, unit, values)


def _word(raw: bytes, start: int, length: int) -> str:
    return raw[start : start + length].split(b"\0")[0].decode("latin-1").strip()

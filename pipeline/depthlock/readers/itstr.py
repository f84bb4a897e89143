"""The container of IONTOF files (.itm, .ita, .itax ...): a tree of blocks behind the mark ``ITStrF01``.

Layout (little-endian), as found by the public package pySPM: a block is one type byte, the u32 25 (length of this
head), five u32 (length of the name, number, children, length of the value, space kept for it), the name, the value.
Types 1 and 3 are folders (3: continuation of one), 0 holds a plain value, 128 a zlib-compressed one. The value of a
folder begins with 41 bytes, of which the last eight point at its continuation (0: none), then 33 bytes a child: type,
u32 place of its name in this value, u32 length of the name, u32 number, u32 mark, u64 length, u64 position; the
names follow.

Nothing is believed that the file could have wrong: every length and position is checked against the file's size, and
folders that lead back to themselves are refused.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from depthlock.model.errors import ReadError

MARK = b"ITStrF01"
FOLDERS = frozenset({1, 3})
COMPRESSED = 0x80
KINDS = FOLDERS | {0, COMPRESSED}
PIECE_BYTES = 1 << 22
"""Bytes inflated at once."""

VALUE_BYTES = 1 << 20
"""Longest plain value (a name, a number, a setting) that is taken in whole."""

_HEAD = struct.Struct("<B6I")
_FOLDER = struct.Struct("<2I5x5IQ")
_CHILD = struct.Struct("<B4I2Q")
_STEP = re.compile(r"(?P<name>.*?)(\[(?P<number>\d+)\])?")
_COPY = "copy the file again from the instrument's computer, or export it again from SurfaceLab"


@dataclass(frozen=True)
class Entry:
    """A child as its folder lists it.

    Attributes
    ----------
    name : str
    number : int
        Tells children of the same name apart.
    kind : int
        Type byte.
    at : int
        Byte in the file where its block begins.
    """

    name: str
    number: int
    kind: int
    at: int


@dataclass(frozen=True)
class _Block:
    kind: int
    children: int
    value_at: int
    length: int


class Container:
    """An open file; see :func:`opened`.

    Parameters
    ----------
    stream : binary file
    path : Path
    """

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self.path = path
        self.size = path.stat().st_size
        self.root = Entry("", 0, 1, len(MARK))
        if stream.read(len(MARK)) != MARK:
            raise self.fault("the mark 'ITStrF01' is missing", 0)

    def fault(self, found: str, at: int, expected: str = "a whole file") -> ReadError:
        """The error for a fault at byte `at`."""
        return ReadError(found, expected=expected, where=f"{self.path}: byte {at}", hint=_COPY)

    def _read(self, at: int, length: int, what: str) -> bytes:
        if at + length > self.size:
            raise self.fault(
                f"{what} ends at byte {at + length}, the file at {self.size}: it is cut short or damaged", at
            )
        self._stream.seek(at)
        return self._stream.read(length)

    def _block(self, at: int) -> _Block:
        kind, mark, name_length, _, children, length, _ = _HEAD.unpack(self._read(at, _HEAD.size, "a block's head"))
        if mark != _HEAD.size or kind not in KINDS:
            raise self.fault(f"a block's head is damaged (type {kind}, length of the head {mark})", at)
        value_at = at + _HEAD.size + name_length
        if value_at + length > self.size:
            raise self.fault(
                f"a block of {length} bytes ends at byte {value_at + length}, the file at {self.size}: "
                "it is cut short or damaged",
                at,
            )
        return _Block(kind, children, value_at, length)

    def children(self, folder: Entry) -> Iterator[Entry]:
        """The children of a folder in its own order, one part of it in memory at a time.

        Raises
        ------
        ReadError
            When the folder is damaged, cut short or continues in itself.
        """
        at, seen = folder.at, {0}
        while at:
            if at in seen:
                raise self.fault(f"the folder '{folder.name}' continues in itself", at)
            seen.add(at)
            block = self._block(at)
            if block.kind not in FOLDERS:
                raise self.fault(f"'{folder.name}' is no folder (type {block.kind})", at)
            table = _FOLDER.size + _CHILD.size * block.children
            if table > block.length:
                raise self.fault(
                    f"the folder '{folder.name}' has {block.children} children in {block.length} bytes", at
                )
            value = self._read(block.value_at, block.length, f"the folder '{folder.name}'")
            yield from self._listed(value, block, folder.name)
            at = _FOLDER.unpack_from(value)[-1]
            if at >= self.size:
                raise self.fault(
                    f"the folder '{folder.name}' continues at byte {at}, behind the file's end", block.value_at
                )

    def _listed(self, value: bytes, block: _Block, folder: str) -> Iterator[Entry]:
        table = _FOLDER.size + _CHILD.size * block.children
        for start in range(_FOLDER.size, table, _CHILD.size):
            kind, place, length, number, _, _, at = _CHILD.unpack_from(value, start)
            if kind not in KINDS or place + length > len(value) or not len(MARK) <= at < self.size:
                raise self.fault(
                    f"a child of the folder '{folder}' is damaged (type {kind}, at byte {at} of {self.size})",
                    block.value_at + start,
                )
            yield Entry(value[place : place + length].decode("latin-1"), number, kind, at)

    def find(self, path: str, start: Entry | None = None) -> Entry | None:
        """The block at a path such as ``Meta/SI Image[0]/res_x``; None if there is none.

        A step without a number takes the first child of that name, whatever its number is; ``*`` takes the first
        folder.
        """
        entry = start or self.root
        for step in path.split("/"):
            parts = _STEP.fullmatch(step)
            if parts is None:
                return None
            name, number = parts["name"], parts["number"]
            if entry.kind not in FOLDERS:
                return None
            found = (
                child
                for child in self.children(entry)
                if (child.kind in FOLDERS if name == "*" else child.name == name)
                and (number is None or child.number == int(number))
            )
            following = next(found, None)
            if following is None:
                return None
            entry = following
        return entry

    def value(self, entry: Entry, limit: int = VALUE_BYTES) -> bytes:
        """The value of a block as stored.

        Raises
        ------
        ReadError
            When the block is damaged, or longer than `limit` bytes.
        """
        block = self._block(entry.at)
        if block.kind in FOLDERS or block.length > limit:
            raise self.fault(
                f"'{entry.name}' holds {block.length} bytes of type {block.kind}",
                entry.at,
                f"a value of at most {limit} bytes",
            )
        return self._read(block.value_at, block.length, f"'{entry.name}'")

    def inflated(self, entry: Entry, piece: int = PIECE_BYTES) -> Iterator[bytes]:
        """The zlib-compressed value of a block in pieces of at most `piece` bytes.

        Raises
        ------
        ReadError
            When the value is damaged or ends too early.
        """
        block = self._block(entry.at)
        if block.kind in FOLDERS:
            raise self.fault(f"'{entry.name}' is a folder", entry.at, "compressed values")
        engine = zlib.decompressobj()
        at, end = block.value_at, block.value_at + block.length
        try:
            while not engine.eof:
                waiting = engine.unconsumed_tail
                if not waiting:
                    if at >= end:
                        raise self.fault(f"the compressed values of '{entry.name}' end too early", end)
                    waiting = self._read(at, min(piece, end - at), f"'{entry.name}'")
                    at += len(waiting)
                yield engine.decompress(waiting, piece)
        except zlib.error as error:
            raise self.fault(
                f"the compressed values of '{entry.name}' are damaged ({error})", block.value_at
            ) from error

    def inflate(self, entry: Entry, length: int) -> bytes:
        """The zlib-compressed value of a block, which must have `length` bytes."""
        pieces: list[bytes] = []
        size = 0
        for piece in self.inflated(entry, min(PIECE_BYTES, length + 1)):
            pieces.append(piece)
            size += len(piece)
            if size > length:
                break
        if size != length:
            raise self.fault(
                f"'{entry.name}' holds {'more than ' if size > length else ''}{min(size, length)} bytes when inflated",
                entry.at,
                f"{length} bytes",
            )
        return b"".join(pieces)


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """Open a container.

    Raises
    ------
    ReadError
        When the file cannot be opened or is no such container.
    """
    try:
        with path.open("rb") as stream:
            yield Container(stream, path)
    except OSError as error:
        raise ReadError(f"the file cannot be read: {error.strerror or error}", where=str(path)) from error

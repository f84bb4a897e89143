"""Whether the tag tree of a DigitalMicrograph file (dm3, dm4) lies within the file.

rosettasciio believes the counts in the tree and may loop over billions of fields of a damaged file; this walk finds
such damage in milliseconds. Structure (big-endian tree): version, file length, byte order; a group is two flags and
a number of tags; a tag is its type (20 group, 21 data), its name, and, for data, ``%%%%``, the number of words that
describe it, these words, and the data.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

GROUP, DATA = 20, 21
STRUCT, STRING, ARRAY = 15, 18, 20
_BYTES = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}
"""Bytes of the simple types."""

DEEPEST = 64
"""Nesting of groups beyond which a tree is taken to be damaged; real files stay below ten."""


class _Walk:
    """One walk; words are four bytes in dm3 and eight in dm4."""

    def __init__(self, stream: BinaryIO, size: int, version: int) -> None:
        self.stream = stream
        self.size = size
        self.long = version == 4
        self.word_bytes = 8 if self.long else 4

    def words(self, number: int) -> tuple[int, ...]:
        if not 0 <= number * self.word_bytes <= self.size - self.stream.tell():
            raise ValueError(f"{number} words are announced")
        raw = self.stream.read(number * self.word_bytes)
        return struct.unpack(f">{number}{'Q' if self.long else 'L'}", raw)

    def skip(self, number: int) -> None:
        if number > self.size - self.stream.tell():
            raise ValueError(f"{number} bytes of data are announced")
        self.stream.seek(number, io.SEEK_CUR)

    def group(self, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError("groups are nested too deep")
        self.skip(2)
        (tags,) = self.words(1)
        for _ in range(tags):
            kind, name = struct.unpack(">BH", self.stream.read(3))
            self.skip(name)
            if self.long:
                self.skip(8)
            if kind == GROUP:
                self.group(depth + 1)
            elif kind == DATA:
                self.data()
            else:
                raise ValueError(f"a tag is of type {kind}")

    def data(self) -> None:
        if self.stream.read(4) != b"%%%%":
            raise ValueError("the mark before a tag's data is missing")
        info = self.words(self.words(1)[0])
        used, length = self.length(info)
        if used != len(info):
            raise ValueError(f"a tag's {len(info)} words describe {used}")
        self.skip(length)

    def length(self, info: tuple[int, ...]) -> tuple[int, int]:
        """Words used by the type that `info` begins with, and bytes of one of it."""
        kind = info[0]
        if kind in _BYTES:
            return 1, _BYTES[kind]
        if kind == STRING:
            return 2, info[1]
        if kind == STRUCT:
            fields = info[2]
            if 3 + 2 * fields > len(info):
                raise ValueError(f"a structure of {fields} fields is announced")
            return 3 + 2 * fields, sum(_BYTES[info[4 + 2 * at]] for at in range(fields))
        if kind == ARRAY:
            used, one = self.length(info[1:])
            return 2 + used, one * info[1 + used]
        raise ValueError(f"a tag's data is of type {kind}")


def fault(stream: BinaryIO, size: int) -> str:
    """What is wrong with the tag tree of a dm3 or dm4 file of `size` bytes; empty when it is whole."""
    try:
        (version,) = struct.unpack(">L", stream.read(4))
        walk = _Walk(stream, size, version)
        walk.words(1)
        walk.skip(4)
        walk.group(0)
    except (ValueError, struct.error, KeyError, IndexError) as error:
        return f"{error} at byte {stream.tell()}"
    return ""

"""The walk through the tag tree of DigitalMicrograph files, in both versions."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import dm_tags, images


class ToDm4:
    """Rewrites a dm3 file as dm4: words of eight bytes, and a length before each tag's content."""

    def __init__(self, raw: bytes) -> None:
        self.source = io.BytesIO(raw)

    def word(self) -> int:
        return int(struct.unpack(">L", self.source.read(4))[0])

    def whole(self) -> bytes:
        self.source.seek(8)
        order = self.source.read(4)
        tree = self.group()
        return struct.pack(">LQ", 4, len(tree) + 4) + order + tree + bytes(8)

    def group(self) -> bytes:
        flags, tags = self.source.read(2), self.word()
        return flags + struct.pack(">Q", tags) + b"".join(self.tag() for _ in range(tags))

    def tag(self) -> bytes:
        head = self.source.read(3)
        kind, length = struct.unpack(">BH", head)
        head += self.source.read(length)
        content = self.group() if kind == dm_tags.GROUP else self.data()
        return head + struct.pack(">Q", len(content)) + content

    def data(self) -> bytes:
        mark = self.source.read(4)
        info = [self.word() for _ in range(self.word())]
        _, length = dm_tags._Walk(io.BytesIO(), 0, 3).length(tuple(info))
        return mark + struct.pack(f">{len(info) + 1}Q", len(info), *info) + self.source.read(length)


@pytest.mark.parametrize("name", ["multi_signal.dm3", "test_STEM_image.dm3", "test_diffraction_pattern.dm3"])
def test_real_files_are_whole(real_data: Path, name: str) -> None:
    path = real_data / "tem/readers" / name
    size = path.stat().st_size
    with path.open("rb") as stream:
        assert dm_tags.fault(stream, size) == ""
        # Eight zero bytes follow the tree.
        assert stream.tell() == size - 8


def test_dm4(real_data: Path, tmp_path: Path) -> None:
    original = real_data / "tem/readers/multi_signal.dm3"
    path = tmp_path / "x.dm4"
    path.write_bytes(ToDm4(original.read_bytes()).whole())
    with path.open("rb") as stream:
        assert dm_tags.fault(stream, path.stat().st_size) == ""
    expected, found = images.read(original), images.read(path)
    assert np.array_equal(found["image"], expected["image"])
    assert found.attrs["pixel_size_nm"] == pytest.approx(expected.attrs["pixel_size_nm"])


def test_absurd_counts_are_found_at_once(real_data: Path, tmp_path: Path) -> None:
    raw = bytearray((real_data / "tem/readers/test_STEM_image.dm3").read_bytes())
    at = raw.index(b"%%%%")
    raw[at + 4 : at + 8] = b"\x7f\xff\xff\xff"
    path = tmp_path / "x.dm3"
    path.write_bytes(raw)
    with pytest.raises(ReadError, match="2147483647 words"):
        images.read(path)

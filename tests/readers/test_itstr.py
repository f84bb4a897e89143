"""The container: what is damaged is told with its byte; nothing hangs and nothing else is raised."""

from __future__ import annotations

import random
import struct
import time
import zlib
from pathlib import Path

import iontof_files as made
import numpy as np
import pytest
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers import itstr, registry

ENDLESS = 30
"""Seconds of work in which a file of some kilobytes is never read, unless a damaged number sets off a long loop."""

BUILT = {
    "x.itm": lambda: made.container(made.itm_tree(made.ions(1, 200))),
    "x.ita": lambda: made.container(made.ita_tree(made.images(1))),
    "x.itax": lambda: made.container(made.itax_tree(np.ones((3, 4)))),
}


def outcome(path: Path) -> xr.Dataset | None:
    """What a file gives; None when it is refused."""
    began = time.process_time()
    refusal = None
    found = None
    try:
        found = registry.read(path).drop_attrs()
    except ReadError as error:
        refusal = error
    assert time.process_time() - began < ENDLESS
    assert refusal is None or str(path) in refusal.where
    return found


@pytest.mark.parametrize("name", BUILT)
def test_cut_files(tmp_path: Path, name: str) -> None:
    whole = BUILT[name]()
    path = tmp_path / name
    path.write_bytes(whole)
    expected = outcome(path)
    assert expected is not None
    for share in (0.0001, 0.003, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(share * len(whole)) + 1])
        assert outcome(path) is None
    # The last block of an .itm carries nothing.
    path.write_bytes(whole[:-1])
    found = outcome(path)
    assert found is None or (name == "x.itm" and found.identical(expected))


@pytest.mark.parametrize("name", BUILT)
def test_changed_bytes(tmp_path: Path, name: str) -> None:
    whole = BUILT[name]()
    path = tmp_path / name
    chance = random.Random(name)
    refused = 0
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            changed[chance.randrange(len(whole))] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
        path.write_bytes(changed)
        refused += outcome(path) is None
    assert refused >= 15


def folder(children: int, following: int, size: int | None = None) -> bytes:
    table = 41 + 33 * children
    value = struct.pack("<2I25xQ", table, children, following) + bytes(33 * children)
    return struct.pack("<B6I", 1, 25, 0, 0, children, table if size is None else size, 0) + value


@pytest.mark.parametrize(
    ("content", "message", "byte"),
    [
        (folder(0, 8), "continues in itself", 8),
        (folder(0, 1 << 50), "behind the file's end", 33),
        (folder(3, 0, 41), "3 children in 41 bytes", 8),
        (folder(1, 0), "a child of the folder '' is damaged", 74),
        (folder(0, 0, (1 << 32) - 1), "cut short or damaged", 8),
        (b"\x07" + folder(0, 0)[1:], "head is damaged", 8),
        (b"", "a block's head ends at byte 33", 8),
    ],
)
def test_damaged_folders(tmp_path: Path, content: bytes, message: str, byte: int) -> None:
    path = tmp_path / "x.itm"
    path.write_bytes(itstr.MARK + content)
    with pytest.raises(ReadError, match=message) as caught:
        registry.find(path)
    assert caught.value.where == f"{path}: byte {byte}"


def test_loops_between_folders_end(tmp_path: Path) -> None:
    # A child that is its own grandparent: paths end, as they have an end themselves.
    tree = made.Node("root")
    inner = tree.path("rawdata/   6")
    inner.add("x", b"")
    raw = bytearray(made.container(tree))
    at = tree.path("rawdata").at + 25 + len("rawdata") + 41 + 25
    raw[at : at + 8] = struct.pack("<Q", tree.at)
    path = tmp_path / "x.itm"
    path.write_bytes(raw)
    assert outcome(path) is None
    # Two parts of a folder that follow each other.
    long = made.Node("root", part=1)
    long.add("a", b"1")
    long.add("b", b"2")
    raw = bytearray(made.container(long))
    second = raw.index(struct.pack("<2I", 3 | 25 << 8, 4 << 8)[:5], 9)
    place = second + 25 + 4 + 33
    raw[place : place + 8] = struct.pack("<Q", second)
    path.write_bytes(raw)
    with pytest.raises(ReadError, match="continues in itself"):
        registry.find(path)


def test_values(tmp_path: Path) -> None:
    tree = made.Node("root")
    words = np.arange(5000, dtype="<u4").tobytes()
    tree.add("packed", words, packed=True)
    tree.add("plain", b"abc", number=4)
    tree.children.append(made.Node("broken", value=zlib.compress(words)[:-9], packed=True))
    path = tmp_path / "x"
    path.write_bytes(made.container(tree))
    with itstr.opened(path) as file:
        packed, plain, broken = (file.find(name) for name in ("packed", "plain", "broken"))
        assert packed is not None
        assert plain is not None
        assert broken is not None
        pieces = list(file.inflated(packed, 1000))
        assert b"".join(pieces) == words
        assert max(map(len, pieces)) == 1000
        assert file.inflate(packed, 20000) == words
        assert file.value(plain) == b"abc"
        assert file.find("plain[0]") is None
        assert file.find("plain[4]") == plain
        for length in (19999, 20001):
            with pytest.raises(ReadError, match="when inflated"):
                file.inflate(packed, length)
        with pytest.raises(ReadError, match="holds 3 bytes"):
            file.value(plain, 2)
        with pytest.raises(ReadError, match="end too early"):
            list(file.inflated(broken))

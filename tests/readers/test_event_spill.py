"""Ions shared out, kept and sorted: the cells of a plain histogram, whatever the stream, the memory, and the breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from depthlock.readers import event_spill
from depthlock.readers.event_groups import Groups, Windows
from depthlock.readers.event_room import Ring
from depthlock.readers.event_sorting import sorted_cells
from depthlock.readers.event_source import EventBlock
from depthlock.readers.event_spill import Spill

SHAPE = (1 << 8, 1, 1 << 8, 1 << 8)
ROWS = 1 << 24


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_spill, "PAGE_WORDS", 64)
    monkeypatch.setattr(event_spill, "SAMPLE_IONS", 2000)
    monkeypatch.setattr(event_spill, "GROUPS", 16)
    monkeypatch.setattr(event_spill, "SCATTERED_WORDS", 24)


def measured(kind: str) -> list[EventBlock]:
    """A stream of 40 blocks: in order, in no order, with stray bins, or with counts from the tenth block on."""
    rng = np.random.default_rng(len(kind))
    blocks = []
    for number in range(40):
        bins = np.where(rng.random(700) < 0.7, 1000 + rng.integers(0, 8, 700), rng.integers(0, 4000, 700))
        pixels = np.sort(rng.integers(0, ROWS // 64, 700)) + number * (ROWS // 64)
        if kind == "no order":
            pixels = rng.integers(0, ROWS, 700)
        if kind == "stray bins" and number == 20:
            bins[:5] = 2_000_000 + rng.integers(0, 10, 5)
        if kind == "repeated":
            bins[:500], pixels[:500] = 1003, 77
        count = rng.integers(0, 2000, 700) if kind == "counts" and number > 9 else None
        blocks.append(EventBlock(bins, pixels, count))
    return blocks


def plain(blocks: list[EventBlock]) -> dict[tuple[int, int], int]:
    cells: Counter[tuple[int, int]] = Counter()
    for block in blocks:
        count = np.ones(len(block.mass_bin), int) if block.count is None else block.count
        for b, p, n in zip(block.mass_bin.tolist(), block.pixel_id.tolist(), count.tolist(), strict=True):
            if n:
                cells[b, p] += n
    return dict(cells)


def cells_of(spill: Spill, memory: int) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    last = (-1, -1)
    for piece in sorted_cells(spill, memory):
        rows = np.repeat(piece.bins, np.diff(np.append(piece.starts, piece.pixel_id.size)))
        ions = piece.count.astype(int)
        ions[piece.large] = piece.exact
        for cell in zip(rows.tolist(), piece.pixel_id.tolist(), strict=True):
            assert cell > last
            last = cell
        found.update(zip(zip(rows.tolist(), piece.pixel_id.tolist(), strict=True), ions.tolist(), strict=True))
    return found


@pytest.mark.parametrize("memory", [700, 10**6])
@pytest.mark.parametrize("kind", ["in order", "no order", "stray bins", "counts", "repeated"])
def test_cells_are_those_of_a_histogram(tmp_path: Path, kind: str, memory: int) -> None:
    blocks = measured(kind)
    rest = iter(blocks)
    spill = Spill.begun(tmp_path, SHAPE, rest)
    for block in rest:
        spill.add(block)
    spill.flush()
    assert cells_of(spill, memory) == plain(blocks)
    assert spill.ions == sum(plain(blocks).values())
    spill.close()


def test_words_are_short_where_the_stream_is_in_order(tmp_path: Path) -> None:
    """A word of four bytes an ion, as long as windows need not move all the time."""
    sizes = {}
    for kind in ("in order", "no order"):
        folder = tmp_path / kind
        folder.mkdir()
        rest = iter(measured(kind))
        spill = Spill.begun(folder, SHAPE, rest)
        for block in rest:
            spill.add(block)
        spill.flush()
        sizes[kind] = spill.path.stat().st_size / spill.ions
        spill.close()
    assert sizes["in order"] == 4
    assert sizes["no order"] > 4


@pytest.mark.parametrize("kind", ["in order", "counts"])
def test_a_reopened_spill_goes_on(tmp_path: Path, kind: str) -> None:
    """What was written after the last save is forgotten, and nothing else."""
    blocks = measured(kind)
    spill = Spill.begun(tmp_path, SHAPE, iter(blocks[:15]))
    for block in blocks[3:15]:
        spill.add(block)
    spill.save({"place": 15})
    for block in blocks[15:30]:
        spill.add(block)
    spill.flush()
    spill.close()
    again, told = Spill.reopened(tmp_path)
    assert told["place"] == 15
    for block in blocks[15:]:
        again.add(block)
    again.flush()
    assert cells_of(again, 10**6) == plain(blocks)
    again.close()


def test_a_spill_that_lost_words_is_not_used(tmp_path: Path) -> None:
    spill = Spill.begun(tmp_path, SHAPE, iter(measured("in order")))
    spill.save({})
    spill.close()
    spill.path.write_bytes(spill.path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="missing"):
        Spill.reopened(tmp_path)


@pytest.mark.parametrize("row_shape", [(90, 1, 30, 30), (7, 3, 500, 500)])
def test_windows_hold_whole_rasters_that_fit(row_shape: tuple[int, ...]) -> None:
    windows = Windows.of(row_shape, 16)
    rng = np.random.default_rng(2)
    pixel_id = rng.integers(0, np.prod(row_shape), 3000).astype(np.uint32)
    raster = row_shape[-1] * row_shape[-2]
    assert windows.pixels <= 1 << 16
    assert windows.pixels % raster == 0 or raster > 1 << 16
    parts = dict(windows.parts(pixel_id, int(pixel_id.min()), int(pixel_id.max())))
    assert list(parts) == np.unique(pixel_id // windows.pixels).tolist()
    assert sum(pixel_id[part].size for part in parts.values()) == pixel_id.size
    assert all(np.all(pixel_id[part] // windows.pixels == window) for window, part in parts.items())
    assert dict(windows.parts(np.array([5, 3], np.uint32), 3, 5)) == {0: slice(None)}


@pytest.mark.parametrize("seed", range(4))
def test_a_ring_gives_room_that_nobody_has(seed: int) -> None:
    """Against a plain record of who has which place."""
    rng = np.random.default_rng(seed)
    ring, held, given = Ring(50), [], 0
    for number in range(2000):
        size = int(rng.integers(1, 30))
        if rng.random() < 0.6 and ring.fits(size):
            room = ring.take(size)
            room.words[:] = number
            room.count[:] = number % 256
            held.append((number, room))
            given += 1
        elif held:
            number, room = held.pop(0)
            assert np.all(room.words == number)
            assert np.all(room.count == number % 256)
            ring.give_back()
        assert held or ring.fits(50)
    assert given > 500


def test_groups_follow_the_ions() -> None:
    """Neighbouring, none empty, and narrow where the ions are."""
    rng = np.random.default_rng(1)
    sample = np.append(50_000 + rng.integers(0, 64, 90_000), rng.integers(0, 1 << 21, 10_000))
    groups = Groups.of(sample, 256)
    assert np.array_equal(np.unique(groups.table), np.arange(groups.first_bin.size))
    assert np.all(np.diff(groups.table.astype(int)) >= 0)
    assert groups.top > sample.max()
    lower = np.searchsorted(groups.first_bin, [50_000, 50_064], side="right")
    assert lower[1] - lower[0] >= 1
    width = np.diff(np.append(groups.first_bin, groups.top))
    assert np.array_equal(groups.narrow_bits, [32 - max(1, int(w - 1).bit_length()) for w in width])


def test_ions_outside_are_refused(tmp_path: Path) -> None:
    def wrong() -> Iterator[EventBlock]:
        yield EventBlock(np.array([1]), np.array([ROWS]))

    with pytest.raises(ValueError, match="pixel_id runs"):
        Spill.begun(tmp_path, SHAPE, wrong())

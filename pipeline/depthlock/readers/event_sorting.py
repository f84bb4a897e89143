"""Sorting spilled ions by flight-time bin and pixel, group after group, and adding up those of the same cell."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_groups import EXPONENT_BITS, Integers
from depthlock.readers.event_room import Ring, Room
from depthlock.readers.event_source import EventBlock
from depthlock.readers.event_spill import NARROW, Spill, workers

MEMORY_WORDS = 1 << 23
"""Wide words that are sorted at once, with 10 bytes each."""

AHEAD = 8
"""Full batches for which there is room at least, so that no thread waits for another."""

BATCH_WORDS, LARGE = 1 << 18, 4
"""Words that neighbouring groups have together when they are sorted in one go, and the part of it that makes a group
large: narrow words of a single group sort twice as fast."""

SLOT_BITS = 16
"""Upper bits of the pixel by which the ions of one bin are shared out."""

EXPONENTS = np.uint64((1 << EXPONENT_BITS) - 1)


@dataclass(frozen=True)
class Cells:
    """Cells in ascending order of bin and pixel.

    Attributes
    ----------
    bins, starts : ndarray of int64
        Bins that occur, and the first cell of each.
    pixel_id : ndarray of uint32
    count : ndarray of uint8
        Ions, 255 where there are more.
    large, exact : ndarray of int64
        Cells with more than 255 ions, and how many they have.
    """

    bins: NDArray[np.int64]
    starts: NDArray[np.int64]
    pixel_id: NDArray[np.uint32]
    count: NDArray[np.uint8]
    large: NDArray[np.int64]
    exact: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.exact.size and int(self.exact.max()) >= 1 << 32:
            raise ValueError(f"a cell counts {self.exact.max()} ions; expected fewer than {1 << 32}")

    def of_one_bin(self, mass_bin: int, lower: int) -> Cells:
        """These cells as those of one bin, with what stood for bins above the `lower` bits of their pixels."""
        upper = np.repeat(self.bins, np.diff(self.starts, append=self.pixel_id.size))
        pixel_id = ((upper << lower) + self.pixel_id).astype(np.uint32)
        return replace(self, bins=np.array([mass_bin]), starts=np.zeros(1, np.int64), pixel_id=pixel_id)


def sorted_cells(spill: Spill, memory_words: int = MEMORY_WORDS, ring: Ring | None = None) -> Iterator[Cells]:
    """All cells of a flushed spill in order, some groups at a time, sorted ahead in threads.

    Parameters
    ----------
    spill : Spill
    memory_words : int
        Wide words, or half as many narrow ones, sorted at once. Groups with more are shared out once more.
    ring : Ring, optional
        Room to sort in; made if absent.
    """
    batches = list(_batches_of(spill, min(BATCH_WORDS, memory_words)))
    if ring is None:
        largest = max((batch.room for batch in batches), default=0)
        ring = Ring(min(memory_words, max(2 * largest, AHEAD * BATCH_WORDS)))
    waiting: deque[Future[Cells]] = deque()

    with ThreadPoolExecutor(workers()) as threads:
        for batch in [*batches, None]:
            while waiting and (batch is None or not ring.fits(batch.room)):
                yield waiting.popleft().result()
                ring.give_back()
            if batch is not None and batch.room > ring.size:
                yield from batch.in_parts(memory_words, ring)
            elif batch is not None:
                waiting.append(threads.submit(batch.whole, ring.take(batch.room)))


def _batches_of(spill: Spill, limit: int) -> Iterator[_Batch]:
    """Large groups by themselves, small ones with their neighbours as long as all have no more than `limit` words."""
    pieces = spill.pieces
    groups, first = np.unique(pieces[:, 0], return_index=True)
    words = np.add.reduceat(pieces[:, 2], first).tolist() if groups.size else []
    ends = np.append(first, len(pieces))
    begin, held = 0, 0
    for group, number in enumerate(words):
        if held and (held + number > limit or max(held, number) > limit // LARGE):
            yield _Batch(spill, pieces[ends[begin] : ends[group]], held)
            begin, held = group, 0
        held += number
    if held:
        yield _Batch(spill, pieces[ends[begin] :], held)


@dataclass(frozen=True)
class _Batch:
    """The pieces of one group, or of some neighbouring ones.

    Attributes
    ----------
    pieces : ndarray of int64
        As in :attr:`Spill.pieces`.
    words : int
    """

    spill: Spill
    pieces: NDArray[np.int64]
    words: int

    @property
    def short(self) -> bool:
        """Whether its words are narrow, of one group, and hold all pixels, so that they sort by themselves."""
        group = self.pieces[0, 0]
        one = group == self.pieces[-1, 0] and self.spill.groups.narrow_bits[group] >= self.spill.pixel_bits
        return bool(one and np.all(self.pieces[:, 4] == NARROW))

    @property
    def room(self) -> int:
        """Wide words that take as much room as its own."""
        return -(-self.words // 2) if self.short else self.words

    def whole(self, room: Room) -> Cells:
        """Its cells, sorted at once, in some room."""
        if self.short:
            group, groups = int(self.pieces[0, 0]), self.spill.groups
            narrow = room.words.view(np.uint32)[: self.words]
            self._read(self.pieces, narrow)
            narrow.sort()
            return self._cells(narrow, int(groups.first_bin[group]), 0, int(groups.narrow_bits[group]), room)
        words = self._wide(self.pieces, room)
        words.sort()
        return self._cells(words, 0, EXPONENT_BITS, self.spill.pixel_bits, room)

    def _cells(self, words: Integers, origin: int, exponent_bits: int, pixel_bits: int, room: Room) -> Cells:
        """Cells of sorted words whose bins count from `origin`."""
        from depthlock.readers.event_kernels import added_up

        upper = pixel_bits + exponent_bits
        span = (int(words[-1]) >> upper) - (int(words[0]) >> upper) + 1
        bins, starts = np.empty((2, min(span, words.size)), np.int64)
        # More than 255 single ions a cell: there cannot be more such cells than that.
        large, exact = np.empty((2, words.size if exponent_bits else words.size // 256 + 1), np.int64)
        pixel_id = words.view(np.uint32)
        cells, occupied, exceptions = added_up(
            words, exponent_bits, pixel_bits, pixel_id, room.count, bins, starts, large, exact
        )
        return Cells(
            bins[:occupied] + origin, starts[:occupied], pixel_id[:cells], room.count[:cells],
            large[:exceptions], exact[:exceptions],
        )  # fmt: skip

    def _read(self, pieces: NDArray[np.int64], words: Integers) -> None:
        """The words of some pieces, one after the other; neighbours in the file are read at once."""
        if not len(pieces):
            return
        size = pieces[:, 2] * pieces[:, 4]
        first = np.flatnonzero(np.append(True, pieces[1:, 3] != (pieces[:, 3] + size)[:-1]))
        view, at = words.view(np.uint8).data, 0
        with self.spill.path.open("rb", buffering=0) as file:
            for place, length in zip(pieces[first, 3].tolist(), np.add.reduceat(size, first).tolist(), strict=True):
                end, ahead = at + length, place - at
                while at < end:
                    done = os.preadv(file.fileno(), [view[at:end]], ahead + at)
                    if not done:
                        raise OSError("the file of spilled ions is shorter than it was")
                    at += done

    def _wide(self, pieces: NDArray[np.int64], room: Room) -> NDArray[np.uint64]:
        """Wide words of some pieces, in `room`."""
        from depthlock.readers.event_kernels import widened

        groups, windows, pixel_bits = self.spill.groups, self.spill.windows, self.spill.pixel_bits
        wide, narrow = pieces[pieces[:, 4] != NARROW], pieces[pieces[:, 4] == NARROW]
        end = int(wide[:, 2].sum())
        self._read(wide, room.words[:end])
        # Narrow words are read into the upper half of the room that they fill as wide ones, from its start on.
        words = room.words[end : end + int(narrow[:, 2].sum())]
        short = words.view(np.uint32)[words.size :]
        self._read(narrow, short)
        group = narrow[:, 0]
        cells = (groups.first_bin[group] << pixel_bits) + narrow[:, 1] * windows.pixels
        widened(short, np.cumsum(narrow[:, 2]), groups.narrow_bits[group], cells, pixel_bits, words)
        return room.words[: end + words.size]

    def in_parts(self, memory_words: int, ring: Ring) -> Iterator[Cells]:
        """Its cells: the ions are shared out once more, by bin, or by the upper part of the pixel if there is but one.

        Parameters
        ----------
        memory_words : int
        ring : Ring
            With nothing in it.
        """
        first_bin, after = self.spill.groups.first_bin, int(self.pieces[-1, 0]) + 1
        # The last group takes all bins beyond the table as well.
        end_bin = int(first_bin[after]) if after < first_bin.size else self.spill.bins
        origin, lower = int(first_bin[after - 1]), max(0, self.spill.pixel_bits - SLOT_BITS)
        one = end_bin - origin == 1
        if one and self.spill.rows == 1:
            yield self._single_cell(origin)
            return
        with tempfile.TemporaryDirectory(dir=self.spill.path.parent) as folder:
            row_shape = (1 << lower,) if one else self.spill.row_shape
            blocks = self._blocks(origin, lower if one else self.spill.pixel_bits)
            finer = Spill.begun(Path(folder), row_shape, blocks)
            try:
                for block in blocks:
                    finer.add(block)
                finer.flush()
                for cells in sorted_cells(finer, memory_words, ring):
                    yield cells.of_one_bin(origin, lower) if one else replace(cells, bins=cells.bins + origin)
            finally:
                finer.close()

    def _blocks(self, origin: int, lower: int) -> Iterator[EventBlock]:
        """Its ions; what is above the `lower` bits of bin and pixel, counted from `origin`, is their bin."""
        for words in self._words():
            exponents = (words & EXPONENTS).astype(np.int64)
            keys = (words >> np.uint64(EXPONENT_BITS)).astype(np.int64) - (origin << self.spill.pixel_bits)
            count = (np.int64(1) << exponents) if exponents.any() else None
            yield EventBlock(keys >> lower, keys & ((1 << lower) - 1), count)

    def _words(self) -> Iterator[NDArray[np.uint64]]:
        """Its words as wide ones, some pieces at a time."""
        part_of = np.cumsum(self.pieces[:, 2]) // BATCH_WORDS
        parts = np.split(self.pieces, np.flatnonzero(np.diff(part_of)) + 1)
        room = Room.of(max(int(part[:, 2].sum()) for part in parts))
        for part in parts:
            yield self._wide(part, room)

    def _single_cell(self, origin: int) -> Cells:
        """The one cell that all its ions belong to."""
        ions = sum(int((1 << (words & EXPONENTS).astype(np.int64)).sum()) for words in self._words())
        zero, exact = np.zeros(1, np.int64), np.full(1, ions)
        large = slice(0, int(ions > 255))
        return Cells(
            zero + origin,
            zero,
            zero.astype(np.uint32),
            np.minimum(exact, 255).astype(np.uint8),
            zero[large],
            exact[large],
        )

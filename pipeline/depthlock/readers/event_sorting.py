"""Sorting spilled ions by flight-time bin and pixel, group after group, and adding up those of the same cell."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_groups import Integers
from depthlock.readers.event_room import Ring, Room
from depthlock.readers.event_spill import NARROW, Spill, workers

MEMORY_WORDS = 1 << 23
"""Wide words that are sorted at once, with 10 bytes each."""

AHEAD = 8
"""Full batches for which there is room at least, so that no thread waits for another."""

BATCH_WORDS, LARGE = 1 << 18, 16
"""Words that neighbouring groups have together when they are sorted in one go, and the part of it that makes a group
large: narrow words of a single group sort twice as fast."""

SLOT_BITS = 16


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


def sorted_cells(spill: Spill, memory_words: int = MEMORY_WORDS) -> Iterator[Cells]:
    """All cells of a flushed spill in order, some groups at a time, sorted ahead in threads.

    Parameters
    ----------
    spill : Spill
    memory_words : int
        Wide words, or half as many narrow ones, sorted at once. Groups with more are gone through several times.
    """
    batches = list(_batches_of(spill, min(BATCH_WORDS, memory_words)))
    largest = max((batch.room for batch in batches if batch.room <= memory_words), default=0)
    ring = Ring(min(memory_words, max(2 * largest, AHEAD * BATCH_WORDS)))
    waiting: deque[Future[Cells]] = deque()

    def next_cells() -> Iterator[Cells]:
        yield waiting.popleft().result()
        ring.give_back()

    with ThreadPoolExecutor(workers()) as threads:
        for batch in batches:
            if batch.room > ring.size:
                while waiting:
                    yield from next_cells()
                yield from batch.in_parts(memory_words)
                continue
            while (room := ring.take(batch.room)) is None:
                yield from next_cells()
            waiting.append(threads.submit(batch.whole, room))
        while waiting:
            yield from next_cells()


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
        from depthlock.readers.event_kernels import EXPONENT_BITS

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
        if exceptions and int(exact[:exceptions].max()) >= 1 << 32:
            raise ValueError(f"a cell counts {exact[:exceptions].max()} ions; expected fewer than {1 << 32}")
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

    def in_parts(self, memory_words: int) -> Iterator[Cells]:
        """Its cells, no more than `memory_words` ions in memory at once."""
        first_bin, bits, after = self.spill.groups.first_bin, self.spill.pixel_bits, int(self.pieces[-1, 0]) + 1
        # The last group takes all bins beyond the table as well.
        end_bin = int(first_bin[after]) if after < first_bin.size else self.spill.bins
        yield from self._between(int(first_bin[after - 1]) << bits, end_bin << bits, memory_words)

    def _batches(self, memory_words: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """Cells, as numbers in their order, and words, some pieces at a time."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        size = np.cumsum(self.pieces[:, 2]) // max(memory_words, 1)
        parts = np.split(self.pieces, np.flatnonzero(np.diff(size)) + 1)
        room = Room.of(max(int(part[:, 2].sum()) for part in parts))
        for part in parts:
            words = self._wide(part, room)
            yield (words >> np.uint64(EXPONENT_BITS)).astype(np.int64), words

    def _between(self, low: int, high: int, memory_words: int) -> Iterator[Cells]:
        """Cells numbered from `low` up to below `high`, cut where they are few enough to be sorted."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        shift = max(0, (high - low - 1).bit_length() - SLOT_BITS)
        words_of = np.zeros(((high - 1 - low) >> shift) + 1, np.int64)
        for keys, _ in self._batches(memory_words):
            inside = keys[(keys >= low) & (keys < high)] - low
            words_of += np.bincount(inside >> shift, minlength=words_of.size)
        for first, last in _runs(words_of, memory_words):
            begin, end = low + (first << shift), min(high, low + (last << shift))
            held = int(words_of[first:last].sum())
            if held > memory_words and shift:
                yield from self._between(begin, end, memory_words)
            elif held:
                if held > memory_words:
                    words = self._single_cell(begin, memory_words)
                else:
                    words = self._chosen(begin, end, held, memory_words)
                room = Room(words, np.empty(words.size, np.uint8))
                yield self._cells(words, 0, EXPONENT_BITS, self.spill.pixel_bits, room)

    def _chosen(self, begin: int, end: int, number: int, memory_words: int) -> NDArray[np.uint64]:
        """The `number` words of some cells, sorted."""
        found = np.empty(number, np.uint64)
        at = 0
        for keys, words in self._batches(memory_words):
            chosen = words[(keys >= begin) & (keys < end)]
            found[at : at + chosen.size] = chosen
            at += chosen.size
        found.sort()
        return found

    def _single_cell(self, cell: int, memory_words: int) -> NDArray[np.uint64]:
        """As few words as say the same as those of one cell: one for each binary digit of its ions."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        digits = (1 << EXPONENT_BITS) - 1
        number = np.zeros(digits + 1, np.int64)
        for keys, words in self._batches(memory_words):
            exponents = words[keys == cell] & np.uint64(digits)
            number += np.bincount(exponents.astype(np.int64), minlength=digits + 1)
        ions = sum(int(n) << exponent for exponent, n in enumerate(number))
        if ions >= 1 << 32:
            raise ValueError(f"a cell counts {ions} ions; expected fewer than {1 << 32}")
        return np.array([(cell << EXPONENT_BITS) + bit for bit in range(32) if ions >> bit & 1], np.uint64)


def _runs(words_of: NDArray[np.int64], memory_words: int) -> Iterator[tuple[int, int]]:
    """Neighbouring slots that together hold no more than `memory_words`, or a single slot that holds more."""
    ends = np.cumsum(words_of)
    first, before = 0, 0
    while first < words_of.size:
        last = max(first + 1, int(np.searchsorted(ends, before + memory_words, side="right")))
        yield first, last
        first, before = last, int(ends[last - 1])

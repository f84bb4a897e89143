"""Sorting spilled ions by flight-time bin and pixel, group after group, and adding up those of the same cell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_spill import Integers, Spill, workers

MEMORY_EVENTS = 1 << 22
"""Ions sorted at once; three times as many are held, with 9 bytes each."""

ALONE = 4
"""A group of up to so many times as many ions is sorted at once while nothing else is."""

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


def sorted_cells(spill: Spill, memory_events: int = MEMORY_EVENTS) -> Iterator[Cells]:
    """All cells of a flushed spill in order, a group at a time, sorted ahead in threads.

    Parameters
    ----------
    spill : Spill
    memory_events : int
        Ions sorted at once by each thread. Groups with many more are gone through several times.
    """
    table = spill.pieces
    present, first = np.unique(table[:, 0], return_index=True)
    parts = np.split(table, first[1:]) if len(table) else []
    groups = [_Group(spill, int(group), pieces) for group, pieces in zip(present, parts, strict=True)]
    largest = max((group.words for group in groups if group.words <= memory_events), default=0)
    ahead = workers()
    free: SimpleQueue[_Room] = SimpleQueue()
    for _ in range(min(ahead + 1, len(groups))):
        free.put(_Room.of(largest))
    waiting: deque[Future[tuple[Cells, _Room]]] = deque()
    with ThreadPoolExecutor(workers()) as threads:
        for group in groups:
            too_large = group.words > memory_events
            while len(waiting) >= (1 if too_large else ahead):
                cells, room = waiting.popleft().result()
                yield cells
                free.put(room)
            if too_large and group.words <= ALONE * memory_events:
                free_for_one: SimpleQueue[_Room] = SimpleQueue()
                free_for_one.put(_Room.of(group.words))
                yield group.whole(free_for_one)[0]
            elif too_large:
                yield from group.in_parts(memory_events)
            else:
                waiting.append(threads.submit(group.whole, free))
        while waiting:
            yield waiting.popleft().result()[0]


@dataclass(frozen=True)
class _Room:
    """Arrays that are used again for one group after the other: fresh memory costs as much as the sorting.

    Attributes
    ----------
    words : ndarray of uint64
        Words, and in their place, as no cell comes before its first word, the pixels of the cells.
    count : ndarray of uint8
    """

    words: NDArray[np.uint64]
    count: NDArray[np.uint8]

    @classmethod
    def of(cls, words: int) -> _Room:
        return cls(np.empty(words, np.uint64), np.empty(words, np.uint8))


class _Group:
    """The pieces of one group."""

    def __init__(self, spill: Spill, group: int, pieces: NDArray[np.int64]) -> None:
        self._spill, self._pieces = spill, pieces
        self.words = int(pieces[:, 1].sum())
        first_bin = spill.groups.first_bin
        self._first_bin = int(first_bin[group])
        # The last group takes all bins beyond the table as well.
        self._bins = int(first_bin[group + 1]) - self._first_bin if group + 1 < first_bin.size else spill.bins
        self._narrow_bits = int(spill.groups.narrow_bits[group])

    def whole(self, free: SimpleQueue[_Room]) -> tuple[Cells, _Room]:
        """Its cells, sorted at once, and the room that they lie in."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        room = free.get()
        if np.all(self._pieces[:, 4] == 4) and self._narrow_bits >= self._spill.pixel_bits:
            # No window ever moved: the narrow words sort by themselves.
            narrow = room.words.view(np.uint32)[: self.words]
            self._read(self._pieces, narrow)
            narrow.sort()
            return self._cells(narrow, 0, self._narrow_bits, room), room
        words = self._wide(self._pieces, room)
        words.sort()
        return self._cells(words, EXPONENT_BITS, self._spill.pixel_bits, room), room

    def _cells(self, words: Integers, exponent_bits: int, pixel_bits: int, room: _Room) -> Cells:
        from depthlock.readers.event_kernels import added_up

        span = (int(words[-1]) >> (pixel_bits + exponent_bits)) - (int(words[0]) >> (pixel_bits + exponent_bits)) + 1
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
            bins[:occupied] + self._first_bin, starts[:occupied], pixel_id[:cells], room.count[:cells],
            large[:exceptions], exact[:exceptions],
        )  # fmt: skip

    def _read(self, pieces: NDArray[np.int64], words: Integers) -> None:
        view = words.view(np.uint8).data
        with self._spill.path.open("rb", buffering=0) as file:
            for _, number, _, place, size in pieces.tolist():
                file.seek(place)
                part, view = view[: number * size], view[number * size :]
                while part.nbytes:
                    done = file.readinto(part)
                    if not done:
                        raise OSError("the file of spilled ions is shorter than it was")
                    part = part[done:]

    def _wide(self, pieces: NDArray[np.int64], room: _Room) -> NDArray[np.uint64]:
        """Wide words of some pieces, in `room`."""
        from depthlock.readers.event_kernels import widened

        wide, narrow = pieces[pieces[:, 4] == 8], pieces[pieces[:, 4] == 4]
        end = int(wide[:, 1].sum())
        self._read(wide, room.words[:end])
        # Narrow words are read into the upper half of the room that they fill as wide ones, from its start on.
        words = room.words[end : end + int(narrow[:, 1].sum())]
        short = words.view(np.uint32)[words.size :]
        self._read(narrow, short)
        at = 0
        for _, number, base, _, _ in narrow.tolist():
            part = slice(at, at + number)
            widened(short[part], base, self._narrow_bits, self._spill.pixel_bits, words[part])
            at += number
        return room.words[: end + at]

    def in_parts(self, memory_events: int) -> Iterator[Cells]:
        """Its cells, no more than `memory_events` ions in memory at once."""
        yield from self._between(0, self._bins << self._spill.pixel_bits, memory_events)

    def _batches(self, memory_events: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """Cells, as numbers in their order, and words, some pieces at a time."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        size = np.cumsum(self._pieces[:, 1]) // max(memory_events, 1)
        parts = np.split(self._pieces, np.flatnonzero(np.diff(size)) + 1)
        room = _Room.of(max(int(part[:, 1].sum()) for part in parts))
        for part in parts:
            words = self._wide(part, room)
            yield (words >> np.uint64(EXPONENT_BITS)).astype(np.int64), words

    def _between(self, low: int, high: int, memory_events: int) -> Iterator[Cells]:
        """Cells numbered from `low` up to below `high`, cut where they are few enough to be sorted."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        shift = max(0, (high - low - 1).bit_length() - SLOT_BITS)
        words_of = np.zeros(((high - 1 - low) >> shift) + 1, np.int64)
        for keys, _ in self._batches(memory_events):
            inside = keys[(keys >= low) & (keys < high)] - low
            words_of += np.bincount(inside >> shift, minlength=words_of.size)
        for first, last in _runs(words_of, memory_events):
            begin, end = low + (first << shift), min(high, low + (last << shift))
            held = int(words_of[first:last].sum())
            if held > memory_events and shift:
                yield from self._between(begin, end, memory_events)
            elif held:
                if held > memory_events:
                    words = self._single_cell(begin, memory_events)
                else:
                    words = self._chosen(begin, end, held, memory_events)
                room = _Room(words, np.empty(words.size, np.uint8))
                yield self._cells(words, EXPONENT_BITS, self._spill.pixel_bits, room)

    def _chosen(self, begin: int, end: int, number: int, memory_events: int) -> NDArray[np.uint64]:
        """The `number` words of some cells, sorted."""
        found = np.empty(number, np.uint64)
        at = 0
        for keys, words in self._batches(memory_events):
            chosen = words[(keys >= begin) & (keys < end)]
            found[at : at + chosen.size] = chosen
            at += chosen.size
        found.sort()
        return found

    def _single_cell(self, cell: int, memory_events: int) -> NDArray[np.uint64]:
        """As few words as say the same as those of one cell: one for each binary digit of its ions."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        digits = (1 << EXPONENT_BITS) - 1
        number = np.zeros(digits + 1, np.int64)
        for keys, words in self._batches(memory_events):
            exponents = words[keys == cell] & np.uint64(digits)
            number += np.bincount(exponents.astype(np.int64), minlength=digits + 1)
        ions = sum(int(n) << exponent for exponent, n in enumerate(number))
        if ions >= 1 << 32:
            raise ValueError(f"a cell counts {ions} ions; expected fewer than {1 << 32}")
        return np.array([(cell << EXPONENT_BITS) + bit for bit in range(32) if ions >> bit & 1], np.uint64)


def _runs(words_of: NDArray[np.int64], memory_events: int) -> Iterator[tuple[int, int]]:
    """Neighbouring slots that together hold no more than `memory_events`, or a single slot that holds more."""
    ends = np.cumsum(words_of)
    first, before = 0, 0
    while first < words_of.size:
        last = max(first + 1, int(np.searchsorted(ends, before + memory_events, side="right")))
        yield first, last
        first, before = last, int(ends[last - 1])

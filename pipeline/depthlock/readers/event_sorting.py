"""Sorting spilled ions by flight-time bin and pixel, group after group, and adding up those of the same cell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_spill import Integers, Spill, workers

MEMORY_EVENTS = 1 << 24
"""Ions sorted at once by each thread; that takes about 20 bytes each."""

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
        Ions sorted at once by each thread. Groups with more are gone through several times.
    """
    table = spill.pieces
    present, first = np.unique(table[:, 0], return_index=True)
    groups = [
        _Group(spill, int(group), pieces) for group, pieces in zip(present, np.split(table, first[1:]), strict=True)
    ] if len(table) else []  # fmt: skip
    waiting: deque[Future[Cells]] = deque()
    with ThreadPoolExecutor(workers()) as threads:
        for group in groups:
            if group.ions > memory_events:
                while waiting:
                    yield waiting.popleft().result()
                yield from group.in_parts(memory_events)
                continue
            waiting.append(threads.submit(group.whole))
            if len(waiting) > workers() + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Group:
    """The pieces of one group."""

    def __init__(self, spill: Spill, group: int, pieces: NDArray[np.int64]) -> None:
        self._spill, self._pieces = spill, pieces
        self.ions = int(pieces[:, 1].sum())
        self._first_bin = int(spill.groups.first_bin[group])
        self._narrow_bits = int(spill.groups.narrow_bits[group])

    def whole(self) -> Cells:
        """Its cells, sorted at once."""
        if np.all(self._pieces[:, 4] == 4) and self._narrow_bits >= self._spill.pixel_bits:
            # No window ever moved: the narrow words sort by themselves.
            narrow = self._narrow(self._pieces)
            narrow.sort()
            return self._cells(narrow, 0, self._narrow_bits)
        words = self._words(self._pieces)
        words.sort()
        return self._wide_cells(words)

    def _wide_cells(self, words: NDArray[np.uint64]) -> Cells:
        from depthlock.readers.event_kernels import EXPONENT_BITS

        return self._cells(words, EXPONENT_BITS, self._spill.pixel_bits)

    def _cells(self, words: Integers, exponent_bits: int, pixel_bits: int) -> Cells:
        from depthlock.readers.event_kernels import added_up

        pixel_id, count = np.empty(words.size, np.uint32), np.empty(words.size, np.uint8)
        span = (int(words[-1]) >> (pixel_bits + exponent_bits)) - (int(words[0]) >> (pixel_bits + exponent_bits)) + 1
        bins, starts = np.empty((2, min(span, words.size)), np.int64)
        # More than 255 single ions a cell: there cannot be more such cells than that.
        large, exact = np.empty((2, words.size if exponent_bits else words.size // 256 + 1), np.int64)
        cells, occupied, exceptions = added_up(
            words, exponent_bits, pixel_bits, pixel_id, count, bins, starts, large, exact
        )
        if exceptions and int(exact[:exceptions].max()) >= 1 << 32:
            raise ValueError(f"a cell counts {exact[:exceptions].max()} ions; expected fewer than {1 << 32}")
        return Cells(
            bins[:occupied] + self._first_bin, starts[:occupied], pixel_id[:cells], count[:cells],
            large[:exceptions], exact[:exceptions],
        )  # fmt: skip

    def _narrow(self, pieces: NDArray[np.int64]) -> NDArray[np.uint32]:
        words = np.empty(int(pieces[:, 1].sum()), np.uint32)
        self._read(pieces, words)
        return words

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

    def _words(self, pieces: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Wide words of some pieces."""
        from depthlock.readers.event_kernels import widened

        wide = pieces[pieces[:, 4] == 8]
        narrow = pieces[pieces[:, 4] == 4]
        words = np.empty(int(pieces[:, 1].sum()), np.uint64)
        at = int(wide[:, 1].sum())
        if at:
            self._read(wide, words[:at])
        if len(narrow):
            short, done = self._narrow(narrow), 0
            for _, number, base, _, _ in narrow.tolist():
                source, target = short[done : done + number], words[at + done : at + done + number]
                widened(source, base, self._narrow_bits, self._spill.pixel_bits, target)
                done += number
        return words

    def in_parts(self, memory_events: int) -> Iterator[Cells]:
        """Its cells, no more than `memory_events` ions in memory at once."""
        low, high = 1 << 64, 0
        for keys, _ in self._batches(memory_events):
            low, high = min(low, int(keys.min())), max(high, int(keys.max()))
        yield from self._between(low, high + 1, memory_events)

    def _batches(self, memory_events: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """Cells, as numbers in their order, and words, some pieces at a time."""
        from depthlock.readers.event_kernels import EXPONENT_BITS

        size = np.cumsum(self._pieces[:, 1]) // max(memory_events, 1)
        for part in np.split(self._pieces, np.flatnonzero(np.diff(size)) + 1):
            words = self._words(part)
            yield (words >> np.uint64(EXPONENT_BITS)).astype(np.int64), words

    def _between(self, low: int, high: int, memory_events: int) -> Iterator[Cells]:
        """Cells numbered from `low` up to below `high`, cut where they are few enough to be sorted."""
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
                yield self._wide_cells(self._chosen(begin, end, memory_events, one=held > memory_events))

    def _chosen(self, begin: int, end: int, memory_events: int, *, one: bool) -> NDArray[np.uint64]:
        """Sorted words of some cells; those of a single cell with too many are added up at once."""
        parts: list[NDArray[np.uint64]] = []
        for keys, words in self._batches(memory_events):
            chosen = words[(keys >= begin) & (keys < end)]
            parts = [_shortened(np.concatenate([*parts, chosen]))] if one else [*parts, chosen]
        found = np.concatenate(parts)
        found.sort()
        return found


def _runs(words_of: NDArray[np.int64], memory_events: int) -> Iterator[tuple[int, int]]:
    """Neighbouring slots that together hold no more than `memory_events`, or a single slot that holds more."""
    ends = np.cumsum(words_of)
    first, before = 0, 0
    while first < words_of.size:
        last = max(first + 1, int(np.searchsorted(ends, before + memory_events, side="right")))
        yield first, last
        first, before = last, int(ends[last - 1])


def _shortened(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """As few words of one cell as say the same: one for each binary digit of its ions."""
    from depthlock.readers.event_kernels import EXPONENT_BITS

    if not words.size:
        return words
    digits = (1 << EXPONENT_BITS) - 1
    number = np.bincount((words & np.uint64(digits)).astype(np.int64), minlength=digits + 1)
    ions = sum(int(n) << exponent for exponent, n in enumerate(number))
    if ions >= 1 << 32:
        raise ValueError(f"a cell counts {ions} ions; expected fewer than {1 << 32}")
    key = int(words[0]) >> EXPONENT_BITS << EXPONENT_BITS
    return np.array([key + exponent for exponent in range(32) if ions >> exponent & 1], np.uint64)

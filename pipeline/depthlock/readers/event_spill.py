"""Ions on their way to an event store: shared out to groups of flight-time bins, in one file that only grows.

Ions are written as words (:mod:`depthlock.readers.event_kernels`), some thousand of one group at a time. A word has 32
bits wherever bin, counted from the group's first, and pixel, counted from a window's first, fit. Streams that jump
about between windows, and cells with counts, get words of 64 bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_groups import GROUPS, WINDOW_BITS, Groups, Integers, Windows
from depthlock.readers.event_source import EventBlock

PAGE_WORDS, OUT_PAGES = 8192, 32
NARROW = 4
"""Bytes of a narrow word."""

SCATTERED_WORDS = 256
"""Fewer words a piece than that are a stream that jumps about."""

SAMPLE_IONS = 1 << 18
WORKERS = 2
LAYOUT = 2
"""Number of this way of sharing out; a spill of another one is of no use."""

PARTS_AT_ONCE = 1024
"""As many as Linux takes in one call."""

WORDS_FILE, STATE_FILE = "words", "state.npz"


class _Pages:
    """The words that one worker holds: a page a group, of one window of pixels, or of all where words hold all."""

    def __init__(self, spill: Spill, *, wide: bool) -> None:
        self._spill, self._wide, self._window = spill, wide, 0
        first_bin, bits = spill.groups.first_bin, spill.groups.narrow_bits
        self._pages: Integers = np.empty((first_bin.size, PAGE_WORDS), np.uint64 if wide else np.uint32)
        self._out: Integers = np.empty(OUT_PAGES * PAGE_WORDS, self._pages.dtype)
        self._pieces = np.empty((OUT_PAGES, 2), np.int64)
        self._state = np.column_stack([np.zeros_like(bits), bits, first_bin << bits])
        self._windowed = bits < spill.pixel_bits

    def share_out(self, mass_bin: Integers, pixel_id: Integers, count: Integers, low: int, high: int) -> None:
        """Append ions of the pixels from `low` to `high` to the pages, and write those that become full."""
        from depthlock.readers.event_kernels import share_out, share_out_wide

        table, shift, bits = self._spill.groups.table, self._spill.groups.shift, self._spill.pixel_bits
        held = self._state, self._pages.reshape(-1), self._out, self._pieces
        if self._wide:
            start = 0
            while start < mass_bin.size:
                start, number = share_out_wide(mass_bin, pixel_id, count, start, table, shift, bits, *held)
                self._write_out(number)
            return
        for window, chosen in self._spill.windows.parts(pixel_id, low, high):
            self._turn_to(window)
            bins, pixels, start = mass_bin[chosen], pixel_id[chosen], 0
            while start < bins.size:
                start, number = share_out(bins, pixels, start, table, shift, *held)
                self._write_out(number)

    def _write_out(self, number: int) -> None:
        groups, words = self._pieces[:number].T
        self._spill.append([self._out[: words.sum()]], groups, self._windows(groups), words)

    def _windows(self, groups: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(self._windowed[groups], self._window, 0)

    def _turn_to(self, window: int) -> None:
        from depthlock.readers.event_kernels import OFFSET

        if window != self._window:
            self._write_pages(self._windowed)
            self._state[self._windowed, OFFSET] += (window - self._window) * self._spill.windows.pixels
            self._window = window

    def flush(self) -> None:
        """Write the pages as they are and begin new ones."""
        self._write_pages(np.ones_like(self._windowed))

    def _write_pages(self, chosen: NDArray[np.bool]) -> None:
        from depthlock.readers.event_kernels import USED

        used = self._state[:, USED]
        groups = np.flatnonzero(chosen & (used > 0))
        parts = [self._pages[group, : used[group]] for group in groups]
        self._spill.append(parts, groups, self._windows(groups), used[groups])
        used[groups] = 0


class Spill:
    """The file of words, and which piece of it belongs to which group and window.

    Parameters
    ----------
    folder : Path
        Where it lies; it must exist.
    row_shape : tuple of int
        Axes of the pixel ids, the last two of which are those of a raster.
    groups : Groups
    """

    def __init__(self, folder: Path, row_shape: tuple[int, ...], groups: Groups) -> None:
        self.groups = groups
        self.row_shape = row_shape
        self.rows = prod(row_shape)
        self.pixel_bits = max(1, (self.rows - 1).bit_length())
        self.windows = Windows.of(row_shape, int(groups.narrow_bits.min()))
        self.bins = min(1 << 32, 1 << (58 - self.pixel_bits))
        self.ions = 0
        self.path = folder / WORDS_FILE
        self._folder = folder
        self._wide = bool(groups.narrow_bits.min() < min(WINDOW_BITS, self.pixel_bits))
        self._pieces: list[NDArray[np.int64]] = []
        self._words = self._written = self._size = 0
        self._lock = Lock()
        self._file = self.path.open("ab", buffering=0)
        self._threads = ThreadPoolExecutor(workers())
        self._free: SimpleQueue[_Pages] = SimpleQueue()
        self._make_pages()
        self._running: list[Future[None]] = []

    @classmethod
    def begun(cls, folder: Path, row_shape: tuple[int, ...], blocks: Iterator[EventBlock]) -> Spill:
        """A new spill with the first blocks, which decide on its groups; `blocks` goes on behind them."""
        held: list[EventBlock] = []
        ions = 0
        for block in blocks:
            held.append(block)
            ions += np.asarray(block.mass_bin).size
            if ions >= SAMPLE_IONS:
                break
        bins = np.concatenate([np.empty(0, np.int64), *(np.asarray(block.mass_bin) for block in held)])
        spill = cls(folder, row_shape, Groups.of(np.maximum(bins, 0), GROUPS))
        try:
            for block in held:
                spill.add(block)
        except BaseException:
            spill.close()
            raise
        return spill

    def _make_pages(self) -> None:
        while not self._free.empty():
            self._free.get()
        for _ in range(workers()):
            self._free.put(_Pages(self, wide=self._wide))

    def close(self) -> None:
        """End the threads and close the file, which stays."""
        self._threads.shutdown()
        self._file.close()

    def append(
        self, parts: list[Integers], groups: NDArray[np.int64], windows: NDArray[np.int64], words: NDArray[np.int64]
    ) -> None:
        """Write the words of some groups and windows, in that order, and note where they are."""
        if not words.size:
            return
        each = parts[0].itemsize
        with self._lock:
            place = self._size + each * (np.cumsum(words) - words)
            self._pieces.append(np.column_stack([groups, windows, words, place, np.full(words.size, each)]))
            self._size, self._words = self._size + each * int(words.sum()), self._words + int(words.sum())
            self._written += words.size
            _write(self._file.fileno(), [part.view(np.uint8).data for part in parts])

    def add(self, block: EventBlock) -> None:
        """Share out a block, in a thread; blocks may overtake each other.

        Raises
        ------
        ValueError
            When a pixel id lies outside of `row_shape`, or a bin or count does not fit 32 bits.
        """
        if not np.size(block.mass_bin):
            return
        mass_bin, _, top = _checked("mass_bin", block.mass_bin, self.bins)
        pixel_id, low, high = _checked("pixel_id", block.pixel_id, self.rows)
        count = np.empty(0, np.uint32) if block.count is None else _checked("count", block.count, 1 << 32)[0]
        scattered = self._written > 20 * self.groups.first_bin.size and self._words < SCATTERED_WORDS * self._written
        if not self._wide and (block.count is not None or scattered or top >= self.groups.top):
            self.flush()
            self._wide = True
            self._make_pages()
        self.ions += mass_bin.size if block.count is None else int(count.sum(dtype=np.int64))
        # Some blocks wait while others are shared out.
        self._running = [task for task in self._running if not _ended(task)]
        if len(self._running) > 2 * workers():
            self._running.pop(0).result()
        self._running.append(self._threads.submit(self._share_out, mass_bin, pixel_id, count, low, high))

    def _share_out(self, mass_bin: Integers, pixel_id: Integers, count: Integers, low: int, high: int) -> None:
        pages = self._free.get()
        try:
            pages.share_out(mass_bin, pixel_id, count, low, high)
        finally:
            self._free.put(pages)

    def flush(self) -> None:
        """Wait for all blocks, and write everything that is held."""
        while self._running:
            self._running.pop(0).result()
        for _ in range(workers()):
            self._free.get().flush()
        # New ones, so that no memory is held if no more ions come.
        self._make_pages()

    @property
    def pieces(self) -> NDArray[np.int64]:
        """Group, window, words, place in bytes and bytes a word, of all pieces by group and place."""
        table = np.concatenate([np.empty((0, 5), np.int64), *self._pieces])
        return table[np.argsort(table[:, 0], kind="stable")]

    def save(self, told: dict[str, Any]) -> None:
        """Flush, and note what is there, so that :meth:`reopened` can go on; `told` is given back by it."""
        self.flush()
        os.fsync(self._file.fileno())
        facts = {**told, "row_shape": self.row_shape, "size": self._size, "ions": self.ions, "wide": self._wide}
        beside = self._folder / f"new-{STATE_FILE}"
        with beside.open("wb") as stream:
            np.savez(
                stream, facts=np.array(json.dumps(facts)), pieces=self.pieces, table=self.groups.table,
                shift=self.groups.shift, first_bin=self.groups.first_bin,
            )  # fmt: skip
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self._folder / STATE_FILE)

    @classmethod
    def reopened(cls, folder: Path) -> tuple[Spill, dict[str, Any]]:
        """The spill as it was last saved, and what was told with it.

        Raises
        ------
        OSError, ValueError, KeyError
            When nothing was saved, or not all of it is there.
        """
        with np.load(folder / STATE_FILE, allow_pickle=False) as state:
            facts = json.loads(str(state["facts"]))
            groups = Groups(state["table"], int(state["shift"]), state["first_bin"])
            pieces = state["pieces"]
        if (folder / WORDS_FILE).stat().st_size < facts["size"]:
            raise ValueError("words are missing")
        os.truncate(folder / WORDS_FILE, facts["size"])
        spill = cls(folder, tuple(facts["row_shape"]), groups)
        spill._pieces, spill._size, spill.ions = [pieces], facts["size"], facts["ions"]
        spill._words, spill._written = int(pieces[:, 2].sum()), len(pieces)
        spill._wide = facts["wide"]
        spill._make_pages()
        return spill, facts


def workers() -> int:
    """Threads that share out and sort: two, or as many as the job may use."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, min(WORKERS, int(given) if given.isdigit() else os.cpu_count() or 1))


def _write(file: int, parts: list[memoryview]) -> None:
    """Write all parts, one after the other; the system takes some at a time, and may end amid one."""
    at = 0
    while at < len(parts):
        done = os.writev(file, parts[at : at + PARTS_AT_ONCE])
        while at < len(parts) and done >= parts[at].nbytes:
            done -= parts[at].nbytes
            at += 1
        if done:
            parts[at] = parts[at][done:]


def _ended(task: Future[None]) -> bool:
    """Whether a task is done; its error is raised."""
    if task.done():
        task.result()
        return True
    return False


def _checked(name: str, values: Integers, limit: int) -> tuple[NDArray[np.uint32], int, int]:
    """Some values, the smallest, and the largest of them."""
    values = np.asarray(values)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= limit:
        raise ValueError(f"{name} runs from {low} to {high}; expected 0 to {limit - 1}")
    return np.ascontiguousarray(values, np.uint32), low, high

"""Ions on their way to an event store: shared out to groups of flight-time bins, in one file that only grows.

Ions are written as words (:mod:`depthlock.readers.event_kernels`), a group's words in pieces of some thousand. A word
has 32 bits wherever bin, counted from the group's first, and pixel, counted from a window that moves with the stream,
fit. Streams that jump about, and cells with counts, get words of 64 bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_source import EventBlock

Integers = NDArray[np.integer[Any]]

GROUPS, PAGE_WORDS = 512, 4096
TABLE_BITS = 16
"""Groups, words of a page and bits of the table: together they fit the cache of one core."""

OUT_WORDS, PIECES = 1 << 18, 1024
SAMPLE_IONS = 1 << 18
WORKERS = 2
LAYOUT = 1
"""Number of this way of sharing out; a spill of another one is of no use."""

WORDS_FILE, STATE_FILE = "words", "state.npz"


@dataclass(frozen=True)
class Groups:
    """Neighbouring flight-time bins that are sorted together.

    Attributes
    ----------
    table : ndarray of uint16
        Group by ``bin >> shift``; bins beyond it belong to the last group.
    shift : int
    first_bin : ndarray of int64, shape (groups,)
    """

    table: NDArray[np.uint16]
    shift: int
    first_bin: NDArray[np.int64]

    @classmethod
    def of(cls, sample: Integers, number: int) -> Groups:
        """About `number` groups, half of them by the bins of a sample of ions, half of equal width.

        The groups of equal width are for ions that the sample does not hold: those of deeper layers.
        """
        top = int(1.25 * int(sample.max())) + 2 if sample.size else 2
        shift = max(0, (top - 1).bit_length() - TABLE_BITS)
        slots = -(-top // (1 << shift))
        share = np.bincount(sample.astype(np.int64) >> shift, minlength=slots) / max(sample.size, 1) + 1.0 / slots
        ideal = (number * (np.cumsum(share) - share / 2) / share.sum()).astype(np.int64)
        begins = np.append(True, np.diff(ideal) > 0)
        return cls((np.cumsum(begins) - 1).astype(np.uint16), shift, np.flatnonzero(begins) << shift)

    @property
    def top(self) -> int:
        """First bin beyond the table."""
        return self.table.size << self.shift

    @cached_property
    def narrow_bits(self) -> NDArray[np.int64]:
        """Bits that a group's bins leave for pixels in words of 32 bits."""
        width = np.diff(np.append(self.first_bin, self.top))
        return 32 - np.maximum(1, np.ceil(np.log2(width))).astype(np.int64)


class _Pages:
    """The words that one worker holds: a page a group, and full pages that wait to be written."""

    def __init__(self, spill: Spill, *, wide: bool) -> None:
        self._spill, self._wide = spill, wide
        groups = spill.groups.first_bin.size
        self._pages: Integers = np.empty(groups * PAGE_WORDS, np.uint64 if wide else np.uint32)
        self._out: Integers = np.empty(OUT_WORDS, self._pages.dtype)
        self._pieces = np.empty((PIECES, 3), np.int64)
        bits, nothing = spill.groups.narrow_bits, np.zeros(groups, np.int64)
        self._state = np.column_stack([nothing, nothing, bits, spill.groups.first_bin << bits])

    def share_out(self, mass_bin: Integers, pixel_id: Integers, count: Integers) -> None:
        from depthlock.readers import event_kernels as kernels

        spill, groups, start = self._spill, self._spill.groups, 0
        while start < mass_bin.size:
            if self._wide:
                start, top, number = kernels.share_out_wide(
                    mass_bin, pixel_id, count, start, groups.table, groups.shift, spill.pixel_bits,
                    groups.first_bin, self._state, self._pages, self._out, self._pieces,
                )  # fmt: skip
            else:
                start, top, number = kernels.share_out(
                    mass_bin, pixel_id, start, groups.table, groups.shift,
                    self._state, self._pages, self._out, self._pieces,
                )  # fmt: skip
            spill.append(self._out[:top], self._pieces[:number])

    def flush(self) -> None:
        """Write the pages as they are and begin new ones."""
        from depthlock.readers.event_kernels import BASE, USED

        for group in np.flatnonzero(self._state[:, USED]):
            words = self._pages[group * PAGE_WORDS :][: self._state[group, USED]]
            self._spill.append(words, np.array([[group, words.size, self._state[group, BASE]]]))
        self._state[:, USED] = 0


class Spill:
    """The file of words, and which piece of it belongs to which group.

    Parameters
    ----------
    folder : Path
        Where it lies; it must exist.
    rows : int
        Number of pixel ids.
    groups : Groups
    """

    def __init__(self, folder: Path, rows: int, groups: Groups) -> None:
        self.groups = groups
        self.rows = rows
        self.pixel_bits = max(1, (rows - 1).bit_length())
        self.bins = min(1 << 32, 1 << (58 - self.pixel_bits))
        self.ions = 0
        self.path = folder / WORDS_FILE
        self._folder = folder
        # Where the narrowest window is too narrow to be worth while, words are wide from the start.
        self._wide = bool(groups.narrow_bits.min() < min(16, self.pixel_bits))
        self._pieces: list[NDArray[np.int64]] = []
        self._words = self._written = 0
        self._size = 0
        self._lock = Lock()
        self._file = self.path.open("ab", buffering=0)
        self._threads = ThreadPoolExecutor(workers())
        self._free: SimpleQueue[_Pages] = SimpleQueue()
        self._make_pages()
        self._running: list[Future[None]] = []

    @classmethod
    def begun(cls, folder: Path, rows: int, blocks: Iterator[EventBlock]) -> Spill:
        """A new spill with the first blocks, which decide on its groups; `blocks` goes on behind them."""
        held: list[EventBlock] = []
        ions = 0
        for block in blocks:
            held.append(block)
            ions += np.asarray(block.mass_bin).size
            if ions >= SAMPLE_IONS:
                break
        bins = np.concatenate([np.empty(0, np.int64), *(np.asarray(block.mass_bin) for block in held)])
        spill = cls(folder, rows, Groups.of(np.maximum(bins, 0), GROUPS))
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

    def append(self, words: Integers, pieces: NDArray[np.int64]) -> None:
        """Write words, and note their pieces (group, words, base)."""
        with self._lock:
            size = words.dtype.itemsize
            ends = np.cumsum(pieces[:, 1])
            place = self._size + size * (ends - pieces[:, 1])
            self._pieces.append(np.column_stack([pieces, place, np.full(len(pieces), size)]))
            raw = words.view(np.uint8)
            while raw.size:
                raw = raw[self._file.write(raw.data) :]
            self._size += size * words.size
            self._words, self._written = self._words + words.size, self._written + len(pieces)

    def add(self, block: EventBlock) -> None:
        """Share out a block, in a thread; blocks may overtake each other.

        Raises
        ------
        ValueError
            When a pixel id lies outside of `rows`, or a bin or count does not fit 32 bits.
        """
        mass_bin = _checked("mass_bin", block.mass_bin, self.bins)
        pixel_id = _checked("pixel_id", block.pixel_id, self.rows)
        count = np.empty(0, np.uint32) if block.count is None else _checked("count", block.count, 1 << 32)
        if not mass_bin.size:
            return
        scattered = self._written > 20 * self.groups.first_bin.size and self._words < PAGE_WORDS // 8 * self._written
        if not self._wide and (block.count is not None or scattered or int(mass_bin.max()) >= self.groups.top):
            self.flush()
            self._wide = True
            self._make_pages()
        self.ions += mass_bin.size if block.count is None else int(count.sum(dtype=np.int64))
        # One block waits while the others are shared out.
        self._running = [task for task in self._running if not _ended(task)]
        if len(self._running) > workers():
            self._running.pop(0).result()
        self._running.append(self._threads.submit(self._share_out, mass_bin, pixel_id, count))

    def _share_out(self, mass_bin: Integers, pixel_id: Integers, count: Integers) -> None:
        pages = self._free.get()
        try:
            pages.share_out(mass_bin, pixel_id, count)
        finally:
            self._free.put(pages)

    def flush(self) -> None:
        """Wait for all blocks, and write everything that is held."""
        while self._running:
            self._running.pop(0).result()
        for _ in range(workers()):
            pages = self._free.get()
            pages.flush()
            self._free.put(pages)

    @property
    def pieces(self) -> NDArray[np.int64]:
        """Group, words, base, place in bytes and bytes a word, of all pieces by group."""
        if not self._pieces:
            return np.empty((0, 5), np.int64)
        self._pieces = [np.concatenate(self._pieces)]
        table = self._pieces[0]
        return table[np.argsort(table[:, 0], kind="stable")]

    def save(self, told: dict[str, Any]) -> None:
        """Flush, and note what is there, so that :meth:`reopened` can go on; `told` is given back by it."""
        self.flush()
        os.fsync(self._file.fileno())
        facts = {**told, "rows": self.rows, "size": self._size, "ions": self.ions, "wide": self._wide}
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
        spill = cls(folder, facts["rows"], groups)
        spill._pieces, spill._size, spill.ions = [pieces], facts["size"], facts["ions"]
        spill._words, spill._written = int(pieces[:, 1].sum()), len(pieces)
        spill._wide = facts["wide"]
        spill._make_pages()
        return spill, facts


def workers() -> int:
    """Threads that share out and sort: two, or as many as the job may use."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, min(WORKERS, int(given) if given.isdigit() else os.cpu_count() or 1))


def _ended(task: Future[None]) -> bool:
    """Whether a task is done; its error is raised."""
    if task.done():
        task.result()
        return True
    return False


def _checked(name: str, values: Integers, limit: int) -> NDArray[np.uint32]:
    values = np.asarray(values)
    below = values.size and values.dtype.kind != "u" and int(values.min()) < 0
    if below or (values.size and int(values.max()) >= limit):
        raise ValueError(f"{name} runs from {values.min()} to {values.max()}; expected 0 to {limit - 1}")
    return np.ascontiguousarray(values, np.uint32)

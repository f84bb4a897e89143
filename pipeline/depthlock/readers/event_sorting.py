"""Sorting ions by flight-time bin and pixel, out of core: spill sorted runs, then merge them piece by piece.

An ion's bin and pixel are one 64-bit key, which sorts several times faster than rows of two columns. Runs are read
with plain reads, not mapped into memory: mapped pages count as the process' own until the machine runs short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

MEMORY_EVENTS = 4_000_000
"""Ions held in memory at once; sorting and writing them takes about 60 bytes each."""

Keys = NDArray[np.uint64]
Counts = NDArray[np.uint32]
Cells = tuple[Keys, Counts | None]
"""Keys (bin in the upper, pixel in the lower 32 bits), and counts, None where all are 1."""


@dataclass(frozen=True)
class EventBlock:
    """Some ions, in any order, all arrays of one length.

    Attributes
    ----------
    mass_bin : ndarray of integers
        Flight-time bins.
    pixel_id : ndarray of integers
        Flat C-order indices over the store's `row_shape`.
    count : ndarray of integers, optional
        Ions; one each if absent.
    """

    mass_bin: NDArray[np.integer]
    pixel_id: NDArray[np.integer]
    count: NDArray[np.integer] | None = None


def sorted_cells(blocks: Iterable[EventBlock], rows: int, folder: Path, memory_events: int) -> Iterator[Cells]:
    """All ions in ascending order of bin and pixel, those of the same bin and pixel added up.

    Parameters
    ----------
    blocks : iterable of EventBlock
        Gone through once.
    rows : int
        Number of pixel ids.
    folder : Path
        For spilled runs.
    memory_events : int
        Ions held in memory at once.

    Yields
    ------
    keys : ndarray of uint64, strictly ascending also from one piece to the next
    counts : ndarray of uint32, or None where all are 1

    Raises
    ------
    ValueError
        When a pixel id lies outside of `rows`, or a bin or count does not fit 32 bits.
    """
    with ExitStack() as stack:
        runs: list[_Run] = []
        held: list[Cells] = []
        size = 0
        for block in blocks:
            # A block may be larger than the memory limit on its own; it is spilled at once then.
            cells = _cells(block, rows)
            held.append(cells)
            size += cells[0].size
            if size >= memory_events:
                runs.append(_spill(_sorted(held), folder / f"run-{len(runs)}", stack))
                held, size = [], 0
        if not runs:
            if size:
                yield _merged(held)
            return
        if size:
            runs.append(_spill(_sorted(held), folder / f"run-{len(runs)}", stack))
        held.clear()
        yield from _together(runs, memory_events)


def _cells(block: EventBlock, rows: int) -> Cells:
    mass_bin, pixel_id = np.asarray(block.mass_bin), np.asarray(block.pixel_id)
    count = None if block.count is None else np.asarray(block.count)
    for name, values, limit in (
        ("mass_bin", mass_bin, 1 << 32),
        ("pixel_id", pixel_id, rows),
        ("count", count, 1 << 32),
    ):
        if values is not None and values.size and (int(values.min()) < 0 or int(values.max()) >= limit):
            raise ValueError(f"{name} runs from {values.min()} to {values.max()}; expected 0 to {limit - 1}")
    key = mass_bin.astype(np.uint64)
    key <<= np.uint64(32)
    key |= pixel_id.astype(np.uint64)
    if count is None:
        return key, None
    filled = count > 0
    return key[filled], count[filled].astype(np.uint32)


def _merged(pieces: list[Cells]) -> Cells:
    """Pieces as one, sorted, cells of the same bin and pixel added up."""
    if all(count is None for _, count in pieces):
        key = _sorted(pieces)[0]
        new = _new(key)
        if new.all():
            return key, None
        first = np.flatnonzero(new)
        count = np.empty(first.size, np.uint32)
        np.subtract(first[1:], first[:-1], out=count[:-1], casting="unsafe")
        count[-1] = key.size - first[-1]
        return key[first], count
    key = np.concatenate([piece for piece, _ in pieces])
    counts = np.concatenate([np.ones(piece.size, np.uint32) if count is None else count for piece, count in pieces])
    order = np.argsort(key, kind="stable")
    key = key[order]
    if not key.size:
        return key, None
    first = np.flatnonzero(_new(key))
    total = np.add.reduceat(counts[order].astype(np.uint64), first)
    if int(total.max()) >= 1 << 32:
        raise ValueError(f"a cell counts {total.max()} ions; expected fewer than {1 << 32}")
    return key[first], total.astype(np.uint32)


def _sorted(pieces: list[Cells]) -> Cells:
    """Pieces as one, sorted; single ions stay single, as adding them up would be done again when runs are merged."""
    if any(count is not None for _, count in pieces):
        return _merged(pieces)
    key = np.concatenate([piece for piece, _ in pieces])
    key.sort()
    return key, None


def _new(key: Keys) -> NDArray[np.bool_]:
    """Where a sorted key differs from the one before it."""
    new = np.ones(key.size, dtype=bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return new


class _Run:
    """A sorted run in a file, read from its start on."""

    def __init__(self, keys: BinaryIO, counts: BinaryIO | None) -> None:
        self._keys, self._counts = keys, counts
        self.key: Keys = np.empty(0, np.uint64)
        self.count: Counts | None = None
        self.ended = False

    def fill(self, length: int) -> None:
        """Hold `length` cells, or what is left."""
        missing = length - self.key.size
        if self.ended or missing <= 0:
            return
        key = np.fromfile(self._keys, np.uint64, missing)
        self.ended = key.size < missing
        self.key = np.concatenate([self.key, key])
        if self._counts is not None:
            count = np.fromfile(self._counts, np.uint32, missing)
            self.count = count if self.count is None else np.concatenate([self.count, count])

    def take(self, end: np.uint64 | None) -> Cells:
        """The cells held before the key `end`, or all."""
        stop = self.key.size if end is None else int(np.searchsorted(self.key, end, side="left"))
        taken = self.key[:stop], None if self.count is None else self.count[:stop]
        self.key = self.key[stop:]
        self.count = None if self.count is None else self.count[stop:]
        return taken


def _spill(cells: Cells, name: Path, stack: ExitStack) -> _Run:
    key, count = cells
    keys = stack.enter_context(name.with_suffix(".keys").open("w+b"))
    key.tofile(keys)
    keys.seek(0)
    if count is None:
        return _Run(keys, None)
    counts = stack.enter_context(name.with_suffix(".counts").open("w+b"))
    count.tofile(counts)
    counts.seek(0)
    return _Run(keys, counts)


def _together(runs: list[_Run], memory_events: int) -> Iterator[Cells]:
    """The cells of all runs in order, about `memory_events` at a time."""
    part = max(2, memory_events // len(runs))
    while True:
        for run in runs:
            run.fill(part)
        held = [run for run in runs if run.key.size]
        if not held:
            return
        # Before the smallest last key of the runs that go on, no cell can be missing.
        waiting = [run.key[-1] for run in held if not run.ended]
        pieces = [run.take(min(waiting) if waiting else None) for run in held]
        pieces = [piece for piece in pieces if piece[0].size]
        if pieces:
            yield _merged(pieces)
        else:
            # A whole part is one and the same cell: only a longer one shows where it ends.
            part *= 2

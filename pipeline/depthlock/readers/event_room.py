"""Memory in which ions are sorted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Room:
    """Where a batch is sorted.

    Attributes
    ----------
    words : ndarray of uint64
        Words, and in their place, as no cell comes before its first word, the pixels of the cells.
    count : ndarray of uint8
        Twice as long: narrow words take half a place.
    """

    words: NDArray[np.uint64]
    count: NDArray[np.uint8]

    @classmethod
    def of(cls, size: int) -> Room:
        """Fresh room for so many wide words."""
        return cls(np.empty(size, np.uint64), np.empty(2 * size, np.uint8))


class Ring:
    """Room for batches that come and go in order, used again and again: fresh memory costs as much as the sorting."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._all = Room.of(size)
        self._taken: deque[tuple[int, int]] = deque()

    def _begin(self, size: int) -> int | None:
        """Where there is room of some size, if anywhere."""
        begin, end = (self._taken[-1][1], self._taken[0][0]) if self._taken else (0, self.size)
        if end < begin:
            # What is taken lies in one piece: there is room behind it, or else before it.
            begin, end = (begin, self.size) if begin + size <= self.size else (0, end)
        return begin if begin + size <= end else None

    def fits(self, size: int) -> bool:
        """Whether there is room of some size now."""
        return self._begin(size) is not None

    def take(self, size: int) -> Room:
        """Room of some size.

        Raises
        ------
        ValueError
            When there is none.
        """
        begin = self._begin(size)
        if begin is None:
            raise ValueError(f"no room for {size} words")
        self._taken.append((begin, begin + size))
        return Room(self._all.words[begin : begin + size], self._all.count[2 * begin : 2 * (begin + size)])

    def give_back(self) -> None:
        """The room that was taken first is free again."""
        self._taken.popleft()

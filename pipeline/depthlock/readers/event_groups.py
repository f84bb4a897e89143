"""How ions are shared out: groups of neighbouring flight-time bins, windows of neighbouring pixels, bits of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]

EXPONENT_BITS = 5
"""Lower bits of a wide word: it stands for 2^exponent ions. Narrow words stand for one."""

GROUPS = 1024
TABLE_BITS = 17
"""Groups and bits of the table: the table and the ends of all pages fit the cache of one core."""

WINDOW_BITS = 16
"""Words are narrow where they hold so many bits of the pixel, or all of them."""


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
        width = np.diff(self.first_bin, append=self.top)
        return 32 - np.maximum(1, np.ceil(np.log2(width))).astype(np.int64)


@dataclass(frozen=True)
class Windows:
    """Pixel ids cut into windows that narrow words can hold.

    Attributes
    ----------
    pixels : int
        Length of a window; whole rasters, wherever one fits, so that no order of pixels within a raster matters.
    """

    pixels: int

    @classmethod
    def of(cls, row_shape: tuple[int, ...], bits: int) -> Windows:
        """Windows over pixels of a shape (..., ny, nx), of no more than `bits` bits."""
        raster = prod(row_shape[-2:])
        return cls((1 << bits) // raster * raster or 1 << bits)

    def parts(self, pixel_id: Integers, low: int, high: int) -> Iterator[tuple[int, slice | NDArray[np.intp]]]:
        """Windows that occur, and which of the pixels, from `low` to `high`, lie in each."""
        first = low // self.pixels
        if first == high // self.pixels:
            yield first, slice(None)
            return
        window = pixel_id // np.uint32(self.pixels)
        order = np.argsort(window, kind="stable")
        ends = np.cumsum(np.bincount(window - np.uint32(first)))
        for number, part in enumerate(np.split(order, ends[:-1])):
            if part.size:
                yield first + number, part

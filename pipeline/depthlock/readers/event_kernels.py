"""Compiled loops over single ions: sharing them out to groups of flight-time bins, and adding up sorted words.

A word is one ion as an integer: bin, counted from the first of its group, then pixel, then an exponent, from the upper
bits to the lower. Sorting the words of a group sorts its ions by bin and pixel, whatever order they came in. Numba is
imported with this module: import it where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from depthlock.readers.event_spill import Integers

EXPONENT_BITS = 5
"""Lower bits of a wide word: it stands for 2^exponent ions. Narrow words stand for one."""


USED, BASE, BITS, OFFSET = range(4)
"""Columns of a group's state: the words in its page; the pixel from which the page counts; the lower bits of a narrow
word, which hold the pixel; and ``(first bin << bits) + base``. One row of them is one cache line."""


@numba.njit(cache=True, nogil=True)
def share_out(
    mass_bin: Integers,
    pixel_id: Integers,
    start: int,
    table: Integers,
    shift: int,
    state: Integers,
    pages: Integers,
    out: Integers,
    pieces: Integers,
) -> tuple[int, int, int]:
    """Append ions to the pages of their groups as narrow words; full pages go to `out`, one piece each.

    Parameters
    ----------
    mass_bin, pixel_id : ndarray of uint32, shape (n,)
        The ions; all bins lie within `table`.
    start : int
        First ion to take.
    table : ndarray of integers
        Group by ``bin >> shift``.
    state : ndarray of int64, shape (groups, 4)
        Changed.
    pages : ndarray of uint32, shape (groups * length,)
    out : ndarray of uint32
        Filled from its start.
    pieces : ndarray of int64, shape (m, 3)
        Group, words and base of the pieces in `out`; filled from its start.

    Returns
    -------
    start, top, number : int
        `start` is n, or the ion before which `out` must be emptied; `top` words and `number` pieces are in `out`.
    """
    length = pages.size // len(state)
    top, number = 0, 0
    for i in range(start, mass_bin.size):
        flight = np.int64(mass_bin[i])
        pixel = np.int64(pixel_id[i])
        group = np.int64(table[flight >> shift])
        held, base, bits = state[group, USED], state[group, BASE], state[group, BITS]
        if (held == length) | (((pixel - base) >> bits) != 0):
            if held:
                if top + held > out.size or number == len(pieces):
                    return i, top, number
                out[top : top + held] = pages[group * length : group * length + held]
                top += held
                pieces[number, 0], pieces[number, 1], pieces[number, 2] = group, held, base
                number += 1
                held = np.int64(0)
            # Half a window before the pixel: a stream goes back a little where a raster begins anew.
            moved = np.int64(0) if pixel >> bits == 0 else pixel - (np.int64(1) << (bits - 1))
            state[group, OFFSET] += moved - base
            state[group, BASE] = moved
        pages[group * length + held] = (flight << bits) + pixel - state[group, OFFSET]
        state[group, USED] = held + 1
    return mass_bin.size, top, number


@numba.njit(cache=True, nogil=True)
def share_out_wide(
    mass_bin: Integers,
    pixel_id: Integers,
    count: Integers,
    start: int,
    table: Integers,
    shift: int,
    pixel_bits: int,
    first_bin: Integers,
    state: Integers,
    pages: Integers,
    out: Integers,
    pieces: Integers,
) -> tuple[int, int, int]:
    """As :func:`share_out`, with words of 64 bits, which hold any bin and pixel, and counts.

    A count is written as one word for each of its binary digits that is set. `count` is empty where all are one. Bins
    beyond `table` belong to the last group.
    """
    length = pages.size // len(state)
    top, number = 0, 0
    for i in range(start, mass_bin.size):
        flight = np.int64(mass_bin[i])
        slot = flight >> shift
        group = np.int64(table[slot if slot < table.size else table.size - 1])
        ions = np.int64(count[i]) if count.size else np.int64(1)
        held = state[group, USED]
        if held + 32 > length:
            if top + held > out.size or number == len(pieces):
                return i, top, number
            out[top : top + held] = pages[group * length : group * length + held]
            top += held
            pieces[number, 0], pieces[number, 1], pieces[number, 2] = group, held, 0
            number += 1
            held = np.int64(0)
        word = (((flight - first_bin[group]) << pixel_bits) + np.int64(pixel_id[i])) << EXPONENT_BITS
        exponent = np.int64(0)
        while ions:
            if ions & 1:
                pages[group * length + held] = word + exponent
                held += 1
            ions >>= 1
            exponent += 1
        state[group, USED] = held
    return mass_bin.size, top, number


@numba.njit(cache=True, nogil=True)
def widened(narrow: Integers, base: int, narrow_bits: int, pixel_bits: int, wide: Integers) -> None:
    """Narrow words of one piece as wide ones, into `wide`, which has their number and may end where `narrow` does."""
    mask = (np.int64(1) << narrow_bits) - 1
    for i in range(narrow.size):
        word = np.int64(narrow[i])
        wide[i] = (((word >> narrow_bits) << pixel_bits) + base + (word & mask)) << EXPONENT_BITS


@numba.njit(cache=True, nogil=True)
def added_up(
    words: Integers,
    exponent_bits: int,
    pixel_bits: int,
    pixel_id: Integers,
    count: Integers,
    bins: Integers,
    starts: Integers,
    large: Integers,
    exact: Integers,
) -> tuple[int, int, int]:
    """Cells of sorted words, ions of the same bin and pixel added up.

    Parameters
    ----------
    words : ndarray of uint32 or uint64, ascending
    exponent_bits, pixel_bits : int
    pixel_id : ndarray of uint32
        May lie where `words` does.
    count : ndarray of uint8
        Ions of a cell, 255 where there are more.
    bins, starts : ndarray of int64
        Bins that occur, counted from the group's first, and the first cell of each.
    large, exact : ndarray of int64
        Cells with more than 255 ions, and their numbers.

    Returns
    -------
    cells, occupied, exceptions : int
        How much of the arrays was filled.
    """
    mask = (np.int64(1) << exponent_bits) - 1
    pixels = (np.int64(1) << pixel_bits) - 1
    cell, occupied, exceptions = -1, 0, 0
    before, row = np.int64(-1), np.int64(-1)
    total = np.int64(0)
    for i in range(words.size):
        word = np.int64(words[i])
        key = word >> exponent_bits
        ions = np.int64(1) << (word & mask)
        if key == before:
            total += ions
        else:
            cell += 1
            total = ions
            if key >> pixel_bits != row:
                row = key >> pixel_bits
                bins[occupied], starts[occupied] = row, cell
                occupied += 1
            pixel_id[cell] = key & pixels
            before = key
        count[cell] = np.uint8(total) if total < 255 else np.uint8(255)
        if total > 255:
            if exceptions == 0 or large[exceptions - 1] != cell:
                large[exceptions] = cell
                exceptions += 1
            exact[exceptions - 1] = total
    return cell + 1, occupied, exceptions

"""Compiled loops over single ions: sharing them out to groups of flight-time bins, and adding up sorted words.

A word is one ion, or some of one cell, as an integer that sorts by bin and pixel. Narrow words have 32 bits: the bin,
counted from the first of its group, and below it the pixel, counted from the first of a window of pixels. Wide words
have 64: bin, pixel, and an exponent, from the upper bits to the lower. Numba is imported with this module: import
it where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from depthlock.readers.event_groups import EXPONENT_BITS

if TYPE_CHECKING:
    from depthlock.readers.event_groups import Integers

COUNT_DIGITS = 32
"""Words that the ions of one cell may need at once: one for each binary digit of their number."""

USED, BITS, OFFSET = range(3)
"""Columns of a group's state: the words in its page; the lower bits of a narrow word, which hold the pixel; and
``(first bin << bits) + first pixel`` of the group and the window."""


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
) -> tuple[int, int]:
    """Append ions to the pages of their groups as narrow words; full pages go to `out`, one after the other.

    Parameters
    ----------
    mass_bin, pixel_id : ndarray of uint32, shape (n,)
        The ions, all of one window; all bins lie within `table`.
    start : int
        First ion to take.
    table : ndarray of integers
        Group by ``bin >> shift``.
    state : ndarray of int64, shape (groups, 3)
        Changed.
    pages : ndarray of uint32, shape (groups * length,)
    out : ndarray of uint32, shape (m * length,)
        Filled from its start.
    pieces : ndarray of int64, shape (m, 2)
        Group and words of what is in `out`; filled from its start.

    Returns
    -------
    start, number : int
        `start` is n, or the ion before which `out` must be emptied; `number` pieces are in `out`.
    """
    length = pages.size // len(state)
    top, number = 0, 0
    for i in range(start, mass_bin.size):
        flight = np.int64(mass_bin[i])
        group = np.int64(table[flight >> shift])
        held = state[group, USED]
        if held == length:
            if number == len(pieces):
                return i, number
            out[top : top + held] = pages[group * length : group * length + held]
            pieces[number, 0], pieces[number, 1] = group, held
            top += held
            number += 1
            held = np.int64(0)
        pages[group * length + held] = (flight << state[group, BITS]) + np.int64(pixel_id[i]) - state[group, OFFSET]
        state[group, USED] = held + 1
    return mass_bin.size, number


@numba.njit(cache=True, nogil=True)
def share_out_wide(
    mass_bin: Integers,
    pixel_id: Integers,
    count: Integers,
    start: int,
    table: Integers,
    shift: int,
    pixel_bits: int,
    state: Integers,
    pages: Integers,
    out: Integers,
    pieces: Integers,
) -> tuple[int, int]:
    """As :func:`share_out`, with wide words, which hold any bin and pixel, and counts.

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
        if held + COUNT_DIGITS > length:
            if number == len(pieces):
                return i, number
            out[top : top + held] = pages[group * length : group * length + held]
            pieces[number, 0], pieces[number, 1] = group, held
            top += held
            number += 1
            held = np.int64(0)
        word = ((flight << pixel_bits) + np.int64(pixel_id[i])) << EXPONENT_BITS
        while ions:
            if ions & 1:
                pages[group * length + held] = word
                held += 1
            ions >>= 1
            word += 1
        state[group, USED] = held
    return mass_bin.size, number


@numba.njit(cache=True, nogil=True)
def widened(narrow: Integers, ends: Integers, bits: Integers, cells: Integers, pixel_bits: int, wide: Integers) -> None:
    """Narrow words as wide ones.

    Parameters
    ----------
    narrow : ndarray of uint32
    ends, bits, cells : ndarray of int64
        Of the words of one group and window: where they end, how many of their lower bits hold the pixel, and
        ``(first bin << pixel_bits) + first pixel``.
    wide : ndarray of uint64
        Filled; `narrow` may lie in its upper half.
    """
    start = 0
    for part in range(ends.size):
        mask = (np.int64(1) << bits[part]) - 1
        for i in range(start, ends[part]):
            word = np.int64(narrow[i])
            wide[i] = (((word >> bits[part]) << pixel_bits) + (word & mask) + cells[part]) << EXPONENT_BITS
        start = ends[part]


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
        Bins that occur, and the first cell of each.
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

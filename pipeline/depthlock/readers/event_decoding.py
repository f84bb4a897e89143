"""Compiled loops over the raw records of instruments. Numba comes with this module: import it where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from depthlock.readers.event_groups import Integers

ITM_EXPECTED, ITM_X, ITM_Y, ITM_PIXEL = range(4)
"""State between two pieces of an .itm stream: the word that must come next (0: any that may begin, 1: a row,
2: a running number), the column and row told last, and the pixel that ions belong to (-1: none yet)."""

SENSELESS, HOMELESS, OUTSIDE = 1, 2, 3
"""What is wrong with words: marks in a wrong order, an ion before any pixel, a pixel outside of the raster."""


@numba.njit(cache=True, nogil=True)
def itm_ions(
    words: Integers, nx: int, ny: int, first_pixel: int, state: Integers, flight: Integers, pixel: Integers
) -> tuple[int, int]:
    """Ions among the words of an .itm stream.

    Parameters
    ----------
    words : ndarray of uint32
    nx, ny : int
    first_pixel : int
        Pixel id of the scan's first pixel.
    state : ndarray of int64, shape (4,)
        Changed.
    flight, pixel : ndarray of uint32
        Filled from their start; at least as long as `words`.

    Returns
    -------
    ions, fault : int
        `fault` is 0 where all is well.
    """
    ions = 0
    expected, x, y, home = state[ITM_EXPECTED], state[ITM_X], state[ITM_Y], state[ITM_PIXEL]
    for i in range(words.size):
        word = np.int64(words[i])
        mark, value = word >> 28, word & 0x0FFFFFFF
        if mark == 0 and expected == 0:
            if home < 0:
                return ions, HOMELESS
            flight[ions] = value
            pixel[ions] = first_pixel + home
            ions += 1
        elif mark == 0xC and expected == 0:
            x, expected = value, np.int64(1)
        elif mark == 0xD and expected == 1:
            y, expected = value, np.int64(2)
        elif mark == 0x4 and expected == 2:
            if x >= nx or y >= ny:
                state[ITM_X], state[ITM_Y] = x, y
                return ions, OUTSIDE
            home, expected = y * nx + x, np.int64(0)
        else:
            return ions, SENSELESS
    state[ITM_EXPECTED], state[ITM_X], state[ITM_Y], state[ITM_PIXEL] = expected, x, y, home
    return ions, 0


@numba.njit(cache=True, nogil=True)
def grd_ions(
    records: Integers, first_scan: int, nx: int, ny: int, channels: int, flight: Integers, pixel: Integers
) -> tuple[int, int, int]:
    """Ions of a .grd file.

    Parameters
    ----------
    records : ndarray of uint32, shape (n, 5)
        Scan, shot, x, y and channel.
    first_scan, nx, ny, channels : int
    flight, pixel : ndarray of uint32, shape (n,), or empty to look only at the scans

    Returns
    -------
    wrong : int
        The first record outside of raster or channels, or -1.
    low, high : int
        Smallest and largest scan.
    """
    low, high = 1 << 32, -1
    for i in range(len(records)):
        scan, x, y = np.int64(records[i, 0]), np.int64(records[i, 2]), np.int64(records[i, 3])
        if x >= nx or y >= ny or records[i, 4] >= channels:
            return i, low, high
        low, high = min(low, int(scan)), max(high, int(scan))
        if flight.size:
            flight[i] = records[i, 4]
            pixel[i] = ((scan - first_scan) * ny + y) * nx + x
    return -1, low, high


@numba.njit(cache=True, nogil=True)
def mibi_pulses(
    data: Integers, starts: Integers, triggers: int, first_pixel: int, flight: Integers, pixel: Integers
) -> tuple[int, int]:
    """Pulses of a MIBIscope file.

    Parameters
    ----------
    data : ndarray of uint8
        Events of some pixels: 8 bytes a trigger, of which the last u16 counts its pulses, and 5 bytes a pulse, which
        begin with its flight time as u16.
    starts : ndarray of int64, shape (pixels + 1,)
        Where each pixel's events begin, and the end.
    triggers : int
        Triggers a pixel.
    first_pixel : int
    flight, pixel : ndarray of uint32
        Filled from their start.

    Returns
    -------
    ions, wrong : int
        `wrong` is the first pixel whose events do not end where those of the next begin, or -1.
    """
    ions = 0
    for index in range(starts.size - 1):
        at, end = starts[index], starts[index + 1]
        for _ in range(triggers):
            if at + 8 > end:
                return ions, first_pixel + index
            pulses = np.int64(data[at + 6]) | (np.int64(data[at + 7]) << 8)
            at += 8
            if at + 5 * pulses > end:
                return ions, first_pixel + index
            for _pulse in range(pulses):
                flight[ions] = np.int64(data[at]) | (np.int64(data[at + 1]) << 8)
                pixel[ions] = first_pixel + index
                ions += 1
                at += 5
        if at != end:
            return ions, first_pixel + index
    return ions, -1

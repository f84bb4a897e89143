"""Scans and lines of the raster that were not measured as the others: dropped, cut short, or lit up by a flash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray

BoolArray = NDArray[np.bool_]

_BESIDE = 5
"""Scans on either side whose median is the expectation; shorter runs of odd scans do not move it."""

_SHORT, _BRIGHT = 0.75, 1.33
"""Shares of what is expected below and above which a scan is odd, if its noise cannot make it so."""

_SIGMAS = 6.0
_FEWEST = 20.0
"""Ions a scan and band below which the band says nothing."""

_SURFACE = 5
"""First scans, in which the surface transient may be as bright as a flash."""

_MISSING, _SHARP = 0.3, 0.7
"""An edge line holds less than the first share of the lines beside it; the first good line more than the second."""


def odd_scans(bands: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Find scans that lack ions or have too many in all parts of the spectrum alike.

    Parameters
    ----------
    bands : ndarray, shape (band, scan)
        Ions of each scan in parts of the spectrum, or of single ions.

    Returns
    -------
    short, bright : ndarray of bool, shape (scan,)

    Notes
    -----
    A scan is compared with both sides: an interface lies between the levels on its two sides, and a thin layer
    changes the composition, while a dropped or flashed scan stands outside them in the median of all bands. The first
    scans are never bright, as the surface transient is.
    """
    scans = bands.shape[1]
    totals = bands.sum(axis=0)
    short, bright = totals <= 0, np.zeros(scans, dtype=bool)
    if scans < 10:
        return short, bright
    for _ in range(4):
        good = ~(short | bright)
        found_short, found_bright = _odd_beside(bands, good)
        found_bright[:_SURFACE] = False
        if np.array_equal(found_short | (totals <= 0), short) and np.array_equal(found_bright, bright):
            break
        short, bright = found_short | (totals <= 0), found_bright
    return short, bright


def _odd_beside(bands: FloatArray, good: BoolArray) -> tuple[BoolArray, BoolArray]:
    scans = bands.shape[1]
    low, high = np.zeros((2, *bands.shape))
    for scan in range(scans):
        left = np.flatnonzero(good[:scan])[-_BESIDE:]
        right = scan + 1 + np.flatnonzero(good[scan + 1 :])[:_BESIDE]
        sides = np.stack([np.median(bands[:, side], axis=1) for side in (left, right) if side.size >= 2])
        low[:, scan], high[:, scan] = sides.min(axis=0), sides.max(axis=0)
    # One side only may lie on the slope of the surface transient or of a fall: half as many ions are asked for there.
    ends = np.arange(scans)
    share = np.where((ends < 2) | (ends >= scans - 2), 0.5, _SHORT)
    telling = high > _FEWEST
    ratio_low, ratio_high = (
        np.divide(bands, side, out=np.full(bands.shape, np.nan), where=telling & (side > 0)) for side in (low, high)
    )
    lack = low.sum(axis=0) - bands.sum(axis=0) > _SIGMAS * np.sqrt(low.sum(axis=0) + 1.0)
    excess = bands.sum(axis=0) - high.sum(axis=0) > _SIGMAS * np.sqrt(high.sum(axis=0) + 1.0)
    return lack & (_median(ratio_low, np.inf) < share), excess & (_median(ratio_high, 0.0) > _BRIGHT)


def _median(ratio: FloatArray, otherwise: float) -> FloatArray:
    """Median over the bands that say something."""
    known = np.isfinite(ratio).any(axis=0)
    middle = np.full(ratio.shape[1], otherwise)
    middle[known] = np.nanmedian(ratio[:, known], axis=0)
    return middle


def scan_notes(short: NDArray[np.bool_], bright: NDArray[np.bool_]) -> list[str]:
    """What was dropped, in words."""
    notes = []
    for scans, what in ((short, "incomplete"), (bright, "flashed")):
        if scans.any():
            notes.append(f"{int(scans.sum())} {what} scans were dropped: {_listed(np.flatnonzero(scans))}")
    return notes


def _listed(numbers: NDArray[np.intp]) -> str:
    """Numbers counted from 0, at most eight of them."""
    shown = ", ".join(str(number) for number in numbers[:8])
    return shown + (" and others" if numbers.size > 8 else "")


def missing_lines(lines: FloatArray) -> tuple[int, int]:
    """Lines at both ends of the raster that lack ions, as where the beam flies back.

    Parameters
    ----------
    lines : ndarray, shape (line,)
        All ions of each row or column.

    Returns
    -------
    tuple of int
        Lines to leave out at the start and at the end.

    Notes
    -----
    Only a sharp edge is the raster's: where ions come back slowly from line to line, the sample is dark there.
    """
    return _missing_at_start(lines), _missing_at_start(lines[::-1])


def _missing_at_start(lines: FloatArray) -> int:
    for missing in range(min(lines.size // 8, 16), 0, -1):
        expected = float(np.median(lines[missing : missing + 8]))
        lost = lines[:missing]
        poor = lost < np.minimum(_MISSING * expected, expected - _SIGMAS * np.sqrt(expected + 1.0))
        if poor.all() and lines[missing] > _SHARP * expected:
            return missing
    return 0

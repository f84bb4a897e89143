"""Compiled loops over ions, each against a plain version of a few lines."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from depthlock.readers import event_kernels as kernels

ROWS_BITS = 12


def plain_cells(words: np.ndarray, exponent_bits: int) -> list[tuple[int, int]]:
    """Cells and their ions, the plain way."""
    cells: Counter[int] = Counter()
    for word in words.tolist():
        cells[word >> exponent_bits] += 1 << (word & ((1 << exponent_bits) - 1))
    return sorted(cells.items())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("exponent_bits", [0, kernels.EXPONENT_BITS])
def test_added_up(seed: int, exponent_bits: int) -> None:
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, 3000))
    keys = rng.integers(0, 40 if seed % 2 else 1 << 18, number)
    exponents = rng.integers(0, 12, number) if exponent_bits else 0
    words = np.sort((keys << exponent_bits) + exponents).astype(np.uint64 if exponent_bits else np.uint32)
    expected = plain_cells(words, exponent_bits)
    count = np.empty(number, np.uint8)
    pixel = words.view(np.uint32) if seed % 3 else np.empty(number, np.uint32)  # in place of the words, or elsewhere
    bins, starts, large, exact = np.empty((4, number), np.int64)
    cells, occupied, exceptions = kernels.added_up(
        words, exponent_bits, ROWS_BITS, pixel, count, bins, starts, large, exact
    )
    ions = count[:cells].astype(int)
    ions[large[:exceptions]] = exact[:exceptions]
    rows = np.repeat(bins[:occupied], np.diff(np.append(starts[:occupied], cells)))
    assert [((int(b) << ROWS_BITS) + int(p), int(n)) for b, p, n in zip(rows, pixel, ions, strict=False)] == expected
    assert large[:exceptions].tolist() == [i for i, (_, n) in enumerate(expected) if n > 255]
    assert np.all(np.diff(bins[:occupied]) > 0)


def shared_out(
    mass_bin: np.ndarray, pixel_id: np.ndarray, count: np.ndarray | None, length: int, pieces: int
) -> Counter:
    """Ions by bin and pixel, out of all pages and of `out`, which has room for some pieces."""
    table, shift, first_bin = np.array([0, 0, 1, 2, 2], np.uint16), 3, np.array([0, 16, 24])
    bits, window = np.array([10, 12, 14]), 5000
    state = np.column_stack([np.zeros(3, np.int64), bits, (first_bin << bits) + window])
    pages = np.empty(3 * length, np.uint32 if count is None else np.uint64)
    out, noted = np.empty(pieces * length, pages.dtype), np.empty((pieces, 2), np.int64)
    start, found = 0, Counter()

    def note(group: int, words: np.ndarray) -> None:
        for word in words.tolist():
            if count is None:
                found[
                    int(first_bin[group] + (word >> bits[group])), int(window + (word & ((1 << bits[group]) - 1)))
                ] += 1
            else:
                found[word >> 25, (word >> 5) & ((1 << 20) - 1)] += 1 << (word & 31)

    while start < mass_bin.size:
        held = state, pages, out, noted
        if count is None:
            start, number = kernels.share_out(mass_bin, pixel_id, start, table, shift, *held)
        else:
            start, number = kernels.share_out_wide(mass_bin, pixel_id, count, start, table, shift, 20, *held)
        for (group, words), end in zip(noted[:number], np.cumsum(noted[:number, 1]), strict=True):
            note(int(group), out[end - words : end])
    for group in range(3):
        note(group, pages[group * length :][: state[group, kernels.USED]])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_share_out(seed: int) -> None:
    """Pixels of a window of 1024."""
    rng = np.random.default_rng(seed)
    mass_bin, pixel = rng.integers(0, 40, 3000).astype(np.uint32), rng.integers(5000, 6024, 3000).astype(np.uint32)
    plain = Counter(zip(mass_bin.tolist(), pixel.tolist(), strict=True))
    assert shared_out(mass_bin, pixel, None, length=int(rng.integers(1, 60)), pieces=seed + 1) == plain


@pytest.mark.parametrize("seed", range(3))
def test_share_out_wide(seed: int) -> None:
    """Bins beyond the table, and counts up to the last bit."""
    rng = np.random.default_rng(seed)
    mass_bin = rng.integers(0, 5000, 800).astype(np.uint32)
    pixel = rng.integers(0, 1 << 20, 800).astype(np.uint32)
    count = (2 ** (32 * rng.random(800))).astype(np.uint32)
    plain: Counter = Counter()
    for b, p, n in zip(mass_bin.tolist(), pixel.tolist(), count.tolist(), strict=True):
        plain[b, p] += n
    assert shared_out(mass_bin, pixel, count, length=64, pieces=seed + 1) == plain


def test_widened() -> None:
    """Three parts of two groups and two windows."""
    rng = np.random.default_rng(7)
    wide = np.empty(500, np.uint64)
    narrow = wide.view(np.uint32)[500:]  # the upper half of where the wide words go
    ends, bits = np.array([100, 350, 500]), np.array([23, 23, 20])
    first_bin, first_pixel = np.array([7, 7, 90]), np.array([0, 8000, 8000])
    part = np.repeat(np.arange(3), np.diff(ends, prepend=0))
    bins, pixels = rng.integers(0, 1 << 9, 500), rng.integers(0, 1 << 20, 500)
    narrow[:] = (bins << bits[part]) + pixels
    kernels.widened(narrow, ends, bits, (first_bin << 30) + first_pixel, 30, wide)
    cells = (bins + first_bin[part] << 30) + pixels + first_pixel[part]
    assert wide.tolist() == (cells << 5).tolist()

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


def shared_out(mass_bin: np.ndarray, pixel_id: np.ndarray, count: np.ndarray | None, length: int) -> Counter:
    """Ions by bin and pixel, out of all pages and pieces."""
    table, shift, first_bin = np.array([0, 0, 1, 2, 2], np.uint16), 3, np.array([0, 16, 24])
    bits = np.array([6, 9, 32 - 18])
    state = np.column_stack([np.zeros((3, 2), np.int64), bits, first_bin << bits])
    pages = np.empty(3 * length, np.uint32 if count is None else np.uint64)
    out, pieces = np.empty(2 * length, pages.dtype), np.empty((3, 3), np.int64)
    start, found = 0, Counter()

    def note(group: int, base: int, words: np.ndarray) -> None:
        for word in words.tolist():
            weight = 1
            if count is not None:
                weight, word = 1 << (word & 31), word >> 5
            width = int(bits[group]) if count is None else 20
            found[int(first_bin[group]) + (word >> width), base + (word & ((1 << width) - 1))] += weight

    while start < mass_bin.size:
        if count is None:
            start, top, number = kernels.share_out(mass_bin, pixel_id, start, table, shift, state, pages, out, pieces)
        else:
            start, top, number = kernels.share_out_wide(
                mass_bin, pixel_id, count, start, table, shift, 20, first_bin, state, pages, out, pieces
            )
        ends = np.cumsum(pieces[:number, 1])
        assert top == (ends[-1] if number else 0)
        for (group, words, base), end in zip(pieces[:number], ends, strict=True):
            note(int(group), int(base), out[end - words : end])
    for group in range(3):
        note(group, int(state[group, kernels.BASE]), pages[group * length :][: state[group, kernels.USED]])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_share_out(seed: int) -> None:
    """Windows of 64, 512 and 16384 pixels, over pixels that climb and now and then fall back."""
    rng = np.random.default_rng(seed)
    mass_bin = rng.integers(0, 40, 3000).astype(np.uint32)
    pixel = (np.arange(3000) * 40 // 3 + rng.integers(0, 400, 3000)).astype(np.uint32)
    if seed == 4:
        rng.shuffle(pixel)
    plain = Counter(zip(mass_bin.tolist(), pixel.tolist(), strict=True))
    assert shared_out(mass_bin, pixel, None, length=int(rng.integers(1, 60))) == plain


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
    assert shared_out(mass_bin, pixel, count, length=64) == plain


def test_widened() -> None:
    rng = np.random.default_rng(7)
    bins, pixels = rng.integers(0, 1 << 9, 500), rng.integers(0, 1 << 23, 500)
    wide = np.empty(500, np.uint64)
    narrow = wide.view(np.uint32)[500:]  # the upper half of where the wide words go
    narrow[:] = (bins << 23) + pixels
    kernels.widened(narrow, 1000, 23, 30, wide)
    assert wide.tolist() == [((b << 30) + 1000 + p) << 5 for b, p in zip(bins.tolist(), pixels.tolist(), strict=True)]

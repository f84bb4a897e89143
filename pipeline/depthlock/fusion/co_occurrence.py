"""Do two ions come from the same places? Voxel correlation in three dimensions against a block-shuffled null.

Counts of single voxels are few, so voxels are binned until the weaker ion holds enough, and every field is divided by
its Poisson deviation. The null keeps each ion's own lateral structure: blocks as wide as that structure are moved about
as whole columns, so only the relation between the two ions is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95, Quantity, join_flags

Array = NDArray[np.float64]

WANTED_COUNTS = 5.0
"""Expected counts a voxel of the weaker ion."""

SLABS = 6
"""Depth slabs of the layer, if the counts suffice."""

SHUFFLES = 400
FEWEST_BLOCKS = 16


@dataclass(frozen=True)
class CoOccurrence:
    """How two ions share the voxels of the layer.

    Attributes
    ----------
    z_score : Quantity
        Pearson r without the depth mean, in standard deviations of the null; interval by resampled blocks.
    pearson, pearson_with_depth : Quantity
        r of the two fields after removing each slab's mean, and with the depth profile left in.
    manders_first, manders_second : Quantity
        Share of the first ion's counts in voxels where the second exceeds its slab's mean, and the reverse.
    correlation_length : float
        Lateral distance in pixels at which the cross-correlation has fallen to 1/e; NaN if there is none.
    voxel : tuple of int
        Scans and pixels binned to a voxel.
    """

    z_score: Quantity
    pearson: Quantity
    pearson_with_depth: Quantity
    manders_first: Quantity
    manders_second: Quantity
    correlation_length: float
    voxel: tuple[int, int]


def not_measured(flag: str) -> CoOccurrence:
    """The answer where there are no volumes, or too few counts."""
    none = Quantity(np.nan, np.nan, np.nan, np.nan, flag)
    return CoOccurrence(none, none, none, none, none, float("nan"), (0, 0))


def co_occurrence(first: NDArray[np.generic], second: NDArray[np.generic], random: np.random.Generator) -> CoOccurrence:
    """Compare two volumes of counts of the layer.

    Parameters
    ----------
    first, second : array (scan, y, x)
        Counts in the scans of the layer.

    Returns
    -------
    CoOccurrence
        With the flag ``few_counts`` or ``few_blocks`` where the data carry less.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    scans, rows, columns = one.shape
    fewest = min(one.sum(), two.sum())
    if scans < 1 or fewest < 50 * WANTED_COUNTS or min(rows, columns) < 8:
        return not_measured("few_counts")
    slabs, width = _binning(one.shape, fewest)
    a, b = _binned(one, slabs, width), _binned(two, slabs, width)
    fields = [_poisson_normalised(field) for field in (a, b)]
    length = max(_correlation_length(field, field) for field in fields)
    cells = a.shape[1:]
    block = int(np.clip(np.ceil(2.0 * length), 1, max(min(cells) // 4, 1)))
    flag = join_flags("few_blocks" if (cells[0] // block) * (cells[1] // block) < FEWEST_BLOCKS else "")
    if (cells[0] // block) * (cells[1] // block) < 4:
        return not_measured("few_counts;few_blocks")
    return _against_null(a, b, fields, block, width, (scans // slabs, width), flag, random)


def _binning(shape: tuple[int, ...], fewest: float) -> tuple[int, int]:
    """Number of slabs and width of a voxel in pixels that give the weaker ion enough counts; fine in x, y first."""
    scans, rows, columns = shape
    for slabs in range(min(SLABS, scans), 0, -1):
        pixels = np.sqrt(WANTED_COUNTS * slabs * rows * columns / fewest)
        width = max(int(np.ceil(pixels)), 1)
        if min(rows, columns) // width >= 12 or slabs == 1:
            return slabs, min(width, max(min(rows, columns) // 4, 1))
    return 1, max(min(rows, columns) // 4, 1)


def _binned(volume: Array, slabs: int, width: int) -> Array:
    """Sums over slabs of scans and squares of pixels; incomplete edges are left out."""
    _, rows, columns = volume.shape
    cut = np.linspace(0, volume.shape[0], slabs + 1).astype(int)
    summed = np.add.reduceat(volume, cut[:-1], axis=0)
    ny, nx = rows // width, columns // width
    square = summed[:, : ny * width, : nx * width].reshape(slabs, ny, width, nx, width)
    return np.asarray(square.sum(axis=(2, 4)), dtype=np.float64)


def _poisson_normalised(counts: Array) -> Array:
    """Deviation of the counts from their slab's mean over its Poisson deviation."""
    mean = counts.mean(axis=(1, 2), keepdims=True)
    return np.asarray((counts - mean) / np.sqrt(np.maximum(mean, 0.5)), dtype=np.float64)


def _correlation_length(first: Array, second: Array) -> float:
    """Lateral lag in voxels at which the circular cross-correlation falls to 1/e of its value near zero.

    At lag 0 the counting noise of a field with itself stands on top, so the value there is taken from the nearest lags.
    """
    product = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    correlation = np.fft.irfft2(product, s=first.shape[1:]).mean(axis=0) / (first.shape[1] * first.shape[2])
    rows, columns = correlation.shape
    dy = np.minimum(np.arange(rows), rows - np.arange(rows))[:, None]
    dx = np.minimum(np.arange(columns), columns - np.arange(columns))[None, :]
    ring = np.rint(np.hypot(dy, dx)).astype(np.intp)
    radial = np.bincount(ring.ravel(), weights=correlation.ravel()) / np.bincount(ring.ravel())
    if radial.size < 3:
        return 0.0
    noise = 2.0 / np.sqrt(first.size)
    if abs(radial[1]) < noise:
        return 0.5
    # A parabola through the flat top of the correlation would need more lags than there are; lag 1 stands for lag 0.
    fallen = np.flatnonzero(np.abs(radial[1:]) < abs(radial[1]) / np.e)
    return float(fallen[0] + 1) if fallen.size else float(min(rows, columns) / 4.0)


def _blocks(field: Array, block: int) -> Array:
    """Columns of blocks: (blocks, slabs, block * block)."""
    slabs, rows, columns = field.shape
    ny, nx = rows // block, columns // block
    cut = field[:, : ny * block, : nx * block].reshape(slabs, ny, block, nx, block)
    return np.asarray(cut.transpose(1, 3, 0, 2, 4).reshape(ny * nx, slabs, block * block), dtype=np.float64)


def _against_null(
    a: Array,
    b: Array,
    fields: list[Array],
    block: int,
    width: int,
    voxel: tuple[int, int],
    flag: str,
    random: np.random.Generator,
) -> CoOccurrence:
    whole = [(field - field.mean()) / np.sqrt(max(float(field.mean()), 0.5)) for field in (a, b)]
    one, two = (_blocks(field, block) for field in fields)
    one_whole, two_whole = (_blocks(field, block) for field in whole)
    counts_one, counts_two = _blocks(a, block), _blocks(b, block)
    above_one, above_two = (one > 0).astype(np.float64), (two > 0).astype(np.float64)
    pairs = [
        (one, two, True),
        (one_whole, two_whole, True),
        (counts_one, above_two, False),
        (counts_two, above_one, False),
    ]
    results = [_measure(x, y, pearson, random) for x, y, pearson in pairs]
    observed, std, null_mean, null_std = results[0]
    z = (observed - null_mean) / max(null_std, 1e-12)
    # Under the null the score itself scatters by 1; beyond it by what resampled blocks say, whichever is more.
    z_std = max(std / max(null_std, 1e-12), 1.0)
    quantities = [
        Quantity(value, spread, max(value - NORMAL_95 * spread, low), min(value + NORMAL_95 * spread, 1.0), flag)
        for (value, spread, _, _), low in zip(results, (-1.0, -1.0, 0.0, 0.0), strict=True)
    ]
    cross = _correlation_length(*fields) * width
    return CoOccurrence(
        z_score=Quantity(z, z_std, flag=flag),
        pearson=quantities[0],
        pearson_with_depth=quantities[1],
        manders_first=quantities[2],
        manders_second=quantities[3],
        correlation_length=cross,
        voxel=voxel,
    )


def _measure(x: Array, y: Array, pearson: bool, random: np.random.Generator) -> tuple[float, float, float, float]:
    """Value, its std by resampled blocks, mean and std under shuffled blocks.

    With `pearson`, the correlation of x and y; else the share of x where y is 1.
    """
    blocks = len(x)
    # Whole columns are moved, so slab k of one block always meets slab k of another: sums over a block pair suffice.
    flat_x, flat_y = x.reshape(blocks, -1), y.reshape(blocks, -1)
    cross = flat_x @ flat_y.T
    if pearson:
        sum_x, sum_y = flat_x.sum(axis=1), flat_y.sum(axis=1)
        square_x, square_y = (flat_x**2).sum(axis=1), (flat_y**2).sum(axis=1)
    else:
        sum_x, sum_y = flat_x.sum(axis=1), np.zeros(blocks)
        square_x, square_y = sum_x, sum_x
    size = flat_x.shape[1]

    def value(left: NDArray[np.intp], right: NDArray[np.intp]) -> float:
        joint = float(cross[left, right].sum())
        if not pearson:
            return joint / max(float(sum_x[left].sum()), 1e-12)
        number = size * len(left)
        mean_x, mean_y = float(sum_x[left].sum()) / number, float(sum_y[right].sum()) / number
        variance_x = float(square_x[left].sum()) / number - mean_x**2
        variance_y = float(square_y[right].sum()) / number - mean_y**2
        return float((joint / number - mean_x * mean_y) / np.sqrt(max(variance_x * variance_y, 1e-24)))

    own = np.arange(blocks)
    shuffled = np.array([value(own, random.permutation(blocks)) for _ in range(SHUFFLES)])
    drawn = [random.integers(0, blocks, blocks) for _ in range(SHUFFLES)]
    resampled = np.array([value(choice, choice) for choice in drawn])
    return value(own, own), float(resampled.std(ddof=1)), float(shuffled.mean()), float(shuffled.std(ddof=1))

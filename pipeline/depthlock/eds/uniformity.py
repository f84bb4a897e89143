"""How even an element lies in the layer: its variance beyond counting, against blocks that were shuffled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.counting import Counted
from depthlock.model.quantity import NORMAL_95, Quantity

COUNTS_A_CELL = 10.0
"""Mean counts of a cell: fewer say nothing of its variance, more average the structure away."""

LEAST_CELLS = 12
"""Cells of the layer below which there is no distribution."""

LEAST_COVERED = 0.6
"""Share of a cell's pixels that must lie in the layer."""

BLOCKS_A_CELL = 3
"""Least side of a cell in blocks: shuffling must be able to change what is in it."""

SMOOTH_BLOCK = 3
"""Side in pixels of the blocks that are shuffled where a map holds no counts: its neighbouring pixels are not free."""


@dataclass(frozen=True)
class Uniformity:
    """Scalar quantities: excess variance over the squared mean, and its z-score against shuffled blocks."""

    excess: Quantity
    z: Quantity


def measure_uniformity(
    counted: Counted,
    inside: NDArray[np.bool_],
    *,
    shuffles: int,
    block: int,
    rng: np.random.Generator,
) -> Uniformity:
    """Uniformity of one element inside the layer.

    Parameters
    ----------
    counted : Counted
        Arrays (n_y, n_x) of one element.
    inside : ndarray of bool, shape (n_y, n_x)
        Pixels of the layer, clear of its boundaries.
    shuffles : int
        Number of shufflings.
    block : int
        Side in pixels of the blocks that are shuffled.
    rng : numpy Generator

    Returns
    -------
    Uniformity
        The excess is (variance - counting variance)/mean^2 over cells of about COUNTS_A_CELL counts, 0 for an even
        element; unbiased, so that chance may make it negative. Its error is that of counting: the pattern is that of
        the imaged piece. Structure finer than a cell does not count.
    """
    pixels = int(inside.sum())
    mean = float(counted.net[inside].sum()) / max(pixels, 1)
    noise = float(counted.variance[inside].sum()) / max(pixels, 1)
    if pixels == 0 or mean <= 0 or mean * pixels < NORMAL_95**2 * np.sqrt(noise * pixels):
        return _nothing("few_counts")
    needed = COUNTS_A_CELL * noise / mean**2
    side = max(BLOCKS_A_CELL * block, int(np.ceil(np.sqrt(max(needed, 1.0)))))
    cells, size = _cells(inside, side)
    if size < LEAST_CELLS:
        return _nothing("few_blocks")
    excess, std, spread = _excess(counted, cells, size)
    null = [_excess(_shuffled(counted, inside, block, rng), cells, size)[2] for _ in range(shuffles)]
    # The cube root of a sum of squares is nearly normal (Wilson & Hilferty, PNAS 17, 684 (1931)).
    roots = np.cbrt(null)
    z = float((np.cbrt(spread) - roots.mean()) / max(float(roots.std(ddof=1)), 1e-12))
    return Uniformity(Quantity(excess, std), Quantity(z, 1.0))


def _nothing(reason: str) -> Uniformity:
    nothing = Quantity(np.nan, np.nan, np.nan, np.nan, reason)
    return Uniformity(nothing, nothing)


def _cells(inside: NDArray[np.bool_], side: int) -> tuple[NDArray[np.intp], int]:
    """Number of the square cell that a pixel of the layer lies in, -1 for those in cells mostly outside it."""
    rows, columns = (at // side for at in _places(inside))
    number = rows * (int(columns.max()) + 1) + columns
    covered = np.bincount(number[inside], minlength=int(number.max()) + 1)
    kept = covered >= LEAST_COVERED * side**2
    new = np.where(kept, np.cumsum(kept) - 1, -1)
    return np.where(inside, new[number], -1), int(kept.sum())


def _places(inside: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of every pixel."""
    row, column = np.arange(inside.shape[0])[:, None], np.arange(inside.shape[1])[None, :]
    return np.broadcast_to(row, inside.shape), np.broadcast_to(column, inside.shape)


def _excess(counted: Counted, cells: NDArray[np.intp], size: int) -> tuple[float, float, float]:
    """Excess variance over the squared mean, its standard error from counting, and the whole variance.

    With cells of area a, rates x = n/a of variance v and weights w ~ a, E[sum w (x - m)^2] is the weighted variance of
    the true rates plus sum w (1 - w) v. The error is that of (x - m)^2 - v for Poisson x: 2 v^2 + 4 d^2 v with the true
    departure d.
    """
    sums = counted.summed(cells, size)
    area = np.bincount(cells[cells >= 0], minlength=size).astype(float)
    rate, variance = sums.net / area, sums.variance / area**2
    weight = area / area.sum()
    mean = float(weight @ rate)
    departure = (rate - mean) ** 2
    true = float(weight @ departure - (weight * (1.0 - weight)) @ variance)
    level = float(weight @ variance)
    error = float(np.sqrt(np.sum(weight**2 * (2.0 * level**2 + 4.0 * max(true, 0.0) * level))))
    relative = np.sqrt(float(weight**2 @ variance)) / max(abs(mean), 1e-12)
    excess = true / mean**2
    return excess, float(np.hypot(error / mean**2, 2.0 * excess * relative)), float(weight @ departure)


def _shuffled(counted: Counted, inside: NDArray[np.bool_], block: int, rng: np.random.Generator) -> Counted:
    """The same with blocks of pixels of the layer in random order; what does not fill a block stays."""
    rows, columns = _places(inside)
    number = rows // block * (inside.shape[1] // block + 1) + columns // block
    full = np.bincount(number[inside], minlength=int(number.max()) + 1) == block**2
    keep = inside & full[number]
    # Pixels ordered by block, and within it by place: a block moves as a whole.
    order = np.lexsort(((rows % block * block + columns % block)[keep], number[keep]))
    places = np.flatnonzero(keep.ravel())[order].reshape(-1, block**2)
    drawn = places[rng.permutation(len(places))]
    arrays = []
    for values in (counted.signal, counted.signal_variance, counted.background, counted.background_variance):
        moved = values.ravel().copy()
        moved[places.ravel()] = values.ravel()[drawn.ravel()]
        arrays.append(moved.reshape(values.shape))
    return Counted(*arrays)

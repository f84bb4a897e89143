"""Burnt-in scale bars: horizontal bars of one brightness with square ends, found in the picture itself.

A bar is drawn, not measured: its grey level hardly varies, its rows begin and end together, and it stands out against
what lies on all four sides. Its label is not read; the session says what length it states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

EVEN = 0.08
"""Largest variation along a bar, over the picture's range of grey: JPEG ringing stays below it."""

CONTRAST = 0.12
"""Least difference between a bar and what lies beside it, over the same range."""

LEAST_LENGTH, LEAST_SHARE, LARGEST_SHARE = 16, 0.025, 0.9
"""Length of a bar in pixels, and over the picture's width."""

SLENDER = 4.0
"""Least length of a bar over its height."""

REACH = 3
"""Pixels beyond a side within which the contrast must show: sides are blurred where the picture was scaled."""

SIDE, END = 0.75, 0.6
"""Least share of the columns above and below, and of the rows at the ends, that show the contrast."""

SHARP = 0.75
"""A pixel that differs from the bar by less than this share of what lies beyond it is between the two."""

ROUNDING = 0.5
"""Standard error in pixels of a drawn length: programs round it to whole pixels, or cut it off."""


@dataclass(frozen=True)
class ScaleBar:
    """One bar.

    Attributes
    ----------
    top, bottom : int
        First and last row.
    left, right : float
        Its ends in pixels; 0 is the left edge of the first pixel.
    level : float
        Its brightness.
    length_std : float
        Standard error of its length in pixels: rounding, blurred ends, an outline, ticks at the ends.
    """

    top: int
    bottom: int
    left: float
    right: float
    level: float
    length_std: float

    @property
    def length(self) -> float:
        """Length in pixels."""
        return self.right - self.left

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{self.length:.1f} px long at x {self.left:.0f} to {self.right:.0f}, y {self.top} to {self.bottom}"


def find_scale_bars(image: NDArray[np.float32]) -> list[ScaleBar]:
    """All bars of a picture, from top to bottom.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)

    Returns
    -------
    list of ScaleBar
    """
    low, high = np.quantile(image, (0.001, 0.999))
    scale = float(high - low)
    if scale <= 0 or image.shape[1] < 2 * LEAST_LENGTH:
        return []
    grey = (image - np.float32(low)) / np.float32(scale)
    found = [box for box in _boxes(grey) if _stands_out(grey, box)]
    outer = [box for box in found if not any(_belongs(box, other) for other in found if other is not box)]
    bars = (_measured(grey, box, found) for box in outer if not _is_frame(grey, box))
    return [ScaleBar(b.top, b.bottom, b.left, b.right, b.level * scale + float(low), b.length_std) for b in bars]


@dataclass
class _Box:
    """A stack of even runs; rows and columns inclusive."""

    top: int
    bottom: int
    left: int
    right: int
    level: float


def _boxes(grey: NDArray[np.float32]) -> list[_Box]:
    """Even runs of neighbouring rows that begin and end together and have one level."""
    boxes: list[_Box] = []
    open_boxes: list[_Box] = []
    rows, starts, ends, levels = _runs(grey)
    for row, start, end, level in zip(rows.tolist(), starts.tolist(), ends.tolist(), levels.tolist(), strict=True):
        # In a row of its own, what lies beyond the end may look like the bar: one such row does not part it.
        open_boxes = [box for box in open_boxes if box.bottom >= row - 2]
        for box in open_boxes:
            close = abs(box.left - start) <= 2 and abs(box.right - end) <= 2 and abs(box.level - level) <= EVEN
            if close and box.bottom < row:
                box.bottom, box.left, box.right = row, max(box.left, start), min(box.right, end)
                break
        else:
            boxes.append(_Box(row, row, start, end, level))
            open_boxes.append(boxes[-1])
    return [box for box in boxes if box.right - box.left + 1 >= SLENDER * (box.bottom - box.top + 1)]


def _runs(
    grey: NDArray[np.float32],
) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.int_], NDArray[np.float32]]:
    """Row, first and last column, and median of every long even run that ends in the picture with a step."""
    width = grey.shape[1]
    length = max(LEAST_LENGTH, round(LEAST_SHARE * width))
    span = ndimage.maximum_filter1d(grey, length, axis=1) - ndimage.minimum_filter1d(grey, length, axis=1)
    span[:, : length // 2], span[:, width - (length - 1) // 2 :] = np.inf, np.inf
    # A window's middle lies length // 2 behind its first pixel: the run is the union of its windows.
    middle = np.pad(span <= EVEN, ((0, 0), (1, 1))).astype(np.int8)
    rows, firsts = np.nonzero(np.diff(middle, axis=1) == 1)
    _, lasts = np.nonzero(np.diff(middle, axis=1) == -1)
    starts, ends = firsts - length // 2, lasts - 1 + (length - 1) // 2
    inside = (starts >= 1) & (ends <= width - 2) & (ends - starts + 1 <= LARGEST_SHARE * width)
    rows, starts, ends = rows[inside], starts[inside], ends[inside]
    levels = np.array([np.median(grey[r, s : e + 1]) for r, s, e in zip(rows, starts, ends, strict=True)], np.float32)
    stepped = np.ones(rows.size, dtype=bool)
    for beyond in (starts[:, None] - np.arange(1, REACH + 1), ends[:, None] + np.arange(1, REACH + 1)):
        near = grey[rows[:, None], np.clip(beyond, 0, width - 1)]
        stepped &= (np.abs(near - levels[:, None]) > CONTRAST).any(axis=1)
    return rows[stepped], starts[stepped], ends[stepped], levels[stepped]


def _stands_out(grey: NDArray[np.float32], box: _Box) -> bool:
    """Whether a box differs from what lies above, below and at both ends."""
    rows, columns = slice(box.top, box.bottom + 1), slice(box.left, box.right + 1)
    above, below = grey[max(box.top - REACH, 0) : box.top, columns], grey[box.bottom + 1 :][:REACH, columns]
    before, after = grey[rows, max(box.left - REACH, 0) : box.left], grey[rows, box.right + 1 :][:, :REACH]
    shares = [
        float((np.abs(side - box.level) > CONTRAST).any(axis=axis).mean()) if side.size else 0.0
        for side, axis in ((above, 0), (below, 0), (before, 1), (after, 1))
    ]
    return min(shares[:2]) >= SIDE and min(shares[2:]) >= END


def _belongs(box: _Box, other: _Box) -> bool:
    """Whether a box is the outline of another one, or a blurred row of it: it lies against it, and is thinner."""
    gap = max(other.top - box.bottom, box.top - other.bottom) - 1
    near = gap <= 1 and abs(box.left - other.left) <= 2 * REACH and abs(box.right - other.right) <= 2 * REACH
    heights = [b.bottom - b.top for b in (box, other)]
    return near and (heights[0] < heights[1] or (heights[0] == heights[1] and box.top > other.top))


def _is_frame(grey: NDArray[np.float32], box: _Box) -> bool:
    """Whether lines as long as half the box leave its ends: the side of a frame, not a bar with ticks."""
    length = box.right - box.left + 1
    return max(_ticks(grey, box)) > max(0.5 * length, 3 * (box.bottom - box.top + 1) + 4)


def _ticks(grey: NDArray[np.float32], box: _Box) -> tuple[int, int]:
    """Height of the ticks at the left and right end, beyond the box."""
    heights = []
    for column in (box.left, box.right):
        same = np.abs(grey[:, column] - box.level) <= EVEN
        above = int(np.argmin(same[: box.top][::-1])) if box.top and not same[: box.top].all() else box.top
        rest = same[box.bottom + 1 :]
        below = int(np.argmin(rest)) if rest.size and not rest.all() else rest.size
        heights.append(above + below)
    return heights[0], heights[1]


def _measured(grey: NDArray[np.float32], box: _Box, found: list[_Box]) -> ScaleBar:
    """The bar with sub-pixel ends."""
    rows = grey[box.top : box.bottom + 1]
    left, left_blur = _end(rows[:, ::-1], grey.shape[1] - 1 - box.left, box.level)
    right, right_blur = _end(rows, box.right, box.level)
    outline = max((b.bottom - b.top + 1 for b in found if b is not box and _belongs(b, box)), default=0)
    ticks = _ticks(grey, box)
    tick = _tick_width(grey, box) if min(ticks) > box.bottom - box.top + 1 else 0
    # The length meant may lie anywhere between fill and outline, or between the inner and outer sides of the ticks.
    parts = (ROUNDING, 0.15 * left_blur, 0.15 * right_blur, 2 * outline / np.sqrt(12.0), tick / np.sqrt(3.0))
    error = float(np.linalg.norm(parts))
    start = grey.shape[1] - left
    return ScaleBar(box.top, box.bottom, start + tick / 2, right - tick / 2, box.level, error)


def _end(rows: NDArray[np.float32], last: int, level: float) -> tuple[float, int]:
    """Where a bar ends on its right, in pixels from the left edge of the first, and how many pixels are between.

    The pixels between the bar and its surroundings hold their share of it.
    """
    beyond = rows[:, last + 1 : last + 2 + REACH].mean(axis=0)
    if beyond.size < 2:
        return float(last + 1), 1
    apart = np.abs(beyond - level)
    background = float(apart[2:].mean()) if apart.size > 2 else float(apart[-1])
    between = 0
    while between < min(2, beyond.size - 1) and apart[between] < SHARP * max(apart[between + 1], background):
        between += 1
    covered = np.clip(1.0 - apart[:between] / max(background, float(apart[between])), 0.0, 1.0)
    return last + 1 + float(covered.sum()), between


def _tick_width(grey: NDArray[np.float32], box: _Box) -> int:
    """Width in pixels of the tick at the left end, just above or below the box."""
    widths = []
    for row in (box.top - 2, box.bottom + 2):
        if 0 <= row < grey.shape[0]:
            same = np.abs(grey[row, box.left : box.right + 1] - box.level) <= EVEN
            widths.append(int(np.argmin(same)))
    return max(widths, default=0)

"""What programs draw into pictures: a scale bar, its label, a banner. The scale comes from the bar, on request only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.model.errors import ReadError
from depthlock.readers.scale_bar import CONTRAST, EVEN, ScaleBar, find_scale_bars

BANNER_NOISE, BANNER_SHARE = 0.02, 0.6
"""Largest deviation from a banner's own grey, over the picture's range, and least share of a row that has it."""

MARGIN = 3
"""Pixels around a bar and its label that are left out with them: outlines, blur, JPEG ringing."""

CHARACTER = (5, 8.0)
"""Least height of a label's character in pixels, and largest over the bar's height."""

PALE, RIM = 0.25, 0.85
"""Difference of a pale stroke from the bar, and least share of a character's rim that differs more."""

AGREES = 0.02
"""Relative difference to which a bar and the file's own scale may differ whatever their errors."""


def scaled_by_bar(image: xr.Dataset, length: float, near: tuple[float, float] | None = None) -> xr.Dataset:
    """Put the scale of a burnt-in bar on an image, and leave out what was drawn into it.

    Parameters
    ----------
    image : xr.Dataset
        Contract `tem_image`.
    length : float
        Length in nm that the bar's label states.
    near : tuple of float, optional
        Row and column near the bar, where several are seen.

    Returns
    -------
    xr.Dataset
        Pixels are square. Set anew: `pixel_size_nm`, `pixel_size_std` (relative), `scale_source`; `scale_bar_px` (left,
        right, top, bottom); `scale_flag` (``"scale_bar_disagrees"`` with the file's own scale, or empty). A variable
        `drawn_over` (y, x) marks bar and label; rows of a banner below the picture are cut off, and
        `banner_rows` counts them.

    Raises
    ------
    ReadError
        When no bar is seen, or several and none is named.
    """
    values = np.asarray(image["image"].values, dtype=np.float32)
    where = str(image.attrs.get("source", ""))
    bar = _chosen(values, find_scale_bars(values), near, where)
    size = length / bar.length
    error = bar.length_std / bar.length
    attrs = {
        "pixel_size_nm": [size, size],
        "pixel_size_std": float(np.hypot(error, float(image.attrs.get("pixel_size_std", 0.0)))),
        "scale_source": f"burnt-in bar of {length:g} nm, {bar.length:.1f} ± {bar.length_std:.1f} px",
        "scale_bar_px": [bar.left, bar.right, bar.top, bar.bottom],
        "scale_flag": "",
    }
    in_file = image.attrs.get("pixel_size_nm")
    if in_file is not None:
        attrs["pixel_size_nm_in_file"] = in_file
        if abs(size / float(np.mean(in_file)) - 1.0) > max(3.0 * error, AGREES):
            attrs["scale_flag"] = "scale_bar_disagrees"
    over = np.zeros(values.shape, dtype=bool)
    for box in (_bar_box(bar), _label_box(values, bar)):
        if box is not None:
            over[box] = True
    image = image.assign_attrs(attrs).assign(drawn_over=(("y", "x"), over, {"units": "1"}))
    rows = banner_rows(values)
    image = image.isel(y=slice(0, values.shape[0] - rows)).assign_attrs(banner_rows=rows)
    if float(image.attrs.get("saturated_fraction", 0.0)) > 0:
        # Banners, bars and labels are drawn in the camera's largest number.
        kept = values[: values.shape[0] - rows]
        clipped = float(np.mean((kept == values.max()) & ~over[: kept.shape[0]]))
        image = image.assign_attrs(saturated_fraction=clipped)
    return image.assign_coords(
        {axis: (axis, np.arange(image.sizes[axis]) * size, {"units": "nm"}) for axis in ("y", "x")}
    )


def _chosen(
    values: NDArray[np.float32], bars: list[ScaleBar], near: tuple[float, float] | None, where: str
) -> ScaleBar:
    if not bars:
        raise ReadError(
            "no burnt-in scale bar is seen in the picture",
            expected="one horizontal bar of even brightness with square ends, at least 16 pixels long",
            where=where,
            hint="give `pixel_size` in place of `scale_bar`: the length on the label over the bar's length in pixels",
        )
    if near is not None:
        return min(bars, key=lambda bar: _distance(bar, near))
    labelled = [bar for bar in bars if _label_box(values, bar) is not None]
    likely = labelled or bars
    if len(likely) > 1:
        raise ReadError(
            f"{len(likely)} things in the picture look like a scale bar: " + "; ".join(bar.place for bar in likely),
            expected="one",
            where=where,
            hint="say which: `scale_bar: {length: 20 nm, at: [x, y]}`, with a place near it in pixels",
        )
    return likely[0]


def _distance(bar: ScaleBar, near: tuple[float, float]) -> float:
    """Distance in pixels of a place from a bar."""
    across = max(bar.top - near[0], near[0] - bar.bottom, 0.0)
    return float(np.hypot(across, max(bar.left - near[1], near[1] - bar.right, 0.0)))


def _bar_box(bar: ScaleBar) -> tuple[slice, slice]:
    return _box(bar.top, bar.bottom, int(bar.left), int(np.ceil(bar.right)) - 1)


def _box(top: int, bottom: int, left: int, right: int) -> tuple[slice, slice]:
    return slice(max(top - MARGIN, 0), bottom + 1 + MARGIN), slice(max(left - MARGIN, 0), right + 1 + MARGIN)


def _label_box(values: NDArray[np.float32], bar: ScaleBar) -> tuple[slice, slice] | None:
    """A box around a bar's label, characters of its brightness and of one height; None where none is seen.

    Searched within the bar's length above, below and beside it; thin strokes of a scaled picture are paler.
    """
    low, high = np.quantile(values, (0.001, 0.999))
    grey = np.abs(values - bar.level) / max(float(high - low), 1e-9)
    reach = round(bar.length)
    top, left = max(bar.top - reach, 0), max(int(bar.left) - reach, 0)
    window = grey[top : bar.bottom + 1 + reach, left : int(bar.right) + reach]
    for paleness in (EVEN, PALE):
        found = [
            (box[0].start + top, box[0].stop - 1 + top, box[1].start + left, box[1].stop - 1 + left)
            for box in _characters(window, paleness, bar)
        ]
        line = _line_of_text(found, bar)
        if line:
            # A character that runs into the picture's own bright or dark spots may be missing at either end.
            top, bottom = min(box[0] for box in line), max(box[1] for box in line)
            wider = bottom - top
            return _box(top, bottom, min(box[2] for box in line) - wider, max(box[3] for box in line) + wider)
    return None


def _characters(window: NDArray[np.float32], paleness: float, bar: ScaleBar) -> Iterator[tuple[slice, slice]]:
    """Boxes of what has the size of a character and a rim that stands out."""
    tallest = max(CHARACTER[1] * (bar.bottom - bar.top + 1), 0.4 * bar.length)
    parts, _ = ndimage.label(window <= paleness, np.ones((3, 3)))
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        height, width = (side.stop - side.start for side in box)
        if CHARACTER[0] <= height <= tallest and width <= 2 * height and _is_inside(box, window.shape):
            character = parts[box] == number
            solid = bool(np.all(character)) and width > 2
            if not solid and _is_inked(window, box, character, paleness):
                yield box


def _is_inside(box: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    return all(side.start > 0 and side.stop < n for side, n in zip(box, shape, strict=True))


def _is_inked(
    window: NDArray[np.float32], box: tuple[slice, slice], character: NDArray[np.bool_], paleness: float
) -> bool:
    """Whether a character's rim stands out: all but a few of the pixels around it differ from it."""
    rows, columns = (slice(max(side.start - 2, 0), side.stop + 2) for side in box)
    wide = np.zeros(window.shape, dtype=bool)
    wide[box] = character
    wide = wide[rows, columns]
    rim = ndimage.binary_dilation(wide, iterations=2) & ~ndimage.binary_dilation(wide)
    return bool(rim.any()) and float(np.mean(window[rows, columns][rim] > paleness + CONTRAST - EVEN)) > RIM


def _line_of_text(found: list[tuple[int, int, int, int]], bar: ScaleBar) -> list[tuple[int, int, int, int]]:
    """The characters of the line of text nearest to the bar, at least two; none where there is no such line."""
    lines: list[list[tuple[int, int, int, int]]] = []
    for box in sorted(found, key=lambda one: one[1]):
        for line in lines:
            overlap = min(box[1], line[-1][1]) - max(box[0], line[-1][0]) + 1
            if overlap >= 0.5 * min(box[1] - box[0], line[-1][1] - line[-1][0]) + 0.5:
                line.append(box)
                break
        else:
            lines.append([box])
    middle = 0.5 * (bar.top + bar.bottom)
    text = [line for line in lines if len(line) >= 2]
    return min(text, key=lambda line: abs(0.5 * (line[0][0] + line[0][1]) - middle), default=[])


def banner_rows(values: NDArray[np.float32]) -> int:
    """Rows of a banner below the picture: of one grey but for what is written on it, up to its upper side."""
    low, high = np.quantile(values, (0.001, 0.999))
    noise = BANNER_NOISE * float(high - low)
    level = float(np.median(values[-2]))
    # The last row is looked at last: many banners have a frame.
    plain = np.mean(np.abs(values - level) <= noise, axis=1) >= BANNER_SHARE
    if not plain[-2] or plain.all():
        return 0
    upwards = plain[-2::-1]
    # Lines of text and frames break the grey for some rows.
    gap = max(4, values.shape[0] // 40)
    closed = ndimage.binary_closing(np.pad(upwards, gap), np.ones(gap))[gap:-gap]
    return int(np.argmin(closed)) + 1 if not closed.all() else 0

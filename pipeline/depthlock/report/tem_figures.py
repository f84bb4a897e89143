"""TEM figures: the image with its segmented layer, the thickness along the layer, and its histogram."""

from __future__ import annotations

import json
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.report.style import PAGE, figure_style
from depthlock.report.wording import flag_meaning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

LAYER_COLOUR = "#ffb000"
INNER_COLOUR = "#00c8ff"
OUTER_COLOUR = "#ff3b6b"
HINT_COLOURS = {"outside": OUTER_COLOUR, "layer": LAYER_COLOUR, "crystal": INNER_COLOUR}
BAR_COLOUR = "#7dff4d"
THICKNESS_COLOURS = "viridis"
PIXELS_SHOWN = 1024
"""Larger images are binned to this many pixels a side for drawing."""

LINE = 0.105
"""Height in inches of a line of the numbers."""

NEIGHBOURS = 1.5
"""Positions further apart than this many steps have a gap between them, which is not filled."""


def draw_image(thickness: xr.Dataset, image: int, title: str) -> Figure:
    """One image with both boundaries, its layer coloured by the local thickness, and the histogram.

    An image without a measured layer is drawn with the reason in place of the other two.

    Parameters
    ----------
    thickness : xr.Dataset
        `tem_thickness` of one sample.
    image : int
        Which of its images.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    here = positions_in(thickness, image)
    rows, columns = thickness[f"image_{image}"].shape
    pane = PAGE / 3
    height = min(max(pane * rows / columns, 2.0), 1.6 * pane) + 0.85
    with figure_style():
        figure = Figure(figsize=(PAGE, height), layout="constrained")
        if here.sizes["position"]:
            numbers = _numbers(thickness)
            text_height = LINE * (1 + numbers.count("\n"))
            parts = figure.subplot_mosaic(
                [["lines", "colours", "numbers"], ["lines", "colours", "histogram"]],
                width_ratios=(1, 1, 0.85),
                height_ratios=(text_height, max(height - 1.1 - text_height, 1.0)),
            )
            for name in ("lines", "colours"):
                draw_picture(parts[name], thickness, image)
            _draw_hints(parts["lines"], thickness, image)
            draw_boundaries(parts["lines"], here)
            layer = _draw_thickness_along(parts["colours"], thickness, here)
            figure.colorbar(
                layer, ax=[parts["lines"], parts["colours"]], location="bottom", label="local thickness (nm)",
                shrink=0.7, aspect=40, pad=0.02,
            )  # fmt: skip
            parts["numbers"].set_axis_off()
            told = parts["numbers"].text(-0.12, 1.0, numbers, va="top", fontsize=5.8, family="monospace")
            told.set_in_layout(False)
            _draw_histogram(parts["histogram"], thickness, here)
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
            draw_picture(left, thickness, image)
            _draw_hints(left, thickness, image)
            _tell_why(right, thickness, image)
        figure.suptitle(f"{title}: TEM, amorphous layer", fontsize=8.5, x=0.01, ha="left")
    return figure


def image_caption(thickness: xr.Dataset, image: int) -> str:
    """What the figure of one image shows, with where its segmentation and its scale come from."""
    if positions_in(thickness, image).sizes["position"]:
        shown = (
            "TEM image with the crystal's edge (blue) and the layer's outer boundary (red); the layer coloured by its "
            "thickness along the normal of the crystal's edge; the thicknesses of this image, with mean, p05 and p95 "
            "of the sample and their 95 % intervals."
        )
    else:
        shown = "TEM image in which no layer was measured, and why."
    segmentation = np.atleast_1d(thickness.attrs["segmentation"])[image]
    scale = {"file": "from the file", "session": "from the session"}.get(
        source := str(np.atleast_1d(thickness.attrs["scale_sources"])[image]), source or "of unknown origin"
    )
    rows, columns = pixel_size(thickness, image)
    size = f"{columns:.4g} nm" if np.isclose(rows, columns, rtol=1e-4) else f"{columns:.4g} by {rows:.4g} nm"
    if given_hints(thickness, image):
        segmentation = f"{segmentation} (dotted: red outside, yellow layer, blue crystal; cross: rough position)"
    marked = " (its ends in green)" if _burnt_in_bar(thickness, image) else ""
    return f"{shown} Segmentation: {segmentation}. Scale: {size} a pixel, {scale}{marked}."


def positions_in(thickness: xr.Dataset, image: int) -> xr.Dataset:
    """The positions of one image."""
    return thickness.isel(position=np.flatnonzero(thickness["image_index"].values == image))


def pixel_size(thickness: xr.Dataset, image: int) -> tuple[float, float]:
    """Size of a pixel of one image in nm along y and x."""
    rows, columns = np.atleast_2d(thickness.attrs["pixel_size_nm"])[image]
    return float(rows), float(columns)


def draw_picture(axes: Axes, thickness: xr.Dataset, image: int) -> None:
    """The image in grey on axes in its pixels, with a scale bar."""
    picture = thickness[f"image_{image}"].values
    rows, columns = picture.shape
    step = max(1, -(-max(rows, columns) // PIXELS_SHOWN))
    low, high = np.nanquantile(picture[::step, ::step], (0.005, 0.995))
    # What is left over after the last whole bin is not drawn, so that nothing is stretched.
    extent = (-0.5, columns // step * step - 0.5, rows // step * step - 0.5, -0.5)
    axes.imshow(_binned(picture, step), cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="nearest")
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    size_y, size_x = pixel_size(thickness, image)
    axes.set_aspect(size_y / size_x)
    axes.set_axis_off()
    bar = _burnt_in_bar(thickness, image)
    if bar is None:
        draw_scale_bar(axes, size_x, columns, rows)
    else:
        _mark_bar(axes, bar, rows)


def _burnt_in_bar(thickness: xr.Dataset, image: int) -> list[float] | None:
    """Left, right, top and bottom in pixels of the bar in the picture that gave the scale; None where none did.

    One in a banner was cut off with it.
    """
    bars = thickness.attrs.get("scale_bars_px", [])
    rows = thickness[f"image_{image}"].shape[0]
    found = [float(edge) for edge in bars[image]] if image < len(bars) else []
    return found if found and found[3] < rows else None


def _mark_bar(axes: Axes, bar: list[float], rows: int) -> None:
    """Mark both ends of the burnt-in bar as they were measured."""
    left, right, top, bottom = bar
    reach = max(0.02 * rows, bottom - top + 1)
    for end in (left, right):
        # The bar's ends count from the left edge of the first pixel, the axes from its centre.
        axes.plot([end - 0.5] * 2, [top - reach, bottom + reach], color=BAR_COLOUR, linewidth=0.8)


def given_hints(thickness: xr.Dataset, image: int) -> dict[str, list[Any]]:
    """The hints given for one image, rows and columns in pixels; empty without."""
    hints = thickness.attrs.get("hints", [])
    told: dict[str, list[Any]] = json.loads(hints[image]) if image < len(hints) and hints[image] else {}
    return told


def _draw_hints(axes: Axes, thickness: xr.Dataset, image: int) -> None:
    """The strokes a person drew, dotted in the colours of their classes, and the layer's rough position."""
    for name, lines in given_hints(thickness, image).items():
        if name == "layer_at":
            rows, columns = np.transpose(lines)
            axes.plot(columns, rows, color=LAYER_COLOUR, marker="+", markersize=6, linestyle=":", linewidth=0.8)
            continue
        for line in lines:
            rows, columns = np.transpose(line)
            axes.plot(columns, rows, color=HINT_COLOURS[name], linestyle=":", linewidth=1.2)


def draw_boundaries(axes: Axes, here: xr.Dataset) -> None:
    """Both boundaries of the layer on axes in pixels, broken where no position is used."""
    for run in _runs(here):
        for edge, colour in (("inner", INNER_COLOUR), ("outer", OUTER_COLOUR)):
            axes.plot(here[f"{edge}_x"].values[run], here[f"{edge}_y"].values[run], color=colour, linewidth=1.0)


def _binned(picture: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    rows, columns = (size // step * step for size in picture.shape)
    blocks = picture[:rows, :columns].reshape(rows // step, step, columns // step, step)
    binned: NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return binned


def draw_scale_bar(axes: Axes, pixel_size: float, columns: int, rows: int) -> None:
    """Draw a bar of a round length in nm at the lower left of a picture in pixels of `pixel_size` nm."""
    wanted = 0.22 * columns * pixel_size
    decade = 10.0 ** np.floor(np.log10(wanted))
    length = max(candidate * decade for candidate in (1, 2, 5) if candidate * decade <= wanted)
    width, x, y = length / pixel_size, 0.05 * columns, 0.94 * rows
    axes.plot([x, x + width], [y, y], color="white", linewidth=4, solid_capstyle="butt")
    axes.plot([x, x + width], [y, y], color="black", linewidth=2, solid_capstyle="butt")
    axes.text(
        x + width / 2, y - 0.02 * rows, f"{length:g} nm", ha="center", va="bottom", color="white", fontsize=7,
        bbox={"facecolor": "black", "alpha": 0.45, "pad": 1, "linewidth": 0},
    )  # fmt: skip


def _runs(here: xr.Dataset) -> list[NDArray[np.int_]]:
    """Positions of one image, split where there is a gap along the interface."""
    gaps = np.diff(here["arc_length"].values)
    breaks = np.flatnonzero(gaps > NEIGHBOURS * np.median(gaps)) + 1 if gaps.size else np.array([], dtype=int)
    return np.split(np.arange(here.sizes["position"]), breaks)


def _draw_thickness_along(axes: Axes, thickness: xr.Dataset, here: xr.Dataset) -> PolyCollection:
    """The layer, from chord to chord, in the colour of the local thickness; one scale for all images of the sample."""
    from matplotlib.collections import PolyCollection

    inner, outer = (np.column_stack([here[f"{edge}_x"], here[f"{edge}_y"]]) for edge in ("inner", "outer"))
    pieces, values = [], []
    for run in _runs(here):
        for one, two in pairwise(run):
            pieces.append(np.array([inner[one], inner[two], outer[two], outer[one]]))
            values.append(float(here["thickness"].values[[one, two]].mean()))
    everywhere = thickness["thickness"].values
    layer = PolyCollection(pieces, array=np.array(values), cmap=THICKNESS_COLOURS, edgecolors="face", linewidths=0.2)
    layer.set_clim(float(np.nanmin(everywhere)), float(np.nanmax(everywhere)))
    axes.add_collection(layer, autolim=False)
    return layer


def _tell_why(axes: Axes, thickness: xr.Dataset, image: int) -> None:
    """The reasons for which an image gave no thickness."""
    axes.set_axis_off()
    flags = filter(None, str(np.atleast_1d(thickness.attrs["image_flags"])[image]).split(";"))
    reasons = [textwrap.fill(f"{flag}: {flag_meaning(flag)}", 56, subsequent_indent="  ") for flag in flags]
    axes.text(
        0.02, 0.95, "\n".join(["No layer was measured in this image.", "", *reasons]), transform=axes.transAxes,
        ha="left", va="top", fontsize=7.5,
    )  # fmt: skip


def _numbers(thickness: xr.Dataset) -> str:
    """The statistics of the sample with their 95 % intervals, its lattice spacing and its flags, in lines."""
    images = int(thickness.attrs["images"])
    lines = [f"sample ({images} images), 95 % intervals" if images > 1 else "95 % intervals"]
    for statistic in thickness["statistic"].values.astype(str):
        at = thickness.sel(statistic=statistic)
        value, lower, upper = (float(at[f"cei_thickness{suffix}"]) for suffix in ("", "_lower", "_upper"))
        lines.append(f"{statistic:4}  {value:.2f} nm  [{lower:.2f}, {upper:.2f}]")
    spacing, spacing_std = float(thickness["lattice_spacing"]), float(thickness["lattice_spacing_std"])
    if np.isfinite(spacing):
        lines.append(f"fringes  {spacing:.4f} ± {spacing_std:.4f} nm")
    flags = sorted({str(flag) for flag in thickness["cei_thickness_flag"].values if str(flag)})
    lines += [textwrap.fill(f"flag: {flag.replace(';', ', ')}", 38, subsequent_indent="  ") for flag in flags]
    return "\n".join(lines)


def _draw_histogram(axes: Axes, thickness: xr.Dataset, here: xr.Dataset) -> None:
    """The thicknesses of one image, and mean, p05 and p95 of the sample with their intervals."""
    values = here["thickness"].values
    values = values[np.isfinite(values)]
    if values.size:
        axes.hist(values, bins="auto", color=LAYER_COLOUR, alpha=0.7, edgecolor="white", linewidth=0.4, density=True)
    for statistic, style in (("mean", "-"), ("p05", ":"), ("p95", ":")):
        at = thickness.sel(statistic=statistic)
        value, lower, upper = (float(at[f"cei_thickness{suffix}"]) for suffix in ("", "_lower", "_upper"))
        if np.isfinite(value):
            axes.axvline(value, color="black", linewidth=0.9, linestyle=style)
            axes.axvspan(lower, upper, color="black", alpha=0.12, linewidth=0)
    axes.set_xlabel("thickness along the normal (nm)")
    axes.set_ylabel("density (1/nm)")

"""TEM figures: the image with its segmented layer, thickness along the interface, and its histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.report.style import PAGE, figure_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

LAYER_COLOUR = "#ffb000"
INNER_COLOUR = "#00c8ff"
OUTER_COLOUR = "#ff3b6b"
PIXELS_SHOWN = 1024
"""Larger images are binned to this many pixels a side for drawing."""


def draw_image(thickness: xr.Dataset, image: int, title: str) -> Figure:
    """One image with both boundaries, its thickness along the interface, and the histogram.

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

    here = thickness.isel(position=np.flatnonzero(thickness["image_index"].values == image))
    with figure_style():
        figure = Figure(figsize=(PAGE, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.05, 1))
        _draw_picture(left, thickness, image, here)
        _draw_histogram(right, thickness, here)
        figure.suptitle(f"{title}: TEM, amorphous layer", fontsize=8.5, x=0.01, ha="left")
    return figure


def _draw_picture(axes: Axes, thickness: xr.Dataset, image: int, here: xr.Dataset) -> None:
    picture = thickness[f"image_{image}"].values
    label = thickness[f"label_{image}"].values
    rows, columns = picture.shape
    step = max(1, -(-max(rows, columns) // PIXELS_SHOWN))
    low, high = np.quantile(picture[::step, ::step], (0.005, 0.995))
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(_binned(picture, step), cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="nearest")
    layer = np.ma.masked_where(label[::step, ::step] != 1, np.ones_like(label[::step, ::step]))
    axes.imshow(layer, cmap=_single_colour(LAYER_COLOUR), alpha=0.28, extent=extent, interpolation="nearest")
    for edge, colour in (("inner", INNER_COLOUR), ("outer", OUTER_COLOUR)):
        axes.plot(here[f"{edge}_x"], here[f"{edge}_y"], color=colour, linewidth=1.0)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_axis_off()
    sizes = thickness.attrs.get("pixel_size_nm")
    if sizes is not None:
        draw_scale_bar(
            axes, float(np.atleast_2d(sizes)[min(image, len(np.atleast_2d(sizes)) - 1)].mean()), columns, rows
        )


def _binned(picture: np.ndarray, step: int) -> np.ndarray:
    rows, columns = (size // step * step for size in picture.shape)
    blocks = picture[:rows, :columns].reshape(rows // step, step, columns // step, step)
    binned: np.ndarray = blocks.mean(axis=(1, 3))
    return binned


def _single_colour(colour: str) -> Colormap:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


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


def _draw_histogram(axes: Axes, thickness: xr.Dataset, here: xr.Dataset) -> None:
    values = here["thickness"].values
    values = values[np.isfinite(values)]
    if values.size:
        axes.hist(values, bins="auto", color=LAYER_COLOUR, alpha=0.7, edgecolor="white", linewidth=0.4, density=True)
    lines = []
    for statistic in ("mean", "sd", "p05", "p95"):
        at = thickness.sel(statistic=statistic)
        value, lower, upper = (float(at[f"cei_thickness{suffix}"]) for suffix in ("", "_lower", "_upper"))
        lines.append(f"{statistic}  {value:.2f} nm  [{lower:.2f}, {upper:.2f}]")
        if statistic != "sd" and np.isfinite(value):
            style = "-" if statistic == "mean" else ":"
            axes.axvline(value, color="black", linewidth=0.9, linestyle=style)
            if statistic == "mean":
                axes.axvspan(lower, upper, color="black", alpha=0.12, linewidth=0)
    spacing, spacing_std = float(thickness["lattice_spacing"]), float(thickness["lattice_spacing_std"])
    if np.isfinite(spacing):
        lines.append(f"fringes  {spacing:.4f} ± {spacing_std:.4f} nm")
    flags = sorted({str(flag) for flag in thickness["cei_thickness_flag"].values if str(flag)})
    lines += [f"flag: {flag.replace(';', ', ')}" for flag in flags]
    axes.text(
        0.98, 0.98, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", fontsize=6.5, family="monospace",
        bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 2},
    )  # fmt: skip
    axes.set_xlabel("thickness along the normal (nm)")
    axes.set_ylabel("density (1/nm)")
    if axes.get_ylim()[1] > 0:
        axes.set_ylim(top=axes.get_ylim()[1] * 1.5)

"""TEM figure of the crystal: power spectrum with the reflections that were found, and the map of crystallinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.report.style import PAGE, figure_style
from depthlock.report.tem_figures import draw_boundaries, draw_picture, pixel_size, positions_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE = 1024
"""Side in pixels of the tiles whose power spectra are averaged; a smaller image is one tile."""

REACH = 5.0
"""Frequency in 1/nm up to which a spectrum without reflections is drawn."""

MARGIN = 1.45
"""Frequency shown over that of the outermost reflection."""

REFLECTION_COLOUR = "#ffb000"


def has_crystal_maps(thickness: xr.Dataset, image: int) -> bool:
    """Whether spectra were taken of an image: not of one without any contrast."""
    return f"crystallinity_{image}" in thickness


def crystal_caption(thickness: xr.Dataset, image: int) -> str:
    """What the figure of one image shows."""
    if f"reflection_ky_{image}" not in thickness:
        marked = "whose reflections an earlier version of depthlock did not keep (run the session again to mark them)"
    elif thickness.sizes[f"reflection_{image}"]:
        marked = "the crystal's reflections marked with their spacing"
    else:
        marked = "no reflections of a crystal in it"
    return (
        f"Left: power spectrum of the TEM image (logarithmic), {marked}. Right: crystallinity, the largest power over "
        "the median of its ring in each window (noise and amorphous matter read about 9), with the crystal's edge "
        "(blue) and the layer's outer boundary (red) where a layer was measured."
    )


def draw_crystal(thickness: xr.Dataset, image: int, title: str) -> Figure:
    """The power spectrum of one image with its reflections, and its crystallinity with both boundaries.

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

    with figure_style():
        figure = Figure(figsize=(PAGE, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_spectrum(left, thickness, image)
        _draw_crystallinity(figure, right, thickness, image)
        figure.suptitle(f"{title}: TEM, crystal", fontsize=8.5, x=0.01, ha="left")
    return figure


def power_spectrum(picture: NDArray[np.float32], tile: int = TILE) -> NDArray[np.float64]:
    """Mean power spectrum of Hann-windowed square tiles that cover an image.

    Parameters
    ----------
    picture : ndarray, shape (n_y, n_x)
    tile : int
        Largest side of a tile in pixels.

    Returns
    -------
    ndarray, shape (n, n)
        Frequency 0 at n // 2.
    """
    side = min(tile, *picture.shape)
    taper = np.hanning(side)
    starts = [np.linspace(0, n - side, -(-n // side)).astype(int) for n in picture.shape]
    total = np.zeros((side, side))
    for top in starts[0]:
        for left in starts[1]:
            piece = np.nan_to_num(picture[top : top + side, left : left + side])
            total += np.abs(np.fft.fft2((piece - piece.mean()) * np.outer(taper, taper))) ** 2
    return np.asarray(np.fft.fftshift(total) / (starts[0].size * starts[1].size))


def _draw_spectrum(axes: Axes, thickness: xr.Dataset, image: int) -> None:
    from matplotlib.colors import LogNorm

    power = power_spectrum(thickness[f"image_{image}"].values)
    side = power.shape[0]
    step_y, step_x = (1.0 / (side * size) for size in pixel_size(thickness, image))
    ky, kx, _ = _reflections(thickness, image)
    outermost = float(np.hypot(ky, kx).max()) * MARGIN if ky.size else REACH
    reach = min(outermost, side // 2 * step_y, side // 2 * step_x)
    rows, columns = (
        slice(max(side // 2 - int(reach / step), 0), side // 2 + int(reach / step) + 1) for step in (step_y, step_x)
    )
    shown = power[rows, columns]
    axis_y, axis_x = ((np.arange(side) - side // 2) * step for step in (step_y, step_x))
    extent = (
        axis_x[columns][0] - step_x / 2, axis_x[columns][-1] + step_x / 2,
        axis_y[rows][-1] + step_y / 2, axis_y[rows][0] - step_y / 2,
    )  # fmt: skip
    low, high = np.quantile(shown[shown > 0], (0.05, 0.9995)) if (shown > 0).any() else (1.0, 10.0)
    axes.imshow(shown, cmap="gray", norm=LogNorm(low, max(high, 10 * low), clip=True), extent=extent)
    _mark_reflections(axes, thickness, image, reach)
    axes.set_xlabel("$k_x$ (1/nm)")
    axes.set_ylabel("$k_y$ (1/nm)")


def _reflections(thickness: xr.Dataset, image: int) -> tuple[NDArray[np.float64], ...]:
    """Frequencies ky and kx in 1/nm and spacings in nm; none in results of a version that did not keep them."""
    if f"reflection_ky_{image}" not in thickness:
        return (np.zeros(0),) * 3
    return tuple(thickness[f"reflection_{name}_{image}"].values for name in ("ky", "kx", "spacing"))


def _mark_reflections(axes: Axes, thickness: xr.Dataset, image: int, reach: float) -> None:
    """A circle at +g and at -g, and the spacing at that of the two which has more room."""
    from matplotlib.patches import Circle

    ky, kx, spacings = _reflections(thickness, image)
    radius = 0.045 * reach
    taken: list[NDArray[np.float64]] = []
    for y, x, spacing in zip(ky, kx, spacings, strict=True):
        spots = [np.array([x, y]), np.array([-x, -y])]
        for spot in spots:
            axes.add_patch(Circle((spot[0], spot[1]), radius, fill=False, color=REFLECTION_COLOUR, linewidth=1.0))
        # Above or below the circle, away from the middle: a label is wider than it is high.
        places = [spot + np.array([0.0, np.copysign(2.3 * radius, spot[1])]) for spot in spots]
        place = max(places, key=lambda at: min((float(np.hypot(*(at - other))) for other in taken), default=0.0))
        taken.append(place)
        axes.text(
            place[0], place[1], f"{spacing:.4f} nm", color=REFLECTION_COLOUR, fontsize=6.5, ha="center", va="center",
            bbox={"facecolor": "black", "alpha": 0.55, "pad": 1, "linewidth": 0},
        )  # fmt: skip


def _draw_crystallinity(figure: Figure, axes: Axes, thickness: xr.Dataset, image: int) -> None:
    """The map over the image, in the image's pixels: it ends half a window from the borders."""
    from matplotlib.colors import LogNorm

    draw_picture(axes, thickness, image)
    found = thickness[f"crystallinity_{image}"]
    values = found.values
    size_y, size_x = pixel_size(thickness, image)
    edges = []
    for centres, size in ((found[f"window_y_{image}"].values, size_y), (found[f"window_x_{image}"].values, size_x)):
        half = (centres[1] - centres[0]) / 2 if centres.size > 1 else size / 2
        edges.append(((centres[0] - half) / size, (centres[-1] + half) / size))
    (top, bottom), (left, right) = edges
    low = max(float(values.min()), 1.0)
    drawn = axes.imshow(
        values, cmap="magma", norm=LogNorm(low, max(float(values.max()), 2 * low), clip=True),
        extent=(left, right, bottom, top), aspect=size_y / size_x, interpolation="nearest",
    )  # fmt: skip
    rows, columns = thickness[f"image_{image}"].shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    here = positions_in(thickness, image)
    if here.sizes["position"]:
        draw_boundaries(axes, here)
    figure.colorbar(drawn, ax=axes, label="crystallinity (power over its ring)", shrink=0.9, aspect=25, pad=0.02)

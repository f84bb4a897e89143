"""STEM-EDS figures: element maps over the dark-field image, profiles along the normal, the sum spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.report.style import PAGE, figure_style
from depthlock.report.tem_figures import INNER_COLOUR, OUTER_COLOUR, draw_scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ELEMENT_COLOURS = {
    "F": "#2fbf4a",
    "C": "#e8483f",
    "Mg": "#c45bd6",
    "O": "#20a5dc",
    "V": "#f29b1d",
    "S": "#d6c31a",
    "N": "#5b6ee0",
}
"""Colours of the reference problem's elements, on black and on white."""

OTHER_COLOURS = ("#e377c2", "#17becf", "#bcbd22", "#8c8c8c", "#ff6d3a", "#6fcf97")

SEEN = 5.0
"""Standard deviations from which an element gets a map."""

MOST_TOGETHER = 5
"""Elements laid over one another."""

MOST_SHOWN = 7
"""Maps in a figure."""

COUNTS_SHOWN = 15.0
"""Counts that are averaged before a pixel is shown."""


def draw_maps(profile: xr.Dataset, number: int, title: str) -> Figure:
    """The elements in colour over the dark-field image, then each by itself, with both boundaries and a scale bar.

    Parameters
    ----------
    profile : xr.Dataset
        `eds_profile` of one sample.
    number : int
        Which of its data sets.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    elements = shown_elements(profile, number)
    maps = {element: _averaged(profile[f"map_{number}"].sel(element=element).values) for element in elements}
    panels = 1 + len(elements)
    columns = min(4, panels)
    rows = -(-panels // columns)
    shape = profile[f"label_{number}"].shape
    height = min(1.25, max(0.5, shape[0] / shape[1])) * PAGE / columns * rows + 0.3
    with figure_style():
        figure = Figure(figsize=(PAGE, height), layout="constrained")
        panes = figure.subplots(rows, columns, squeeze=False).ravel()
        for pane in panes:
            pane.set_axis_off()
        together = elements[:MOST_TOGETHER]
        colours = element_colours(elements)
        overlay = _composite(profile, number, {element: (maps[element], colours[element]) for element in together})
        panes[0].imshow(overlay, interpolation="nearest")
        panes[0].set_title(" + ".join(together) or "no element found", fontsize=7)
        _draw_boundaries(panes[0], profile, number)
        pixel = float(np.atleast_2d(profile.attrs["pixel_size_nm"])[number].mean())
        draw_scale_bar(panes[0], pixel, shape[1], shape[0])
        for pane, element in zip(panes[1:], elements, strict=False):
            _draw_map(pane, maps[element], element, colours[element])
            _draw_boundaries(pane, profile, number)
        figure.suptitle(f"{title}: STEM-EDS", fontsize=8.5, x=0.01, ha="left")
    return figure


def shown_elements(profile: xr.Dataset, number: int) -> list[str]:
    """Elements with enough counts for a map: those of the reference problem first, then the most counted."""
    seen = dict(
        zip(profile["element"].values.astype(str).tolist(), profile["significance"].values[number], strict=True)
    )
    strong = {element: float(value) for element, value in seen.items() if value > SEEN}
    known = [element for element in ELEMENT_COLOURS if element in strong]
    others = sorted((element for element in strong if element not in known), key=lambda element: -strong[element])
    return (known + others)[:MOST_SHOWN]


def element_colours(elements: list[str]) -> dict[str, str]:
    """A colour an element."""
    others = iter(OTHER_COLOURS * (1 + len(elements) // len(OTHER_COLOURS)))
    return {element: ELEMENT_COLOURS.get(element) or next(others) for element in elements}


def _averaged(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Counts averaged over so many pixels that they can be seen."""
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    bright = float(np.quantile(gaussian_filter(filled, 2.0), 0.95))
    sigma = float(np.clip(np.sqrt(COUNTS_SHOWN / (4.0 * np.pi * max(bright, 1e-3))), 0.0, 3.0))
    if sigma < 0.4:
        return filled
    weight = gaussian_filter(known.astype(np.float64), sigma)
    return np.asarray(gaussian_filter(filled, sigma) / np.maximum(weight, 1e-3))


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.quantile(values, (0.02, 0.995))
    return np.asarray(np.clip((values - max(low, 0.0)) / max(high - max(low, 0.0), 1e-12), 0.0, 1.0))


def _composite(
    profile: xr.Dataset, number: int, maps: dict[str, tuple[NDArray[np.float64], str]]
) -> NDArray[np.float64]:
    """Maps in their colours over the dimmed dark-field image, their light added as slides add it."""
    from matplotlib.colors import to_rgb

    dark = np.ones((*profile[f"label_{number}"].shape, 3))
    if f"haadf_{number}" in profile:
        dark *= 1.0 - 0.35 * _scaled(profile[f"haadf_{number}"].values.astype(np.float64))[..., None]
    for values, colour in maps.values():
        dark *= 1.0 - 0.75 * _scaled(values)[..., None] * np.array(to_rgb(colour))
    return np.asarray(1.0 - dark)


def _draw_map(axes: Axes, values: NDArray[np.float64], element: str, colour: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    ramp = LinearSegmentedColormap.from_list(element, ["black", colour, "white"])
    high = max(float(np.quantile(values, 0.998)), 1e-6)
    axes.imshow(values, cmap=ramp, vmin=0.0, vmax=high, interpolation="nearest")
    axes.set_title(f"{element}  0–{high:.3g}", fontsize=7, color=colour)


def _draw_boundaries(axes: Axes, profile: xr.Dataset, number: int) -> None:
    rows, columns = profile[f"label_{number}"].shape
    steps = np.atleast_2d(profile.attrs["pixel_size_nm"])[number]
    for name, colour in (("inner", INNER_COLOUR), ("outer", OUTER_COLOUR)):
        if f"{name}_y_{number}" in profile:
            y, x = (profile[f"{name}_{axis}_{number}"].values / step for axis, step in zip("yx", steps, strict=True))
            axes.plot(x, y, color=colour, linewidth=0.8)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)


def draw_profile(profile: xr.Dataset, number: int, title: str) -> Figure:
    """Counts a pixel of every element along the layer's normal; arguments as `draw_maps`."""
    from matplotlib.figure import Figure

    elements = shown_elements(profile, number)
    used = profile["pixels"].values[number] >= 0.2 * np.median(
        profile["pixels"].values[number][profile["pixels"].values[number] > 0]
    )
    distance = profile["distance"].values[used]
    with figure_style():
        figure = Figure(figsize=(PAGE, 2.9), layout="constrained")
        axes = figure.subplots()
        for element, colour in element_colours(elements).items():
            here = profile.sel(element=element).isel(data_set=number)
            low, high = (here[f"intensity_{side}"].values[used] for side in ("lower", "upper"))
            axes.fill_between(distance, np.maximum(low, 0.0), high, color=colour, alpha=0.22, linewidth=0)
            axes.plot(distance, here["intensity"].values[used], color=colour, linewidth=1.1)
            _label_line(axes, distance, here["intensity"].values[used], element, colour)
        axes.axvline(0.0, color="black", linewidth=0.8, linestyle="--")
        thickness = float(profile["layer_thickness"])
        if np.isfinite(thickness):
            axes.axvline(thickness, color="black", linewidth=0.8, linestyle="--")
            spread = (float(profile["layer_thickness_lower"]), float(profile["layer_thickness_upper"]))
            axes.axvspan(*spread, color="black", alpha=0.12, linewidth=0)
        axes.set_xlabel("distance from the crystal's edge (nm); crystal left, layer right")
        axes.set_ylabel("counts a pixel")
        axes.set_ylim(bottom=0.0)
        axes.set_xlim(distance[0], distance[-1])
        axes.set_title(f"{title}: STEM-EDS along the normal", loc="left")
    return figure


def _label_line(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], text: str, colour: str) -> None:
    if np.isfinite(y).any():
        margin = y.size // 12
        top = margin + int(np.nanargmax(np.where(np.isfinite(y), y, -np.inf)[margin : y.size - margin]))
        axes.annotate(text, (x[top], y[top]), xytext=(0, 2), textcoords="offset points", color=colour, fontsize=7.5,
                      fontweight="bold", ha="center", va="bottom", clip_on=True)  # fmt: skip


def draw_spectrum(profile: xr.Dataset, number: int, title: str) -> Figure:
    """Sum spectrum with its fit and the lines' names; arguments as `draw_maps`."""
    from matplotlib.figure import Figure

    from depthlock.model.xray_lines import line_families

    energy = profile[f"energy_{number}"].values
    counts, model, background = (
        profile[f"{name}_{number}"].values for name in ("spectrum", "spectrum_model", "spectrum_background")
    )
    last = min(energy.size - 1, int(np.searchsorted(energy, 1.1 * energy[np.flatnonzero(counts > 3).max(initial=0)])))
    with figure_style():
        figure = Figure(figsize=(PAGE, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.step(energy, np.maximum(counts, 0.5), where="mid", color="#555555", linewidth=0.5)
        axes.plot(energy, np.maximum(model, 0.5), color="#d62728", linewidth=0.9)
        axes.plot(energy, np.maximum(background, 0.5), color="#1f77b4", linewidth=0.9, linestyle="--")
        axes.set_yscale("log")
        axes.set_xlim(energy[0], energy[last])
        axes.set_ylim(bottom=max(0.5, float(np.quantile(counts, 0.05)) * 0.5), top=float(counts.max()) * 4)
        for told in str(np.atleast_1d(profile.attrs["lines"])[number]).split(", "):
            element, _, line = told.partition(" ")
            place = next((f.energies[0] for f in line_families().get(element, ()) if f.names[0] == line), None)
            if place is not None and element in shown_elements(profile, number) and place < energy[last]:
                height = float(counts[int(np.argmin(np.abs(energy - place)))])
                axes.annotate(element, (place, max(height, 0.5)), xytext=(0, 4), textcoords="offset points",
                              ha="center", fontsize=6.5)  # fmt: skip
        axes.set_xlabel("energy (keV)")
        axes.set_ylabel("counts")
        axes.set_title(f"{title}: STEM-EDS sum spectrum; fit red, background blue", loc="left")
    return figure

"""TOF-SIMS pictures: maps from above, cross-sections, and the components of the unmixed spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95
from depthlock.report.style import PAGE, ROLE_COLOURS, figure_style, pretty_ion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_components(components: xr.Dataset, title: str) -> Figure:
    """Every component in a row: its map from above, its depth profile with 95 % band, its spectrum.

    Parameters
    ----------
    components : xr.Dataset
        `tofsims_components` with at least one component.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    number = components.sizes["component"]
    with figure_style():
        figure = Figure(figsize=(PAGE, 1.55 * number + 0.5), layout="constrained")
        grid = figure.subplots(number, 3, squeeze=False, width_ratios=(0.8, 1.5, 2.0))
        for k, (plan, profile, spectrum) in enumerate(grid):
            one = components.isel(component=k)
            colour = ROLE_COLOURS["other"][k % len(ROLE_COLOURS["other"])]
            draw_map(plan, one["map"].values, components["x"])
            _draw_profile(profile, one, colour)
            _draw_spectrum(spectrum, one, colour)
            flag = str(one["component_ions_flag"].values)
            told = f"{one['component'].values}" + (f" ({flag.replace(';', ', ')})" if flag else "")
            profile.set_title(told, loc="left", fontsize=7.5)
        grid[-1, 1].set_xlabel("sputter time (s)" if float(np.ptp(components["sputter_time"].values)) > 0 else "scan")
        grid[-1, 2].set_xlabel("m/z (Da)")
        figure.suptitle(f"{title}: components of the whole spectrum", fontsize=8.5, x=0.01, ha="left")
    return figure


_TITLE_LETTERS = 46
"""Letters above a spectrum; the last peaks that tell a component are left out beyond."""

_MOST_IONS = 6
"""Ions drawn at most, those with a role before others."""


def draw_maps(maps: xr.Dataset, title: str) -> Figure:
    """The map of every ion, and the cross-section along x below it.

    Parameters
    ----------
    maps : xr.Dataset
        `tofsims_maps`.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    order = np.argsort(maps["role"].values == "other", kind="stable")[:_MOST_IONS]
    number = len(order)
    with figure_style():
        width = min(PAGE, 1.5 * number + 1.0)
        figure = Figure(figsize=(width, 0.95 * width / number + 2.3), layout="constrained")
        grid = figure.subplots(2, number, squeeze=False, height_ratios=(1.0, 1.1))
        places, label = _scan_places(maps)
        for k, (plan, section) in enumerate(zip(*grid, strict=True)):
            one = maps.isel(ion=int(order[k]))
            draw_map(plan, one["map"].values, one["x"])
            plan.set_title(pretty_ion(str(one["ion"].values)), fontsize=8)
            _draw_section(section, one["section_x"].values, one["x"].values, places)
            section.set_ylabel(label if k == 0 else "")
            section.tick_params(labelleft=k == 0)
        unit = "µm" if maps["x"].attrs.get("units") == "micrometer" else "px"
        figure.supxlabel(f"x ({unit})", fontsize=8)
        figure.suptitle(f"{title}: ions from above, and in cross-section", fontsize=8.5, x=0.01, ha="left")
    return figure


def _scan_places(maps: xr.Dataset) -> tuple[NDArray[np.float64], str]:
    """Where the scans are in nm, in s, or by number, and how the axis is called."""
    for name, label in (("depth", "depth (nm)"), ("sputter_time", "sputter time (s)")):
        if name in maps.coords and maps.sizes["scan"] > 1 and (np.diff(maps[name].values) > 0).all():
            return maps[name].values, label
    return np.arange(float(maps.sizes["scan"])), "scan"


def _draw_section(
    axes: Axes, counts: NDArray[np.floating], x: NDArray[np.float64], places: NDArray[np.float64]
) -> None:
    """A cross-section with the surface on top, in counts per depth so that thick and thin scans look alike."""
    density = counts / np.gradient(places)[:, np.newaxis] if places.size > 1 else counts
    high = float(np.quantile(density, 0.995))
    axes.pcolormesh(
        x, places, density, cmap="magma", vmin=0.0, vmax=high if high > 0 else 1.0, shading="nearest", rasterized=True
    )
    axes.invert_yaxis()


def _draw_profile(axes: Axes, one: xr.Dataset, colour: str) -> None:
    time, ions, std = (one[name].values for name in ("sputter_time", "profile", "profile_std"))
    time = time if float(np.ptp(time)) > 0 else np.arange(time.size)
    axes.fill_between(time, ions - NORMAL_95 * std, ions + NORMAL_95 * std, color=colour, alpha=0.3, linewidth=0)
    axes.plot(time, ions, color=colour, linewidth=0.9)
    axes.axhline(0.0, color="0.7", linewidth=0.5)
    axes.set_ylim(bottom=min(0.0, float(np.min(ions))))
    axes.set_ylabel("ions a scan")


def _draw_spectrum(axes: Axes, one: xr.Dataset, colour: str) -> None:
    """Lines as high as the component's share of ions; those that tell it apart are coloured and named."""
    mass, share = one["mz"].values, 100.0 * one["spectrum"].values
    axes.vlines(mass, 0.0, share, color="0.75", linewidth=0.9)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("share (%)")
    firsts = [str(text).partition(" ")[0] for text in one["candidates"].values]
    names = str(one["telling_peaks"].values).split(", ")
    at = [firsts.index(name) if name in firsts else int(np.argmin(np.abs(mass - _mass(name)))) for name in names]
    axes.vlines(mass[at], 0.0, share[at], color=colour, linewidth=1.6)
    told = [name for k, name in enumerate(names) if len(", ".join(names[: k + 1])) <= _TITLE_LETTERS]
    axes.set_title(", ".join(pretty_ion(name) for name in told), loc="left", fontsize=7)


def _mass(name: str) -> float:
    """The mass of a peak without a formula, written ``m/z 12.345``."""
    return float(name.removeprefix("m/z ")) if name.startswith("m/z ") else 0.0


def draw_map(axes: Axes, image: NDArray[np.floating], x: xr.DataArray) -> None:
    """An image from above with a scale bar; contrast up to the 99.5th percentile."""
    high = float(np.quantile(image, 0.995))
    axes.imshow(image, cmap="magma", vmin=0.0, vmax=high if high > 0 else 1.0, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    step = float(x[1] - x[0]) if x.size > 1 else 1.0
    draw_scale_bar(axes, step, "µm" if x.attrs.get("units") == "micrometer" else "px", image.shape)


def draw_scale_bar(axes: Axes, step: float, unit: str, shape: tuple[int, ...]) -> None:
    """A bar of a round length, about a quarter of the picture.

    Parameters
    ----------
    axes : Axes
        Showing an image in pixels.
    step : float
        Size of its pixel.
    unit : str
        Unit of `step`.
    shape : tuple of int
        Rows and columns.
    """
    from matplotlib.patheffects import withStroke

    wanted = 0.3 * shape[1] * step
    power = 10.0 ** np.floor(np.log10(wanted))
    length = power * max(factor for factor in (1.0, 2.0, 5.0) if factor * power <= wanted)
    left, row = 0.06 * shape[1], 0.93 * shape[0]
    # A dark rim keeps bar and words readable on bright pictures.
    axes.plot(
        [left, left + length / step], [row, row], color="white", linewidth=2.0, solid_capstyle="butt",
        path_effects=[withStroke(linewidth=3.5, foreground="black")],
    )  # fmt: skip
    axes.annotate(
        f"{length:g} {unit}", (left, row), xytext=(0, 3), textcoords="offset points", color="white", fontsize=6,
        path_effects=[withStroke(linewidth=1.5, foreground="black")],
    )  # fmt: skip

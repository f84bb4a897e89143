"""XPS figures: stacked spectra of the etch levels with their fitted components, and areas along the levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.model.quantity import NORMAL_95
from depthlock.report.style import PAGE, colours, figure_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS_SHOWN = 12
"""More levels than this are thinned out evenly, so that a stack stays readable."""


def regions_of(fit: xr.Dataset) -> list[str]:
    """The windows that were fitted, in the order of the fit."""
    return list(dict.fromkeys(str(region) for region in fit["region_of_point"].values))


def draw_stacks(fit: xr.Dataset, title: str) -> Figure:
    """All regions side by side: spectra stacked by etch level with components, background and envelope.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit` of one sample.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    regions = regions_of(fit)
    columns = min(3, len(regions))
    rows = -(-len(regions) // columns)
    with figure_style():
        figure = Figure(figsize=(PAGE, 3.6 * rows + 0.2), layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for axes, region in zip(grid, regions, strict=False):
            _draw_stack(axes, fit, region)
        for axes in grid[len(regions) :]:
            axes.set_axis_off()
        figure.suptitle(f"{title}: XPS along the levels", fontsize=8.5, x=0.01, ha="left")
    return figure


def component_colours(fit: xr.Dataset) -> dict[str, str]:
    """The colour of every component; without roles each gets its own."""
    names = [str(name) for name in fit["component"].values]
    roles = [str(role) for role in fit["role"].values] if "role" in fit.variables else ["other"] * len(names)
    return colours(names, roles)


def _draw_stack(axes: Axes, fit: xr.Dataset, region: str) -> None:
    points = np.flatnonzero(fit["region_of_point"].values == region)
    energy = fit["binding_energy"].values[points]
    at = fit.isel(point=points)
    levels = np.flatnonzero(np.isfinite(at["counts_per_second"].values).any(axis=1))
    if levels.size > LEVELS_SHOWN:
        levels = levels[np.linspace(0, levels.size - 1, LEVELS_SHOWN).round().astype(int)]
    palette = component_colours(fit)
    inside = [str(name) for name in fit["component"].values if (at["component_curve"].sel(component=name) != 0).any()]
    spectra = at["counts_per_second"].values[levels] - at["background"].values[levels].min(axis=1, keepdims=True)
    step = 1.05 * float(np.nanmax(spectra)) if spectra.size else 1.0
    for row, level in enumerate(levels):
        here = at.isel(level=level)
        floor = float(here["background"].values.min())
        offset = row * step * 0.9 - floor
        background = here["background"].values
        for name in inside:
            curve = background + here["component_curve"].sel(component=name).values
            axes.fill_between(energy, background + offset, curve + offset, color=palette[name], alpha=0.45, linewidth=0)
        axes.plot(energy, here["counts_per_second"].values + offset, ".", color="0.35", markersize=1.4)
        axes.plot(energy, background + offset, color="0.6", linewidth=0.6)
        axes.plot(energy, here["model"].values + offset, color="black", linewidth=0.8)
        if "expert_envelope" in here:
            # What an expert's fit in the file says, dashed over ours.
            expert = here["expert_envelope"].values + offset
            axes.plot(energy, expert, "--", color="tab:red", linewidth=0.7)
        axes.text(
            0.01, floor + offset + 0.12 * step, _level_name(fit, int(level)),
            transform=axes.get_yaxis_transform(), fontsize=6, va="bottom",
        )  # fmt: skip
    axes.invert_xaxis()
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("binding energy (eV)")
    axes.set_title(region, loc="left")
    axes.set_ylim(top=axes.get_ylim()[1] * 1.08)
    detected = {
        str(name)
        for name in inside
        if any("not_detected" not in str(flag).split(";") for flag in fit["area_flag"].sel(component=name).values)
    }
    for name in filter(detected.__contains__, inside):
        axes.fill_between([], [], color=palette[name], alpha=0.45, label=name.split("/", 1)[-1])
    if "expert_envelope" in at and np.isfinite(at["expert_envelope"].values).any():
        axes.plot([], [], "--", color="tab:red", linewidth=0.7, label="fit in the file")
    axes.legend(loc="upper left", fontsize=6, bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=0.8)


def series_axis(fit: xr.Dataset) -> tuple[np.ndarray, str]:
    """What orders the levels, and its name: etch time, another variable of the files, or the level's number."""
    time = fit["etch_time"].values
    if np.isfinite(time).all():
        return time, "etch time (s)"
    if "series" in fit.coords:
        unit = str(fit["series"].attrs.get("units_as_written", ""))
        return fit["series"].values, str(fit["series"].attrs["long_name"]) + (f" ({unit})" if unit else "")
    return np.arange(time.size), "level"


def _level_name(fit: xr.Dataset, level: int) -> str:
    axis, name = series_axis(fit)
    if name == "level":
        return f"level {level}"
    unit = name.rpartition("(")[2].rstrip(")") if name.endswith(")") else ""
    return f"{axis[level]:.4g} {unit}".rstrip()


def draw_areas(fit: xr.Dataset, title: str) -> Figure:
    """Areas of the components by core level, and atomic percent of the elements, with 95 % bars.

    Components that were not detected at any level are left out.
    """
    from matplotlib.figure import Figure

    axis, axis_name = series_axis(fit)
    groups: dict[str, list[str]] = {}
    for name in fit["component"].values:
        if any("not_detected" not in str(flag).split(";") for flag in fit["area_flag"].sel(component=name).values):
            groups.setdefault(str(name).partition("/")[0], []).append(str(name))
    columns = min(3, len(groups) + 1)
    rows = -(-(len(groups) + 1) // columns)
    with figure_style():
        figure = Figure(figsize=(PAGE, 2.1 * rows + 0.2), layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        palette = component_colours(fit)
        for axes, (group, names) in zip(grid, groups.items(), strict=False):
            for name in names:
                draw_bars(axes, axis, fit.sel(component=name), "area", palette[name], name.partition("/")[2])
            axes.set_title(group, loc="left")
            axes.set_ylabel("area (CPS eV)")
        for index, element in enumerate(fit["element"].values):
            draw_bars(grid[len(groups)], axis, fit.sel(element=element), "atomic_percent", f"C{index}", str(element))
        grid[len(groups)].set_title("composition", loc="left")
        grid[len(groups)].set_ylabel("atomic percent")
        for axes in grid[: len(groups) + 1]:
            axes.set_xlabel(axis_name)
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=6)
        for axes in grid[len(groups) + 1 :]:
            axes.set_axis_off()
        figure.suptitle(f"{title}: XPS quantities, 95 % bars", fontsize=8.5, x=0.01, ha="left")
    return figure


def draw_bars(axes: Axes, axis: np.ndarray, at: xr.Dataset, name: str, colour: str, label: str) -> None:
    """A quantity along the series with its 95 % bars."""
    value = at[name].values
    below = np.clip(value - at[f"{name}_lower"].values, 0, None)
    above = np.clip(at[f"{name}_upper"].values - value, 0, None)
    bars = np.where(np.isfinite([below, above]), [below, above], NORMAL_95 * at[f"{name}_std"].values)
    axes.errorbar(axis, value, yerr=bars, color=colour, marker="o", markersize=2.5, linewidth=0.9, label=label)

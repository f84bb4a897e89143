"""Depth figures: all techniques on the common axis, and the samples side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.report.eds_figures import element_colours
from depthlock.report.style import PAGE, colours, figure_style, panel_letter, species_group, species_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def species_groups(profile: xr.Dataset) -> dict[str, list[str]]:
    """Species that share a panel: all ions, or the detected elements, or the detected states of one core level."""
    groups: dict[str, list[str]] = {}
    for name in profile["species"].values:
        at = profile.sel(species=name)
        technique = str(at["technique"].values)
        told = f"{at['centroid_flag'].values};{at['centroid_as_measured_flag'].values}".split(";")
        if technique == "tofsims" or "not_detected" not in told:
            groups.setdefault(species_group(str(name), technique), []).append(str(name))
    return groups


def draw_depth_profiles(profiles: Mapping[str, xr.Dataset], title: str) -> Figure:
    """The profiles of every sample on the depth axis: a column a sample; a row for the ions and for every core level.

    Thin lines are what was measured, scaled to each species' maximum (points: etch levels of XPS); broken lines with
    bands are the response-corrected layer profiles with their 95 % interval.

    Parameters
    ----------
    profiles : mapping of str to xr.Dataset
        `depth_profile` by sample.
    title : str
        Title of the figure.
    """
    from matplotlib.figure import Figure

    grouped = {sample: species_groups(profile) for sample, profile in profiles.items()}
    groups = list(dict.fromkeys(group for found in grouped.values() for group in found))
    groups.sort(key=lambda group: ("TOF-SIMS", "STEM-EDS").index(group) if not group.startswith("XPS") else 2)
    heights = [2.5 if group == "TOF-SIMS" else 1.9 for group in groups]
    with figure_style():
        figure = Figure(figsize=(PAGE, sum(heights) + 0.3), layout="constrained")
        grid = figure.subplots(len(groups), len(profiles), squeeze=False, sharey="row", height_ratios=heights)
        for row, group in enumerate(groups):
            for column, (sample, profile) in enumerate(profiles.items()):
                axes = grid[row, column]
                if group not in grouped[sample]:
                    axes.set_axis_off()
                    continue
                _draw_group(axes, profile, grouped[sample][group])
                axes.set_title(f"{sample}: {group}", loc="left")
                panel_letter(axes, chr(ord("a") + row * len(profiles) + column))
                if column == 0:
                    axes.set_ylabel("signal / its maximum")
        figure.suptitle(title, fontsize=8.5, x=0.01, ha="left")
    return figure


def _draw_group(axes: Axes, profile: xr.Dataset, names: list[str]) -> None:
    known = bool(np.isfinite(profile["depth"].values).any())
    depth = profile["depth"].values if known else profile["depth_fraction"].values
    palette = species_colours(profile, names)
    levels = profile["level_depth"].values if known and "level_depth" in profile.variables else None
    for name in names:
        _draw_species(axes, depth, profile.sel(species=name), name, palette[name], levels if "/" in name else None)
    thickness = _thickness(profile) if known else 1.0
    if np.isfinite(thickness):
        axes.axvline(thickness, color="black", linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 1.15)
    axes.set_xlim(min(0.0, float(np.nanmin(depth))), float(np.nanmax(depth)))
    axes.set_xlabel("depth (nm)" if known else "depth / layer thickness")
    if names:
        axes.legend(fontsize=6, loc="best")


def species_colours(profile: xr.Dataset, names: list[str]) -> dict[str, str]:
    """A colour a species: elements as in their maps, all others by their role."""
    if names and all(str(profile["technique"].sel(species=name).values) == "eds" for name in names):
        return dict(zip(names, element_colours([name.removeprefix("EDS ") for name in names]).values(), strict=True))
    return colours(names, [str(profile["role"].sel(species=name).values) for name in names])


def _draw_species(
    axes: Axes, depth: np.ndarray, at: xr.Dataset, name: str, colour: str, levels: np.ndarray | None
) -> None:
    signal = at["signal"].values
    top = _level(signal)
    axes.plot(depth, signal / top, color=colour, linewidth=0.9, label=species_label(name))
    if str(at["technique"].values) == "eds":
        lower, upper = (np.maximum(at[f"signal_{side}"].values, 0.0) / top for side in ("lower", "upper"))
        axes.fill_between(depth, lower, upper, color=colour, alpha=0.2, linewidth=0)
    if levels is not None:
        known = np.isfinite(levels)
        axes.plot(levels[known], np.interp(levels[known], depth, signal / top), "o", color=colour, markersize=2.5)
    if "layer_signal" not in at:
        return
    layer, lower, upper = (at[f"layer_signal{suffix}"].values for suffix in ("", "_lower", "_upper"))
    if np.isfinite(layer).any():
        scale = float(np.nanmax(layer))
        scale = max(top, scale) if np.isfinite(top) else scale
        axes.fill_between(depth, lower / scale, upper / scale, color=colour, alpha=0.2, linewidth=0)
        axes.plot(depth, layer / scale, color=colour, linewidth=0.8, linestyle=(0, (4, 2)))


def _level(signal: np.ndarray) -> float:
    """What a profile is divided by: its maximum without single points, as the first scans can be far above the rest."""
    known = signal[np.isfinite(signal)]
    if known.size < 20:
        return float(known.max()) if known.size else np.nan
    middle = np.median(np.lib.stride_tricks.sliding_window_view(known, 5), axis=1)
    return float(middle.max()) or float(known.max())


def _thickness(profile: xr.Dataset) -> float:
    """Depth in nm where `depth_fraction` reaches one."""
    depth, fraction = profile["depth"].values, profile["depth_fraction"].values
    known = np.isfinite(depth) & np.isfinite(fraction)
    if not known.any():
        return float("nan")
    return float(np.interp(1.0, fraction[known], depth[known]))


def draw_comparison(profiles: Mapping[str, xr.Dataset], title: str) -> Figure:
    """Where the species sit in the layer of each sample, and how far they interlock."""
    from matplotlib.figure import Figure

    samples = list(profiles)
    with figure_style():
        figure = Figure(figsize=(PAGE, 1.2 + 0.9 * len(samples)), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_centroids(left, profiles, samples)
        _draw_interlocking(right, profiles, samples)
        figure.suptitle(title, fontsize=8.5, x=0.01, ha="left")
    return figure


def _draw_centroids(axes: Axes, profiles: Mapping[str, xr.Dataset], samples: list[str]) -> None:
    roles: dict[str, str] = {}
    for profile in profiles.values():
        for name in profile["species"].values[np.isfinite(profile["centroid"].values)]:
            roles[str(name)] = str(profile["role"].sel(species=name).values)
    order = {"organic": 0, "inorganic": 1}
    shown = sorted((name for name in roles if roles[name] in order), key=lambda name: ("/" in name, order[roles[name]]))
    palette = colours(shown, [roles[name] for name in shown])
    for index, name in enumerate(shown):
        spread = (index - (len(shown) - 1) / 2) * 0.7 / max(len(shown), 1)
        for row, sample in enumerate(samples):
            if name not in profiles[sample]["species"].values:
                continue
            at = profiles[sample].sel(species=name)
            value, lower, upper = (float(at[f"centroid{suffix}"]) for suffix in ("", "_lower", "_upper"))
            axes.errorbar(
                value, row + spread, xerr=[[value - lower], [upper - value]], fmt="o", markersize=3,
                color=palette[name], label=name if row == 0 else None,
            )  # fmt: skip
    for row, sample in enumerate(samples):
        thickness = _thickness(profiles[sample])
        if np.isfinite(thickness):
            axes.barh(row, thickness, height=0.85, color="0.92", zorder=0)
    axes.set_yticks(range(len(samples)), samples)
    axes.invert_yaxis()
    axes.set_xlabel("mean depth in the layer (nm); grey: the layer")
    if shown:
        axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_interlocking(axes: Axes, profiles: Mapping[str, xr.Dataset], samples: list[str]) -> None:
    pairs = list(
        dict.fromkeys(
            str(pair)
            for profile in profiles.values()
            for pair in profile["pair"].values[np.isfinite(profile["interlocking"].values)]
        )
    )
    for index, pair in enumerate(pairs):
        spread = (index - (len(pairs) - 1) / 2) * 0.5 / max(len(pairs), 1)
        for row, sample in enumerate(samples):
            if pair not in profiles[sample]["pair"].values:
                continue
            at = profiles[sample].sel(pair=pair)
            value, lower, upper = (float(at[f"interlocking{suffix}"]) for suffix in ("", "_lower", "_upper"))
            axes.errorbar(
                value, row + spread, xerr=[[value - lower], [upper - value]], fmt="s", markersize=3.5,
                color=f"C{index}", label=pair if row == 0 else None,
            )  # fmt: skip
    axes.set_yticks(range(len(samples)), samples)
    axes.invert_yaxis()
    axes.set_xlim(-0.05, 1.05)
    axes.set_xlabel("interlocking (0 stacked, 1 interlocked)")
    if pairs:
        axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0))

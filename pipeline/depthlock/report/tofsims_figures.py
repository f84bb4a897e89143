"""TOF-SIMS figures: depth profiles over sputter time, and the mass peaks they were cut from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.model.quantity import NORMAL_95
from depthlock.report.style import PAGE, colours, figure_style, pretty_ion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ion_colours(profile: xr.Dataset) -> dict[str, str]:
    """The colour of every ion of a profile."""
    return colours([str(ion) for ion in profile["ion"].values], [str(role) for role in profile["role"].values])


def draw_profile(profile: xr.Dataset, title: str) -> Figure:
    """Corrected intensities over sputter time with their 95 % bands, and the substrate's interface.

    Profiles freed from the depth response, where they were asked for, are broken lines with their own, paler bands.

    Parameters
    ----------
    profile : xr.Dataset
        `tofsims_profile` of one sample.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    with figure_style():
        normalised = "normalised" in profile
        figure = Figure(figsize=(PAGE, 5.4 if normalised else 3.2), layout="constrained")
        axes, *below = figure.subplots(2 if normalised else 1, sharex=True, squeeze=False).ravel()
        palette = ion_colours(profile)
        for ion in profile["ion"].values:
            _draw_ion(axes, profile.sel(ion=ion), str(ion), palette[str(ion)])
        _mark_interfaces(axes, profile, palette)
        positive = profile["intensity"].values[profile["intensity"].values > 0]
        axes.set_yscale("log")
        if positive.size:
            axes.set_ylim(max(0.3, float(np.quantile(positive, 0.002)) * 0.5), float(positive.max()) * 2)
        for other in below:
            _draw_normalised(other, profile, palette)
        (below or [axes])[-1].set_xlabel(_time_label(profile))
        axes.set_ylabel("intensity (ions a scan)")
        broken = "; broken: freed from the depth response" if "deconvolved" in profile else ""
        axes.set_title(f"{title}: TOF-SIMS, dead-time corrected, 95 % bands{broken}", loc="left")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _time_label(profile: xr.Dataset) -> str:
    return "sputter time (s)" if profile["sputter_time"].attrs.get("units") == "s" else "scan"


def _draw_ion(axes: Axes, ion: xr.Dataset, label: str, colour: str) -> None:
    time, intensity, std = (ion[name].values for name in ("sputter_time", "intensity", "intensity_std"))
    floor = 1e-3  # a logarithmic axis cannot show zero; the lower limit of the axis lies above this
    axes.plot(time, np.maximum(intensity, floor), color=colour, label=pretty_ion(label))
    lower, upper = intensity - NORMAL_95 * std, intensity + NORMAL_95 * std
    axes.fill_between(time, np.maximum(lower, floor), np.maximum(upper, floor), color=colour, alpha=0.25, linewidth=0)
    fit = ion["response_fit"].values
    if np.isfinite(fit).any():
        axes.plot(time, fit, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
    if "deconvolved" in ion:
        value, low, high = (np.maximum(ion[f"deconvolved{part}"].values, floor) for part in ("", "_lower", "_upper"))
        axes.plot(time, value, color=colour, linewidth=0.9, linestyle=(0, (2, 1.5)))
        axes.fill_between(time, low, high, color=colour, alpha=0.1, linewidth=0)


def _draw_normalised(axes: Axes, profile: xr.Dataset, palette: dict[str, str]) -> None:
    """Intensities over the reference, with the intervals that hold both errors."""
    kind, _, reference = str(profile.attrs["normalisation"]).partition(":")
    names = {"total_ions": "all ions", "point_to_point": "ions shown", "reference": pretty_ion(reference)}
    time, used = profile["sputter_time"].values, profile["used_scans"].values.astype(bool)
    positive = profile["normalised"].values[:, used]
    positive = positive[positive > 0]
    floor = 0.5 * float(np.quantile(positive, 0.01)) if positive.size else 1e-3
    for ion in profile["ion"].values:
        at = profile.sel(ion=ion)
        middle, lower, upper = (
            np.where(used, at[f"normalised{end}"].values, np.nan) for end in ("", "_lower", "_upper")
        )
        axes.plot(time, np.maximum(middle, 0.1 * floor), color=palette[str(ion)])
        low, high = np.maximum(lower, 0.1 * floor), np.maximum(upper, 0.1 * floor)
        axes.fill_between(time, low, high, color=palette[str(ion)], alpha=0.25, linewidth=0)
    axes.set_yscale("log")
    axes.set_ylim(floor, 2.0 * float(positive.max()) if positive.size else 1.0)
    axes.set_ylabel(f"over {names[kind]} (1)")


def _mark_interfaces(axes: Axes, profile: xr.Dataset, palette: dict[str, str]) -> None:
    for ion in profile["ion"].values:
        at = profile.sel(ion=ion)
        time, lower, upper = (float(at[f"interface_time{suffix}"]) for suffix in ("", "_lower", "_upper"))
        if not np.isfinite(time):
            continue
        axes.axvspan(lower, upper, color=palette[str(ion)], alpha=0.15, linewidth=0)
        axes.axvline(time, color=palette[str(ion)], linewidth=0.8)
        axes.annotate(
            f"{time:.4g} s\n±{float(at['interface_time_std']):.2g}",
            (time, 0.02), xycoords=("data", "axes fraction"), xytext=(3, 0), textcoords="offset points", fontsize=6.5,
        )  # fmt: skip


def draw_mass_drift(profile: xr.Dataset, title: str) -> Figure | None:
    """The drift of the mass scale that was taken out; None where none was seen."""
    if "mass_drift" not in profile or not profile["mass_drift"].values.any():
        return None
    from matplotlib.figure import Figure

    time, drift, std = (profile[name].values for name in ("sputter_time", "mass_drift", "mass_drift_std"))
    with figure_style():
        figure = Figure(figsize=(0.6 * PAGE, 2.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(time, drift, color="black")
        axes.fill_between(time, drift - NORMAL_95 * std, drift + NORMAL_95 * std, color="0.8", linewidth=0)
        axes.axhline(0.0, color="0.6", linewidth=0.6, linestyle=":")
        axes.set_xlabel(_time_label(profile))
        axes.set_ylabel("apparent over exact mass (ppm)")
        flag = str(profile.attrs["mass_drift_flag"]).replace("_", " ")
        axes.set_title(f"{title}: drift of the mass scale{f' ({flag})' if flag else ''}", loc="left")
    return figure


def draw_geometry(profile: xr.Dataset, title: str) -> Figure | None:
    """The image of all ions with the region that counts, the interface's map, and the lateral drift, where there are.

    None when the whole raster counts, the sample did not drift and no interface was mapped.
    """
    parts = [name for name in ("region", "interface_map", "lateral_drift") if name in profile]
    if "total_image" not in profile or not parts:
        return None
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=(PAGE, 2.9), layout="constrained")
        axes = figure.subplots(1, 2 + ("lateral_drift" in parts), squeeze=False).ravel()
        _draw_region(axes[0], profile)
        if "interface_map" in parts:
            _draw_interface_map(axes[1], profile)
        else:
            axes[1].set_axis_off()
        if "lateral_drift" in parts:
            _draw_drift(axes[2], profile)
        figure.suptitle(f"{title}: where the ions came from", fontsize=8.5, x=0.01, ha="left")
    return figure


def _extent(profile: xr.Dataset, y: str, x: str) -> tuple[float, float, float, float]:
    """Outer edges of an image: left, right, bottom, top."""
    edges = []
    for name in (x, y):
        centres = profile[name].values
        half = 0.5 * float(centres[1] - centres[0]) if centres.size > 1 else 0.5
        edges.append((float(centres[0]) - half, float(centres[-1]) + half))
    return edges[0][0], edges[0][1], edges[1][1], edges[1][0]


def _label_raster(axes: Axes, profile: xr.Dataset, x: str) -> None:
    unit = "µm" if profile[x].attrs["units"] == "micrometer" else "px"
    axes.set_xlabel(f"x ({unit})")
    axes.set_ylabel(f"y ({unit})")
    axes.set_aspect("equal")


def _draw_region(axes: Axes, profile: xr.Dataset) -> None:
    names = ("image_y", "image_x")
    axes.imshow(profile["total_image"].values, cmap="gray", extent=_extent(profile, *names), interpolation="nearest")
    title = "all ions"
    if "region" in profile:
        region = profile["region"].values.astype(float)
        title = f"all ions; {region.mean():.0%} count"
        axes.contour(
            profile["x"].values, profile["y"].values, np.pad(region[1:-1, 1:-1], 1), levels=[0.5], colors="#ffb000",
            linewidths=1.0,
        )  # fmt: skip
    axes.set_title(title, fontsize=7, loc="left")
    _label_raster(axes, profile, names[1])


def _draw_interface_map(axes: Axes, profile: xr.Dataset) -> None:
    names = ("map_y", "map_x")
    image = axes.imshow(
        profile["interface_map"].values, cmap="viridis", extent=_extent(profile, *names), interpolation="nearest"
    )
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("interface time (s)")
    low, high = (float(profile[f"interface_roughness_{end}"]) for end in ("lower", "upper"))
    flag = str(profile["interface_roughness_flag"].values).replace("_", " ")
    told = f"rough {float(profile['interface_roughness']):.2g} s ({low:.2g} … {high:.2g})"
    axes.set_title(told + (f"\n{flag}" if flag else ""), fontsize=7, loc="left")
    _label_raster(axes, profile, names[1])


def _draw_drift(axes: Axes, profile: xr.Dataset) -> None:
    time = profile["sputter_time"].values
    for axis, colour in (("y", "#0072b2"), ("x", "#d55e00")):
        path, std = (profile[name].sel(axis=axis).values for name in ("lateral_drift", "lateral_drift_std"))
        axes.plot(time, path, color=colour, label=axis)
        axes.fill_between(time, path - NORMAL_95 * std, path + NORMAL_95 * std, color=colour, alpha=0.25, linewidth=0)
    axes.set_xlabel(_time_label(profile))
    axes.set_ylabel("lateral drift (px)")
    axes.legend(loc="best")


def draw_mass_peaks(profile: xr.Dataset, title: str) -> Figure | None:
    """The spectrum around every ion with its fit; None for exports that hold no spectrum."""
    if "mass_spectrum" not in profile:
        return None
    from matplotlib.figure import Figure

    ions = [str(ion) for ion in profile["ion"].values]
    columns = min(4, len(ions))
    rows = -(-len(ions) // columns)
    with figure_style():
        figure = Figure(figsize=(PAGE, 1.7 * rows + 0.3), layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        palette = ion_colours(profile)
        for axes, ion in zip(grid, ions, strict=False):
            _draw_peak(axes, profile.sel(ion=ion), ion, palette[ion])
        for axes in grid[len(ions) :]:
            axes.set_axis_off()
        figure.supxlabel("m/z (Da)", fontsize=8)
        figure.suptitle(f"{title}: mass peaks", fontsize=8.5, x=0.01, ha="left")
    return figure


def _draw_peak(axes: Axes, ion: xr.Dataset, label: str, colour: str) -> None:
    mass, counts, fit = (ion[name].values for name in ("mass_axis", "mass_spectrum", "mass_fit"))
    here = np.isfinite(mass)
    axes.step(mass[here], counts[here], where="mid", color=colour, linewidth=0.7)
    if np.isfinite(fit[here]).any():
        axes.plot(mass[here], fit[here], color="black", linewidth=0.8)
    axes.axvline(float(ion["mz"]), color="0.6", linewidth=0.6, linestyle=":")
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(axis="x", labelrotation=30)
    flag = str(ion["total_counts_flag"].values)
    axes.set_title(pretty_ion(label) + (f"\n{flag.replace(';', ', ')}" if flag else ""), fontsize=7)

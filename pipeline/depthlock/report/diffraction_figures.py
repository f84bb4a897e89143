"""Diffraction figures: the pattern over scattering vector and azimuth, and every ring over azimuth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.model.quantity import NORMAL_95
from depthlock.report.style import PAGE, figure_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_pattern(texture: xr.Dataset, number: int, title: str) -> Figure:
    """The pattern with its reflections marked, and the azimuthal profiles.

    Parameters
    ----------
    texture : xr.Dataset
        `diffraction_texture` of one sample.
    number : int
        Which pattern.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=(PAGE, 0.45 * PAGE), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
        image = texture[f"map_{number}"].values
        q, azimuth = texture[f"map_q_{number}"].values, texture[f"map_azimuth_{number}"].values
        shown = np.log10(np.maximum(image, max(float(np.nanquantile(image, 0.05)), 1e-3)))
        left.set_facecolor("0.7")
        left.imshow(
            shown, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
            vmax=float(np.nanquantile(shown, 0.999)), extent=(q[0], q[-1], *_edges(azimuth)),
        )  # fmt: skip
        which = f", pattern {number + 1}" if int(texture.attrs["patterns"]) > 1 else ""
        grazing = bool(np.atleast_1d(texture.attrs["grazing"])[number])
        where = "angle χ from the film's normal (°)" if grazing else "azimuth (°)"
        left.set(xlabel="scattering vector (1/nm)", ylabel=where, title=f"{title}{which}, log scale")
        own = texture.isel(reflection=texture["pattern"].values == number)
        for index, full in enumerate(own["reflection"].values.astype(str)):
            name = full.partition(" (pattern ")[0]
            ring = own.isel(reflection=index)
            colour = colormaps["tab10"](index % 10)
            spacing = float(ring["reflection_spacing"])
            if np.isfinite(spacing):
                at = 2.0 * np.pi / spacing
                left.axvline(at, color="white", linewidth=0.6, linestyle=":")
                left.annotate(name, (at, azimuth[-1]), xytext=(2, -9), textcoords="offset points", color="white",
                              fontsize=7)  # fmt: skip
            values, error = ring["ring_intensity"].values, ring["ring_intensity_std"].values
            share, spread = float(ring["texture_share"]), float(ring["texture_share_std"])
            told = f"{name}: share {share:.3f} ± {spread:.3f}" if np.isfinite(share) else f"{name}: no share"
            if np.isfinite(values).any():
                right.errorbar(ring["azimuth"], values, NORMAL_95 * error, fmt=".", markersize=3, linewidth=0.7,
                               color=colour, label=told)  # fmt: skip
        right.axhline(0.0, color="0.6", linewidth=0.6)
        right.set(xlabel=where, ylabel="ring above background (counts a pixel / nm)", xlim=_edges(azimuth))
        if right.get_legend_handles_labels()[0]:
            right.legend(fontsize=7)
    return figure


def _edges(centres: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    half = 0.5 * float(centres[1] - centres[0])
    return float(centres[0]) - half, float(centres[-1]) + half

"""The survey figure: spectra of the levels with the lines of the elements found, and their atomic percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.report.style import PAGE, figure_style
from depthlock.report.xps_figures import draw_bars, series_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS_SHOWN = 5
"""More levels than this are thinned out evenly."""

LABEL_APART_EV = 22.0
"""Labels closer than this are moved apart."""


def has_survey(fit: xr.Dataset) -> bool:
    """Whether elements were found in a survey."""
    return "survey_atomic_percent" in fit


def draw_survey(fit: xr.Dataset, title: str) -> Figure:
    """Spectra, one above the other, with labelled lines; below, atomic percent with 95 % bars.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit` with a survey.
    title : str
        The sample's name.
    """
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=(PAGE, 5.2), layout="constrained")
        spectra, percent = figure.subplots(2, 1, height_ratios=[2.2, 1.0])
        _draw_spectra(spectra, fit)
        axis, name = series_axis(fit)
        for number, line in enumerate(fit["survey_line"].values):
            at = fit.isel(survey_element=number)
            draw_bars(percent, axis, at, "survey_atomic_percent", f"C{number}", str(line))
        percent.set_xlabel(name)
        percent.set_ylabel("atomic percent")
        percent.set_ylim(bottom=0)
        percent.legend(fontsize=6, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(f"{title}: survey; the line marked * is quantified", fontsize=8.5, x=0.01, ha="left")
    return figure


def _draw_spectra(axes: Axes, fit: xr.Dataset) -> None:
    energy, rate = fit["survey_energy"].values, fit["survey_rate"].values
    levels = np.flatnonzero(np.isfinite(rate).any(axis=1))
    if levels.size > LEVELS_SHOWN:
        levels = levels[np.linspace(0, levels.size - 1, LEVELS_SHOWN).round().astype(int)]
    height = float(np.nanmax(rate[levels]))
    axis, _ = series_axis(fit)
    for row, level in enumerate(levels):
        axes.plot(energy, rate[level] + 0.45 * row * height, color="0.25", linewidth=0.6)
        if levels.size > 1:
            right = float(rate[level][np.argmin(energy)]) + 0.45 * row * height
            axes.text(energy.min(), right, f" {axis[level]:.4g}", fontsize=6, va="bottom")
    top = axes.get_ylim()[1]
    previous = np.inf
    marks = sorted(
        zip(fit["survey_mark_energy"].values, fit["survey_mark_label"].values, strict=True), key=lambda mark: -mark[0]
    )
    for place, label in marks:
        shown = min(float(place), previous - LABEL_APART_EV)
        previous = shown
        axes.axvline(place, color="tab:red", linewidth=0.4, alpha=0.5)
        axes.text(shown, top, str(label), rotation=90, fontsize=5.5, va="bottom", ha="center", color="tab:red")
    axes.set_xlim(energy.max(), energy.min())
    axes.set_ylim(0, top)
    axes.set_yticks([])
    axes.set_xlabel("binding energy as measured (eV)")
    axes.set_ylabel("intensity")

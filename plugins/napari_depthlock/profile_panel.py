"""The depth profiles of a sample beside its volumes, with a line at the slice that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from depthlock.model.quantity import NORMAL_95
from depthlock.report.depth_figures import species_colours
from depthlock.report.style import colours, figure_style, species_group, species_label

if TYPE_CHECKING:
    import napari
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

PAPER, INK = "#262930", "#d8dbe0"
"""Background and lines that sit well in napari's dark theme."""


class ProfilePanel(QWidget):
    """Profiles on the sample's depth axis; a line follows napari's depth slider.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose slider is followed.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        with figure_style():
            self.figure = Figure(figsize=(4.0, 3.0), layout="constrained", facecolor=PAPER)
            self.axes = self.figure.add_subplot()
        self.canvas = FigureCanvasQTAgg(self.figure)
        self.shown = QComboBox()
        self.shown.currentTextChanged.connect(self._draw)
        self._depth: xr.Dataset | None = None
        self._profile: xr.Dataset | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.shown)
        layout.addWidget(self.canvas)
        self.setMinimumSize(300, 300)
        self._line: Line2D | None = None
        viewer.dims.events.current_step.connect(self._follow)
        viewer.dims.events.ndisplay.connect(self._follow)

    @property
    def shown_depth(self) -> float | None:
        """Depth at which the line stands; None while it is hidden."""
        if self._line is None or not self._line.get_visible():
            return None
        return float(np.asarray(self._line.get_xdata())[0])

    def show_profile(self, depth: xr.Dataset | None, profile: xr.Dataset | None) -> None:
        """Draw the `depth_profile` of a sample, or its `tofsims_profile` over sputter time when there is none."""
        self._depth, self._profile = depth, profile
        kept = self.shown.currentText()
        self.shown.blockSignals(True)
        self.shown.clear()
        self.shown.addItems([] if depth is None else list(species_groups(depth)))
        self.shown.setCurrentIndex(max(0, self.shown.findText(kept)))
        self.shown.setVisible(self.shown.count() > 1)
        self.shown.blockSignals(False)
        self._draw()

    def _draw(self, _group: str = "") -> None:
        self.axes.clear()
        with figure_style():
            if self._depth is not None and self.shown.count():
                self._draw_depth(self._depth)
            elif self._profile is not None:
                self._draw_time(self._profile)
            else:
                why = "no profile yet: run the session" if self._depth is None else "nothing lies on the depth axis"
                self.axes.text(0.5, 0.5, why, color=INK, ha="center", va="center")
            self._paint()
        self._line = self.axes.axvline(0.0, color="#ffd166", linewidth=1.2, visible=False)
        self._follow()
        self.canvas.draw_idle()

    def _draw_depth(self, depth: xr.Dataset) -> None:
        known = bool(np.isfinite(depth["depth"].values).any())
        axis = depth["depth"].values if known else depth["depth_fraction"].values
        names = species_groups(depth)[self.shown.currentText()]
        palette = species_colours(depth, names)
        for name in names:
            at = depth.sel(species=name)
            self._draw_curve(axis, at["signal"].values, at["signal_std"].values, palette[name], name)
        if known:
            thickness = float(np.interp(1.0, depth["depth_fraction"].values, axis))
            self.axes.axvline(thickness, color=INK, linewidth=0.8, linestyle="--")
        self.axes.set_xlabel("depth (nm)" if known else "depth / layer thickness")

    def _draw_time(self, profile: xr.Dataset) -> None:
        names = [str(name) for name in profile["ion"].values]
        palette = colours(names, [str(role) for role in profile["role"].values])
        for name in names:
            at = profile.sel(ion=name)
            time = profile["sputter_time"].values
            self._draw_curve(time, at["intensity"].values, at["intensity_std"].values, palette[name], name)
        self.axes.set_xlabel("sputter time (s)" if profile["sputter_time"].attrs["units"] == "s" else "scan")

    def _draw_curve(
        self, axis: NDArray[np.float64], signal: NDArray[np.float64], std: NDArray[np.float64], colour: str, name: str
    ) -> None:
        if not np.isfinite(signal).any():
            return
        top = float(np.nanmax(signal)) or 1.0
        colour = "#c8c8c8" if colour == "#4d4d4d" else colour
        dashed = "/" in name
        style = "--" if dashed else "-"
        self.axes.plot(axis, signal / top, color=colour, linewidth=1.1, linestyle=style, label=species_label(name))
        lower, upper = (np.clip(signal + sign * NORMAL_95 * std, 0, None) / top for sign in (-1, 1))
        self.axes.fill_between(axis, lower, upper, color=colour, alpha=0.25, linewidth=0)

    def _paint(self) -> None:
        self.axes.set_facecolor(PAPER)
        self.axes.set_ylim(0, 1.15)
        self.axes.set_ylabel("signal / its maximum", color=INK)
        self.axes.xaxis.label.set_color(INK)
        self.axes.tick_params(colors=INK)
        for spine in self.axes.spines.values():
            spine.set_color(INK)
        if self.axes.get_legend_handles_labels()[0]:
            self.axes.legend(fontsize=6, labelcolor=INK, loc="best")

    def _follow(self, _event: object = None) -> None:
        if self._line is None:
            return
        volumes = [layer.metadata["depthlock"] for layer in self.viewer.layers if _has_axis(layer)]
        slicing = self.viewer.dims.ndisplay == 2 and bool(volumes)
        self._line.set_visible(slicing)
        if slicing:
            axis = volumes[0]["axis"]
            step = min(int(self.viewer.dims.current_step[0]), axis.size - 1)
            self._line.set_xdata([axis[step]] * 2)
        self.canvas.draw_idle()


def species_groups(depth: xr.Dataset) -> dict[str, list[str]]:
    """Species that are drawn together: all ions, all elements, or the chemical states of one core level."""
    groups: dict[str, list[str]] = {}
    for name, technique in zip(depth["species"].values, depth["technique"].values, strict=True):
        if np.isfinite(depth["signal"].sel(species=name).values).any():
            groups.setdefault(species_group(str(name), str(technique)), []).append(str(name))
    return groups


def _has_axis(layer: object) -> bool:
    return "axis" in getattr(layer, "metadata", {}).get("depthlock", {})

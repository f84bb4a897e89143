"""Figures of 4D-STEM scans: virtual detector image, crystallinity and mean pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from depthlock.report.style import PAGE, figure_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "4D-STEM: sum of every pattern between the two circles (virtual annular detector); crystallinity, the largest "
    "count over the median of its ring and one count more; mean pattern (logarithmic) with the circles."
)


def draw_scan(maps: xr.Dataset, number: int, title: str) -> Figure:
    """The maps of one scan.

    Parameters
    ----------
    maps : xr.Dataset
        `stem_maps` of one sample.
    number : int
        Which scan.
    title : str
        The sample's name.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle
    from matplotlib.ticker import LogLocator

    with figure_style():
        figure = Figure(figsize=(PAGE, 2.4), layout="constrained")
        dark, crystal, pattern = figure.subplots(1, 3)
        y, x = maps[f"scan_y_{number}"].values, maps[f"scan_x_{number}"].values
        for axes, name, colours, told in (
            (dark, "annular", "gray", "annular detector (counts)"),
            (crystal, "crystallinity", "magma", "crystallinity"),
        ):
            values = maps[f"{name}_{number}"].values
            norm = None
            if name == "crystallinity":
                low = max(float(np.nanmin(values)), 1.0)
                norm = LogNorm(low, max(float(np.nanmax(values)), 2.0 * low), clip=True)
            drawn = axes.imshow(values, cmap=colours, norm=norm, extent=_extent(y, x), interpolation="nearest")
            bar = figure.colorbar(drawn, ax=axes, label=told, shrink=0.55, aspect=20, pad=0.02)
            if norm is not None:
                bar.set_ticks(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)), minor=False)
                bar.ax.yaxis.set_major_formatter("{x:g}")
                bar.minorticks_off()
            axes.set(xlabel="x (nm)", ylabel="y (nm)")
        mean = maps[f"pattern_{number}"].values
        seen = mean[mean > 0]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (1.0, 10.0)
        norm = LogNorm(max(low, 1e-5 * high), max(high, 2.0 * low), clip=True)
        ky, kx = maps[f"ky_{number}"].values, maps[f"kx_{number}"].values
        pattern.imshow(mean, cmap="gray", norm=norm, extent=_extent(ky, kx), interpolation="nearest")
        for radius in np.asarray(maps.attrs["rings_per_nm"], dtype=float).reshape(-1, 2)[number]:
            pattern.add_patch(Circle((0.0, 0.0), radius, fill=False, color="#ffb000", linewidth=0.8))
        pattern.set(xlabel="$k_x$ (1/nm)", ylabel="$k_y$ (1/nm)")
        figure.suptitle(f"{title}: 4D-STEM", fontsize=8.5, x=0.01, ha="left")
    return figure


def _extent(rows: np.ndarray[tuple[int], np.dtype[np.float64]], columns: np.ndarray[tuple[int], np.dtype[np.float64]]
            ) -> tuple[float, float, float, float]:  # fmt: skip
    """Edges left, right, bottom and top of a picture whose first row is on top."""
    half = [0.5 * abs(float(axis[1] - axis[0])) if axis.size > 1 else 0.5 for axis in (rows, columns)]
    return columns[0] - half[1], columns[-1] + half[1], rows[-1] + half[0], rows[0] - half[0]

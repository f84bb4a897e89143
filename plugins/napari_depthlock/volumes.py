"""Ion volumes as napari can show them: evenly spaced in depth, binned, with their true scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.mass_drift import drift_of
from depthlock.tofsims.volume import ion_volume
from depthlock.tofsims.volumes import edges_of, even_weights

LATERAL_VOXELS = (64, 16)
"""Voxels a side, at most and at least: in 3-D napari needs a small volume, and few ions fill a larger one."""

COUNTS_A_VOXEL = 1.0
"""Mean counts a voxel, at the ion's strongest depths, below which voxels are made larger."""

DEPTH_SHARE = 0.6
"""How deep the slab is drawn, in shares of its lateral size."""

MICROMETRES_PER_NANOMETRE = 1e-3


@dataclass(frozen=True)
class Volume:
    """One ion's counts on an evenly spaced axis.

    Attributes
    ----------
    ion, role : str
        The ion and what it stands for.
    counts : ndarray
        Counts a voxel on (depth, y, x).
    axis : ndarray
        Centres of the voxels along depth, in `axis_unit`.
    axis_unit : str
        ``nm`` when the sample has a depth axis, otherwise ``s`` of sputter time, or ``1`` for scans.
    pixel : float
        Lateral size of a voxel in `lateral_unit`.
    corner : float
        Lateral place of the first voxel's centre in `lateral_unit`; voxels of other size have it elsewhere.
    lateral_unit : str
        ``µm``, or ``pixel`` when the file has no pixel size.
    """

    ion: str
    role: str
    counts: NDArray[np.float32]
    axis: NDArray[np.float64]
    axis_unit: str
    pixel: float
    corner: float
    lateral_unit: str

    @property
    def step(self) -> float:
        """Size of a voxel along depth, in `axis_unit`."""
        return float(self.axis[1] - self.axis[0]) if self.axis.size > 1 else 1.0

    @property
    def exaggeration(self) -> float | None:
        """How many times depth is stretched on screen against the lateral axes; None without a depth in nm."""
        if self.axis_unit != "nm" or self.lateral_unit != "µm":
            return None
        return self.drawn_step / (self.step * MICROMETRES_PER_NANOMETRE)

    @property
    def drawn_step(self) -> float:
        """Size along depth at which a voxel is drawn, in lateral units."""
        width = self.pixel * float(max(self.counts.shape[1:]))
        return DEPTH_SHARE * width / float(self.counts.shape[0])

    @property
    def scale(self) -> tuple[float, float, float]:
        """Scale for napari on (depth, y, x)."""
        return (self.drawn_step, self.pixel, self.pixel)

    @property
    def translate(self) -> tuple[float, float, float]:
        """Shift for napari on (depth, y, x), so that volumes of different voxels lie on each other."""
        return (0.0, self.corner, self.corner)

    @property
    def contrast(self) -> tuple[float, float]:
        """Contrast limits from the whole volume, so that a few hot voxels do not hide the rest."""
        filled = self.counts[self.counts > 0]
        return (0.0, float(np.quantile(filled, 0.995)) if filled.size else 1.0)


def even_axis(edges: NDArray[np.float64], counts: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Redistribute counts from uneven to even bins along the first axis, keeping their sum.

    Parameters
    ----------
    edges : ndarray
        Increasing edges of the bins, one more than ``counts.shape[0]``.
    counts : ndarray
        Counts a bin on (bin, ...).
    steps : int
        Number of even bins between the first and the last edge.

    Returns
    -------
    ndarray
        Counts on (steps, ...).
    """
    even: NDArray[np.float64] = np.tensordot(even_weights(edges, steps), counts, axes=1)
    return even


def ion_volumes(events: xr.Dataset, profile: xr.Dataset, depth: xr.Dataset | None) -> list[Volume]:
    """Volumes of all ions of a profile, flattened onto its depth axis where there is one.

    Parameters
    ----------
    events : xr.Dataset
        The sample's event store.
    profile : xr.Dataset
        Its `tofsims_profile`, which holds the mass window of every ion.
    depth : xr.Dataset or None
        Its `depth_profile`; without one, or without a thickness in it, the axis is sputter time.
    """
    edges, unit = _edges(profile, depth)
    view = view_of(events, profile)
    volumes = []
    for ion in profile["ion"].values:
        at = profile.sel(ion=ion)
        low, high = int(at["bin_low"]), int(at["bin_high"])
        if high <= low:
            continue
        binning = _binning(at["counts"].values, max(int(size) for size in events.attrs["row_shape"][-2:]))
        cube = ion_volume(events, low, high, bin_y=binning, bin_x=binning, view=view, drift=drift_of(profile))
        counts = np.asarray(cube.values, dtype=np.float64) * float(at["share"])
        volumes.append(_volume(str(ion), str(at["role"].values), counts, edges, unit, cube["x"]))
    return volumes


def component_volumes(components: xr.Dataset, profile: xr.Dataset, depth: xr.Dataset | None) -> list[Volume]:
    """Volumes of the components of the whole spectrum, on the axis of the ions' volumes.

    Parameters
    ----------
    components : xr.Dataset
        The sample's `tofsims_components`; voxels that noise made negative are shown as empty.
    profile, depth : xr.Dataset
        As for :func:`ion_volumes`.
    """
    edges, unit = _edges(profile, depth)
    groups = np.append(edges[:-1][:: int(components.attrs["voxel_steps"][0])], edges[-1])
    return [
        _volume(str(name), "other", np.maximum(one.values, 0.0).astype(np.float64), groups, unit, components["voxel_x"])
        for name, one in zip(components["component"].values, components["volume"], strict=True)
    ]


def _volume(
    name: str, role: str, counts: NDArray[np.float64], edges: NDArray[np.float64], unit: str, x: xr.DataArray
) -> Volume:
    """Counts on an even axis between the first and the last edge."""
    even = even_axis(edges, counts, counts.shape[0])
    step = (edges[-1] - edges[0]) / even.shape[0]
    places = x.values
    return Volume(
        ion=name,
        role=role,
        counts=even.astype(np.float32),
        axis=edges[0] + step * (np.arange(even.shape[0]) + 0.5),
        axis_unit=unit,
        pixel=float(places[1] - places[0]) if places.size > 1 else 1.0,
        corner=float(places[0]),
        lateral_unit="µm" if x.attrs["units"] == "micrometer" else "pixel",
    )


def _binning(counts: NDArray[np.float64], pixels: int) -> int:
    """Pixels a voxel's side, a power of two, so that the strongest depths of an ion fill their voxels."""
    most, least = LATERAL_VOXELS
    strong = float(np.quantile(counts, 0.9)) / pixels**2
    wanted = int(np.ceil(np.sqrt(COUNTS_A_VOXEL / strong))) if strong > 0 else pixels
    needed = max(1, -(-pixels // most), min(wanted, pixels // least))
    return int(2 ** np.ceil(np.log2(needed)))


def _edges(profile: xr.Dataset, depth: xr.Dataset | None) -> tuple[NDArray[np.float64], str]:
    """Edges of the scans along depth in nm, or along sputter time in s."""
    centres, unit = profile["sputter_time"].values.astype(np.float64), str(profile["sputter_time"].attrs["units"])
    if depth is not None and "scan_depth" in depth.variables and np.isfinite(depth["scan_depth"].values).all():
        centres, unit = depth["scan_depth"].values.astype(np.float64), "nm"
    if centres.size < 2 or not (np.diff(centres) > 0).all():
        return np.arange(centres.size + 1, dtype=np.float64), "1"
    return edges_of(centres), unit

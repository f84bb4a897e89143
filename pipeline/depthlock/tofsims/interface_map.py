"""The map of the substrate's interface over the raster, and columns moved so that it is flat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.quantity import Quantity, assign
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import FieldOfView
from depthlock.tofsims.mass_drift import drift_of
from depthlock.tofsims.raster import pixel_pitch
from depthlock.tofsims.topography import CELLS, Rise, Topography, interface_surface
from depthlock.tofsims.volume import ion_volume

_SEED = 0
"""Of the samples from which the surface's errors are told; results repeat."""


@dataclass(frozen=True)
class SubstrateColumns:
    """Counts of the leading substrate ion in cells, with its mean rise.

    Attributes
    ----------
    ion : str
    counts : ndarray, shape (scan, y, x)
        In the scans that the rise was fitted to.
    scans : ndarray of int, shape (scan,)
    rise : Rise
    inside : ndarray of bool, shape (y, x)
        Cells of the region.
    cell : int
        Side of a cell in pixels.
    """

    ion: str
    counts: NDArray[np.uint32]
    scans: NDArray[np.intp]
    rise: Rise
    inside: NDArray[np.bool_]
    cell: int

    def surface(self, parity: int | None = None) -> Topography | None:
        """The interface's surface from all scans, or from the even (0) or odd (1) ones only."""
        chosen = np.ones(self.scans.size, dtype=bool) if parity is None else self.scans % 2 == parity
        rise = Rise(
            self.rise.time[chosen],
            self.rise.level[chosen],
            self.rise.beside[chosen],
            self.rise.middle,
            self.rise.width,
        )
        if chosen.sum() < 8:
            return None
        return interface_surface(self.counts[chosen], rise, self.inside, np.random.default_rng(_SEED))


def substrate_columns(events: xr.Dataset, profile: xr.Dataset, view: FieldOfView) -> SubstrateColumns | None:
    """Counts of the substrate ion that tells most of the interface; None where no interface was found.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    profile : xr.Dataset
        Its `tofsims_profile`, not flattened.
    view : FieldOfView
        Of maps and volumes.
    """
    ion = _leading_ion(profile)
    if ion is None or min(view.raster.rows, view.raster.columns) < 4:
        return None
    own = profile.sel(ion=ion)
    fitted = own["response_fit"].values
    scans = np.flatnonzero(np.isfinite(fitted))
    cell = max(-(-max(view.raster.rows, view.raster.columns) // CELLS), 1)
    window = int(own["bin_low"]), int(own["bin_high"])
    volume = ion_volume(events, *window, bin_y=cell, bin_x=cell, view=view, drift=drift_of(profile))
    inside = _cells_of(view, cell)
    return SubstrateColumns(ion, volume.values[scans], scans, _rise(own, fitted, scans), inside, cell)


def _leading_ion(profile: xr.Dataset) -> str | None:
    """The substrate ion with an interface: unflagged ones first, then by the ions that are its own."""
    best, leading = (False, 0.0), None
    for ion in profile["ion"].values:
        own = profile.sel(ion=ion)
        if str(own["role"].values) != "substrate" or not np.isfinite(float(own["interface_time"])):
            continue
        ions = float(np.nan_to_num(own["total_counts"])) * float(own["share"])
        rank = (str(own["interface_time_flag"].values) == "", ions)
        if leading is None or rank > best:
            best, leading = rank, str(ion)
    return leading


def _rise(own: xr.Dataset, fitted: FloatArray, scans: NDArray[np.intp]) -> Rise:
    """The fitted rise as it was counted: with what the dead time took, and with what is counted beside it."""
    low, high = float(own["surface_level"]), float(own["plateau_level"])
    share = np.clip((fitted[scans] - low) / max(high - low, 1e-12), 0.0, 1.0)
    background = np.nan_to_num(own["background"].values[scans])
    rate = (fitted[scans] + background) / own["pulses"].values[scans]
    counted = np.where(rate > 1e-9, -np.expm1(-rate) / np.maximum(rate, 1e-9), 1.0)
    counted = np.where(np.isfinite(rate), counted, 1.0)
    beside = np.maximum(fitted[scans] - high * share, 0.0) + background
    return Rise(
        own["sputter_time"].values[scans].astype(np.float64),
        counted * high * share,
        counted * beside,
        float(own["interface_time"]),
        float(own["interface_width"]),
    )


def _cells_of(view: FieldOfView, cell: int) -> NDArray[np.bool_]:
    """Cells that hold a pixel of the region."""
    rows, columns = -(-view.raster.rows // cell), -(-view.raster.columns // cell)
    y, x = np.divmod(np.flatnonzero(view.inside), view.raster.columns)
    inside = np.zeros((rows, columns), dtype=bool)
    inside[y // cell, x // cell] = True
    return inside


def column_lags(columns: SubstrateColumns, view: FieldOfView, time: FloatArray) -> NDArray[np.int64] | None:
    """Scans by which each column is moved towards the surface, for its even and its odd scans.

    Parameters
    ----------
    columns : SubstrateColumns
    view : FieldOfView
    time : ndarray, shape (scan,)
        Sputter time of all scans in s.

    Returns
    -------
    ndarray of int64, shape (2, pixel), or None
        None where the counts do not tell the surface.

    Notes
    -----
    Even scans are moved by what odd scans say, and the reverse. Moved by the noise of their own counts, columns would
    look flatter than they are, and the interface sharper.
    """
    step = float(np.median(np.diff(time)))
    y, x = np.divmod(np.arange(view.raster.pixels), view.raster.columns)
    lags = []
    for parity in (0, 1):
        surface = columns.surface(1 - parity)
        if surface is None:
            return None
        late = np.nan_to_num(surface.late)[y // columns.cell, x // columns.cell]
        lags.append(np.rint(late / step).astype(np.int64))
    return np.stack(lags)


def with_map(
    profile: xr.Dataset, events: xr.Dataset, columns: SubstrateColumns | None, surface: Topography | None
) -> xr.Dataset:
    """Add the interface's map, its roughness and its slope; roughness and slope are NaN with a flag without one.

    Parameters
    ----------
    profile : xr.Dataset
    events : xr.Dataset
    columns, surface
        None where no interface, or no surface, was found.
    """
    pitch = pixel_pitch(events)
    if columns is None or surface is None:
        flag = "interface_not_found" if columns is None else "few_counts"
        nothing = Quantity(np.nan, np.nan, np.nan, np.nan, flag)
        profile = assign(profile, "interface_roughness", (), nothing, "s")
        return assign(profile, "interface_slope", (), nothing, "s/pixel" if pitch is None else "s/um")
    flag = "" if surface.believed else "flat_within_errors"
    size = columns.cell * (pitch or 1.0)
    rough = surface.roughness
    slope = [value / size for value in surface.slope]
    slope_unit = "s/pixel" if pitch is None else "s/um"
    profile = assign(profile, "interface_roughness", (), Quantity(rough[0], rough[1], rough[2], rough[3], flag), "s")
    profile = assign(profile, "interface_slope", (), Quantity(slope[0], slope[1], slope[2], slope[3], flag), slope_unit)
    unit = {"units": "pixel" if pitch is None else "micrometer"}
    places = {
        name: xr.Variable((name,), (np.arange(count) + 0.5) * size - 0.5 * size / columns.cell, unit)
        for name, count in zip(("map_y", "map_x"), surface.late.shape, strict=True)
    }
    seconds = {"units": "s"}
    return (
        profile.assign_coords(places)
        .assign(
            interface_map=(("map_y", "map_x"), columns.rise.middle + surface.late, seconds),
            interface_map_std=(("map_y", "map_x"), surface.std, seconds),
        )
        .assign_attrs(
            interface_map_ion=columns.ion, interface_map_parts=surface.leaves, interface_map_lost=surface.lost
        )
    )

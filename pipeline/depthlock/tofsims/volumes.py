"""Volumes of all followed ions in one lazy dataset, in sputter time and, where there is one, in depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.mass_drift import drift_of
from depthlock.tofsims.volume import centres, ion_volume

_EVEN = 0.01
"""Relative difference of depth steps that a picture does not show."""


def ion_volumes(
    events: xr.Dataset,
    profile: xr.Dataset,
    depth: xr.Dataset | None,
    ions: Sequence[str] = (),
    steps: tuple[int, int, int] = (1, 1, 1),
) -> xr.Dataset:
    """Volumes of ions, lazily, with the windows, the region and the mass drift of their profile.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    profile : xr.Dataset
        Its `tofsims_profile`.
    depth : xr.Dataset or None
        The sample's `depth_profile`; without it, or without a depth in it, there is no coordinate `depth`.
    ions : sequence of str
        Labels of ions of the profile; all that have a window if empty.
    steps : tuple of int
        Scans, rows and columns of a voxel.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_volume`: `counts` (ion, scan, y, x), the detected ions in the window times the ion's `share`
        of them where peaks overlap; `pulses` a voxel; `depth` (scan) in nm.

    Raises
    ------
    MeasurementError
        When an ion is not in the profile, or has no window in it.
    """
    import dask.array as da

    known = [str(ion) for ion, low, high in zip(*(profile[name].values for name in ("ion", "bin_low", "bin_high")),
                                                strict=True) if high > low]  # fmt: skip
    missing = [ion for ion in ions if ion not in known]
    if missing or not known:
        raise MeasurementError(
            f"no volume of {', '.join(missing) or 'any ion'}",
            expected=f"ions with a mass window: {', '.join(known) or 'none has one'}",
            where=str(profile.attrs.get("source", "")),
            hint="name the ion under 'ions' in the session and run it" if missing else "",
        )
    chosen = profile.sel(ion=list(ions) or known)
    view, drift = view_of(events, profile), drift_of(profile)
    cubes = [
        ion_volume(events, int(low), int(high), steps[1], steps[2], steps[0], view=view, drift=drift)
        for low, high in zip(chosen["bin_low"].values, chosen["bin_high"].values, strict=True)
    ]
    share = chosen["share"].values.astype(np.float32)
    stack = da.stack([cube.data * part for cube, part in zip(cubes, share, strict=True)])  # type: ignore[no-untyped-call]  # dask has no types
    shots = float(events.attrs.get("shots_per_pixel", np.nan)) * view.raster.frames * float(np.prod(steps))
    one = {"units": "1"}
    dataset = xr.Dataset(
        {
            "counts": (("ion", "scan", "y", "x"), stack, one),
            "pulses": ("scan", np.full(cubes[0].sizes["scan"], shots), one),
        },
        coords={
            "ion": chosen["ion"],
            "role": ("ion", chosen["role"].values, one),
            "mz": ("ion", chosen["mz"].values, {"units": "Da"}),
            "share": ("ion", chosen["share"].values, one),
            **{name: cubes[0][name] for name in ("sputter_time", "y", "x")},
        },
        attrs={"source": str(profile.attrs.get("source", "")), "binning_scan_y_x": list(steps)},
    )
    dataset = dataset.drop_vars([name for name in ("bin_low", "bin_high") if name in dataset.coords])
    if depth is not None and "scan_depth" in depth.variables and np.isfinite(depth["scan_depth"].values).all():
        places = centres(depth["scan_depth"].values.astype(np.float64), steps[0])
        dataset = dataset.assign_coords(depth=("scan", places, {"units": "nm"}))
    return check(dataset, "tofsims_volume")


def even_weights(edges: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Parts of uneven bins that fall into even ones; sums of counts stay.

    Parameters
    ----------
    edges : ndarray
        Increasing edges of the uneven bins.
    steps : int
        Number of even bins between the first and the last edge.

    Returns
    -------
    ndarray, shape (steps, bin)
    """
    even = np.linspace(edges[0], edges[-1], steps + 1)
    low = np.maximum(even[:-1, np.newaxis], edges[:-1])
    high = np.minimum(even[1:, np.newaxis], edges[1:])
    return np.asarray(np.maximum(high - low, 0.0) / np.diff(edges), dtype=np.float64)


def edges_of(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of bins half way between their centres, and as far beyond the ends."""
    middle = (centre[1:] + centre[:-1]) / 2.0
    ends = (2.0 * centre[0] - middle[0], 2.0 * centre[-1] - middle[-1])
    return np.concatenate([ends[:1], middle, ends[1:]])


def even_in_depth(volume: xr.Dataset) -> xr.Dataset:
    """The volume with voxels of one height, as pictures need them; as it is where it has no depth or is even.

    Counts are shared out to even voxels between the first and the last depth, as many as there were.
    """
    import dask.array as da

    if "depth" not in volume.coords or volume.sizes["scan"] < 2:
        return volume
    depth = volume["depth"].values
    step = np.diff(depth)
    if not (step > 0).all() or np.ptp(step) <= _EVEN * step.mean():
        return volume
    edges = edges_of(depth)
    weights = even_weights(edges, depth.size).astype(np.float32)
    height = (edges[-1] - edges[0]) / depth.size
    even = edges[0] + height * (np.arange(depth.size) + 0.5)
    counts = volume["counts"].chunk().data
    parts, start = [], 0
    for size in counts.chunks[1]:
        rows = weights[start : start + size]
        used = np.flatnonzero(rows.any(axis=0))
        first, last = int(used[0]), int(used[-1]) + 1
        # Only the scans that reach into these planes are read for them.
        parts.append(da.tensordot(rows[:, first:last], counts[:, first:last], axes=(1, 1)).transpose(1, 0, 2, 3))
        start += size
    time = np.interp(even, depth, volume["sputter_time"].values)
    joined = da.concatenate(parts, axis=1)  # type: ignore[no-untyped-call]
    changed = volume.assign(counts=(volume["counts"].dims, joined, volume["counts"].attrs))
    return changed.assign_coords(
        depth=("scan", even, volume["depth"].attrs), sputter_time=("scan", time, volume["sputter_time"].attrs)
    )

"""The stage `tofsims_maps`: where the ions are, from above and in cross-section."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import MapsOptions
from depthlock.tofsims.volumes import ion_volumes


def draw_maps(events: xr.Dataset, profile: xr.Dataset, depth: xr.Dataset | None, options: MapsOptions) -> xr.Dataset:
    """Sum the ions of a profile over scans, and over strips of rows and columns.

    Parameters
    ----------
    events : xr.Dataset
        Contract `tofsims_events`.
    profile : xr.Dataset
        Its `tofsims_profile`.
    depth : xr.Dataset or None
        Its `depth_profile`, for a coordinate `depth` of the scans.
    options : MapsOptions

    Returns
    -------
    xr.Dataset
        Contract `tofsims_maps`: `map` (ion, y, x) over the scans between `first_time` and `last_time`; `section_x`
        (ion, scan, x) over a strip of rows, `section_y` (ion, scan, y) over a strip of columns. Counts are those of the
        ion's window times its share of them.

    Raises
    ------
    MeasurementError
        When there is no scan between the times.
    """
    import dask

    volume = ion_volumes(events, profile, depth)
    time = volume["sputter_time"].values
    first = -np.inf if options.first_time is None else options.first_time
    last = np.inf if options.last_time is None else options.last_time
    # Written so that scans without times are in, unless times are asked for.
    outside = (time < first) | (time > last) if np.isfinite(time).all() else np.isfinite([first, last]).any()
    chosen = np.flatnonzero(~np.broadcast_to(outside, time.shape))
    if chosen.size == 0:
        raise MeasurementError(
            f"no scan between {first:g} and {last:g} s",
            expected=f"times from {time.min():g} to {time.max():g} s",
            where=str(events.attrs.get("source", "")),
            hint="correct options.tofsims_maps",
        )
    counts = volume["counts"]
    rows = _strip(volume.sizes["y"], options.section_at_y, options.section_width)
    columns = _strip(volume.sizes["x"], options.section_at_x, options.section_width)
    sums = []
    for ion in range(volume.sizes["ion"]):
        # One volume after the other, each counted once for all three sums.
        own = counts.isel(ion=ion)
        parts = (own.isel(scan=chosen).sum("scan"), own.isel(y=rows).sum("y"), own.isel(x=columns).sum("x"))
        sums.append(dask.compute(*parts))  # type: ignore[attr-defined,no-untyped-call]
    above, along_x, along_y = (np.stack([part.values for part in kind]) for kind in zip(*sums, strict=True))
    one = {"units": "1"}
    maps = xr.Dataset(
        {
            "map": (("ion", "y", "x"), above, one),
            "section_x": (("ion", "scan", "x"), along_x, one),
            "section_y": (("ion", "scan", "y"), along_y, one),
        },
        coords={name: volume[name] for name in volume.coords},
        attrs={
            "source": str(profile.attrs.get("source", "")),
            "map_times_s": [float(time[chosen[0]]), float(time[chosen[-1]])],
            "section_rows": [rows.start, rows.stop],
            "section_columns": [columns.start, columns.stop],
        },
    )
    return check(maps, "tofsims_maps")


def _strip(size: int, at: float, width: float) -> slice:
    """Pixels of a strip about a place, both as shares of the raster; at least one."""
    first = int(np.clip(round((at - 0.5 * width) * size), 0, size - 1))
    return slice(first, int(np.clip(round((at + 0.5 * width) * size), first + 1, size)))

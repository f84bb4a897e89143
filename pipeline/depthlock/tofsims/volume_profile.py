"""Profiles from a volume of chosen masses, as SurfaceLab exports it, without dead time where pulses are known."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.model.errors import MeasurementError
from depthlock.model.options import ProfileOptions
from depthlock.tofsims.counting import correct_dead_time
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.export_profile import reduce_export
from depthlock.tofsims.reduction import Reduction
from depthlock.tofsims.regions_of_interest import region_mask


def reduce_volume(volume: xr.Dataset, options: ProfileOptions) -> Reduction:
    """Reduce a `tofsims_volume` dataset.

    Parameters
    ----------
    volume : xr.Dataset
    options : ProfileOptions
        Where it gives the pulses a pixel, or the file does, counts are taken as detected and corrected for dead time,
        all pixels as alike; where nobody does, counts stay and are flagged ``pulses_unknown``.

    Returns
    -------
    Reduction
    """
    counts, pixels = _sums(volume, options)
    time = volume["sputter_time"].values.astype(np.float64)
    if options.scan_time is not None and not np.isfinite(time).all():
        time = options.scan_time * np.arange(time.size)
    stated = float(np.nanmax(volume["pulses"].values)) if np.isfinite(volume["pulses"].values).any() else np.nan
    shots = stated if options.shots_per_pixel is None else float(options.shots_per_pixel)
    attrs = {name: volume.attrs[name] for name in ("source", "polarity", "acquisition_mode") if name in volume.attrs}
    if np.isfinite(shots):
        pulses = shots * pixels
        # A volume's masses are whole peaks, each shorter than the dead time.
        counts = correct_dead_time(counts, np.full(counts.shape[:1], pulses), 0).ions
        attrs["pulses_per_point"] = pulses
    export = xr.Dataset(
        {"intensity": (("ion", "scan"), counts, {"units": "1"})},
        coords={"ion": volume["ion"], "sputter_time": ("scan", time, {"units": "s"})},
        attrs={**attrs, "corrected": 1},
    )
    return reduce_export(export, options.model_copy(update={"region_of_interest": None, "shots_per_pixel": None}))


def _sums(volume: xr.Dataset, options: ProfileOptions) -> tuple[FloatArray, int]:
    """Counts of every ion and scan in the region of interest, one ion at a time, and its number of pixels."""
    counts = volume["counts"]
    shape = (volume.sizes["y"], volume.sizes["x"])
    inside = np.ones(shape, dtype=bool)
    if options.region_of_interest is not None:
        x = volume["x"]
        pitch = float(x[1] - x[0]) if x.size > 1 and x.attrs.get("units") in {"um", "micrometer"} else None
        where = str(volume.attrs.get("source", ""))

        def image_of(label: str) -> FloatArray:
            if label not in volume["ion"].values:
                raise MeasurementError(
                    f"a mask from the image of {label}, which the volume does not hold",
                    expected=f"one of {', '.join(str(ion) for ion in volume['ion'].values)}",
                    where=where,
                )
            return np.asarray(counts.sel(ion=label).sum("scan").values, dtype=np.float64)

        inside = region_mask(options.region_of_interest, shape, pitch, image_of, where)
    mask = xr.DataArray(inside, dims=("y", "x"))
    sums = [counts.isel(ion=ion).where(mask.variable, 0).sum(("y", "x")).values for ion in range(counts.sizes["ion"])]
    return np.stack(sums).astype(np.float64), int(inside.sum())

"""How much larger the interface is than its projection, from the slope of its map and the layer's sputter rate."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.depth_scale import summarise
from depthlock.model.quantity import Quantity, join_flags

Array = NDArray[np.float64]

_MICROMETER = 1e-3
"""Micrometres in a nanometre: slopes are in s/µm, rates in nm/s."""


def interface_area_ratio(profile: xr.Dataset, rate: Array, flag: str, random: np.random.Generator) -> Quantity:
    """Area of the interface over its projected area, as if the surface had been flat.

    Parameters
    ----------
    profile : xr.Dataset
        Contract ``tofsims_profile`` with an `interface_slope`.
    rate : array (samples,)
        Samples of the layer's sputter rate in nm/s: where the interface comes later, more of the layer lay above it.
    flag : str
        Reasons not to trust the rate.
    random : numpy Generator

    Returns
    -------
    Quantity
        NaN with a flag where the map has no slope, or no scale.

    Notes
    -----
    ``sqrt(1 + g^2)`` of the root mean square gradient g: the mean of ``sqrt(1 + |grad z|^2)`` to the second order in
    the gradient, and never below it. Steps finer than the map's cells are not in it.
    """
    flag = join_flags(flag, str(profile["interface_slope_flag"].values))
    if profile["interface_slope"].attrs["units"] != "s/um":
        return Quantity(np.nan, np.nan, np.nan, np.nan, join_flags(flag, "no_pixel_size"))
    slope, std = float(profile["interface_slope"]), float(profile["interface_slope_std"])
    if not (np.isfinite(slope) and slope > 0):
        return Quantity(np.nan, np.nan, np.nan, np.nan, flag)
    # Log-normal of this mean and error: a root mean square is not negative.
    spread = np.sqrt(np.log1p((std / slope) ** 2))
    slopes = slope * np.exp(spread * random.standard_normal(rate.size) - 0.5 * spread**2)
    return summarise(np.hypot(1.0, _MICROMETER * rate * slopes), flag)

"""The lattice spacing of a sample's images, as a quantity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from depthlock.model.quantity import Quantity, join_flags
from depthlock.tem.fringes import LocalFringes
from depthlock.tem.measured import Layer
from depthlock.tem.spacing import LatticeFit

SPACING_BIAS = 8e-4
"""Relative standard error of a fitted spacing that its tiles do not show: speckle pulls all of them alike."""

HINT_REACH = 0.10
"""Relative distance within which a reflection is taken for the one whose spacing the session gives."""


def lattice_spacing(images: Sequence[xr.Dataset], layers: list[Layer]) -> Quantity:
    """Spacing of the strongest reflection, or of the one nearest to the hint, over the images that show it.

    An image whose lattice is the ruler does not count: it would measure the ruler with itself.
    """
    values, errors, flags = [], [], []
    rulers = 0
    for image, layer in zip(images, layers, strict=True):
        if "calibrate_with_nm" in image.attrs:
            rulers += 1
            continue
        hint = image.attrs.get("lattice_spacing_nm")
        found: LatticeFit | LocalFringes
        if layer.crystal is not None and layer.lattice:
            found, flag = _chosen_fit(layer.lattice, None if hint is None else float(hint))
        elif layer.fringes is not None:
            found, flag = layer.fringes, "no_common_direction"
        else:
            continue
        scale = float(image.attrs.get("pixel_size_std", 0.0))
        values.append(found.spacing)
        errors.append(float(np.hypot(found.spacing_std, found.spacing * np.hypot(SPACING_BIAS, scale))))
        flags += [flag, str(image.attrs.get("scale_flag", "")), *(f for f in layer.flags if f == "saturated")]
    if not values:
        return Quantity(np.nan, np.nan, flag="used_as_scale" if rulers else "no_crystal")
    first = values[0]
    same = [n for n, value in enumerate(values) if abs(value / first - 1) < HINT_REACH]
    weights = np.array([1 / errors[n] ** 2 for n in same])
    weights /= weights.sum()
    value = float(weights @ np.array([values[n] for n in same]))
    # The pixel size's error does not average out between images of one session.
    error = float(weights @ np.array([errors[n] for n in same]))
    if len(same) < len(values):
        flags.append("images_disagree")
    return Quantity(value, error, flag=join_flags(*flags))


def _chosen_fit(lattice: Sequence[LatticeFit], hint: float | None) -> tuple[LatticeFit, str]:
    if hint is not None:
        nearest = min(lattice, key=lambda fit: abs(fit.spacing - hint))
        if abs(nearest.spacing / hint - 1) <= HINT_REACH:
            return nearest, ""
    strongest = max(lattice, key=lambda fit: fit.amplitude)
    return strongest, "" if hint is None else "hinted_spacing_not_found"

"""The pixel size of an image from a lattice of known spacing in it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.model.errors import MeasurementError
from depthlock.tem.crystal import largest_crystal
from depthlock.tem.demodulation import ImageSpectrum, bragg_map
from depthlock.tem.lattice import SHORTEST_SPACING, find_reflections
from depthlock.tem.lattice_result import SPACING_BIAS
from depthlock.tem.spacing import LatticeFit, fit_reflection
from depthlock.tem.windows import windowed_spectra

REACH = 0.30
"""Relative error of the scale to start from within which the known reflection is looked for."""

EQUAL = 0.03
"""Relative difference below which two spacings are taken for one, seen along two directions."""

APART = 0.08
"""Reflections of different spacing must differ by this much more from the known one to leave no doubt which it is."""


def calibrated(image: xr.Dataset, pixel: tuple[float, float], known: float) -> xr.Dataset:
    """The image with the pixel size that gives its lattice the known spacing.

    Parameters
    ----------
    image : xr.Dataset
        Contract `tem_image`.
    pixel : tuple of float
        Pixel size in nm along y and x to start from, right within 30 %.
    known : float
        Spacing in nm.

    Returns
    -------
    xr.Dataset
        `pixel_size_nm`, `pixel_size_std` (relative, of the fit) and `scale_source` set anew; the axes keep their ratio.

    Raises
    ------
    MeasurementError
        When no reflection lies near the known spacing, or more than one does.
    """
    where = str(image.attrs.get("source", ""))
    fits = _lattice(image, pixel, known)
    near = [fit for fit in fits if _off(fit.spacing, known) <= np.log1p(REACH)]
    near.sort(key=lambda fit: _off(fit.spacing, known))
    if not near:
        seen = ", ".join(f"{fit.spacing:.3f} nm" for fit in fits) or "no lattice fringes"
        raise MeasurementError(
            f"no reflection near {known:g} nm to calibrate with: {seen} by the scale of the file or session",
            expected=f"a spacing of {known:g} nm within {REACH:.0%}",
            where=where,
            hint="correct `calibrate_with`, give a rough `pixel_size`, or leave the calibration out",
        )
    nearest = near[0]
    same = [fit for fit in near if abs(fit.spacing / nearest.spacing - 1) <= EQUAL]
    others = [fit for fit in near if fit not in same]
    if others and _off(others[0].spacing, known) < _off(nearest.spacing, known) + APART:
        raise MeasurementError(
            f"two reflections could be the one of {known:g} nm: {nearest.spacing:.3f} and {others[0].spacing:.3f} nm",
            expected="one",
            where=where,
            hint="give a `pixel_size` that is right within a few percent beside `calibrate_with`",
        )
    spacing = float(np.mean([fit.spacing for fit in same]))
    errors = [fit.spacing_std for fit in same]
    # Directions that read differently show what the scale does not know.
    spread = float(np.ptp([fit.spacing for fit in same])) / 2
    error = float(np.hypot(np.mean(errors), spread)) / spacing
    factor = known / spacing
    told = {
        "pixel_size_nm": [pixel[0] * factor, pixel[1] * factor],
        "pixel_size_nm_before": list(pixel),
        "pixel_size_std": float(np.hypot(error, SPACING_BIAS)),
        "scale_source": f"lattice of {known:g} nm",
    }
    return image.assign_attrs(told)


def _lattice(image: xr.Dataset, pixel: tuple[float, float], known: float) -> list[LatticeFit]:
    values = np.asarray(image["image"].values, dtype=np.float32)
    middle = float(np.nanmedian(values))
    values = np.nan_to_num(values, nan=middle) / np.float32(middle if middle > 0 else np.nanstd(values) or 1.0)
    reflections = find_reflections(windowed_spectra(values, pixel, limit=1 / SHORTEST_SPACING), hint=known)
    if not reflections:
        return []
    spectrum = ImageSpectrum(values, pixel)
    crystal = largest_crystal(bragg_map(spectrum, reflections))
    if crystal is None:
        return []
    return [fit_reflection(spectrum, reflection, crystal.mask, crystal.step) for reflection in reflections]


def _off(spacing: float, known: float) -> float:
    return abs(float(np.log(spacing / known)))

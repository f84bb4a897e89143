"""Mass error and mass resolution of an ion after calibration."""

from __future__ import annotations

import numpy as np

from depthlock.model.ions import Ion
from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.assembly import Measured
from depthlock.tofsims.overlaps import PeakFit
from depthlock.tofsims.peak_model import PULLING, Surroundings

_MODE_ERROR = 0.001
"""Error of a fitted maximum beyond counting, in FWHM: the model shape is not the instrument's. Where the calibrants
scatter by more, that scatter is this error."""

_OTHER_METHOD = 0.002
"""More of it for a peak among neighbours, which is placed by another fit than the calibrants."""

_PULLED = 0.03
"""The same for one that only the sum with its neighbours places."""

_WIDTH_ERROR = 0.001
"""Relative error of a fitted width beyond counting, for the same reason."""

_WIDTH_OF_SIGMA = 8.0 * np.log(2.0)
"""Square of the FWHM over the variance of a Gaussian."""


def mass_error(ion: Ion, fit: PeakFit, around: Surroundings, flag: str, bent: bool) -> Measured:
    """Measured minus exact m/z after calibration, in ppm.

    Parameters
    ----------
    ion : Ion
    fit : PeakFit
        Of its peak.
    around : Surroundings
        Calibration, for its error; for an ion that took part in it, its leverage is taken off the residual's error.
    flag : str
        Flags of the ion.
    bent : bool
        Whether the dead time shifted the peak in the total spectrum.

    Returns
    -------
    Measured
        NaN and flag ``not_detected`` when there is no peak.
    """
    calibration = around.calibration
    scale = calibration.scale
    if "not_detected" in flag.split(";"):
        return np.nan, np.nan, np.nan, np.nan, flag
    per_bin = scale.relative_per_bin(ion.mz) * 1e6
    # A lone peak is placed as the calibrants are, so that a shape that is not quite the file's shifts both alike.
    position, counting = (np.nan, np.nan) if bent else _as_found(fit, around)
    if not np.isfinite(counting):
        position, counting = _unconstrained(fit)
        counting = float(np.hypot(counting, _OTHER_METHOD * fit.fwhm))
    if not np.isfinite(counting):
        position, counting = _as_pulled(fit, around)
    if not np.isfinite(counting):
        return np.nan, np.nan, np.nan, np.nan, join_flags(flag, "position_not_measured")
    value = position * per_bin
    shape = max(_MODE_ERROR * fit.fwhm * per_bin, scale.scatter * 1e6)
    own = float(np.hypot(counting * per_bin, shape))
    placed = (scale.relative_std(ion.mz) ** 2 - scale.scatter**2) * 1e12
    leverage = -placed if ion.label in calibration.ions else placed
    error = float(np.sqrt(max(own**2 + leverage, 0.25 * own**2)))
    half = calibration.coverage * error
    return value, error, value - half, value + half, flag


def _unconstrained(fit: PeakFit) -> tuple[float, float]:
    """Offset and its error in mass bins, with the calibration's prior taken out of the fit's answer."""
    prior = fit.components[0].position_std
    if fit.offset_std <= 0 or fit.offset_std >= 0.9 * prior:
        return np.nan, np.nan
    variance = 1.0 / (1.0 / fit.offset_std**2 - 1.0 / prior**2)
    return fit.offset * variance / fit.offset_std**2, float(np.sqrt(variance))


def _as_found(fit: PeakFit, around: Surroundings) -> tuple[float, float]:
    """Offset and its error of a peak that neighbours hardly pull, as it was found in the spectrum; else NaN."""
    expected = fit.components[0].position
    beside = [
        ions
        for one, ions in zip(fit.components[1:], fit.ions[1:], strict=True)
        if abs(one.position - expected) < 1.7 * fit.fwhm
    ]
    if sum(beside) > 0.02 * fit.ions[0]:
        return np.nan, np.nan
    near = [peak for peak in around.peaks if abs(peak.position - expected) < 0.5 * fit.fwhm]
    if not near:
        return np.nan, np.nan
    peak = min(near, key=lambda one: abs(one.position - expected))
    return peak.position - expected, float(np.hypot(peak.position_std, fit.pull))


def _as_pulled(fit: PeakFit, around: Surroundings) -> tuple[float, float]:
    """Offset of a found peak less what fitted neighbours within its width pull it, half of which is an error."""
    expected = fit.components[0].position
    near = [peak for peak in around.peaks if abs(peak.position - expected) < 0.5 * fit.fwhm]
    inside = [k for k, one in enumerate(fit.components) if abs(one.position - expected) < PULLING * fit.fwhm]
    total = float(sum(fit.ions[k] for k in inside))
    if not near or fit.ions[0] < 0.5 * total:
        return np.nan, np.nan
    peak = min(near, key=lambda one: abs(one.position - expected))
    pull = float(sum(fit.ions[k] * (fit.components[k].position - expected) for k in inside)) / total
    error = float(np.sqrt(peak.position_std**2 + (0.5 * pull) ** 2 + (_PULLED * fit.fwhm) ** 2))
    return peak.position - expected - pull, error


def mass_resolution(ion: Ion, fit: PeakFit, around: Surroundings, flag: str, rounding: float) -> Measured:
    """m/z over the full width at half maximum of the ion's own peak.

    Parameters
    ----------
    ion : Ion
    fit : PeakFit
        Of its peak, neighbours apart: the width is that of the fitted shape, tails included, bins and background not.
    around : Surroundings
    flag : str
        Flags of the ion.
    rounding : float
        Variance in mass bins squared that taking out the drift in whole bins has added.

    Returns
    -------
    Measured
        NaN and flag ``not_detected`` when there is no peak.
    """
    if "not_detected" in flag.split(";"):
        return np.nan, np.nan, np.nan, np.nan, flag
    fwhm = float(np.sqrt(max(fit.fwhm**2 - _WIDTH_OF_SIGMA * rounding, 0.25 * fit.fwhm**2)))
    value = 1.0 / (around.calibration.scale.relative_per_bin(ion.mz) * fwhm)
    relative = float(np.hypot(fit.fwhm_std / fwhm, _WIDTH_ERROR))
    half = NORMAL_95 * relative
    return value, value * relative, value * np.exp(-half), value * np.exp(half), flag

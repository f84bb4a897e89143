"""Peaks on the flight-time axis: finding them, their common shape, their positions with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import signal
from scipy.ndimage import gaussian_filter1d, minimum_filter1d, uniform_filter1d

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.peak_shape import PeakShape, PeakWidths
from depthlock.tofsims.quasi_poisson import CountData, CountProblem, ParameterRow, fit_counts, table
from depthlock.tofsims.spectrum import MassScale, Spectrum

FINEST_RESOLUTION = 20000.0
"""Highest m/FWHM for which peaks are looked for."""

_TAIL_KNOWN = 0.015
"""Share of a peak in a tail at which the tail's length is known to a factor of two."""


@dataclass(frozen=True)
class Peak:
    """A peak on the flight-time axis.

    Attributes
    ----------
    position, position_std : float
        Of its maximum, in mass bins.
    fwhm : float
        In mass bins.
    counts : float
        Ions in it.
    height : float
        Ions a mass bin at its maximum, above the background.
    background : float
        Ions a mass bin beside it.
    """

    position: float
    position_std: float
    fwhm: float
    counts: float
    height: float
    background: float


def find_peaks(spectrum: Spectrum, scale: MassScale, significance: float = 6.0) -> list[Peak]:
    """Find peaks in the total spectrum.

    Parameters
    ----------
    spectrum : Spectrum
    scale : MassScale
        Need only be right to some per mille.
    significance : float
        Smallest prominence over its counting error.

    Returns
    -------
    list of Peak
        In order of flight time, with rough positions and widths.
    """
    low = max(float(scale.position(0.6)), float(spectrum.mass_bin[0]), 10.0)
    high = float(spectrum.mass_bin[-1]) + 1.0
    if high <= low * 1.01:
        return []
    step = 1.0 / (2.0 * FINEST_RESOLUTION * 3.0)
    edges = np.exp(np.arange(np.log(low), np.log(high), step))
    counts = spectrum.histogram(edges)
    width = _typical_width(counts)
    if width is None:
        return []
    smooth = gaussian_filter1d(counts, width / 2.355, mode="constant")
    span = int(12 * width)
    floor = uniform_filter1d(minimum_filter1d(smooth, span, mode="nearest"), span, mode="nearest")
    # Under the square root every count has the same noise (1/2), so one prominence tells peaks from ripples anywhere.
    effective = 2.0 * np.sqrt(np.pi) * width / 2.355
    tops, _ = signal.find_peaks(np.sqrt(smooth * effective), prominence=0.5 * significance)
    peaks = [_rough_peak(counts, smooth, floor, edges, int(top), width) for top in tops]
    return [peak for peak in peaks if peak is not None]


def _typical_width(counts: FloatArray) -> float | None:
    """Median FWHM in channels of the strongest peaks, seen at the finest smoothing their counts allow."""
    coarse = gaussian_filter1d(counts, 8.0, mode="constant")
    tops = np.flatnonzero((coarse[1:-1] > coarse[:-2]) & (coarse[1:-1] >= coarse[2:])) + 1
    if tops.size == 0:
        return None
    strongest = tops[np.argsort(coarse[tops])[::-1][:30]]
    widths = []
    for top in strongest:
        part = counts[max(top - 600, 0) : top + 600]
        place = min(top, 600)
        if part[max(place - 40, 0) : place + 40].sum() < 100:
            continue
        blur = 3.0
        for _ in range(3):
            smooth = gaussian_filter1d(part, blur, mode="nearest")
            peak = max(place - 30, 0) + int(np.argmax(smooth[max(place - 30, 0) : place + 30]))
            width = _half_width(smooth, peak, float(np.percentile(smooth, 20)))
            blur = float(np.clip(width / 8.0, 1.0, 30.0))
        widths.append(np.sqrt(max(width**2 - (2.355 * blur) ** 2, 4.0)))
    return float(np.median(widths)) if widths else None


def _half_width(smooth: FloatArray, top: int, floor: float) -> float:
    """Twice the shorter half width at half maximum: the longer side may run into a neighbour."""
    half = floor + 0.5 * (smooth[top] - floor)
    left = np.flatnonzero(smooth[: top + 1] < half)
    right = np.flatnonzero(smooth[top:] < half)
    sides = [float(top - left[-1])] if left.size else []
    sides += [float(right[0])] if right.size else []
    return 2.0 * min(sides, default=float(smooth.size)) - 1.0


def _rough_peak(
    counts: FloatArray, smooth: FloatArray, floor: FloatArray, edges: FloatArray, top: int, width: float
) -> Peak | None:
    fwhm = max(np.sqrt(max(_half_width(smooth, top, float(floor[top])) ** 2 - width**2, 0.0)), 0.7 * width)
    reach = int(np.ceil(1.2 * fwhm))
    part = slice(max(top - reach, 0), top + reach + 1)
    total = float(counts[part].sum() - floor[top] * (part.stop - part.start))
    if total < 10:
        return None
    bins = float(edges[top + 1] - edges[top])
    error = fwhm / 2.355 / np.sqrt(total)
    height, beside = float(smooth[top] - floor[top]) / bins, float(floor[top]) / bins
    return Peak(float(0.5 * (edges[top] + edges[top + 1])), error * bins, fwhm * bins, total, height, beside)


def peak_channels(peak: Peak, reach_low: float, reach_high: float, fineness: float = 10.0) -> FloatArray:
    """Edges of channels about a peak: whole numbers of mass bins, about `fineness` a FWHM."""
    width = max(round(peak.fwhm / fineness), 1)
    low = int(np.floor(peak.position - reach_low * peak.fwhm))
    number = int(np.ceil((reach_low + reach_high) * peak.fwhm / width)) + 1
    return low + width * np.arange(number + 1, dtype=np.float64)


def shape_of(theta: FloatArray) -> PeakShape:
    """The peak shape of five fit parameters: delay, share and log length of the late and of the early tail."""
    return _cached_shape(*(float(value) for value in theta))


@lru_cache(maxsize=256)
def _cached_shape(delay: float, late: float, late_tail: float, early: float, early_tail: float) -> PeakShape:
    # Its mode and width are found on a grid; most steps of a derivative leave the shape as it is.
    return PeakShape(delay, late, float(np.exp(late_tail)), early, float(np.exp(early_tail)))


def shape_rows(shape: PeakShape, spread: float) -> list[ParameterRow]:
    """Fit parameters of a shape with priors of relative width `spread` about it.

    The late tail is kept longer than the core, whose delay is a short one already; the early one may be short, as
    symmetric wings ask for. The length of a weak tail is hardly known.
    """
    late, early = (min(spread + _TAIL_KNOWN / max(share, 1e-3), 1.0) for share in (shape.late_share, shape.early_share))
    return [
        (shape.delay, 0.0, 3.0, shape.delay, 0.5 * spread, 1e-4),
        (shape.late_share, 0.0, 0.6, shape.late_share, 0.1 * spread, 1e-4),
        (np.log(shape.late_tail), 0.0, 3.0, np.log(shape.late_tail), 0.6 * late, 1e-4),
        (shape.early_share, 0.0, 0.5, shape.early_share, 0.06 * spread, 1e-4),
        (np.log(shape.early_tail), -0.9, 2.5, np.log(shape.early_tail), 0.6 * early, 1e-4),
    ]


def measure_peak(spectrum: Spectrum, peak: Peak, shape: PeakShape, width_spread: float = 0.4) -> Peak:
    """Position, width and counts of one peak by a Poisson fit of the common shape.

    The core alone is fitted (from -1.2 to +1.5 FWHM), so that neighbours and the tails of single ions matter little.

    Parameters
    ----------
    spectrum : Spectrum
    peak : Peak
        As found.
    shape : PeakShape
    width_spread : float
        Relative standard deviation of the width's prior, about the width of `peak`.
    """
    edges = peak_channels(peak, 1.2, 1.5, fineness=8.0)
    data = spectrum.histogram(edges)
    tails = (shape.late_share, float(np.log(shape.late_tail)), shape.early_share, float(np.log(shape.early_tail)))

    def model(theta: FloatArray) -> FloatArray:
        own = _cached_shape(float(theta[4]), *tails)
        shares = own.shares(edges, peak.position + theta[0] * peak.fwhm, peak.fwhm * np.exp(theta[1]))
        expected = peak.counts * np.exp(theta[2]) * shares + theta[3] * np.diff(edges)
        return np.asarray(np.maximum(expected, 1e-6), dtype=np.float64)

    rows: list[ParameterRow] = [
        (0.0, -0.5, 0.5, 0.0, np.inf, 1e-4),
        (0.0, -1.2, 1.2, 0.0, width_spread, 1e-4),
        (0.0, -2.0, 2.0, 0.0, np.inf, 1e-4),
        (
            peak.background,
            0.0,
            0.5 * peak.height + peak.background,
            peak.background,
            0.2 * peak.height,
            1e-4 * peak.height,
        ),
        (shape.delay, 0.0, 3.0, shape.delay, 0.5, 1e-3),
    ]
    fit = fit_counts(CountProblem(model, CountData(data, np.ones_like(data), np.zeros_like(data)), table(rows)))
    excess = max(fit.deviance / max(data.size - 4, 1), 1.0)
    error = float(np.sqrt(fit.covariance[0, 0] * excess)) * peak.fwhm
    return replace(
        peak,
        position=peak.position + float(fit.parameters[0]) * peak.fwhm,
        position_std=error if error > 0 else peak.position_std,
        fwhm=peak.fwhm * float(np.exp(fit.parameters[1])),
        counts=peak.counts * float(np.exp(fit.parameters[2])),
        background=float(fit.parameters[3]),
    )


def measure_widths(peaks: Sequence[Peak], origin: float) -> PeakWidths:
    """FWHM along the flight time, by a robust fit of ``fwhm^2 = constant^2 + (growing * (position - origin))^2``.

    Parameters
    ----------
    peaks : sequence of Peak
        With measured widths.
    origin : float
        Mass bin at which m/z is 0.

    Raises
    ------
    ValueError
        When there is no peak.
    """
    if not peaks:
        raise ValueError("no peaks to measure widths on")
    strongest = sorted(peaks, key=lambda one: -one.counts)[:25]
    position = np.array([peak.position for peak in strongest]) - origin
    fwhm = np.array([peak.fwhm for peak in strongest])
    weight = np.sqrt(np.array([peak.counts for peak in strongest])).clip(max=60.0)
    if len(strongest) < 4:
        return PeakWidths(0.0, float(np.average(fwhm / position, weights=weight)), origin, 0.15)
    from scipy.optimize import nnls

    scale = float(np.median(position))
    for _ in range(6):
        # Relative errors of the square: divide by it. Wide peaks are doublets: they lose weight as outliers.
        rows = np.column_stack([np.ones_like(position), (position / scale) ** 2]) / fwhm[:, np.newaxis] ** 2
        solution, _ = nnls(rows * weight[:, np.newaxis], weight)
        model = np.sqrt(solution[0] + solution[1] * (position / scale) ** 2)
        ratio = np.log(fwhm / model)
        # Doublets only broaden: the narrow side alone shows how single peaks scatter.
        spread = max(1.4826 * float(np.median(np.abs(ratio[ratio <= np.quantile(ratio, 0.6)]))), 0.01)
        weight = np.sqrt(np.array([peak.counts for peak in strongest])).clip(max=60.0) / (
            1.0 + (ratio / (2.0 * spread)) ** 2
        )
    constant, growing = float(np.sqrt(solution[0])), float(np.sqrt(solution[1])) / scale
    return PeakWidths(constant, growing, origin, float(np.clip(spread, 0.015, 0.15)))


def measure_peaks(
    spectrum: Spectrum, found: Sequence[Peak], shape: PeakShape, origin: float
) -> tuple[list[Peak], PeakWidths]:
    """Measure all found peaks, and the course of their widths.

    Parameters
    ----------
    spectrum : Spectrum
    found : sequence of Peak
        At least one.
    shape : PeakShape
    origin : float
        Mass bin at which m/z is 0.

    Returns
    -------
    list of Peak, PeakWidths
        A shoulder has no half height of its own; what came out much broader than the others is measured again with
        their width.
    """
    first = [measure_peak(spectrum, peak, shape) for peak in found]
    widths = measure_widths(first, origin)
    peaks = []
    for rough, peak in zip(found, first, strict=True):
        usual = widths.fwhm(rough.position)
        if peak.fwhm > 1.5 * usual:
            peaks.append(measure_peak(spectrum, replace(rough, fwhm=usual), shape, width_spread=0.1))
        else:
            peaks.append(peak)
    return peaks, measure_widths(peaks, origin)

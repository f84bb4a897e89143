"""The common shape of a file's mass peaks, measured on the strong ones that stand alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.peak_shape import PeakShape
from depthlock.tofsims.peaks import Peak, peak_channels, shape_of, shape_rows
from depthlock.tofsims.quasi_poisson import CountData, CountProblem, fit_counts, table
from depthlock.tofsims.spectrum import Spectrum

_FEWEST_PEAKS = 3
_MISFIT = 1.25
"""Deviance over degrees of freedom from which a peak is taken for an unresolved doublet, if others fit better."""


def clean_peaks(peaks: Sequence[Peak], limit: float, most: int = 8, fewest_counts: float = 800.0) -> list[Peak]:
    """The strongest peaks that stand alone, for measuring the shape.

    Parameters
    ----------
    peaks : sequence of Peak
    limit : float
        Counts above which the dead time bends a peak; such peaks are taken only where there are no others.
    most : int
        Number of peaks.
    fewest_counts : float
        Counts below which a peak tells little of the tails.
    """
    chosen = []
    for peak in sorted(peaks, key=lambda one: (one.counts > limit, -one.counts)):
        near = [one for one in peaks if one is not peak and abs(one.position - peak.position) < 9.0 * peak.fwhm]
        if peak.counts >= fewest_counts and all(one.height < 0.02 * peak.height for one in near):
            chosen.append(peak)
        if len(chosen) == most:
            break
    return chosen


def measure_shape(spectrum: Spectrum, peaks: Sequence[Peak], limit: float = np.inf) -> PeakShape:
    """Fit one shape to the strongest clean peaks together.

    Parameters
    ----------
    spectrum : Spectrum
    peaks : sequence of Peak
        As found; without any clean one the default shape is returned.
    limit : float
        Counts above which the dead time bends a peak.

    Returns
    -------
    PeakShape

    Notes
    -----
    A peak that looks single may be a doublet (CH and 13C, OH and 17O): the one that fits the common shape worst is left
    out as long as it misfits and enough others stay.
    """
    clean = clean_peaks(peaks, limit)
    if not clean:
        return PeakShape()
    while True:
        shape, misfit = _common_shape(spectrum, clean)
        worst = int(np.argmax(misfit))
        if len(clean) <= _FEWEST_PEAKS or misfit[worst] < _MISFIT:
            return shape
        clean = [peak for k, peak in enumerate(clean) if k != worst]


def _common_shape(spectrum: Spectrum, clean: Sequence[Peak]) -> tuple[PeakShape, FloatArray]:
    """The joint fit, and the deviance over degrees of freedom of each peak."""
    grids = [peak_channels(peak, 5.0, 8.0) for peak in clean]
    data = np.concatenate([spectrum.histogram(edges) for edges in grids])

    def model(theta: FloatArray) -> FloatArray:
        shape = shape_of(theta[:5])
        parts = []
        for k, edges in enumerate(grids):
            position, fwhm, total, level = theta[5 + 4 * k : 9 + 4 * k]
            peak = clean[k]
            shares = shape.shares(edges, peak.position + position * peak.fwhm, peak.fwhm * np.exp(fwhm))
            parts.append(peak.counts * np.exp(total) * shares + level * np.diff(edges))
        return np.asarray(np.maximum(np.concatenate(parts), 1e-6), dtype=np.float64)

    rows = shape_rows(PeakShape(), 1.0)
    for peak in clean:
        rows += [
            (0.0, -1.5, 1.5, 0.0, np.inf, 1e-4),
            (0.0, -1.0, 1.0, 0.0, np.inf, 1e-4),
            (0.0, -2.0, 2.0, 0.0, np.inf, 1e-4),
            (peak.background, 0.0, 0.2 * peak.height + 10.0 * peak.background + 1e-6, 0.0, np.inf, 1e-4 * peak.height),
        ]
    fit = fit_counts(CountProblem(model, CountData(data, np.ones_like(data), np.zeros_like(data)), table(rows)))
    stops = np.cumsum([edges.size - 1 for edges in grids])
    misfit = []
    for start, stop in zip(np.append(0, stops[:-1]), stops, strict=True):
        part = CountData(data[start:stop], np.ones(stop - start), np.zeros(stop - start))
        # Empty channels hardly add to the deviance; those with an expected ion or more are what can misfit.
        telling = max(int(np.sum(fit.mean[start:stop] > 1.0)), 8)
        misfit.append(part.deviance(fit.mean[start:stop]) / telling)
    return shape_of(fit.parameters[:5]), np.array(misfit)

"""Measuring the drift of the mass calibration on the strongest peaks, block of scans by block of scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import whole_raster
from depthlock.tofsims.mass_drift import MassDrift
from depthlock.tofsims.peaks import Peak
from depthlock.tofsims.raster import Raster
from depthlock.tofsims.windows import Detector, read_window

_MOST_PEAKS = 12
_FEWEST_PEAKS = 2
_FEWEST_COUNTS = 200.0
_MOST_BLOCKS = 160
_FEWEST_BLOCKS = 4
_IONS_A_BLOCK = 300.0
"""Ions of all chosen peaks that a block of scans should hold: together they are then placed to 1/40 of their width."""

_SIGNIFICANT = 12.0
"""Twice the gain in log-likelihood for which a drift is believed; one in some thousand steady files reaches it."""

_REACH = 1.0
"""Half width in FWHM of the part of a peak that is placed."""

_FARTHEST = 2.0
"""Largest drift in FWHM that is followed."""

_BENDING = 0.1
"""Shift in FWHM per ion a pulse that the dead-time correction leaves."""

_FIRST_DOUBT = 0.1
"""Disagreement of a peak with the others in FWHM before any is known: all strong peaks begin with one vote."""

_POORLY_FOLLOWED = 0.2
"""Uncertainty of the drift in FWHM that broadens peaks by some percent."""


@dataclass(frozen=True)
class PeakCourse:
    """One peak by block of scans.

    Attributes
    ----------
    counts : ndarray, shape (block, channel)
        Dead-time corrected ions about it.
    bent : ndarray, shape (block,)
        Error of its place in FWHM that the dead time leaves.
    fineness : float
        Channels a FWHM.
    width : float
        FWHM over the flight time (1).
    """

    counts: FloatArray
    bent: FloatArray
    fineness: float
    width: float

    def placed(self, stretch: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Place in each block and its variance, as stretches of the flight time.

        Each block is compared with the mean of all, aligned by `stretch`, through the score of a Poisson likelihood.
        Blocks without ions have infinite variance.
        """
        channels = self.counts.shape[1]
        moved = stretch / self.width * self.fineness
        edges = np.arange(channels + 1, dtype=np.float64)
        cumulative = np.concatenate([np.zeros((stretch.size, 1)), np.cumsum(self.counts, axis=1)], axis=1)
        aligned = np.stack(
            [np.diff(np.interp(edges + by, edges, row)) for by, row in zip(moved, cumulative, strict=True)]
        )
        mean = gaussian_filter1d(aligned.sum(axis=0), 0.08 * self.fineness)
        core = np.abs(np.arange(channels) + 0.5 - channels / 2.0) < _REACH * self.fineness
        share = np.maximum(mean[core], 1e-9 * mean[core].sum()) / mean[core].sum()
        score = -np.gradient(mean)[core] / np.maximum(mean[core], 1e-9 * mean[core].sum())
        score -= float(share @ score)
        information = float(share @ score**2)
        ions = aligned[:, core].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.where(ions > 0, aligned[:, core] @ score / (ions * information), 0.0)
            variance = np.where(ions > 0, 1.0 / (ions * information) + (self.bent * self.fineness) ** 2, np.inf)
        unit = self.width / self.fineness
        return stretch + np.clip(place, -_REACH * self.fineness, _REACH * self.fineness) * unit, variance * unit**2


def measure_drift(
    events: xr.Dataset, raster: Raster, detector: Detector, peaks: Sequence[Peak], origin: float, limit: float
) -> MassDrift:
    """Follow the places of the strongest peaks over the scans.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    raster : Raster
    detector : Detector
    peaks : sequence of Peak
        As found in the spectrum of all scans.
    origin : float
        Mass bin at which m/z is 0.
    limit : float
        Counts above which the dead time bends a peak; such peaks are taken only where there are no others.

    Returns
    -------
    MassDrift
        Zero where no drift is significant.

    Notes
    -----
    The places of all peaks in all blocks are explained by one stretch a block and one constant a peak. The stretch is a
    random walk whose step follows from the likelihood; a step of zero is no drift. A peak that disagrees with the
    others, as one of two ions whose shares change with depth, loses weight.
    """
    chosen = _chosen(peaks, limit)
    if raster.scans < _FEWEST_BLOCKS or len(chosen) < _FEWEST_PEAKS:
        return MassDrift.none(raster.scans, origin)
    read = [_read(events, raster, detector, peak) for peak in chosen]
    ions = np.sum([counts.sum(axis=1) for counts, _ in read], axis=0)
    blocks = _blocks(ions)
    number = int(blocks.max()) + 1
    if number < _FEWEST_BLOCKS:
        return MassDrift.none(raster.scans, origin)
    courses = [_course(counts, rate, blocks, peak, origin) for (counts, rate), peak in zip(read, chosen, strict=True)]
    stretch = np.zeros(number)
    reach = _FARTHEST * float(np.median([one.width for one in courses]))
    walk = _follow(courses, stretch)
    for _ in range(5):
        before, stretch = stretch, np.clip(walk.stretch, -reach, reach)
        walk = _follow(courses, stretch)
        if float(np.abs(stretch - before).max()) < 0.01 * reach:
            break
    scan = np.arange(raster.scans)
    centre = np.bincount(blocks, weights=scan) / np.bincount(blocks)
    centred = np.eye(number) - np.bincount(blocks, weights=ions)[np.newaxis, :] / ions.sum()
    std = np.interp(scan, centre, np.sqrt(np.diag(centred @ walk.covariance @ centred.T)))
    if walk.gain < _SIGNIFICANT or walk.shared_gain < 0.5 * _SIGNIFICANT:
        return MassDrift(np.zeros(raster.scans), std, origin)
    course = np.interp(scan, centre, centred @ walk.stretch)
    lost = float(np.quantile(std, 0.9)) > 0.5 * _POORLY_FOLLOWED * reach or float(np.abs(course).max()) > 0.95 * reach
    return MassDrift(course, std, origin, "mass_drift_not_followed" if lost else "")


def _chosen(peaks: Sequence[Peak], limit: float) -> list[Peak]:
    """The strongest peaks without a strong neighbour near enough to be taken for them."""
    strong = sorted(
        (one for one in peaks if one.counts > _FEWEST_COUNTS), key=lambda one: (one.counts > limit, -one.counts)
    )
    alone = [
        peak
        for peak in strong
        if not any(
            other is not peak
            and abs(other.position - peak.position) < 3.0 * peak.fwhm
            and other.counts > 0.05 * peak.counts
            for other in peaks
        )
    ]
    return alone[:_MOST_PEAKS]


def _read(events: xr.Dataset, raster: Raster, detector: Detector, peak: Peak) -> tuple[FloatArray, FloatArray]:
    """Ions about a peak by scan and channel, and ions a pulse by scan."""
    channel = max(round(peak.fwhm / 16.0), 1)
    half = int(np.ceil((_REACH + _FARTHEST) * peak.fwhm / channel))
    low = round(peak.position) - half * channel
    window = read_window(events, whole_raster(raster), detector, low, channel, 2 * half)
    rate = window.ions.sum(axis=1) / window.pulses
    return window.ions, np.where(np.isfinite(rate), rate, 0.0)


def _blocks(ions: FloatArray) -> NDArray[np.int64]:
    """Block number of each scan: neighbours joined until a block holds enough ions, at most `_MOST_BLOCKS`."""
    least = max(_IONS_A_BLOCK, float(ions.sum()) / _MOST_BLOCKS)
    number = np.zeros(ions.size, dtype=np.int64)
    current, held = 0, 0.0
    for scan, own in enumerate(ions):
        number[scan] = current
        held += float(own)
        if held >= least and float(ions[scan + 1 :].sum()) >= least:
            current, held = current + 1, 0.0
    return number


def _course(counts: FloatArray, rate: FloatArray, blocks: NDArray[np.int64], peak: Peak, origin: float) -> PeakCourse:
    number = int(blocks.max()) + 1
    gathered = np.zeros((number, counts.shape[1]))
    np.add.at(gathered, blocks, counts)
    mean = np.bincount(blocks, weights=rate, minlength=number) / np.bincount(blocks, minlength=number)
    channel = max(round(peak.fwhm / 16.0), 1)
    return PeakCourse(gathered, _BENDING * mean, peak.fwhm / channel, peak.fwhm / (peak.position - origin))


@dataclass(frozen=True)
class Walk:
    """A random walk common to all peaks.

    Attributes
    ----------
    stretch : ndarray, shape (block,)
    covariance : ndarray, shape (block, block)
    gain : float
        Twice the log-likelihood over that of no drift.
    shared_gain : float
        Loss of chi-square, without the peak that asks most for a drift.
    """

    stretch: FloatArray
    covariance: FloatArray
    gain: float
    shared_gain: float


def _follow(courses: Sequence[PeakCourse], stretch: FloatArray) -> Walk:
    """The walk on which the peaks agree, with each peak's disagreement found by the way."""
    placed = [one.placed(stretch) for one in courses]
    place, variance = (np.stack(part) for part in zip(*placed, strict=True))
    width = np.array([one.width for one in courses])
    doubt = (_FIRST_DOUBT * width) ** 2
    walk = random_walk(place, variance + doubt[:, np.newaxis])
    for _ in range(3):
        doubt = np.array(
            [
                _excess(*pair)
                for pair in zip(_residuals(place, variance + doubt[:, np.newaxis], walk), variance, strict=True)
            ]
        )
        walk = random_walk(place, variance + doubt[:, np.newaxis])
    return walk


def _residuals(place: FloatArray, variance: FloatArray, walk: Walk) -> FloatArray:
    left = place - walk.stretch
    weight = 1.0 / variance
    return np.asarray(left - (np.sum(weight * left, axis=1) / weight.sum(axis=1))[:, np.newaxis])


def _excess(residual: FloatArray, variance: FloatArray) -> float:
    """Variance beyond counting with which the residuals of a peak have the chi-square they should."""
    told = np.isfinite(variance)
    square, own, freedom = residual[told] ** 2, variance[told], max(int(told.sum()) - 1, 1)
    if float(np.sum(square / own)) <= freedom:
        return 0.0
    low, high = 0.0, float(square.max()) * freedom
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(np.sum(square / (own + middle))) > freedom else (low, middle)
    return high


def random_walk(place: FloatArray, variance: FloatArray) -> Walk:
    """Fit ``place[k, b] = constant[k] + walk[b]`` with a random walk whose step has the likeliest variance.

    Parameters
    ----------
    place, variance : ndarray, shape (peak, block)
        Infinite variance where nothing was measured.

    Notes
    -----
    Linear and Gaussian: for each step variance the posterior is one solution of the normal equations, and the
    likelihood (constants and walk integrated out) follows from their determinant.
    """
    blocks = place.shape[1]
    weight = np.where(np.isfinite(variance), 1.0 / variance, 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-300)
    constant = np.sum(weight * place, axis=1) / total
    # Without a drift the peaks' constants alone explain the places; with one, what they leave is the data.
    left = place - constant[:, np.newaxis]
    right = np.sum(weight * left, axis=0)
    # Constants integrated out: information on the walk alone.
    information = np.diag(weight.sum(axis=0)) - (weight / total[:, np.newaxis]).T @ weight
    difference = np.diff(np.eye(blocks), axis=0)
    rough = difference.T @ difference
    unit = 1.0 / max(float(np.median(weight.sum(axis=0))), 1e-300)
    anchor = np.full((blocks, blocks), 1e-3 / unit / blocks)
    gains, walks, covariances = [], [], []
    steps = unit * np.logspace(-5.0, 3.0, 33)
    for step in steps:
        prior = rough / step + anchor
        covariance = np.linalg.inv(information + prior)
        walks.append(covariance @ right)
        covariances.append(covariance)
        narrowing = np.linalg.slogdet(information + prior)[1] - np.linalg.slogdet(prior)[1]
        gains.append(float(right @ walks[-1]) - float(narrowing))
    # Averaged over the steps, which are not known, by their likelihood; all standard deviations are as likely before.
    belief = np.exp(0.5 * (np.array(gains) - max(gains))) * np.sqrt(steps)
    belief /= belief.sum()
    walk = np.asarray(belief @ np.stack(walks))
    spread = np.stack(walks) - walk
    covariance = np.einsum("s,sij->ij", belief, np.stack(covariances)) + (belief * spread.T) @ spread
    after = left - walk
    after = after - (np.sum(weight * after, axis=1) / total)[:, np.newaxis]
    own = np.sum(weight * (left**2 - after**2), axis=1)
    return Walk(walk, covariance, max(gains), float(own.sum() - own.max()))

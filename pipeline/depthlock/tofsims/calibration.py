"""Mass calibration from peaks found in the spectrum: a consensus of ions, without trust in the file's header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from depthlock.model.ions import Ion
from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.peaks import Peak
from depthlock.tofsims.spectrum import PICOSECOND, MassScale

HEADER_TOLERANCE = 1200e-6
"""How far the file's own mass scale may be off, relative."""

_FAR_OFF = 6000e-6
"""The same for a second try: scales of another instrument setting; only many ions are then believed."""

CONSENSUS = 30e-6
"""How near a peak must lie to its ion to count for a trial scale, relative."""

_FEWEST = 4
_FEWEST_FAR_OFF = 7

_FILE_ERROR = 20e-6
"""Relative error of a file's own scale that is asked to be taken as right."""

_FILE_OFF = 3.0
"""Standard errors from which known ions contradict it."""


@dataclass(frozen=True)
class Calibration:
    """A mass scale with its evidence.

    Attributes
    ----------
    scale : MassScale
        With covariance and scatter.
    ions : tuple of str
        Labels of the ions it rests on.
    mz : ndarray, shape (calibrant,)
        Their exact m/z in Da.
    residual : ndarray, shape (calibrant,)
        Measured minus exact m/z after the fit, in ppm.
    residual_std : ndarray, shape (calibrant,)
        Counting error of the measured m/z in ppm.
    header_shift : float
        How far the file's scale was off at the median calibrant, in ppm.
    coverage : float
        Factor on standard errors that makes a 95 % interval, wider than 1.96 with few calibrants.
    flag : str
        Reasons not to trust it, or empty.
    """

    scale: MassScale
    ions: tuple[str, ...]
    mz: FloatArray
    residual: FloatArray
    residual_std: FloatArray
    header_shift: float
    coverage: float
    flag: str


def calibrate(peaks: Sequence[Peak], ions: Sequence[Ion], header: MassScale) -> Calibration:
    """Fit the mass scale to the peaks of a spectrum.

    Parameters
    ----------
    peaks : sequence of Peak
        With measured positions.
    ions : sequence of Ion
        Candidates of the right polarity.
    header : MassScale
        The file's own scale. It should be right to within `HEADER_TOLERANCE`; if no consensus is found there, one of
        many ions is looked for further away.

    Returns
    -------
    Calibration
        The header's scale and flag ``calibration_not_trusted`` where no consensus is found.

    Notes
    -----
    Every pair of (peak, ion) matches proposes a scale; the one on which most strong peaks meet an ion wins. It is then
    refined by weighted least squares with outliers removed; the scatter that counting does not explain (peak shapes
    differ between ions) is estimated and belongs to the error of every mass.
    """
    near = _calibrated(peaks, ions, header, HEADER_TOLERANCE)
    if near.flag:
        far = _calibrated(peaks, ions, header, _FAR_OFF)
        if not far.flag and len(far.ions) >= max(_FEWEST_FAR_OFF, 2 * len(near.ions)):
            return far
    return near


def _calibrated(peaks: Sequence[Peak], ions: Sequence[Ion], header: MassScale, tolerance: float) -> Calibration:
    pairs = _possible_pairs(peaks, ions, header, tolerance)
    if len({match[0] for match in pairs}) < 2:
        return _header_only(header, "calibration_not_trusted")
    position = np.array([peaks[i].position for i, _ in pairs]) * header.bin_width * PICOSECOND
    root = np.sqrt(np.array([ions[k].mz for _, k in pairs]))
    error = np.array([peaks[i].position_std for i, _ in pairs]) * header.bin_width * PICOSECOND
    weight = np.log10(np.array([max(peaks[i].counts, 10.0) for i, _ in pairs]))
    owner = np.array([i for i, _ in pairs])
    target = np.array([k for _, k in pairs])
    trial = _consensus(position, root, weight, owner, target, header, tolerance)
    if trial is None:
        return _header_only(header, "calibration_not_trusted")
    slope, offset, score, rival = trial
    return _refine(slope, offset, position, root, error, owner, target, ions, header, score, rival)


def _possible_pairs(
    peaks: Sequence[Peak], ions: Sequence[Ion], header: MassScale, tolerance: float
) -> list[tuple[int, int]]:
    """Peak and ion numbers that lie within the header's tolerance, for the 80 strongest peaks."""
    strongest = sorted(range(len(peaks)), key=lambda i: -peaks[i].counts)[:80]
    masses = np.array([ion.mz for ion in ions])
    pairs = []
    for i in strongest:
        measured = float(header.mz(peaks[i].position))
        # At low mass the offset may be wrong by more than the slope's ppm: a floor of 3 mDa.
        near = np.abs(masses - measured) < np.maximum(tolerance * masses, 0.003)
        pairs += [(i, int(k)) for k in np.flatnonzero(near)]
    return pairs


def _consensus(
    position: FloatArray,
    root: FloatArray,
    weight: FloatArray,
    owner: np.ndarray,
    target: np.ndarray,
    header: MassScale,
    tolerance: float,
) -> tuple[float, float, float, float] | None:
    """Slope, offset, score and the best score of a clearly different scale."""
    order = np.argsort(-weight, kind="stable")[:70]
    trials = []
    for a in range(order.size):
        for b in range(a):
            i, j = order[a], order[b]
            if (
                owner[i] == owner[j]
                or target[i] == target[j]
                or not max(root[i], root[j]) / min(root[i], root[j]) > 1.15
            ):
                continue
            slope = (root[i] - root[j]) / (position[i] - position[j])
            trials.append((slope, root[i] - slope * position[i]))
    if not trials:
        return None
    scales = np.array(trials)
    probe = np.quantile(root, [0.1, 0.9])
    time = (probe - header.offset) / header.slope
    shift = 2.0 * (scales[:, :1] * time + scales[:, 1:] - probe) / probe
    scales, shift = (part[np.all(np.abs(shift) < tolerance, axis=1)] for part in (scales, shift))
    if scales.shape[0] == 0:
        return None
    scores = np.empty(scales.shape[0])
    owners = np.unique(owner)
    column = np.searchsorted(owners, owner)
    for n, (slope, offset) in enumerate(scales):
        off = 2.0 * (slope * position + offset - root) / root
        value = weight * np.maximum(1.0 - (off / CONSENSUS) ** 2, 0.0)
        best = np.zeros(owners.size)
        np.maximum.at(best, column, value)
        scores[n] = best.sum()
    winner = int(np.argmax(scores))
    apart = np.any(np.abs(shift - shift[winner]) > 3.0 * CONSENSUS, axis=1)
    rival = float(scores[apart].max()) if apart.any() else 0.0
    return float(scales[winner, 0]), float(scales[winner, 1]), float(scores[winner]), rival


def _refine(
    slope: float,
    offset: float,
    position: FloatArray,
    root: FloatArray,
    error: FloatArray,
    owner: np.ndarray,
    target: np.ndarray,
    ions: Sequence[Ion],
    header: MassScale,
    score: float,
    rival: float,
) -> Calibration:
    tolerance, scatter = CONSENSUS, 5e-6
    chosen = np.zeros(0, dtype=np.int64)
    covariance: FloatArray = np.zeros((2, 2))
    for _ in range(12):
        off = 2.0 * (slope * position + offset - root) / root
        limit = np.minimum(tolerance, 3.3 * np.hypot(2.0 * slope * error / root, max(scatter, 2e-6)))
        chosen = _nearest_matches(off, owner, target, limit)
        if chosen.size < 2:
            return _header_only(header, "calibration_not_trusted")
        counting = 2.0 * slope * error[chosen] / root[chosen]
        sigma = np.hypot(counting, scatter) * root[chosen] / 2.0
        design = np.column_stack([position[chosen], np.ones(chosen.size)]) / sigma[:, np.newaxis]
        covariance = np.asarray(np.linalg.inv(design.T @ design), dtype=np.float64)
        slope, offset = (float(value) for value in covariance @ (design.T @ (root[chosen] / sigma)))
        off = 2.0 * (slope * position[chosen] + offset - root[chosen]) / root[chosen]
        scatter = _excess_scatter(off, counting, chosen.size - 2)
        tolerance = float(np.clip(4.0 * 1.4826 * np.median(np.abs(off)) + 2e-6, 6e-6, CONSENSUS))
    few, ambiguous = chosen.size < _FEWEST, rival > 0.8 * score
    if chosen.size < 3 or (few and ambiguous):
        # Two ions always lie on some scale.
        return _header_only(header, "calibration_not_trusted")
    freedom = max(chosen.size - 2, 1)
    scale = MassScale(slope, offset, header.bin_width, covariance, scatter)
    labels = tuple(ions[k].label for k in target[chosen])
    mz = np.array([ions[k].mz for k in target[chosen]])
    shift = float(np.median(header.mz(scale.position(mz)) / mz - 1.0)) * 1e6
    flag = join_flags(
        "calibration_few_ions" if few else "",
        "calibration_ambiguous" if ambiguous else "",
    )
    # With much counting error the scatter is a known zero; with none it rests on the few residuals alone.
    known = float(np.median(counting**2 / (counting**2 + scatter**2)))
    coverage = NORMAL_95 if known > 0.8 else float(student.ppf(0.975, freedom))
    return Calibration(scale, labels, mz, off * 1e6, counting * 1e6, shift, coverage, flag)


def _nearest_matches(off: FloatArray, owner: np.ndarray, target: np.ndarray, tolerance: FloatArray) -> np.ndarray:
    """One match a peak and a match an ion: the nearest within its tolerance."""
    taken_peaks: set[int] = set()
    taken_ions: set[int] = set()
    chosen = []
    for n in np.argsort(np.abs(off), kind="stable"):
        if abs(off[n]) > tolerance[n]:
            continue
        if int(owner[n]) in taken_peaks or int(target[n]) in taken_ions:
            continue
        taken_peaks.add(int(owner[n]))
        taken_ions.add(int(target[n]))
        chosen.append(int(n))
    return np.array(sorted(chosen), dtype=np.int64)


def _excess_scatter(off: FloatArray, counting: FloatArray, freedom: int) -> float:
    """Scatter beyond counting at which the weighted residuals have the chi-square they should."""
    if freedom < 1:
        return 5e-6
    low, high = 0.0, 60e-6
    if np.sum(off**2 / np.maximum(counting, 1e-9) ** 2) <= freedom:
        return 0.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        if np.sum(off**2 / (counting**2 + middle**2)) > freedom:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _header_only(header: MassScale, flag: str) -> Calibration:
    """The file's scale as it is, with an error as large as headers are known to be wrong."""
    scale = MassScale(header.slope, header.offset, header.bin_width, np.zeros((2, 2)), 300e-6)
    empty = np.zeros(0)
    return Calibration(scale, (), empty, empty, empty, 0.0, NORMAL_95, flag)


def file_calibration(peaks: Sequence[Peak], ions: Sequence[Ion], header: MassScale) -> Calibration:
    """The file's own scale taken as it is, as the option ``calibration: file`` asks, and what known ions say of it.

    Parameters
    ----------
    peaks, ions, header
        As for `calibrate`.

    Returns
    -------
    Calibration
        With the residuals of the ions that a refit rests on. Flag ``calibration_not_trusted`` where no refit is
        possible, so that nothing confirms the scale, and ``calibration_off`` where known ions contradict it; its error
        is then as large as they lie off.
    """
    refit = calibrate(peaks, ions, header)
    if not refit.ions:
        return _header_only(header, refit.flag)
    residual = (header.mz(refit.scale.position(refit.mz)) / refit.mz - 1.0) * 1e6 + refit.residual
    off = float(np.sqrt(np.mean(residual**2))) * 1e-6
    scale = MassScale(header.slope, header.offset, header.bin_width, np.zeros((2, 2)), max(_FILE_ERROR, off))
    flag = "calibration_off" if off > _FILE_OFF * _FILE_ERROR else ""
    return Calibration(scale, refit.ions, refit.mz, residual, refit.residual_std, refit.header_shift, NORMAL_95, flag)

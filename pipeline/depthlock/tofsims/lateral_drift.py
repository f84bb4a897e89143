"""Lateral drift: how the sample moved under the raster, scan by scan, to fractions of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.image_registration import Registration, structure_of
from depthlock.tofsims.scan_survey import ScanSurvey

BELIEVED = 5.0
"""Twice the gain in log-evidence from which a drift is believed."""

FAR = 2.0
"""Standard errors by which a believed path must leave its mean somewhere."""

_IONS_A_CELL = 12.0
_MOST_BLOCKS = 24

_COHERENCE = (0.1, 0.2, 0.4, 1.0, 4.0)
"""Depths over which structure is forgotten, in the whole measurement."""

_NEAR = 2.0
"""Blocks over which the first alignment looks, so that it does not settle on a false likeness of far ones."""

_EVEN = (1.0, 4.0)
_WANDER = (0.1, 0.5, 1.5)
"""Standard deviations in cells that an even drift and a random walk may have from the first to the last scan."""

_TRENDS = 7
_FARTHEST = 0.12
"""Even drifts from which the search begins: number an axis, and the largest in sides of the image."""


@dataclass(frozen=True)
class LateralDrift:
    """The way of the sample under the raster.

    Attributes
    ----------
    path, std : ndarray, shape (scan, 2)
        Rows and columns in pixels by which the sample lies off its mean place, and the standard error; zero and NaN
        where none could be measured.
    gain : float
        Twice the gain in log-evidence over no drift.
    """

    path: FloatArray
    std: FloatArray
    gain: float

    @property
    def shift(self) -> NDArray[np.int64]:
        """Whole pixels by which the raster of each scan is moved, shape (scan, 2); zero if no drift is believed."""
        if not self.believed:
            return np.zeros(self.path.shape, dtype=np.int64)
        return np.rint(self.path).astype(np.int64)

    @property
    def believed(self) -> bool:
        """Whether the path is more than noise and more than what changing structure feigns."""
        return self.gain >= BELIEVED and bool((np.abs(self.path) > FAR * self.std).any())


def measure_lateral_drift(survey: ScanSurvey, used: NDArray[np.bool_]) -> LateralDrift:
    """Follow the structure of the images of all ions from scan to scan.

    Parameters
    ----------
    survey : ScanSurvey
    used : ndarray of bool, shape (scan,)
        Scans measured whole.

    Returns
    -------
    LateralDrift

    Notes
    -----
    Scans are summed to blocks that hold enough ions. The path is the most likely one given all blocks together, an even
    drift and a random walk. The sizes of both, and the depth over which structure is forgotten, are not known: all are
    averaged by their evidence. Where there is no structure, as in many a substrate, the even drift goes on and the
    error grows. No drift has its depths of coherence, too: structure that changes with depth is no drift.
    """
    scans = used.size
    images, share = _blocks(survey, used)
    blocks = len(images)
    none = LateralDrift(np.zeros((scans, 2)), np.full((scans, 2), np.nan), 0.0)
    if blocks < 3 or min(images.shape[1:]) < 8:
        return none
    structure = structure_of(images)
    if structure is None:
        return none
    near = Registration.of(structure, _NEAR)
    priors = [_prior(scans, even, wander) for even in _EVEN for wander in _WANDER]
    middle = share @ priors[-2] @ share.T
    first = near.most_likely(np.zeros((blocks, 2)), middle, 6)
    still, tried = [], []
    for coherence in _COHERENCE:
        register = Registration.of(structure, coherence * blocks)
        still.append(register.likelihood(np.zeros((blocks, 2)))[0])
        starts = [first, *_trends(register, share, min(images.shape[1:]))]
        paths = [register.most_likely(start, middle, 15) for start in starts]
        merit = [register.evidence(path, middle) for path in paths]
        likeliest = paths[int(np.argmax(merit))]
        for prior in priors:
            path = register.most_likely(likeliest, share @ prior @ share.T, 15)
            tried.append(_at_scans(register, path, prior, share, used))
    gain = 2.0 * (_log_mean([one.evidence for one in tried]) - _log_mean(still))
    return _averaged(tried, gain, survey.cell)


@dataclass(frozen=True)
class _Course:
    """A path with one set of assumptions: path and variance, shape (scan, 2), in cells, and its log-evidence."""

    path: FloatArray
    variance: FloatArray
    evidence: float


def _averaged(tried: list[_Course], gain: float, cell: int) -> LateralDrift:
    """All courses by their evidence; what they disagree on is an error."""
    evidence = np.array([one.evidence for one in tried])
    belief = np.exp(evidence - evidence.max())
    belief /= belief.sum()
    paths = np.stack([one.path for one in tried])
    path = np.einsum("c,csa->sa", belief, paths)
    within = np.einsum("c,csa->sa", belief, np.stack([one.variance for one in tried]))
    between = np.einsum("c,csa->sa", belief, (paths - path) ** 2)
    return LateralDrift(path * cell, np.sqrt(within + between) * cell, gain)


def _log_mean(logarithms: list[float]) -> float:
    """Logarithm of the mean of numbers given by theirs."""
    largest = max(logarithms)
    return largest + float(np.log(np.mean(np.exp(np.array(logarithms) - largest))))


def _blocks(survey: ScanSurvey, used: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Images of blocks of scans, with noise of unit variance, shape (block, y, x), and the share of each scan in them.

    Blocks hold equally many ions: the substrate may be far brighter than the layer.
    """
    chosen = np.flatnonzero(used)
    total = survey.images[chosen].sum(axis=(1, 2), dtype=np.float64)
    cells = survey.images.shape[1] * survey.images.shape[2]
    number = int(np.clip(total.sum() / (cells * _IONS_A_CELL), 1, min(_MOST_BLOCKS, max(chosen.size // 2, 1))))
    running = np.cumsum(total) / max(float(total.sum()), 1.0)
    block = np.minimum((running * number * (1.0 - 1e-12)).astype(np.int64), number - 1)
    images, shares = [], []
    for which in np.unique(block):
        scans = chosen[block == which]
        counts = survey.images[scans].sum(axis=0, dtype=np.float64)
        mean = max(float(counts.mean()), 1e-9)
        images.append((counts - mean) / np.sqrt(mean))
        share = np.zeros(used.size)
        share[scans] = total[block == which] / max(float(total[block == which].sum()), 1e-9)
        shares.append(share)
    return np.stack(images), np.stack(shares)


def _prior(scans: int, even: float, wander: float) -> FloatArray:
    """Covariance of a centred path (scan, scan) in cells^2: an even drift and a random walk."""
    scan = np.arange(scans, dtype=np.float64)
    time = (scan - scan.mean()) / scans
    walk = np.minimum.outer(scan, scan) / scans
    centred = np.eye(scans) - 1.0 / scans
    return np.asarray(even**2 * np.outer(time, time) + wander**2 * centred @ walk @ centred, dtype=np.float64)


def _trends(register: Registration, share: FloatArray, side: int) -> list[FloatArray]:
    """The three likeliest even drifts of a grid."""
    scans = share.shape[1]
    time = share @ (np.arange(scans) - 0.5 * (scans - 1)) / scans
    steps = np.linspace(-_FARTHEST * side, _FARTHEST * side, _TRENDS)
    paths = [np.outer(time, (along, across)) for along in steps for across in steps]
    return sorted(paths, key=lambda path: -register.likelihood(path)[0])[:3]


def _at_scans(
    register: Registration, path: FloatArray, prior: FloatArray, share: FloatArray, used: NDArray[np.bool_]
) -> _Course:
    """The path of the blocks carried to the scans, with its errors."""
    seen = share @ prior @ share.T
    across = prior @ share.T
    drive = register.drive(path, seen)
    centred = np.eye(used.size) - used[np.newaxis, :] / used.sum()
    moved, variance = [], []
    for axis, information in enumerate(register.information):
        told = np.linalg.solve(np.eye(len(path)) + information @ seen, information)
        covariance = centred @ (prior - across @ told @ across.T) @ centred.T
        moved.append(centred @ across @ drive[:, axis])
        variance.append(np.maximum(np.diag(covariance), 0.0))
    return _Course(np.stack(moved, axis=1), np.stack(variance, axis=1), register.evidence(path, seen))

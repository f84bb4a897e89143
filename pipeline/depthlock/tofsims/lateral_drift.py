"""Lateral drift: how the sample moved under the raster, scan by scan, to fractions of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.scan_survey import ScanSurvey

BELIEVED = 16.0
"""Twice the gain in log-likelihood from which a drift is believed."""

FAR = 4.0
"""Standard errors by which a believed path must leave its mean somewhere."""

PERSISTENT = 0.87
"""Likeness of far blocks over that of neighbours from which the same structure is followed."""

_IONS_A_CELL = 12.0
_MOST_BLOCKS = 32
_LAGS = (1, 2, 3, 5, 8)
"""Distances in blocks of the pairs that are compared; structure changes with depth, so far ones have less in common."""

_SMOOTHING = 1.0
"""Sigma in cells of the filter against counting noise."""

_STEPS = np.geomspace(1e-3, 3.0, 18)
"""Steps in cells from block to block that the random walk may have."""

_UPSAMPLING = 50

_LEAST_COMMON = 0.25
"""Correlation of two images below which they are not compared."""

_FARTHEST = 4.0
"""Cells by which two compared blocks may lie apart; noise is alike anywhere."""

_BLIND_STEP = 0.5
"""Error in cells of the step between neighbouring blocks that cannot be compared."""


@dataclass(frozen=True)
class LateralDrift:
    """The way of the sample under the raster.

    Attributes
    ----------
    path, std : ndarray, shape (scan, 2)
        Rows and columns in pixels by which the sample lies off its mean place, and the standard error; zero and NaN
        where none could be measured.
    gain : float
        Twice the gain in log-likelihood over no drift.
    persistence : float
        How alike far blocks are, over how alike neighbours are: structure that changes with depth seems to move.
    """

    path: FloatArray
    std: FloatArray
    gain: float
    persistence: float

    @property
    def shift(self) -> NDArray[np.int64]:
        """Whole pixels by which the raster of each scan is moved, shape (scan, 2); zero if no drift is believed."""
        if not self.believed:
            return np.zeros(self.path.shape, dtype=np.int64)
        return np.rint(self.path).astype(np.int64)

    @property
    def believed(self) -> bool:
        """Whether the path is more than noise and more than what changing structure feigns."""
        far = np.abs(self.path) > FAR * self.std
        return self.gain >= BELIEVED and self.persistence >= PERSISTENT and bool(far.any())


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
    Scans are summed to blocks that hold enough ions, whose stabilised (Anscombe) images are compared in pairs by
    cross-correlation in the frequency domain (Guizar-Sicairos et al., Opt. Lett. 33 (2008) 156). The errors of a pair
    follow from how much of the images is common and how fine it is. A random walk joins the pairs; its step is the most
    likely one, and a step of zero means no drift. Pairs share images and are no independent evidence: together they
    count as one comparison a block.
    """
    scans = used.size
    images, centres = _blocks(survey, used)
    blocks = centres.size
    none = LateralDrift(np.zeros((scans, 2)), np.full((scans, 2), np.nan), 0.0, 0.0)
    if blocks < 3 or min(images.shape[1:]) < 8:
        return none
    compared = _pairs(images)
    pairs = [pair for pair in compared if pair.alike]
    if not pairs:
        return none
    path, covariance, gain, step = _joined(pairs, blocks)
    covariance = covariance + _evolution(pairs, blocks)
    moved = np.stack([_between(centres, path[:, axis], scans) for axis in (0, 1)], axis=1) * survey.cell
    variance = np.interp(np.arange(scans), centres, np.diag(covariance)) + step**2 * _unseen(centres, scans)
    error = np.sqrt(variance) * survey.cell
    moved -= moved[used].mean(axis=0)
    return LateralDrift(moved, np.repeat(error[:, np.newaxis], 2, axis=1), gain, _persistence(compared))


def _between(centres: FloatArray, values: FloatArray, scans: int) -> FloatArray:
    """Values of blocks at every scan: on straight lines, of which the first and last go on to the ends."""
    first = values[0] - centres[0] * (values[1] - values[0]) / (centres[1] - centres[0])
    beyond = scans - 1 - centres[-1]
    last = values[-1] + beyond * (values[-1] - values[-2]) / (centres[-1] - centres[-2])
    places = np.concatenate([[-1e-9], centres, [scans - 1 + 1e-9]])
    return np.asarray(np.interp(np.arange(scans), places, np.concatenate([[first], values, [last]])), dtype=np.float64)


def _unseen(centres: FloatArray, scans: int) -> FloatArray:
    """Variance of a random walk of unit steps from block to block at the scans between and beyond their centres."""
    place = _between(centres, np.arange(centres.size, dtype=np.float64), scans)
    within = place - np.floor(place)
    beyond = np.maximum(np.maximum(-place, place - (centres.size - 1)), 0.0)
    return np.asarray(np.where(beyond > 0, beyond, within * (1.0 - within)), dtype=np.float64)


@dataclass(frozen=True)
class _Pair:
    first: int
    second: int
    moved: FloatArray
    variance: float
    common: float
    alike: bool


def _blocks(survey: ScanSurvey, used: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Stabilised, smoothed images of blocks of scans, shape (block, y, x), and their mean scans."""
    chosen = np.flatnonzero(used)
    total = survey.images[chosen].sum(axis=(1, 2), dtype=np.float64)
    cells = survey.images.shape[1] * survey.images.shape[2]
    number = int(np.clip(total.sum() / (cells * _IONS_A_CELL), 1, min(_MOST_BLOCKS, max(chosen.size // 2, 1))))
    # Blocks of equally many ions: the substrate may be far brighter than the layer.
    share = np.cumsum(total) / max(float(total.sum()), 1.0)
    block = np.minimum((share * number * (1.0 - 1e-12)).astype(np.int64), number - 1)
    images, centres = [], []
    for which in np.unique(block):
        scans = chosen[block == which]
        counts = survey.images[scans].sum(axis=0, dtype=np.float64)
        stable = 2.0 * np.sqrt(counts + 0.375)
        images.append(gaussian_filter(stable - stable.mean(), _SMOOTHING, mode="nearest"))
        centres.append(float(scans.mean()))
    return np.stack(images), np.array(centres)


def _pairs(images: FloatArray) -> list[_Pair]:
    from scipy.signal.windows import tukey
    from skimage.registration import phase_cross_correlation

    window = np.outer(*(tukey(size, 0.4) for size in images.shape[1:]))
    seen = images * window
    power = np.mean(seen**2, axis=(1, 2))
    sharpness, independent = _information(seen)
    pairs = []
    for lag in _LAGS:
        for first in range(images.shape[0] - lag):
            second = first + lag
            moved, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]  # scikit-image has no types
                seen[second], seen[first], upsample_factor=_UPSAMPLING, normalization=None
            )
            common = _common(seen[first], seen[second], moved) / np.sqrt(power[first] * power[second])
            alike = common >= max(4.0 / np.sqrt(independent), _LEAST_COMMON) and np.abs(moved).max() <= _FARTHEST
            variance = 2.0 * max(1.0 - common, 0.0) / (max(common, 1e-3) * sharpness) + 0.5 / _UPSAMPLING**2
            way = np.asarray(moved, dtype=np.float64)
            pairs.append(_Pair(first, second, way, variance, common if alike else 0.0, bool(alike)))
    return pairs


def _persistence(compared: list[_Pair]) -> float:
    """Median likeness of far blocks over that of neighbours, of blocks that show structure; 0 without far ones."""
    near = [pair for pair in compared if pair.second == pair.first + 1 and pair.alike]
    seen = {block for pair in near for block in (pair.first, pair.second)}
    reach = max((pair.second - pair.first for pair in compared if {pair.first, pair.second} <= seen), default=1)
    far = [
        pair.common
        for pair in compared
        if 2 * (pair.second - pair.first) > reach > 1 and {pair.first, pair.second} <= seen
    ]
    return float(np.median(far) / np.median([pair.common for pair in near])) if far else 0.0


def _information(images: FloatArray) -> tuple[float, float]:
    """What the structure can tell, from its power spectrum P over wave numbers k.

    Returns
    -------
    sharpness : float
        ``(sum k^2 P)^2 / sum k^2 P^2`` in 1/cell^2: over this falls the variance of a place. What two images do not
        share is taken to have the spectrum of what they share, as structure that changes with depth has.
    independent : float
        ``(sum P)^2 / sum P^2``, the number of independent parts. Coarse structures look alike by chance.
    """
    spectrum = gaussian_filter(np.mean(np.abs(np.fft.fft2(images)) ** 2, axis=0), 1.0, mode="wrap")
    ky, kx = (2.0 * np.pi * np.fft.fftfreq(size) for size in images.shape[1:])
    squared = 0.5 * (ky[:, np.newaxis] ** 2 + kx[np.newaxis, :] ** 2)
    sharpness = np.sum(squared * spectrum) ** 2 / max(float(np.sum(squared * spectrum**2)), 1e-300)
    return float(sharpness), float(np.sum(spectrum) ** 2 / max(float(np.sum(spectrum**2)), 1e-300))


def _common(first: FloatArray, second: FloatArray, moved: FloatArray) -> float:
    """Mean product of two images after the first has been moved onto the second."""
    from scipy.ndimage import shift

    return float(np.mean(shift(first, moved, order=1, mode="nearest") * second))


def _joined(pairs: list[_Pair], blocks: int) -> tuple[FloatArray, FloatArray, float, float]:
    """The most likely random walk: path (block, 2) in cells, covariance (block, block), gain, step."""
    lags = len({pair.second - pair.first for pair in pairs})
    precision, pull = np.zeros((blocks, blocks)), np.zeros((blocks, 2))
    for pair in pairs:
        direction = np.zeros(blocks)
        direction[pair.first], direction[pair.second] = -1.0, 1.0
        precision += np.outer(direction, direction) / (pair.variance * lags)
        pull += np.outer(direction, pair.moved) / (pair.variance * lags)
    scale = _scatter(pairs, precision, pull)
    precision, pull = precision / scale, pull / scale
    # Steps between blocks stand for the path: its mean is free.
    into_path = np.tril(np.ones((blocks, blocks - 1)), -1)
    information, drive = into_path.T @ precision @ into_path, into_path.T @ pull
    best, gain, size = np.zeros((blocks - 1, 2)), 0.0, 0.0
    covariance = np.zeros((blocks - 1, blocks - 1))
    for step in _STEPS:
        prior = np.eye(blocks - 1) / step**2
        steps = np.linalg.solve(information + prior, drive)
        _, grown = np.linalg.slogdet(np.eye(blocks - 1) + step**2 * information)
        rise = float(np.sum(steps * drive)) - 2.0 * float(grown)
        if rise > gain or step == _STEPS[0]:
            best, gain, covariance, size = steps, rise, np.linalg.inv(information + prior), float(step)
    centred = into_path - into_path.mean(axis=0)
    return centred @ best, centred @ covariance @ centred.T, max(gain, 0.0), size


def _evolution(pairs: list[_Pair], blocks: int) -> FloatArray:
    """Covariance of the path (block, block) from structure that changes with depth.

    What neighbouring images do not share moves their common place at random, and these errors add up from block to
    block: far pairs that follow the same structure do not take them away.
    """
    step = np.full(blocks - 1, _BLIND_STEP**2)
    for pair in pairs:
        if pair.second == pair.first + 1:
            step[pair.first] = min(pair.variance, _BLIND_STEP**2)
    into_path = np.tril(np.ones((blocks, blocks - 1)), -1)
    centred = into_path - into_path.mean(axis=0)
    return np.asarray((centred * step) @ centred.T, dtype=np.float64)


def _scatter(pairs: list[_Pair], precision: FloatArray, pull: FloatArray) -> float:
    """Variance of the pairs about a free path over the expected one, at least 1."""
    path = np.linalg.pinv(precision, hermitian=True) @ pull
    residual = [(pair.moved - path[pair.second] + path[pair.first]) ** 2 / pair.variance for pair in pairs]
    return max(float(np.median(residual)) / 0.455, 1.0)

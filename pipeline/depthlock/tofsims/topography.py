"""The substrate's interface as a surface: its time in every part of the raster, smoothed as far as counts demand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.gaussian_field import Averages, SmoothField, smooth

CELLS = 32
"""Most cells of the map a side."""

BELIEVED = 10.0
"""Twice the gain in log-likelihood from which the interface is not flat."""

_DRAWS = 300
_MOST_LEAVES = 400
_FEWEST_IONS = 40.0
_LOG_SHARES = np.linspace(-2.4, 2.4, 17)
_SHARE_STD = 0.8
"""Scatter of the logarithm of what is counted beside the rise: layers have domains."""

_SHARPEST = 0.2
"""Error of a part's time, in widths of the rise, that its counts should allow: its likelihood is then nearly normal."""

_LOST = 1.0
"""Error in widths of the rise from which nothing was found."""


@dataclass(frozen=True)
class Rise:
    """The mean rise of the substrate's ions, and what else is counted with them.

    Attributes
    ----------
    time : ndarray, shape (scan,)
        In s, ascending.
    level : ndarray, shape (scan,)
        Expected counts of the rise above the layer's level, up to a factor.
    beside : ndarray, shape (scan,)
        The layer's level, neighbouring ions and background; their share differs from place to place.
    middle, width : float
        Time of half height and 16-84 % width in s.
    """

    time: FloatArray
    level: FloatArray
    beside: FloatArray
    middle: float
    width: float

    def moved(self, late: FloatArray, beside: float) -> FloatArray:
        """Expected counts where the interface comes later by `late` s, with `beside` times the rest; (late, scan)."""
        at = self.time[np.newaxis, :] - late[:, np.newaxis]
        level = np.interp(at, self.time, self.level) + beside * np.interp(at, self.time, self.beside)
        return np.asarray(np.maximum(level, 1e-9 * float(self.level.max())), dtype=np.float64)

    def narrowed(self, spread: float) -> Rise:
        """The rise of a column, when columns scatter by a standard deviation of `spread` s."""
        own = np.sqrt(max(self.width**2 - (2.0 * spread) ** 2, (0.5 * self.width) ** 2))
        stretched = self.middle + (self.time - self.middle) * self.width / own
        return replace(self, level=np.interp(stretched, self.time, self.level), width=float(own))


@dataclass(frozen=True)
class Topography:
    """The interface's surface.

    Attributes
    ----------
    late : ndarray, shape (y, x)
        Time in s by which the interface comes later than its mean; NaN outside the region.
    std : ndarray, shape (y, x)
    roughness, slope : tuple of float
        Standard deviation of the surface in s, and its root mean square slope in s a cell: value, std, 95 % interval.
    gain : float
        Twice the gain in log-likelihood over a flat interface.
    leaves, lost : int
        Parts of the raster that were fitted, and those in which no rise was found.
    """

    late: FloatArray
    std: FloatArray
    roughness: tuple[float, float, float, float]
    slope: tuple[float, float, float, float]
    gain: float
    leaves: int
    lost: int

    @property
    def believed(self) -> bool:
        """Whether the interface is not flat."""
        return self.gain >= BELIEVED


def interface_surface(
    counts: NDArray[np.generic], rise: Rise, inside: NDArray[np.bool_], random: np.random.Generator
) -> Topography | None:
    """Find the time of the interface in every part of the raster.

    Parameters
    ----------
    counts : ndarray, shape (scan, y, x)
        Of substrate ions in cells, at the times of `rise`.
    rise : Rise
        Of all cells together.
    inside : ndarray of bool, shape (y, x)
        Cells of the region.
    random : numpy Generator

    Returns
    -------
    Topography or None
        None when the counts do not suffice for four parts.

    Notes
    -----
    Cells are joined to squares of a quad-tree, no larger than their counts need. In each square the mean rise is moved
    along time and scaled, and what is counted beside it scaled too, with a Poisson likelihood; the times are smoothed
    with their errors. What the surface scatters is then taken out of the mean rise's width, and the squares are fitted
    again.
    """
    cube = np.where(inside, np.asarray(counts, dtype=np.float64), 0.0)
    fewest = max(_FEWEST_IONS, _ions_for(rise, _SHARPEST * rise.width), cube.sum() / _MOST_LEAVES)
    leaves = quad_tree(cube.sum(axis=0), inside, fewest)
    if len(leaves) < 4:
        return None
    profiles = np.stack([cube[:, y0:y1, x0:x1].sum(axis=(1, 2)) for y0, y1, x0, x1 in leaves])
    places = _cells(inside)
    narrow = rise
    for _ in range(2):
        late, error = _times(profiles, narrow)
        found = np.isfinite(late)
        if found.sum() < 4:
            return None
        boxes = _boxes([leaf for leaf, seen in zip(leaves, found, strict=True) if seen])
        data = Averages(*boxes, late[found], error[found])
        field = smooth(data, places, float(max(inside.shape)), _DRAWS, random)
        narrow = rise.narrowed(float(np.mean(field.samples.std(axis=1))) if field.gain >= BELIEVED else 0.0)
    return _topography(field, inside, len(leaves), int((~found).sum()))


def quad_tree(ions: FloatArray, inside: NDArray[np.bool_], fewest: float) -> list[tuple[int, int, int, int]]:
    """Rectangles of cells, halved along both axes as long as every part keeps `fewest` ions.

    Parameters
    ----------
    ions : ndarray, shape (y, x)
    inside : ndarray of bool, shape (y, x)
        Cells that count; parts without any are left out.
    fewest : float

    Returns
    -------
    list of tuple
        First row, last row + 1, first column, last column + 1.
    """
    leaves, open_parts = [], [(0, ions.shape[0], 0, ions.shape[1])]
    while open_parts:
        y0, y1, x0, x1 = open_parts.pop()
        rows = [(y0, (y0 + y1) // 2), ((y0 + y1) // 2, y1)] if y1 - y0 > 1 else [(y0, y1)]
        columns = [(x0, (x0 + x1) // 2), ((x0 + x1) // 2, x1)] if x1 - x0 > 1 else [(x0, x1)]
        parts = [(*row, *column) for row in rows for column in columns if inside[slice(*row), slice(*column)].any()]
        if len(rows) * len(columns) > 1 and all(ions[a:b, c:d].sum() >= fewest for a, b, c, d in parts):
            open_parts += parts
        elif ions[y0:y1, x0:x1].sum() >= fewest:
            leaves.append((y0, y1, x0, x1))
    return sorted(leaves)


def _ions_for(rise: Rise, error: float) -> float:
    """Ions of which the time of the rise is known to `error` s, from the Fisher information of an ion."""
    slope = np.gradient(rise.level, rise.time)
    level = np.maximum(rise.level + rise.beside, 1e-9 * float(rise.level.max()))
    # The factor is free: only what moves ions from one side to the other tells the time.
    mean = slope.sum() / level.sum()
    information = float(np.sum(level * (slope / level - mean) ** 2) / level.sum())
    return 1.0 / max(information * error**2, 1e-300)


def _times(profiles: FloatArray, rise: Rise) -> tuple[FloatArray, FloatArray]:
    """How much later the rise comes in each profile, and the error, in s; NaN where the likelihood has no top."""
    reach = min(4.0 * rise.width, 0.45 * float(rise.time[-1] - rise.time[0]))
    late = np.linspace(-reach, reach, 161)
    total = profiles.sum(axis=1)[:, np.newaxis]
    tried = []
    for log_share in _LOG_SHARES:
        level = rise.moved(late, float(np.exp(log_share)))
        prior = 0.5 * (log_share / _SHARE_STD) ** 2
        tried.append(profiles @ np.log(level).T - total * np.log(level.sum(axis=1)) - prior)
    # Everything that the counts allow, with both numbers: a second top far off widens the error as it should.
    joint = np.stack(tried)
    weight = np.exp(joint - joint.max(axis=(0, 2), keepdims=True)).sum(axis=0)
    weight /= weight.sum(axis=1, keepdims=True)
    place = weight @ late
    error = np.sqrt(np.maximum(weight @ late**2 - place**2, 0.0))
    found = error < _LOST * rise.width
    return np.where(found, place, np.nan), np.where(found, np.hypot(error, 0.3 * (late[1] - late[0])), np.nan)


def _boxes(leaves: list[tuple[int, int, int, int]]) -> tuple[FloatArray, FloatArray]:
    edges = np.array(leaves, dtype=np.float64)
    centre = np.stack([0.5 * (edges[:, 0] + edges[:, 1]), 0.5 * (edges[:, 2] + edges[:, 3])], axis=1)
    side = np.stack([edges[:, 1] - edges[:, 0], edges[:, 3] - edges[:, 2]], axis=1)
    return centre, side


def _cells(inside: NDArray[np.bool_]) -> Averages:
    y, x = np.nonzero(inside)
    centre, side = _boxes([(a, a + 1, b, b + 1) for a, b in zip(y.tolist(), x.tolist(), strict=True)])
    return Averages(centre, side, np.zeros(y.size), np.ones(y.size))


def _topography(field: SmoothField, inside: NDArray[np.bool_], leaves: int, lost: int) -> Topography:
    late, std = np.full(inside.shape, np.nan), np.full(inside.shape, np.nan)
    late[inside] = field.mean - field.mean.mean()
    std[inside] = field.std
    maps = np.full((len(field.samples), *inside.shape), np.nan)
    maps[:, inside] = field.samples
    steps = [np.nanmean(np.diff(maps, axis=axis) ** 2, axis=(1, 2)) for axis in (1, 2)]
    return Topography(
        late, std, _told(field.samples.std(axis=1)), _told(np.sqrt(steps[0] + steps[1])), field.gain, leaves, lost
    )


def _told(samples: FloatArray) -> tuple[float, float, float, float]:
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(samples.mean()), float(samples.std()), float(low), float(high)

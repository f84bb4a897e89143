"""Profile likelihood of areas that are weak, at zero, or hard to tell from others.

The deviance of an area is what chi-square rises by when the area is held and all else is fitted again. The area's own
spectrum is evaluated anew at every point; all other spectra enter by their normal matrix at the minimum, with their own
parameters eliminated, so that a point costs one spectrum and not the series. An interval ends where the deviance
reaches the quantile of chi-square with one degree of freedom (Venzon and Moolgavkar, Appl. Statist. 37, 1988, 87).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import NORMAL_95
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import GroupFit
from depthlock.xps.model import Block
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import Normal, block_slices, hold, level_bounds, pack

ONE_SIDED_95 = 1.6448536269514722
"""Standard deviations below which a normal variate stays with 95 %."""

CLOSE = 0.02
"""Deviance, over the one sought, within which an end is found: a hundredth of the interval's length."""

POINTS = 8
"""Most areas tried for one end."""

STEPS = 12
"""Most Gauss-Newton steps at one area."""

SETTLED = 1e-3
"""A step that lowers the deviance by less is the last."""

BETTER = 0.1
"""A deviance below minus this is another minimum: the fit's own is not the least."""


@dataclass(frozen=True)
class Neighbourhood:
    """One spectrum at the minimum, and the quadratic that stands for all others.

    The parameters are the level's own of this block, the level's shift, and the group's shared ones; m in all.

    Attributes
    ----------
    block : Block
        Of one level.
    weight : ndarray (1, points)
    minimum, lower, upper : ndarray (m,)
    held : ndarray (m,) of bool
    others : ndarray (m, m)
        Normal matrix of the other spectra and the priors.
    pull : ndarray (m,)
        Their downhill gradient at the minimum.
    """

    block: Block
    weight: FloatArray
    minimum: FloatArray
    lower: FloatArray
    upper: FloatArray
    held: NDArray[np.bool_]
    others: FloatArray
    pull: FloatArray

    def spectrum(self, values: FloatArray, *, jacobian: bool) -> tuple[float, FloatArray, FloatArray]:
        """Chi-square, downhill gradient and normal matrix of the spectrum alone; zeros without `jacobian`."""
        own, size = self.block.level_parameters, values.size
        curves = evaluate(self.block, values[own + 1 :], values[own : own + 1], values[None, :own], jacobian=jacobian)
        residual = (self.block.rate - curves.model)[0]
        gradient, matrix = np.zeros(size), np.zeros((size, size))
        if jacobian:
            places = np.concatenate([np.arange(own + 1), own + 1 + self.block.shared])
            weighted = curves.jacobian[0] * self.weight[0][:, None]
            gradient[places] = residual @ weighted
            matrix[np.ix_(places, places)] = weighted.T @ curves.jacobian[0]
        return float(self.weight[0] @ residual**2), gradient, matrix

    def rise(self, values: FloatArray) -> float:
        """Chi-square of the other spectra and the priors, against the minimum."""
        step = values - self.minimum
        return float(step @ self.others @ step - 2.0 * self.pull @ step)

    def minimise(self, values: FloatArray, area: int) -> tuple[FloatArray, float]:
        """Least chi-square with an area held at the value given, by damped Gauss-Newton steps inside the bounds."""
        value, damping = np.inf, 1e-6
        for _ in range(STEPS):
            chi_square, gradient, matrix = self.spectrum(values, jacobian=True)
            value = chi_square + self.rise(values)
            gradient = gradient + self.pull - self.others @ (values - self.minimum)
            matrix = matrix + self.others
            held = self.held | ((values <= self.lower) & (gradient < 0)) | ((values >= self.upper) & (gradient > 0))
            held[area] = True
            free = np.flatnonzero(~held & (np.diagonal(matrix) > 0))
            scale = np.sqrt(np.diagonal(matrix)[free])
            scaled = matrix[np.ix_(free, free)] / np.outer(scale, scale)
            gain = -np.inf
            while damping < 1e6:
                trial = values.copy()
                trial[free] += np.linalg.solve(scaled + damping * np.eye(free.size), gradient[free] / scale) / scale
                trial = np.clip(trial, self.lower, self.upper)
                gain = value - self.spectrum(trial, jacobian=False)[0] - self.rise(trial)
                if gain >= 0:
                    break
                damping *= 10.0
            if gain < 0:
                break
            values, value, damping = trial, value - gain, damping * 0.1
            if gain < SETTLED:
                break
        return values, value

    def end(self, area: int, side: int, curvature: float, deviance: float) -> float:
        """Where the deviance of an area reaches a value on one side of the minimum; NaN if that is not found.

        Parameters
        ----------
        area : int
            Its place among the parameters.
        side : int
            -1 or 1.
        curvature : float
            Of the deviance over the area squared, as a first guess.
        deviance : float

        Returns
        -------
        float
            Zero where the deviance stays lower down to there.
        """
        least, gradient, _ = self.spectrum(self.minimum, jacobian=True)
        centre = float(self.minimum[area])
        # An area at zero may be held there against the data's pull: the deviance then rises at once.
        slope = max(-2.0 * side * float((gradient + self.pull)[area]), 0.0) if centre <= 0.0 else 0.0
        values = self.minimum
        for _ in range(POINTS):
            root = np.sqrt(slope**2 + 4.0 * curvature * deviance)
            distance = 2.0 * deviance / (slope + root)
            bounded = side < 0 and distance >= centre
            distance = centre if bounded else distance
            values = values.copy()
            values[area] = centre + side * distance
            values, chi_square = self.minimise(values, area)
            found = chi_square - least
            if not np.isfinite(found) or found < -BETTER:
                return float("nan")
            if abs(found - deviance) <= CLOSE * deviance:
                return float(values[area])
            if bounded and found < deviance:
                return 0.0
            curvature = max((found - slope * distance) / distance**2, 0.04 * curvature)
        return float("nan")


def neighbourhood(fit: GroupFit, normal: Normal, number: int, level: int) -> Neighbourhood:
    """One spectrum with all others as a quadratic.

    Parameters
    ----------
    fit : GroupFit
        Without ties.
    normal : Normal
        At its minimum.
    number, level : int
        Block and level.

    Returns
    -------
    Neighbourhood
    """
    block, part = fit.blocks[number], block_slices(fit.blocks)[number]
    lower, upper = level_bounds(fit.blocks)
    packed = pack(fit.state)
    size = fit.state.shared.size
    empty = np.einsum("lii->li", normal.level_level) <= 0
    at_bound = ((packed <= lower) & (normal.level_gradient < 0)) | ((packed >= upper) & (normal.level_gradient > 0))
    own = np.concatenate([np.arange(part.start, part.stop), [packed.shape[1] - 1]])
    kept = np.zeros(packed.shape, dtype=bool)
    kept[level, own] = True
    reduced = hold(normal, (empty | at_bound) & ~kept, np.zeros(size, dtype=bool))
    elsewhere = np.arange(packed.shape[0]) != level
    solved = np.linalg.solve(
        reduced.level_level[elsewhere] + _ridge(reduced.level_level[elsewhere]), reduced.level_shared[elsewhere]
    )
    through = np.einsum("lis,lit->st", reduced.level_shared[elsewhere], solved)
    total = np.block(
        [
            [reduced.level_level[level], reduced.level_shared[level]],
            [reduced.level_shared[level].T, reduced.shared_shared - through],
        ]
    )
    keep = np.concatenate([own, packed.shape[1] + np.arange(size)])
    out = np.setdiff1d(np.arange(packed.shape[1]), own)
    rest = total[np.ix_(out, out)]
    coupling = total[np.ix_(out, keep)]
    total = total[np.ix_(keep, keep)] - coupling.T @ np.linalg.solve(rest + _ridge(rest), coupling)
    one = replace(
        block,
        rate=block.rate[level : level + 1],
        exposure=block.exposure[level : level + 1],
        fixed=block.fixed[level : level + 1],
        measured=block.measured[level : level + 1],
    )
    minimum = np.concatenate([packed[level, own], fit.state.shared])
    place = Neighbourhood(
        one,
        fit.weights[number][level : level + 1],
        minimum,
        np.concatenate([lower[own], fit.shared.lower]),
        np.concatenate([upper[own], fit.shared.upper]),
        np.concatenate([empty[level, own], fit.shared.held]),
        np.zeros((keep.size, keep.size)),
        np.zeros(keep.size),
    )
    _, gradient, matrix = place.spectrum(minimum, jacobian=True)
    pull = np.concatenate([normal.level_gradient[level, own], normal.shared_gradient]) - gradient
    return replace(place, others=total - matrix, pull=pull)


def _ridge(matrix: FloatArray) -> FloatArray:
    """What keeps exactly degenerate directions solvable."""
    diagonal = np.maximum(np.einsum("...ii->...i", matrix), 1e-30)
    return np.asarray(1e-10 * diagonal[..., None] * np.eye(matrix.shape[-1]))


@dataclass(frozen=True)
class ProfileInterval:
    """Ends of the 95 % interval and the one-sided 95 % limit, each (levels, components); NaN if not found."""

    lower: FloatArray
    upper: FloatArray
    limit: FloatArray


def profile_intervals(
    fit: GroupFit, normal: Normal, number: int, std: FloatArray, inflation: FloatArray, wanted: NDArray[np.bool_]
) -> ProfileInterval:
    """Profile intervals of the areas of a block.

    Parameters
    ----------
    fit : GroupFit
    normal : Normal
        At its minimum.
    number : int
        Block.
    std : ndarray (levels, components)
        Errors from the covariance, counts/s eV, with `inflation`.
    inflation : ndarray (levels,)
        Factor on all errors of the block (bad fits).
    wanted : ndarray (levels, components) of bool

    Returns
    -------
    ProfileInterval
        NaN also where not wanted.
    """
    result = ProfileInterval(*(np.full(wanted.shape, np.nan) for _ in range(3)))
    if fit.shared.links is not None:
        # A tied area stands in several spectra: no single one of them holds its profile.
        return result
    for level in np.flatnonzero(wanted.any(axis=1)):
        place = neighbourhood(fit, normal, number, int(level))
        squared = float(inflation[level]) ** 2
        for component in np.flatnonzero(wanted[level] & (std[level] > 0)):
            area, curvature = int(component), squared / float(std[level, component]) ** 2
            both, single = NORMAL_95**2 * squared, ONE_SIDED_95**2 * squared
            positive = place.minimum[area] > 0
            result.lower[level, area] = place.end(area, -1, curvature, both) if positive else 0.0
            result.upper[level, area] = place.end(area, 1, curvature, both)
            result.limit[level, area] = place.end(area, 1, curvature, single)
    return result

"""Whether a line may be two: what the data say of doublets that look like one broader line.

A component is compared with two equal lines in its place, somewhat narrower, at a distance and area ratio of a grid.
What then changes in the spectra and cannot be taken up by any fitted parameter decides: with I its square over the
noise and u its product with the residual, chi-square changes by ``I - 2 u`` when the doublet takes the line's place,
and would fall by ``u^2 / I`` at best. This is the score test of the second line (Cox and Hinkley, Theoretical
Statistics, 1974, 9.3), for all levels at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.diagnostics import DETECTION_SIGMA
from depthlock.xps.errors import Covariance, covariance
from depthlock.xps.evaluation import evaluate, line_shapes
from depthlock.xps.fit import GroupFit
from depthlock.xps.model import Lines
from depthlock.xps.shapes import GAUSS_SIGMA_OF_FWHM, FloatArray
from depthlock.xps.solver import Normal, block_slices, level_bounds, pack

CLOSEST = 0.4
"""Distance of two lines over their full width at which they are still asked for."""

DISTANCES = (CLOSEST, 0.5, 0.6, 0.8, 1.0, 1.3)
"""Distances asked for, over the full width."""

RATIOS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Area of the line of higher energy over the other's."""

SECOND_LINE = 3.0
"""Parameters of a second line that the Bayesian information criterion counts: share, position and width."""

LEAST_PART = 0.5
"""Part of a doublet that the data must want to be said to ask for it."""

EXCLUDED = 1.6448536269514722**2
"""Rise of chi-square from which a doublet is excluded: a true one is with 5 % at most."""


@dataclass(frozen=True)
class Unresolved:
    """What doublets could hide in the components of a block.

    Attributes
    ----------
    limit : ndarray (components,)
        Least distance, eV, from which all doublets of the grid are excluded; infinite where none is, NaN where
        nothing was asked (not detected, or its shape is set free at the levels).
    possible : ndarray (components,) of bool
        Whether some doublet of the least distance or more would describe the data as well.
    second : float or None
        Charge-referenced energy, eV, of a second line that the data do ask for (Bayesian information criterion).
    """

    limit: FloatArray
    possible: NDArray[np.bool_]
    second: float | None


def within_bounds(fit: GroupFit, normal: Normal) -> Covariance:
    """Covariance of what can move: parameters that the data pull against their bounds are held.

    The residual is orthogonal to these alone, which the score test rests on.
    """
    shared, value, pull = fit.shared, fit.state.shared, normal.shared_gradient
    stopped = ((value <= shared.lower) & (pull < 0)) | ((value >= shared.upper) & (pull > 0))
    held = replace(fit, shared=replace(shared, fixed=shared.fixed | stopped))
    (lower, upper), level, pull = level_bounds(fit.blocks), pack(fit.state), normal.level_gradient
    return covariance(held, normal, stopped=((level <= lower) & (pull < 0)) | ((level >= upper) & (pull > 0)))


def unresolved(fit: GroupFit, errors: Covariance, number: int) -> Unresolved:
    """Ask every component of a block whether it may be two lines.

    Parameters
    ----------
    fit : GroupFit
    errors : Covariance
        As `within_bounds` gives it.
    number : int
        Block.

    Returns
    -------
    Unresolved
    """
    block, part, level = fit.blocks[number], block_slices(fit.blocks)[number], fit.state.level[number]
    limit, possible = np.full(block.components, np.nan), np.zeros(block.components, dtype=bool)
    variance = np.einsum("lii->li", errors.level)[:, part.start : part.stop]
    best = SECOND_LINE * float(np.log(max(int(np.count_nonzero(fit.weights[number])), 2)))
    second = None
    for component in range(block.components):
        known = block.measured & (variance[:, component] > 0)
        seen = float(np.sum(level[known, component] ** 2 / variance[known, component])) >= DETECTION_SIGMA**2
        lines = np.flatnonzero(block.lines.component == component)
        own = np.concatenate([block.lines.position[lines], block.lines.width[lines]])
        if not seen or np.isin(own, block.freed).any():
            continue
        test = doublet_test(fit, errors, number, component)
        excluded = test.rise > EXCLUDED
        possible[component] = not excluded.all()
        beyond = test.far > test.far[~excluded].max(initial=0.0)
        limit[component] = test.apart[beyond].min(initial=np.inf)
        if test.gain.max(initial=0.0) > best:
            place = int(test.gain.argmax())
            best = float(test.gain[place])
            ratio, apart = test.ratio[place], test.apart[place]
            # The weaker of the two is the second.
            offset = apart / (1.0 + ratio) - (apart if ratio > 1.0 else 0.0)
            second = float(fit.state.shared[block.lines.position[lines[0]]] + offset)
    return Unresolved(limit, possible, second)


@dataclass(frozen=True)
class DoubletTest:
    """One component against doublets in its place, each (doublets,).

    Attributes
    ----------
    far : ndarray
        Distance over the full width of the doublet's lines.
    apart : ndarray
        The same in eV.
    ratio : ndarray
        Area of the line of higher energy over the other's.
    information : ndarray
        Squared change over the noise, less what fitted parameters take up.
    score : ndarray
        Product of the change with the residual, over the noise squared.
    """

    far: FloatArray
    apart: FloatArray
    ratio: FloatArray
    information: FloatArray
    score: FloatArray

    @property
    def rise(self) -> FloatArray:
        """By how much chi-square rises when the doublet takes the line's place."""
        return self.information - 2.0 * self.score

    @property
    def gain(self) -> FloatArray:
        """By how much chi-square falls with as much of the doublet as the data want; zero where that is none of it."""
        # A small part of it is a line of a somewhat other shape; beyond it the change is not linear.
        part = self.score / np.maximum(self.information, 1e-12)
        sound = (part > LEAST_PART) & (part < 2.0 - LEAST_PART) & (self.information > 1.0)
        return np.where(sound, self.score**2 / np.where(sound, self.information, 1.0), 0.0)


def doublet_test(fit: GroupFit, errors: Covariance, number: int, component: int) -> DoubletTest:
    """Score test of doublets in place of a component.

    Parameters
    ----------
    fit : GroupFit
    errors : Covariance
        As `within_bounds` gives it.
    number, component : int
        Block, and component in it.

    Returns
    -------
    DoubletTest
    """
    block, state, weight = fit.blocks[number], fit.state, fit.weights[number]
    curves = evaluate(block, state.shared, state.shift, state.level[number], jacobian=True)
    far, apart, ratio = _doublets(fit, block.lines.width[block.lines.component == component])
    change = _change(fit, number, component, apart, ratio)
    gradient = np.einsum("lpq,hlp->lqh", curves.jacobian, change * weight, optimize=True)
    information = np.einsum("hlp,hlp,lp->h", change, change, weight) - _explained(errors, gradient, fit, number)
    score = np.einsum("hlp,lp->h", change, (block.rate - curves.model) * weight)
    return DoubletTest(far, apart, ratio, np.maximum(information, 0.0), score)


def _doublets(fit: GroupFit, widths: NDArray[np.intp]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Doublets as broad as the line: distance over the width and in eV, and ratio; none narrower than its bound."""
    far, ratio = (np.asarray(column) for column in zip(*product(DISTANCES, RATIOS), strict=True))
    width = fit.state.shared[widths[0]]
    single = width / np.sqrt(1.0 + far**2 * _spread(ratio))
    allowed = single >= fit.shared.lower[widths[0]] * (1.0 - 1e-9)
    return far[allowed], (far * single)[allowed], ratio[allowed]


def _spread(ratio: FloatArray) -> FloatArray:
    """Squared full width that two Gaussians gain from being a unit apart: their variance over that of unit width."""
    return np.asarray(ratio / (1.0 + ratio) ** 2 / GAUSS_SIGMA_OF_FWHM**2)


def _change(fit: GroupFit, number: int, component: int, apart: FloatArray, ratio: FloatArray) -> FloatArray:
    """What doublets in place of a component change in the model, counts/s, (doublets, levels, points)."""
    block, level, shared = fit.blocks[number], fit.state.level[number], fit.state.shared
    lines = block.lines
    own = np.flatnonzero(lines.component == component)
    energy, width = lines.energies(shared)[own], shared[lines.width[own]]
    # First the line itself, then the lower and the higher lines of all doublets.
    gained = apart[:, None] ** 2 * _spread(ratio)[:, None]
    narrow = np.sqrt(np.maximum(width**2 - gained, (0.3 * width) ** 2))
    low = energy - (apart * ratio / (1.0 + ratio))[:, None]
    places = np.concatenate([energy[None, :], low, low + apart[:, None]])
    widths = np.concatenate([width[None, :], narrow, narrow])
    count = places.shape[0]
    many = replace(block, lines=_repeated(lines, own, count))
    levels = fit.state.shift.size
    shape = line_shapes(
        many,
        shared,
        fit.state.shift[:, None] + places.reshape(-1),
        np.broadcast_to(widths.reshape(-1), (levels, widths.size)),
        derivatives=False,
    )
    step = level[:, block.region[component] - block.regions]
    curve = shape.density + step[:, None, None] * shape.cumulative
    curve = curve.reshape(levels, count, own.size, -1)
    unit = np.einsum("lcjp,j->clp", curve, lines.share[own]) * level[:, component][None, :, None]
    lower, higher = np.split(unit[1:], 2)
    return np.asarray((lower + ratio[:, None, None] * higher) / (1.0 + ratio)[:, None, None] - unit[0])


def _repeated(lines: Lines, own: NDArray[np.intp], count: int) -> Lines:
    """Some lines, a number of times."""
    index = np.tile(own, count)
    return replace(
        lines,
        component=lines.component[index],
        share=lines.share[index],
        position=lines.position[index],
        width=lines.width[index],
        mixing=lines.mixing[index],
        splitting=lines.splitting[index],
        tail=lines.tail[index],
        shape=tuple(lines.shape[place] for place in index),
    )


def _explained(errors: Covariance, gradient: FloatArray, fit: GroupFit, number: int) -> FloatArray:
    """Part of the information that the fitted parameters take up, from the changes' products with the Jacobian.

    `gradient` is (levels, columns of the block's Jacobian, doublets); the result (doublets,).
    """
    block, part = fit.blocks[number], block_slices(fit.blocks)[number]
    width = errors.level.shape[1]
    own = np.concatenate([np.arange(part.start, part.stop), [width - 1]])
    by_level, split = gradient[:, : own.size], own.size
    by_shared = np.zeros((errors.shared.shape[0], gradient.shape[2]))
    by_shared[block.shared] = gradient[:, split:].sum(axis=0)
    through = np.matmul(np.swapaxes(errors.cross[:, own], 1, 2), by_level)
    total = np.einsum("lih,lij,ljh->h", by_level, errors.level[:, own[:, None], own], by_level)
    total += np.einsum("sh,st,th->h", by_shared, errors.shared, by_shared)
    total += 2.0 * np.einsum("sh,sh->h", through.sum(axis=0), by_shared)
    # Two levels know of one another by the shared parameters alone.
    scale = np.sqrt(np.diagonal(errors.shared))
    scale = np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(errors.shared / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    inverse = inverse / np.outer(scale, scale)
    every = through.sum(axis=0)
    total += np.einsum("sh,st,th->h", every, inverse, every) - np.einsum("lsh,st,lth->h", through, inverse, through)
    return np.asarray(total)

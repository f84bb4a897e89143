"""What tells that a number should not be trusted: quality of the fit, odd levels, needless or inseparable states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.errors import Covariance
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import GroupFit
from depthlock.xps.model import Block
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import block_slices

DETECTION_SIGMA = 3.0
"""Smallest area over its error that counts as detected."""

CORRELATION_LIMIT = 0.95
"""Correlation of two areas above which they are flagged."""

OPEN_TAILS = 0.7
"""Error of the share of short tails, over its prior's, above which the data do not decide."""

POOR_SIGMA = 4.0
"""Excess of chi-square, or lack of the von Neumann ratio, in standard deviations that is called a poor fit."""

SCALE_SCATTER = 1.7
"""By how much the noise scale's own error, from second differences, raises the scatter of chi-square over it."""

OUTLIER_RATIO = 2.0
"""A level whose intensity differs from both neighbours by this factor, while those agree, is an outlier."""


@dataclass(frozen=True)
class Quality:
    """Quality of a block's fit, (levels,): reduced chi-square, von Neumann ratio, and whether it is poor."""

    reduced: FloatArray
    neumann: FloatArray
    poor: NDArray[np.bool_]
    inflation: FloatArray


def quality(fit: GroupFit, number: int) -> Quality:
    """Chi-square against the noise found in the data, and the von Neumann ratio of the residuals (2 when white).

    Parameters
    ----------
    fit : GroupFit
    number : int
        Block.

    Returns
    -------
    Quality
        `inflation` is the square root of the reduced chi-square where the fit is poor, else 1.
    """
    block = fit.blocks[number]
    model = evaluate(block, fit.state.shared, fit.state.shift, fit.state.level[number]).model
    residual = (block.rate - model) * np.sqrt(fit.weights[number])
    points = block.energy.size
    active = (fit.state.level[number][:, : block.components] > 0).sum(axis=1) + 2.0 * block.segments + block.regions
    shared = block.shared.size / max(1, int(block.measured.sum()))
    freedom = np.maximum(points - active - shared, 1.0)
    squares = (residual**2).sum(axis=1)
    reduced = squares / freedom
    neumann = (np.diff(residual, axis=1) ** 2).sum(axis=1) / np.maximum(squares, 1e-300) * (points / (points - 1))
    # Fitted parameters take low frequencies out of white residuals: the ratio's mean rises by about their share.
    expected = 2.0
    poor = (reduced > 1.0 + POOR_SIGMA * np.sqrt(2.0 / freedom)) | (
        neumann < expected - POOR_SIGMA * 2.0 / np.sqrt(points)
    )
    poor &= block.measured
    # What all levels share is wrong for all of them, also where one alone does not show it.
    whole = float(squares[block.measured].sum() / freedom[block.measured].sum())
    scatter = np.sqrt(2.0 / freedom[block.measured].sum())
    if fit.noise_scale[number] != 1.0:
        scatter *= SCALE_SCATTER
    if whole > 1.0 + POOR_SIGMA * scatter:
        poor = block.measured.copy()
        reduced = np.where(poor, np.maximum(reduced, whole), reduced)
    return Quality(reduced, neumann, poor, np.where(poor, np.sqrt(np.maximum(reduced, 1.0)), 1.0))


def correlated(errors: Covariance, block: Block, part: slice) -> NDArray[np.bool_]:
    """Areas whose correlation with another area of the block exceeds the limit, (levels, components)."""
    areas = slice(part.start, part.start + block.components)
    covariance = errors.level[:, areas, areas]
    std = np.sqrt(np.maximum(np.einsum("lii->li", covariance), 1e-300))
    matrix = np.abs(covariance / (std[:, :, None] * std[:, None, :]))
    matrix[:, np.arange(block.components), np.arange(block.components)] = 0.0
    return np.asarray(matrix.max(axis=2, initial=0.0) > CORRELATION_LIMIT)


def shape_sensitive(fit: GroupFit, number: int, errors: Covariance) -> NDArray[np.bool_]:
    """Areas that owe most of their variance to tails that the data leave open, (levels, components)."""
    block, part = fit.blocks[number], block_slices(fit.blocks)[number]
    result = np.zeros((block.rate.shape[0], block.components), dtype=bool)
    for line in np.flatnonzero(block.lines.tail >= 0):
        component, tail = int(block.lines.component[line]), int(block.lines.tail[line])
        spread = errors.shared[tail, tail]
        if spread <= (OPEN_TAILS * fit.shared.std[tail]) ** 2:
            continue
        own = errors.level[:, part.start + component, part.start + component]
        result[:, component] |= errors.cross[:, part.start + component, tail] ** 2 / spread > 0.5 * own
    return result


def needless(area: FloatArray, std: FloatArray, points: int) -> NDArray[np.bool_]:
    """Components that the Bayesian information criterion would leave out, (components,).

    Leaving component k out of all levels raises chi-square by about the sum of its squared significances; it costs
    an area a level, and a position and a width.
    """
    significance = np.sum(np.square(np.divide(area, std, out=np.zeros_like(area), where=std > 0)), axis=0)
    return np.asarray(significance < (area.shape[0] + 2) * np.log(points))


def background_above_data(fit: GroupFit, number: int) -> NDArray[np.bool_]:
    """Levels whose background lies above the data by more than the noise allows, (levels,).

    Judged on means of seven neighbouring points, at five standard errors.
    """
    block = fit.blocks[number]
    background = evaluate(block, fit.state.shared, fit.state.shift, fit.state.level[number]).background
    excess = (background - block.rate) * np.sqrt(fit.weights[number])
    kernel = np.ones(7) / np.sqrt(7.0)
    return np.array([bool(np.max(np.convolve(row, kernel, mode="valid")) > 5.0) for row in excess]) & block.measured


def outlier_levels(block: Block) -> NDArray[np.bool_]:
    """Levels whose whole intensity departs from both neighbours while these agree, (levels,)."""
    result = np.zeros(block.rate.shape[0], dtype=bool)
    index = np.flatnonzero(block.measured)
    if index.size < 3:
        return result
    total = np.log(np.maximum(np.median(block.rate[index], axis=1), 1e-300))
    limit = np.log(OUTLIER_RATIO)
    for place in range(index.size):
        if 0 < place < index.size - 1:
            near = total[[place - 1, place + 1]]
        else:
            near = total[[1, 2]] if place == 0 else total[[-2, -3]]
        if np.ptp(near) < 0.5 * limit and abs(total[place] - near.mean()) > limit:
            result[index[place]] = True
    return result


def rival_components(fit: GroupFit, number: int, std: FloatArray) -> NDArray[np.bool_]:
    """Areas that another, equally good minimum puts more than three errors away, (levels, components)."""
    block = fit.blocks[number]
    result = np.zeros((block.rate.shape[0], block.components), dtype=bool)
    if fit.rough is None:
        return result
    best = fit.rough.level[number][:, : block.components]
    for rival in fit.rivals:
        other = rival.level[number][:, : block.components]
        result |= np.abs(other - best) > 3.0 * np.maximum(std, 1e-300)
    return result


def differential_shift(fit: GroupFit) -> float:
    """Largest significant charge shift of one block against the common one, eV; 0 when none.

    One Gauss-Newton step of a shift of the block's own at every level, its areas and background going along, and
    its mean over the levels left to the positions.
    """
    largest = 0.0
    for number, block in enumerate(fit.blocks):
        curves = evaluate(block, fit.state.shared, fit.state.shift, fit.state.level[number], jacobian=True)
        own = curves.jacobian[:, :, : block.level_parameters + 1]
        weight = fit.weights[number]
        gram = np.matmul(np.swapaxes(own * weight[:, :, None], 1, 2), own)
        slope = np.einsum("lpq,lp->lq", own * weight[:, :, None], block.rate - curves.model)
        steps, variances = [], []
        for level in np.flatnonzero(block.measured):
            keep = np.diagonal(gram[level]) > 0
            keep[: block.components] &= fit.state.level[number][level, : block.components] > 0
            if not keep[-1]:
                continue
            inverse = np.linalg.pinv(gram[level][np.ix_(keep, keep)], hermitian=True)
            steps.append(float((inverse @ slope[level][keep])[-1]))
            variances.append(float(inverse[-1, -1]))
        if len(steps) < 2:
            continue
        step, variance = np.asarray(steps), np.maximum(np.asarray(variances), 1e-12)
        step = step - np.average(step, weights=1.0 / variance)
        significant = np.abs(step) > 5.0 * np.sqrt(variance)
        if significant.any():
            largest = max(largest, float(np.abs(step[significant]).max()))
    return largest

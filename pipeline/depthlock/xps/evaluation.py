"""Evaluates the model of a block, with its Jacobian; see `depthlock.xps.model` for the parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from depthlock.model.line_shapes import FREE_MIXING, parse_shape
from depthlock.xps.background import loss_operator
from depthlock.xps.model import Block
from depthlock.xps.shapes import FloatArray, LineShape, pseudo_voigt, pseudo_voigt_sum
from depthlock.xps.tabulated import tabulated_family, tabulated_line


@dataclass(frozen=True)
class Curves:
    """What a block's model consists of, and optionally its Jacobian.

    Attributes
    ----------
    lines, steps : ndarray (levels, components, points)
        Per unit area: line (1/eV) and cumulative (1).
    model, background : ndarray (levels, points)
        counts/s.
    jacobian : ndarray (levels, points, level parameters + 1 + n_block_shared), or no columns when not asked for
        Columns: the level's parameters in their order, shift, then the block's shared parameters.
    """

    lines: FloatArray
    steps: FloatArray
    model: FloatArray
    background: FloatArray
    jacobian: FloatArray


def line_shape(name: str, distance: FloatArray, fwhm: FloatArray, mixing: float, tail: float = 0.0) -> LineShape:
    """One line of a named shape; mixing and tail have an effect on shapes that fit them."""
    if name == "pseudo_voigt":
        return pseudo_voigt(distance, fwhm, np.asarray(mixing), np.asarray(tail))
    form = parse_shape(name)
    if form.kind in FREE_MIXING:
        return tabulated_family(name).evaluate(distance, fwhm, mixing)
    if form.kind == "SGL":
        return pseudo_voigt_sum(distance, fwhm, form.numbers[0] / 100.0)
    return tabulated_line(name).evaluate(distance, fwhm)


def line_shapes(
    block: Block, shared: FloatArray, place: FloatArray, width: FloatArray, *, derivatives: bool
) -> LineShape:
    """All lines of a block, (levels, lines, points), at measured energies and with widths (levels, lines)."""
    from depthlock.xps.model_kernel import pseudo_voigt_lines

    lines = block.lines
    mixing, tail = shared[lines.mixing], lines.tails(shared)
    if all(name == "pseudo_voigt" for name in lines.shape):
        return pseudo_voigt_lines(block.energy, place, width, mixing, tail, derivatives=derivatives)
    distance = block.energy[None, None, :] - place[:, :, None]
    parts = [
        line_shape(name, distance[:, k], width[:, k, None], mixing[k], tail[k]) for k, name in enumerate(lines.shape)
    ]
    columns = (
        np.stack([np.broadcast_to(getattr(part, column.name), distance[:, 0].shape) for part in parts], axis=1)
        for column in fields(LineShape)
    )
    return LineShape(*columns)


def evaluate(
    block: Block, shared: FloatArray, shift: FloatArray, level: FloatArray, *, jacobian: bool = False
) -> Curves:
    """Evaluate a block.

    Parameters
    ----------
    block : Block
    shared : ndarray (n_shared,)
    shift : ndarray (levels,)
    level : ndarray (levels, level parameters)
    jacobian : bool
        Also build the Jacobian.

    Returns
    -------
    Curves
    """
    lines = block.lines
    count = block.components
    own = block.level_parameters
    first, first_step = block.first_deviation, own - block.regions
    areas, straight, steps = level[:, :count], level[:, count:first], level[:, first_step:]
    columns_straight = block.straight
    step = steps[:, block.region]
    at_levels = np.repeat(shared[None, :], level.shape[0], axis=0)
    at_levels[:, block.freed] += level[:, block.deviations]
    place, width = shift[:, None] + lines.energies(at_levels), at_levels[:, lines.width]
    shape = line_shapes(block, shared, place, width, derivatives=jacobian)
    membership = np.zeros((count, lines.component.size))
    membership[lines.component, np.arange(lines.component.size)] = lines.share
    density = np.matmul(membership, shape.density)
    cumulative = np.matmul(membership, shape.cumulative)
    raised = areas[:, :, None] * cumulative
    background = block.fixed + straight @ columns_straight.T + np.einsum("lk,lkp->lp", step, raised)
    operator, strength = np.zeros((0, 0)), np.zeros_like(step)
    if block.loss is not None:
        operator = loss_operator(block.energy, block.segment, block.loss).T
        strength = level[:, block.losses][:, block.region]
        lost = density @ operator
        background = background + np.einsum("lk,lkp->lp", strength * areas, lost)
    model = background + np.einsum("lk,lkp->lp", areas, density)
    if not jacobian:
        return Curves(density, cumulative, model, background, np.zeros((*model.shape, 0)))

    from depthlock.xps.model_kernel import add_line_derivatives

    used = block.shared
    columns = np.zeros((model.shape[0], own + 1 + used.size, model.shape[1]))
    columns[:, :count] = density + step[:, :, None] * cumulative
    columns[:, count:first] = columns_straight.T
    if block.step:
        for region in range(block.regions):
            columns[:, first_step + region] = raised[:, block.region == region].sum(axis=1)
    sources = (lines.position, lines.splitting, lines.width, lines.mixing, lines.tail)
    shared_places = [np.where(index >= 0, own + 1 + np.searchsorted(used, index), -1) for index in sources]
    rows = np.stack([np.full(lines.component.size, own), *shared_places])
    height, rise = areas[:, lines.component] * lines.share, step[:, lines.component]
    shapes = tuple(getattr(shape, column.name) for column in fields(LineShape))
    add_line_derivatives(columns, rows, place, block.energy, width, height, rise, shapes)
    if block.loss is not None:
        columns[:, :count] += strength[:, :, None] * lost
        for region in range(block.regions):
            inside = block.region == region
            columns[:, block.losses.start + region] = (areas[:, :, None] * lost)[:, inside].sum(axis=1)
        # What the lines' derivatives lose is the derivative of their tails.
        bare = np.zeros_like(columns)
        add_line_derivatives(
            bare, rows, place, block.energy, width, height * strength[:, lines.component], np.zeros_like(rise), shapes
        )
        columns += bare @ operator
    columns[:, block.deviations] = columns[:, own + 1 + np.searchsorted(used, block.freed)]
    return Curves(density, cumulative, model, background, np.swapaxes(columns, 1, 2))

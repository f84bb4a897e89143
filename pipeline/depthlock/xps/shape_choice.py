"""The line shape as a choice: the session's, and what areas owe to it where the data cannot decide.

A minimum found with one shape is fitted again with others, and compared by chi-square with the prior of the mixing:
the information criterion when the one parameter by which shapes differ is counted as its prior counts it. A full
parameter's penalty would prefer shapes without a mixing wherever the data say nothing. One that is clearly better (by
`EQUAL`) takes its place, window by window. Those that are as good but put an area more than its error elsewhere add
their spread to the area's error, weighted as in model averaging (Buckland, Burnham and Augustin, Biometrics 53, 1997,
603).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.model.chemistry import Region
from depthlock.model.errors import MeasurementError
from depthlock.model.line_shapes import FREE_MIXING
from depthlock.xps.fit import ROUGH, GroupFit, refine
from depthlock.xps.model import Block, State, evaluate
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import minimise

EQUAL = 6.0
"""Two shapes whose criterion differs by less describe the data equally ("strong evidence" begins there: Kass and
Raftery, J. Am. Stat. Assoc. 90, 1995, 773)."""

OPEN_SHAPE = "pseudo_voigt"
"""The library's default: a component that has it has no shape of its own."""


@dataclass(frozen=True)
class RivalShape:
    """A group fitted with another shape.

    Attributes
    ----------
    name : str
    areas : tuple of ndarray (levels, components)
        Per block, counts/s eV.
    excess : ndarray (blocks,)
        Its criterion minus that of the fit itself.
    """

    name: str
    areas: tuple[FloatArray, ...]
    excess: FloatArray


@dataclass(frozen=True)
class ShapeSpread:
    """What the choice of shape adds to a block's areas.

    Attributes
    ----------
    covariance : ndarray (levels, components, components)
    sensitive : ndarray (levels, components) of bool
        Where it outweighs all other errors.
    """

    covariance: FloatArray
    sensitive: NDArray[np.bool_]


def choose_shapes(regions: Sequence[Region], shapes: Mapping[str, str]) -> tuple[Region, ...]:
    """Regions with the session's shapes in place of the library's; a component's own goes before its region's.

    Raises
    ------
    MeasurementError
        When a key is neither a region nor a region/component.
    """
    known = {region.name for region in regions}
    known |= {f"{region.name}/{component.name}" for region in regions for component in region.components}
    for key in shapes:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            raise MeasurementError(
                f"a line shape for {key!r}",
                expected="a region or region/component of the chemistry library",
                where="options.xps_deconvolve.shapes",
                hint=f"the nearest is {near[0]!r}" if near else f"known are {', '.join(sorted(known))}",
            )
    return tuple(
        region.model_copy(
            update={
                "components": tuple(
                    component.model_copy(
                        update={
                            "shape": shapes.get(
                                f"{region.name}/{component.name}", shapes.get(region.name, component.shape)
                            )
                        }
                    )
                    for component in region.components
                )
            }
        )
        for region in regions
    )


def open_components(regions: Sequence[Region], shapes: Mapping[str, str]) -> frozenset[str]:
    """Components `region/component` whose shape nobody chose: it is the default, in the library and in the session."""
    return frozenset(
        f"{region.name}/{component.name}"
        for region in regions
        for component in region.components
        if component.shape == OPEN_SHAPE
        and region.name not in shapes
        and f"{region.name}/{component.name}" not in shapes
    )


def rival_shapes(fit: GroupFit, names: Sequence[str], open_labels: frozenset[str]) -> tuple[RivalShape, ...]:
    """Fit a group again with other shapes, from its minimum, with its weights.

    Parameters
    ----------
    fit : GroupFit
    names : sequence of str
        Shapes tried, besides `pseudo_voigt`.
    open_labels : frozenset of str
        Components whose shape may change.

    Returns
    -------
    tuple of RivalShape
        Empty when no component's shape is open, or there is nothing to try.
    """
    if not names:
        return ()
    own = _criteria(fit, fit.blocks, fit.state)
    result = []
    for name in dict.fromkeys((OPEN_SHAPE, *names)):
        blocks = tuple(with_shape(block, name, open_labels) for block in fit.blocks)
        if all(new.lines.shape == old.lines.shape for new, old in zip(blocks, fit.blocks, strict=True)):
            continue
        state, _ = minimise(blocks, fit.shared, fit.state.copy(), fit.weights, iterations=20, tolerance=ROUGH)
        areas = tuple(level[:, : block.components] for block, level in zip(blocks, state.level, strict=True))
        result.append(RivalShape(name, areas, _criteria(fit, blocks, state) - own))
    return tuple(result)


def settle_shapes(
    fit: GroupFit, names: Sequence[str], open_labels: frozenset[str]
) -> tuple[GroupFit, tuple[RivalShape, ...]]:
    """The group with another shape in every block where the data ask for it (its criterion lower by `EQUAL`).

    Parameters
    ----------
    fit, names, open_labels
        As in `rival_shapes`; of a fit in its frame, with components that are not there held, since a free one of no
        area finds some noise to fit with any shape.

    Returns
    -------
    GroupFit, tuple of RivalShape
        The fit, the same object where nothing changes, and its rivals.
    """
    rivals = rival_shapes(fit, names, open_labels)
    blocks = []
    for number, block in enumerate(fit.blocks):
        best = min(rivals, key=lambda rival: float(rival.excess[number]), default=None)
        better = best is not None and best.excess[number] < -EQUAL
        blocks.append(with_shape(block, best.name, open_labels) if best is not None and better else block)
    if all(new is old for new, old in zip(blocks, fit.blocks, strict=True)):
        return fit, rivals
    # Minima of old were found with the old shapes and no longer compare.
    settled = refine(blocks, fit.shared, fit.state.copy())
    return settled, rival_shapes(settled, names, open_labels)


def with_shape(block: Block, name: str, open_labels: frozenset[str]) -> Block:
    """The block with its open shapes replaced."""
    lines = block.lines
    shape = tuple(
        name if block.labels[int(component)] in open_labels else current
        for component, current in zip(lines.component, lines.shape, strict=True)
    )
    return replace(block, lines=replace(lines, shape=shape))


def component_shapes(block: Block) -> dict[str, str]:
    """Shape of every component of a block."""
    lines = block.lines
    return {block.labels[int(k)]: shape for k, shape in zip(lines.component, lines.shape, strict=True)}


def _criteria(fit: GroupFit, blocks: Sequence[Block], state: State) -> FloatArray:
    """Chi-square of every block, with the prior of its mixings where they are fitted."""
    values = []
    pulls = ((state.shared - fit.shared.mean) / fit.shared.std) ** 2
    for block, level, weight in zip(blocks, state.level, fit.weights, strict=True):
        model = evaluate(block, state.shared, state.shift, level).model
        mixings = {int(m) for m, s in zip(block.lines.mixing, block.lines.shape, strict=True) if s in FREE_MIXING}
        values.append(float(np.sum(weight * (block.rate - model) ** 2) + sum(pulls[m] for m in mixings)))
    return np.asarray(values)


def shape_spread(fit: GroupFit, number: int, rivals: Sequence[RivalShape], std: FloatArray) -> ShapeSpread:
    """What the rivals add to the areas of a block.

    Parameters
    ----------
    fit : GroupFit
    number : int
        Block.
    rivals : sequence of RivalShape
    std : ndarray (levels, components)
        Errors of the areas without this.

    Returns
    -------
    ShapeSpread
    """
    block = fit.blocks[number]
    count = block.components
    area = fit.state.level[number][:, :count]
    covariance = np.zeros((area.shape[0], count, count))
    total = 1.0
    for rival in rivals:
        excess = float(rival.excess[number])
        if excess >= EQUAL:
            continue
        # A shape that is far better than a fit's own would have been settled on; a late one counts fully, no more.
        # All rivals together weigh what the fit's own shape does: they resemble one another, and would outvote it.
        weight = float(np.exp(-0.5 * max(excess, -2.0 * EQUAL))) / len(rivals)
        difference = rival.areas[number] - area
        beyond = (np.abs(difference) > std) & block.measured[:, None]
        moved = difference * np.any(beyond, axis=1, keepdims=True)
        covariance += weight * moved[:, :, None] * moved[:, None, :]
        total += weight
    covariance /= total
    return ShapeSpread(covariance, np.einsum("lkk->lk", covariance) > np.maximum(std, 1e-300) ** 2)

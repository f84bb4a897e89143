"""The line shape as a choice: the session's, or the library's default with tails left open.

A component whose shape nobody chose is a pseudo-Voigt with a share of short tails that is fitted
(`depthlock.xps.shapes.pseudo_voigt`), so that what areas owe to the tails stands in their errors. Shapes outside that
family are tried from its minimum and take its place, window by window, where the data clearly ask for them: chi-square
with the priors of mixing and tails, which count these parameters as far as the data say something about them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from depthlock.model.chemistry import Region
from depthlock.model.errors import MeasurementError
from depthlock.model.line_shapes import FREE_MIXING
from depthlock.xps.build import TAIL_STD
from depthlock.xps.errors import covariance, normal_at
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import GroupFit, refine
from depthlock.xps.model import Block, Shared, State
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import minimise

EQUAL = 6.0
"""A shape whose criterion is lower by less is not called better ("strong evidence" begins there: Kass and Raftery,
J. Am. Stat. Assoc. 90, 1995, 773)."""

TAIL_SCATTER = 0.15
"""How far, usually, the share of short tails of a core level lies from that of the others."""

OPEN_SHAPE = "pseudo_voigt"
"""The library's default: a component that has it has no shape of its own."""


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


def settle_shapes(fit: GroupFit, names: Sequence[str], open_labels: frozenset[str]) -> GroupFit:
    """The group with another shape in every block where the data ask for it (its criterion lower by `EQUAL`).

    Parameters
    ----------
    fit : GroupFit
        In its frame, with components that are not there held, since a free one of no area finds some noise to fit
        with any shape.
    names : sequence of str
        Shapes tried in place of the open one.
    open_labels : frozenset of str
        Components whose shape may change.

    Returns
    -------
    GroupFit
        The same object where nothing changes.
    """
    own = _criteria(fit, fit.blocks, fit.state)
    chosen, lowest = list(fit.blocks), own - EQUAL
    for name in names:
        blocks = [with_shape(block, name, open_labels) for block in fit.blocks]
        if all(new.lines.shape == old.lines.shape for new, old in zip(blocks, fit.blocks, strict=True)):
            continue
        state, _ = minimise(blocks, fit.shared, fit.state.copy(), fit.weights, iterations=20, tolerance=0.1 * EQUAL)
        criteria = _criteria(fit, blocks, state)
        for number in np.flatnonzero(criteria < lowest):
            chosen[number], lowest[number] = blocks[number], criteria[number]
    if all(new is old for new, old in zip(chosen, fit.blocks, strict=True)):
        return fit
    # Minima of old were found with the old shapes and no longer compare.
    return refine(chosen, fit.shared, fit.state.copy())


def tails_alike(fit: GroupFit) -> Shared:
    """Priors of the short tails from one another: how lines end is much the same in all core levels of a sample.

    The tails of the core levels scatter by `TAIL_SCATTER` around a common value, known beforehand to `TAIL_STD` about
    zero. Each one's prior is what the others say of the common value, with that scatter (a normal hierarchical model,
    Gelman et al., Bayesian Data Analysis, 3rd ed., 2013, section 5.4, in closed form).

    Parameters
    ----------
    fit : GroupFit
        With priors of the tails that know nothing of one another.

    Returns
    -------
    Shared
        The same but for these priors.
    """
    index = np.unique(np.concatenate([block.lines.tail for block in fit.blocks]))
    index = index[index >= 0]
    if index.size < 2:
        return fit.shared
    normal = normal_at(fit)
    variance = np.maximum(np.diagonal(covariance(fit, normal).shared)[index], 1e-12)
    stated = np.maximum(1.0 / variance - TAIL_STD**-2, 1e-9)
    # Where the data alone would put it, beyond the bounds too: noise about zero must not add up to short tails.
    value = (fit.state.shared[index] + variance * normal.shared_gradient[index]) / (variance * stated)
    weight = 1.0 / (1.0 / stated + TAIL_SCATTER**2)
    # What the others say: sums without the own term.
    others = weight.sum() - weight + TAIL_STD**-2
    mean, std = fit.shared.mean.copy(), fit.shared.std.copy()
    mean[index] = ((weight * value).sum() - weight * value) / others
    std[index] = np.sqrt(1.0 / others + TAIL_SCATTER**2)
    return replace(fit.shared, mean=mean, std=std)


def with_shape(block: Block, name: str, open_labels: frozenset[str]) -> Block:
    """The block with its open shapes replaced."""
    lines = block.lines
    shape = tuple(
        name if block.labels[int(component)] in open_labels else current
        for component, current in zip(lines.component, lines.shape, strict=True)
    )
    changed = np.array([new != old for new, old in zip(shape, lines.shape, strict=True)])
    return replace(block, lines=replace(lines, shape=shape, tail=np.where(changed, -1, lines.tail)))


def component_shapes(block: Block) -> dict[str, str]:
    """Shape of every component of a block."""
    lines = block.lines
    return {block.labels[int(k)]: shape for k, shape in zip(lines.component, lines.shape, strict=True)}


def _criteria(fit: GroupFit, blocks: Sequence[Block], state: State) -> FloatArray:
    """Chi-square of every block, with the priors of its mixings and tails where they are fitted."""
    values = []
    pulls = ((state.shared - fit.shared.mean) / fit.shared.std) ** 2
    for block, level, weight in zip(blocks, state.level, fit.weights, strict=True):
        model = evaluate(block, state.shared, state.shift, level).model
        lines = block.lines
        fitted = {int(m) for m, s in zip(lines.mixing, lines.shape, strict=True) if s in FREE_MIXING}
        fitted |= set(lines.tail[lines.tail >= 0].tolist())
        values.append(float(np.sum(weight * (block.rate - model) ** 2) + sum(pulls[m] for m in fitted)))
    return np.asarray(values)

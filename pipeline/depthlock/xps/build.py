"""From windows and chemistry to numerical blocks and their shared parameters with priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from depthlock.model.chemistry import Component, Region
from depthlock.model.constraints import Constraint
from depthlock.xps.assign import Assignment
from depthlock.xps.background import UNIVERSAL_LOSS, static_shirley, tougaard
from depthlock.xps.fit_windows import between, crop, within_stated_background
from depthlock.xps.links import Links, freed_parameters, level_ties, shared_ties
from depthlock.xps.model import Block, Lines, Shared
from depthlock.xps.solver import MOST_DEVIATION, block_slices

SHIFT_STD_EV = 3.0
"""Weak prior on a charge shift; it only decides where a level shows no peak."""

MIXING_STD = 0.2
"""Prior standard deviation of the Lorentzian share."""

FREED_SHARE = 0.5
"""How far, usually, a level deviates from a shared parameter that is set free, as a share of the library's own
uncertainty of it."""

LEAST_WIDTH = 0.7
"""How far below the library's smallest width, as a share of it, a level's own width may lie."""

TAIL_STD = 0.5
"""Prior standard deviation of the share of short tails, around none: a Voigt line has about 0.4, CasaXPS's
LA(1.53,243) all."""

WIDTH_SHARE = 0.25
"""Prior standard deviation of a width as a share of the range that the library allows."""


@dataclass
class _Table:
    """Shared parameters while they are collected; `places` finds them by kind and `region/component`."""

    names: list[str]
    mean: list[float]
    std: list[float]
    lower: list[float]
    upper: list[float]
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    def index(self, name: str, mean: float, std: float, lower: float, upper: float) -> int:
        """Number of a parameter by its name; made if it is new."""
        if name in self.names:
            return self.names.index(name)
        for column, value in zip((self.mean, self.std, self.lower, self.upper), (mean, std, lower, upper), strict=True):
            column.append(value)
        self.names.append(name)
        return len(self.names) - 1


class _LineColumns:
    """Lines of a block while they are collected."""

    def __init__(self, table: _Table, open_labels: frozenset[str]) -> None:
        self.table = table
        self.open_labels = open_labels
        self.labels: list[str] = []
        self.owners: list[int] = []
        self.shapes: list[str] = []
        self.rows: list[tuple[int, float, int, int, int, int, int]] = []

    def add(self, region: Region, order: int, component: Component) -> None:
        """Add a component's one or two lines."""
        table = self.table
        label = f"{region.name}/{component.name}"
        number = len(self.labels)
        self.labels.append(label)
        self.owners.append(order)
        reach = component.position_range
        position = table.index(
            f"{label} position",
            component.position,
            0.5 * reach,
            component.position - reach,
            component.position + reach,
        )
        spread = WIDTH_SHARE * (component.fwhm_max - component.fwhm_min)
        family = width_owner(region, component)
        width = table.index(f"{family} fwhm", component.fwhm, spread, component.fwhm_min, component.fwhm_max)
        mixing = table.index(f"{region.name} lorentzian", component.lorentzian, MIXING_STD, 0.0, 1.0)
        places = table.places
        places |= {("position", label): position, ("fwhm", label): width, ("lorentzian", region.name): mixing}
        tail = table.index(f"{region.name} short tails", 0.0, TAIL_STD, 0.0, 1.0) if label in self.open_labels else -1
        if component.splitting is None:
            self.rows.append((number, 1.0, position, width, mixing, -1, tail))
            self.shapes.append(component.shape)
            return
        strong = 1.0 / (1.0 + component.area_ratio)
        weak_width = width
        if component.width_ratio_max > 1.0:
            weak_width = table.index(
                f"{family} fwhm weak",
                component.fwhm * min(1.5, component.width_ratio_max),
                1.5 * spread,
                component.fwhm_min,
                component.fwhm_max * component.width_ratio_max,
            )
        splitting = table.index(
            f"{label} splitting",
            component.splitting,
            component.splitting_std,
            component.splitting - 4.0 * component.splitting_std,
            component.splitting + 4.0 * component.splitting_std,
        )
        places |= {("fwhm_weak", label): weak_width, ("splitting", label): splitting}
        self.rows.append((number, strong, position, width, mixing, -1, tail))
        self.rows.append((number, 1.0 - strong, position, weak_width, mixing, splitting, tail))
        self.shapes += [component.shape, component.shape]

    def lines(self) -> Lines:
        """The lines as arrays."""
        component, share, position, width, mixing, splitting, tail = (
            np.asarray(column) for column in zip(*self.rows, strict=True)
        )
        return Lines(component, share, position, width, mixing, splitting, tail, tuple(self.shapes))


def width_owner(region: Region, component: Component) -> str:
    """Name under which a component's width stands: its family's, or its own."""
    return f"{region.name}/{component.family or component.name}"


def build_blocks(
    assignments: Sequence[Assignment],
    background: str,
    *,
    loss: tuple[float, float, float] = UNIVERSAL_LOSS,
    limits: Mapping[str, tuple[float, float]] | None = None,
    constraints: Sequence[Constraint] = (),
    factors: Mapping[str, float] | None = None,
    open_labels: frozenset[str] = frozenset(),
) -> tuple[list[Block], Shared]:
    """The numerical blocks of a group and its shared parameters.

    Parameters
    ----------
    assignments : sequence of Assignment
    background : str
        As in `DeconvolveOptions`; `auto` is decided window by window.
    loss : tuple
        Tougaard's C (eV^2), D (eV^2) and T0 (eV).
    limits : mapping of str to (float, float), optional
        Binding energies as measured, eV, between which a window is fitted.
    constraints : sequence of Constraint
        Those of parameters that are not in the group have no effect.
    factors : mapping of str to float, optional
        Sensitivity factors of the core levels, for ties of atoms.
    open_labels : frozenset of str
        Components `region/component` whose tails are fitted.

    Returns
    -------
    list of Block, Shared
        Priors are the library's: half the position range, a quarter of the width range, 0.2 in the mixing.
    """
    table = _Table([], [], [], [], [])
    blocks: list[Block] = []
    asked = background
    for assignment in assignments:
        background = asked if asked != "auto" else "file" if assignment.expert_shape else "active_shirley"
        windows = [crop(between(window, limits or {}), assignment.regions) for window in assignment.windows]
        if background == "file":
            windows = [within_stated_background(window) for window in windows]
        rate = np.concatenate([window.rate for window in windows], axis=1)
        columns = _LineColumns(table, open_labels)
        for order, region in enumerate(assignment.regions):
            for component in region.components:
                columns.add(region, order, component)
        fixed = np.zeros_like(rate)
        if background == "static_shirley":
            fixed = np.concatenate([static_shirley(window.energy, window.rate) for window in windows], axis=1)
        elif background == "tougaard":
            fixed = np.concatenate([tougaard(window.energy, window.rate, loss) for window in windows], axis=1)
        elif background == "file":
            fixed = np.concatenate([w.background for w in windows if w.background is not None], axis=1)
        blocks.append(
            Block(
                key="+".join(window.key for window in windows),
                energy=np.concatenate([window.energy for window in windows]),
                segment=np.repeat(np.arange(len(windows)), [window.energy.size for window in windows]),
                rate=rate,
                exposure=np.concatenate([window.exposure for window in windows], axis=1),
                measured=windows[0].measured,
                labels=tuple(columns.labels),
                region=np.asarray(columns.owners, dtype=np.intp),
                lines=columns.lines(),
                fixed=fixed,
                step="active_shirley" in background,
                slope=background.startswith("active") or background == "linear",
                offset=background not in ("static_shirley", "tougaard", "file"),
                loss=loss if background in ("active_tougaard", "active_shirley_tougaard") else None,
            )
        )
    levels = blocks[0].rate.shape[0]
    shared = Shared(
        tuple(table.names),
        np.asarray(table.mean),
        np.asarray(table.std),
        np.asarray(table.lower),
        np.asarray(table.upper),
        np.zeros(len(table.names), dtype=bool),
        np.zeros(levels),
        np.full(levels, SHIFT_STD_EV),
    )
    return _linked(blocks, shared, assignments, table, constraints, factors or {})


def _linked(
    blocks: list[Block],
    shared: Shared,
    assignments: Sequence[Assignment],
    table: _Table,
    constraints: Sequence[Constraint],
    factors: Mapping[str, float],
) -> tuple[list[Block], Shared]:
    """Blocks and shared parameters with the session's links between them."""
    matrix, constant = shared_ties(constraints, table.places, len(table.names))
    freed = freed_parameters(constraints, table.places, matrix)
    tied = ~np.any(matrix, axis=0)
    std = np.where(tied, np.inf, FREED_SHARE * shared.std)
    # A level's width stays positive; a position may move either way.
    is_width = np.array([" fwhm" in name for name in shared.names])
    lowest = np.where(is_width & ~tied, -LEAST_WIDTH * shared.lower, -MOST_DEVIATION * std)
    own = [np.array([number for number in freed if number in block.shared], dtype=np.intp) for block in blocks]
    blocks = [
        replace(block, freed=numbers, freed_std=std[numbers], freed_lower=lowest[numbers])
        for block, numbers in zip(blocks, own, strict=True)
    ]
    deviations: dict[int, list[int]] = {number: [] for number in freed}
    for block, part in zip(blocks, block_slices(blocks), strict=True):
        for order, number in enumerate(block.freed):
            deviations[int(number)].append(part.start + block.first_deviation + order)
    size = sum(block.level_parameters for block in blocks) + 1
    level = level_ties(constraints, _area_places(blocks, assignments), factors, deviations, matrix, size)
    if np.array_equal(level, np.eye(size)) and np.array_equal(matrix, np.eye(len(matrix))):
        return blocks, shared
    return blocks, _tied(shared, Links(level, matrix, constant))


def _area_places(blocks: Sequence[Block], assignments: Sequence[Assignment]) -> dict[str, int]:
    """Where the area of every component stands in the level vector; that of the window that reports it."""
    places: dict[str, int] = {}
    for block, part, assignment in zip(blocks, block_slices(blocks), assignments, strict=True):
        for number, label in enumerate(block.labels):
            if assignment.reported[int(block.region[number])] or label not in places:
                places[label] = part.start + number
    return places


def _tied(shared: Shared, links: Links) -> Shared:
    """The shared parameters with their ties: a tied one starts where its tie puts it, without prior and bounds."""
    own = links.shared_tied
    return replace(
        shared,
        mean=links.shared @ shared.mean + links.constant,
        std=np.where(own, np.inf, shared.std),
        lower=np.where(own, -np.inf, shared.lower),
        upper=np.where(own, np.inf, shared.upper),
        links=links,
    )

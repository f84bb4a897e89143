"""The numbers of one core level over the levels: areas, fractions, positions and widths with errors and flags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from depthlock.model.chemistry import Component, Region
from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.xps import diagnostics
from depthlock.xps.block_numbers import BlockNumbers, Flags, joined, where
from depthlock.xps.build import WIDTH_SHARE, width_owner
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import block_slices

HELD_SHARE = 0.7
"""A position or width whose error exceeds this share of the library's own is the library's, not the data's."""


@dataclass(frozen=True)
class ShiftNumbers:
    """Charge shift of every level with its error (eV), flag, the frame's own error and line.

    `carried` says whether the group of that line has this very shift.
    """

    value: FloatArray
    std: FloatArray
    flag: str
    frame_std: float
    reference: str
    carried: bool


@dataclass
class Columns:
    """Columns of the components reported, each (levels,), while they are collected."""

    labels: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    values: dict[str, list[FloatArray]] = field(default_factory=dict)
    flags: dict[str, list[Flags]] = field(default_factory=dict)


def _fraction(area: FloatArray, matrix: FloatArray, place: int) -> tuple[FloatArray, FloatArray]:
    """Share of one state among its region's, with its error by linear propagation, (levels,)."""
    whole = area.sum(axis=1)
    safe = np.where(whole > 0, whole, np.nan)
    share = area[:, place] / safe
    gradient = -np.repeat(share[:, None], area.shape[1], axis=1)
    gradient[:, place] += 1.0
    gradient /= safe[:, None]
    variance = np.einsum("lk,lkm,lm->l", gradient, matrix, gradient)
    return share, np.sqrt(np.maximum(variance, 0.0))


def _symmetric(name: str, value: FloatArray, std: FloatArray) -> dict[str, FloatArray]:
    return {
        name: value,
        f"{name}_std": std,
        f"{name}_lower": value - NORMAL_95 * std,
        f"{name}_upper": value + NORMAL_95 * std,
    }


def _area_columns(numbers: BlockNumbers, place: int, component: int) -> dict[str, FloatArray]:
    """Area and fraction of one component (number in the block) of a core level."""
    areas, inside = numbers.areas, numbers.inside(place)
    own = int(component - inside[0])
    share, std = _fraction(areas.value[:, inside], numbers.area_covariance(place), own)
    upper_area = areas.upper[:, component]
    whole = areas.value[:, inside].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        at_most = upper_area / (whole + upper_area)
    upper = np.where(areas.bounded[:, component], at_most, share + NORMAL_95 * std)
    others = np.delete(areas.value[:, inside], own, axis=1)
    other_std = np.delete(areas.std[:, inside], own, axis=1)
    # Areas that cannot be negative add up to a false share: with no other state seen, all is possible.
    alone = np.all(others < diagnostics.DETECTION_SIGMA * other_std, axis=1)
    return {
        "area": areas.value[:, component],
        "area_std": areas.std[:, component],
        "area_lower": areas.lower[:, component],
        "area_upper": upper_area,
        "area_limit": areas.limit[:, component],
        "fraction": share,
        "fraction_std": std,
        # A core level that shows nothing leaves any share possible.
        "fraction_lower": np.nan_to_num(np.clip(share - NORMAL_95 * std, 0.0, 1.0)),
        "fraction_upper": np.nan_to_num(np.clip(np.where(alone, 1.0, upper), 0.0, 1.0), nan=1.0),
    }


def _at_levels(numbers: BlockNumbers, index: int, *, shifted: bool = False) -> tuple[FloatArray, FloatArray]:
    """A shared parameter at every level, with its deviation where it is set free, and its variance, (levels,).

    With `shifted`, the charge shift of the level's group is added.
    """
    fit, errors = numbers.group.fit, numbers.group.errors
    block, part = fit.blocks[numbers.number], block_slices(fit.blocks)[numbers.number]
    levels, width = fit.state.shift.size, errors.level.shape[1]
    chosen = np.zeros(width)
    value = np.full(levels, fit.state.shared[index])
    for order in np.flatnonzero(block.freed == index):
        chosen[part.start + block.first_deviation + order] = 1.0
        value = value + fit.state.level[numbers.number][:, block.first_deviation + order]
    if shifted:
        chosen[-1] = 1.0
        value = value + fit.state.shift
    variance = errors.shared[index, index] + 2.0 * errors.cross[:, :, index] @ chosen
    return value, np.maximum(variance + np.einsum("i,lij,j->l", chosen, errors.level, chosen), 0.0)


def _position(numbers: BlockNumbers, index: int, shift: ShiftNumbers, *, tied: bool) -> tuple[FloatArray, FloatArray]:
    """Position of a component at every level and its standard error, eV.

    In a group that carries the frame the position is the shared parameter itself; elsewhere it is that plus the
    group's own shift minus the frame's.
    """
    value, variance = _at_levels(numbers, index, shifted=not tied)
    if tied:
        return value, np.sqrt(variance + shift.frame_std**2)
    return value - shift.value, np.sqrt(variance + shift.std**2)


def _shape_reasons(numbers: BlockNumbers, label: str, index: int, std: float) -> str:
    """Why a position or width should not be trusted."""
    shared, value = numbers.group.fit.shared, numbers.group.fit.state.shared[index]
    source = (index, 0.0) if shared.links is None else shared.links.source(index, 0.0)
    if source is None and not np.any(shared.links.shared[index] if shared.links is not None else True):
        return "given_by_session"
    if source is not None and shared.fixed[source[0]]:
        return "charge_reference"
    return join_flags(
        "not_detected" if label in numbers.group.absent else "",
        "library_value" if std > HELD_SHARE * shared.std[index] else "",
        "at_bound" if min(value - shared.lower[index], shared.upper[index] - value) < 1e-6 else "",
    )


def _shape_columns(
    numbers: BlockNumbers, region: Region, state: Component, shift: ShiftNumbers, *, tied: bool
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Position and width of a component, and the reasons against them."""
    fit = numbers.group.fit
    label = f"{region.name}/{state.name}"
    index = fit.shared.names.index(f"{label} position")
    width = fit.shared.names.index(f"{width_owner(region, state)} fwhm")
    position, position_std = _position(numbers, index, shift, tied=tied)
    fwhm, variance = _at_levels(numbers, width)
    width_std = np.sqrt(variance)
    if label in numbers.group.absent and not fit.shared.fixed[index]:
        # Held near the library's shape for the sake of the area; the shape itself stays unknown.
        position_std = np.maximum(position_std, 0.5 * state.position_range)
        width_std = np.maximum(width_std, WIDTH_SHARE * (state.fwhm_max - state.fwhm_min))
    worst = float(np.sqrt(np.average(numbers.grade.inflation**2, weights=numbers.measured)))
    columns = _symmetric("position", position, position_std * worst)
    columns |= _symmetric("fwhm", fwhm, width_std * worst)
    columns["fwhm_lower"] = np.maximum(columns["fwhm_lower"], 0.0)
    block = fit.blocks[numbers.number]
    two = numbers.group.doublets[numbers.number].possible[block.labels.index(label)]
    hidden = "unresolved_possible" if two else ""
    reasons = {
        "position": join_flags(
            _shape_reasons(numbers, label, index, float(np.median(position_std))), hidden, shift.flag
        ),
        "fwhm": join_flags(_shape_reasons(numbers, label, width, float(np.median(width_std))), hidden),
    }
    return columns, reasons


def add_region(columns: Columns, numbers: BlockNumbers, place: int, shift: ShiftNumbers, *, tied: bool) -> None:
    """Add the components of a core level to the columns.

    Parameters
    ----------
    columns : Columns
        Grows.
    numbers : BlockNumbers
    place : int
        Core level in the block.
    shift : ShiftNumbers
    tied : bool
        Whether the block's group carries the energy frame.
    """
    region = numbers.assignment.regions[place]
    levels = numbers.measured.size
    every = np.ones(levels, dtype=bool)
    for component, state in _states(numbers, place):
        shapes, reasons = _shape_columns(numbers, region, state, shift, tied=tied)
        values = _area_columns(numbers, place, component) | shapes
        area_flag = numbers.area_flags[component]
        single = where(every & (len(region.components) == 1), "single_state")
        flags = {
            "area": area_flag,
            "fraction": joined(area_flag, single),
            "position": joined(numbers.common, where(every, reasons["position"])),
            "fwhm": joined(numbers.common, where(every, reasons["fwhm"])),
        }
        columns.labels.append(f"{region.name}/{state.name}")
        columns.regions.append(region.name)
        for key, column in values.items():
            columns.values.setdefault(key, []).append(np.where(numbers.measured, column, np.nan))
        for key, flag in flags.items():
            stated = np.where(numbers.measured, flag, "not_measured").astype(object)
            columns.flags.setdefault(key, []).append(stated)


def _states(numbers: BlockNumbers, place: int) -> Iterator[tuple[int, Component]]:
    inside = numbers.inside(place)
    for component, state in zip(inside, numbers.assignment.regions[place].components, strict=True):
        yield int(component), state

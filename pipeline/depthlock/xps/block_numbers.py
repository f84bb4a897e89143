"""The numbers of one block that its core levels have in common: areas with intervals, quality and flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import join_flags
from depthlock.xps import diagnostics
from depthlock.xps.assign import Assignment
from depthlock.xps.errors import AreaInterval, Covariance, area_intervals
from depthlock.xps.fit import GroupFit
from depthlock.xps.model_checks import WindowSpread
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import Normal, block_slices
from depthlock.xps.unresolved import Unresolved

Flags = NDArray[np.object_]


@dataclass(frozen=True)
class GroupResult:
    """A fitted group, the components held near the library's shape, and errors (with areas at zero free, and held).

    `windows`, `missing` and `doublets` say, a block each, what areas owe to the windows' ends, where a line is lacking
    (eV), and which lines may be two.
    """

    fit: GroupFit
    absent: frozenset[str]
    normal: Normal
    errors: Covariance
    bounded_errors: Covariance
    windows: tuple[WindowSpread, ...]
    missing: tuple[float | None, ...]
    doublets: tuple[Unresolved, ...]


@dataclass(frozen=True)
class BlockNumbers:
    """What all core levels of a block have in common."""

    group: GroupResult
    number: int
    assignment: Assignment
    grade: diagnostics.Quality
    areas: AreaInterval
    common: Flags
    area_flags: list[Flags]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Levels measured."""
        return self.group.fit.blocks[self.number].measured

    def inside(self, place: int) -> NDArray[np.intp]:
        """Components of a core level."""
        return np.flatnonzero(self.group.fit.blocks[self.number].region == place).astype(np.intp)

    def area_covariance(self, place: int, errors: Covariance | None = None) -> FloatArray:
        """Covariance of a core level's areas, (levels, components, components)."""
        start = block_slices(self.group.fit.blocks)[self.number].start
        index = start + self.inside(place)
        matrix = (errors or self.group.errors).level[:, index[:, None], index[None, :]]
        spread = self.group.windows[self.number].covariance[:, self.inside(place)[:, None], self.inside(place)]
        return np.asarray(matrix * self.grade.inflation[:, None, None] ** 2 + spread)

    def step(self, place: int) -> FloatArray:
        """Shirley step of a core level, 1/eV."""
        block = self.group.fit.blocks[self.number]
        return np.asarray(self.group.fit.state.level[self.number][:, place - block.regions])

    def total(self, place: int) -> tuple[FloatArray, FloatArray]:
        """Whole area of a core level and its error; NaN in levels not measured."""
        whole = self.areas.value[:, self.inside(place)].sum(axis=1)
        matrix = self.area_covariance(place, self.group.bounded_errors)
        std = np.sqrt(np.maximum(matrix.sum(axis=(1, 2)), 0.0))
        return np.where(self.measured, whole, np.nan), np.where(self.measured, std, np.nan)


def where(condition: NDArray[np.bool_], reason: str) -> Flags:
    """The reason where the condition holds."""
    return np.where(condition, reason, "").astype(object)


def joined(*columns: Flags) -> Flags:
    """Flags joined element by element."""
    return np.array([join_flags(*map(str, reasons)) for reasons in zip(*columns, strict=True)], dtype=object)


def block_numbers(group: GroupResult, number: int, assignment: Assignment) -> BlockNumbers:
    """Areas, quality and flags of a block.

    Parameters
    ----------
    group : GroupResult
    number : int
        Block in the group.
    assignment : Assignment

    Returns
    -------
    BlockNumbers
    """
    fit = group.fit
    block, part = fit.blocks[number], block_slices(fit.blocks)[number]
    grade = diagnostics.quality(fit, number)
    windows = group.windows[number]
    added = np.einsum("lkk->lk", windows.covariance)
    matched = diagnostics.correlated(group.errors, block, part)
    areas = area_intervals(fit, number, group.normal, group.errors, grade.inflation, added, matched)
    levels = np.ones(block.rate.shape[0], dtype=bool)
    common = joined(
        where(levels & (not assignment.from_library), "no_chemistry"),
        where(diagnostics.outlier_levels(block), "outlier_level"),
        where(grade.poor, "poor_fit"),
        where(levels & (group.missing[number] is not None), "under_fitted"),
        where(diagnostics.background_above_data(fit, number), "background_above_data"),
    )
    sensitive = diagnostics.shape_sensitive(fit, number, group.errors)
    rival = diagnostics.rival_components(fit, number, areas.std)
    needless = diagnostics.needless(areas.value, areas.std, block.rate.size)
    detected = areas.value >= diagnostics.DETECTION_SIGMA * areas.std
    area_flags = [
        joined(
            common,
            where(~detected[:, k], "not_detected"),
            where(matched[:, k], "correlated"),
            where(areas.no_profile[:, k], "no_profile"),
            where(rival[:, k], "not_identifiable"),
            where(sensitive[:, k], "shape_sensitive"),
            where(windows.sensitive[:, k], "window_sensitive"),
            where(levels & bool(needless[k]), "over_fitted"),
        )
        for k in range(block.components)
    ]
    return BlockNumbers(group, number, assignment, grade, areas, common, area_flags)

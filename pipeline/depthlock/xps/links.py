"""Ties between parameters of a fitted group: areas of one level, and the parameters that all levels share.

A tie makes a parameter a linear function of others, x = P x + c, with zero columns in P for tied ones. Positions,
widths and areas of the fit keep their places in the vectors; the normal equations are folded onto the free ones
(P^T N P: the design columns of tied areas are merged), and covariances are spread back (P C P^T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depthlock.model.constraints import Constraint, Reference
from depthlock.model.errors import MeasurementError
from depthlock.xps.shapes import FloatArray

if TYPE_CHECKING:
    from depthlock.xps.solver import Normal

WHERE = "options.xps_deconvolve.constraints"


@dataclass(frozen=True)
class Links:
    """Ties of a group; n level parameters with the shift last, s shared ones.

    Attributes
    ----------
    level : ndarray (n, n)
        The same at every level.
    shared : ndarray (s, s)
    constant : ndarray (s,)
        Added to the shared parameters.
    """

    level: FloatArray
    shared: FloatArray
    constant: FloatArray

    @property
    def level_tied(self) -> NDArray[np.bool_]:
        """Level parameters that are tied, (n,)."""
        return np.asarray(~np.any(self.level, axis=0))

    @property
    def shared_tied(self) -> NDArray[np.bool_]:
        """Shared parameters that are tied, (s,)."""
        return np.asarray(~np.any(self.shared, axis=0))

    def fold(self, normal: Normal) -> Normal:
        """The normal equations in the free parameters; rows of tied ones become zero."""
        level, shared = self.level, self.shared
        return replace(
            normal,
            level_level=level.T @ normal.level_level @ level,
            level_shared=level.T @ normal.level_shared @ shared,
            shared_shared=shared.T @ normal.shared_shared @ shared,
            level_gradient=normal.level_gradient @ level,
            shared_gradient=normal.shared_gradient @ shared,
        )

    def apply(self, packed: FloatArray, shared: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Level parameters (levels, n) and shared ones (s,) with the tied ones put where they belong."""
        return packed @ self.level.T, self.shared @ shared + self.constant

    def source(self, parameter: int, value: float) -> tuple[int, float] | None:
        """The free shared parameter and its value that give a shared one its value; None for what is held or mixed."""
        row = self.shared[parameter]
        parents = np.flatnonzero(row)
        if parents.size != 1:
            return None
        return int(parents[0]), float((value - self.constant[parameter]) / row[parents[0]])


Slots = Mapping[tuple[str, str], int]
"""Place of a shared parameter by kind and `region/component` (`lorentzian`: region)."""


def shared_ties(constraints: Sequence[Constraint], slots: Slots, size: int) -> tuple[FloatArray, FloatArray]:
    """Ties of the parameters that all levels share.

    Parameters
    ----------
    constraints : sequence of Constraint
        Checked against one another (`depthlock.model.constraints.check_constraints`); those of parameters that are
        not here have no effect.
    slots : mapping
    size : int
        Number of shared parameters.

    Returns
    -------
    ndarray (s, s), ndarray (s,)
        P and c of the module's text; the identity and zero without ties.

    Raises
    ------
    MeasurementError
        When parameters are tied that are one already (widths of a family).
    """
    matrix, constant = np.eye(size), np.zeros(size)
    ties = [
        (one, one.value)
        for one in constraints
        if one.value is not None and all(reference.slot in slots for reference in one.references)
    ]
    for tie, value in ties:
        place = slots[tie.target.slot]
        row = np.zeros(size)
        for reference, factor in value.terms.items():
            row[slots[reference.slot]] += factor
        if row[place]:
            raise MeasurementError(
                f"constraint '{tie.text}' ties {tie.target} to itself: the states of one family share a parameter",
                expected="a tie between different parameters",
                where=WHERE,
                hint="leave it out, or give the states no common family in a chemistry library of your own",
            )
        matrix[place], constant[place] = row, value.constant
    # A chain of ties ends after as many steps as there are ties.
    for _ in ties:
        constant = matrix @ constant + constant
        matrix = matrix @ matrix
    return matrix, constant


def freed_parameters(constraints: Sequence[Constraint], slots: Slots, matrix: FloatArray) -> list[int]:
    """Shared parameters that every level may deviate from: those set free, and those tied to them."""
    free = {slots[one.target.slot] for one in constraints if one.value is None and one.target.slot in slots}
    return sorted(free | {tied for tied in range(len(matrix)) if any(matrix[tied, source] for source in free)})


def level_ties(
    constraints: Sequence[Constraint],
    areas: Mapping[str, int],
    factors: Mapping[str, float],
    deviations: Mapping[int, Sequence[int]],
    matrix: FloatArray,
    size: int,
) -> FloatArray:
    """Ties of the parameters of one level.

    Parameters
    ----------
    constraints : sequence of Constraint
    areas : mapping of str to int
        Place of a component's area in the level vector.
    factors : mapping of str to float
        Sensitivity factor of every core level, for ties of `atoms`.
    deviations : mapping of int to sequence of int
        Places of the levels' deviations from a shared parameter, one a window that depends on it.
    matrix : ndarray (s, s)
        Ties of the shared parameters, which their deviations follow.
    size : int
        Level parameters with the shift.

    Returns
    -------
    ndarray (size, size)
        The identity without ties.

    Raises
    ------
    MeasurementError
        When a sensitivity factor is missing.
    """
    level = np.eye(size)
    ties = [
        (one, one.value)
        for one in constraints
        if one.value is not None and all(r.slot[0] == "area" and r.label in areas for r in one.references)
    ]
    for tie, value in ties:
        row = np.zeros(size)
        for reference, factor in value.terms.items():
            row[areas[reference.label]] += factor * _per_area(reference, factors, tie)
        level[areas[tie.target.label]] = row / _per_area(tie.target, factors, tie)
    for _ in ties:
        level = level @ level
    for parameter, places in deviations.items():
        row = np.zeros(size)
        for source, others in deviations.items():
            row[others[0]] += matrix[parameter, source]
        level[list(places)] = row
    return level


def _per_area(reference: Reference, factors: Mapping[str, float], tie: Constraint) -> float:
    """What a unit of area counts: one, or for atoms one over the sensitivity factor."""
    if reference.kind == "area":
        return 1.0
    if reference.region not in factors:
        raise MeasurementError(
            f"no sensitivity factor for {reference.region}, which constraint '{tie.text}' needs",
            expected=f"one of {', '.join(factors)}",
            where=WHERE,
            hint="add the factor to options.xps_deconvolve.sensitivity, or tie areas instead of atoms",
        )
    return 1.0 / factors[reference.region]


def linked_sets(constraints: Sequence[Constraint], windows: Sequence[set[str]]) -> list[list[int]]:
    """Windows that ties hold together, by the core levels in them.

    Parameters
    ----------
    constraints : sequence of Constraint
    windows : sequence of set of str
        Core levels of every window.

    Returns
    -------
    list of list of int
        Numbers of the windows of each set; every window stands in one.
    """
    sets = [({number}, set(regions)) for number, regions in enumerate(windows)]
    for constraint in constraints:
        named = {reference.region for reference in constraint.references}
        joined = [one for one in sets if one[1] & named]
        if len(joined) > 1:
            sets = [one for one in sets if one not in joined]
            sets.append((set().union(*(one[0] for one in joined)), set().union(*(one[1] for one in joined))))
    return sorted(sorted(numbers) for numbers, _ in sets)

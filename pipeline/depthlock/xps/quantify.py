"""Atomic percent from areas and sensitivity factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depthlock.model.quantity import NORMAL_95, Quantity
from depthlock.xps.shapes import FloatArray


@dataclass(frozen=True)
class RegionTotal:
    """Whole area of a core level over the levels.

    Attributes
    ----------
    region, element : str
    area, std : ndarray (levels,)
        counts/s eV; NaN in levels not measured.
    factor : float or None
        Sensitivity factor; None when the set has none.
    """

    region: str
    element: str
    area: FloatArray
    std: FloatArray
    factor: float | None


def choose_regions(totals: Sequence[RegionTotal]) -> list[RegionTotal]:
    """One core level an element, the one with the smallest relative error; those without a factor are left out."""
    chosen: dict[str, RegionTotal] = {}

    def merit(total: RegionTotal) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.nansum(total.area) / np.sqrt(np.nansum(total.std**2)))

    for total in totals:
        if total.factor is None or not np.any(np.isfinite(total.area)):
            continue
        rival = chosen.get(total.element)
        if rival is None or merit(total) > merit(rival):
            chosen[total.element] = total
    return list(chosen.values())


def atomic_percent(totals: Sequence[RegionTotal], factor_std: float) -> tuple[list[str], Quantity]:
    """Atomic percent of the chosen core levels.

    Parameters
    ----------
    totals : sequence of RegionTotal
        One an element, with factors.
    factor_std : float
        Relative standard error of each sensitivity factor.

    Returns
    -------
    list of str, Quantity
        Elements, and percent (levels, elements) with errors by linear propagation; areas of different core levels
        count as independent (they share only the charge shift). Levels where a core level was not measured are NaN
        and flagged `region_not_measured`.
    """
    elements = [total.element for total in totals]
    weight = np.stack([total.area / float(total.factor or 1.0) for total in totals], axis=1)
    error = np.stack([total.std / float(total.factor or 1.0) for total in totals], axis=1)
    error = np.sqrt(error**2 + (factor_std * weight) ** 2)
    whole = weight.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = weight / whole
        variance = (error / whole) ** 2
        std = np.sqrt((1.0 - 2.0 * share) * variance + share**2 * variance.sum(axis=1, keepdims=True))
    missing = ~np.isfinite(share)
    value, std = 100.0 * share, 100.0 * std
    flag = np.where(missing, "region_not_measured", "")
    if len(elements) == 1:
        flag = np.where(missing, flag, "single_element")
    lower, upper = np.clip(value - NORMAL_95 * std, 0.0, 100.0), np.clip(value + NORMAL_95 * std, 0.0, 100.0)
    return elements, Quantity(value, std, lower, upper, flag)

"""Atomic percent from line counts, after Cliff and Lorimer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from depthlock.model.quantity import Quantity


def atomic_percent(
    elements: Sequence[str],
    counts: NDArray[np.float64],
    variance: NDArray[np.float64],
    k_factors: Mapping[str, float],
    k_factor_std: float,
) -> Quantity:
    """Atomic percent of the elements that have a k-factor; they add up to 100.

    Parameters
    ----------
    elements : sequence of str, length n
    counts, variance : ndarray, shape (n,)
        Net counts of each element's line, and their variance.
    k_factors : mapping
        Factor of each element relative to one common element, for weight fractions: C_A/C_B = k_A I_A/(k_B I_B) (Cliff
        & Lorimer, J. Microsc. 103, 203 (1975)); thin specimens, no absorption.
    k_factor_std : float
        Relative standard error of every factor.

    Returns
    -------
    Quantity
        Of shape (n,); NaN and flagged for elements without a factor.
    """
    from molmass import ELEMENTS

    known = np.array([element in k_factors for element in elements])
    factor = np.array([k_factors.get(element, 0.0) / ELEMENTS[element].mass for element in elements])
    amount = factor * np.where(known, counts, 0.0)
    error = factor**2 * np.where(known, variance, 0.0) + (k_factor_std * amount) ** 2
    total = float(amount.sum())
    if total <= 0:
        nothing = np.full(len(elements), np.nan)
        return Quantity(nothing, nothing, flag=np.where(known, "few_counts", "no_k_factor"))
    share = amount / total
    spread = np.sqrt((1.0 - share) ** 2 * error + share**2 * (error.sum() - error)) / total
    value = np.where(known, 100.0 * share, np.nan)
    std = np.where(known, 100.0 * spread, np.nan)
    return Quantity(value, std, flag=np.where(known, "", "no_k_factor"))

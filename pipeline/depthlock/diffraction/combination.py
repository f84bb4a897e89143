"""Several diffraction patterns of one sample: a mean over them, and how far they differ beyond counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, t

from depthlock.diffraction.measured import UNITS, Measured, bounded
from depthlock.model.quantity import NORMAL_95, Quantity, join_flags

COMPARED = ("reflection_spacing", "reflection_width", "texture_share", "orientation_spread", "oriented_share")
"""Quantities whose spread between patterns is told; counts go with the exposure, angles with how the film lay."""

OF_GEOMETRY = ("texture_share", "orientation_spread", "orientation_angle", "oriented_share")
"""Quantities that mean something else at grazing incidence than in transmission."""

DIFFERENT = 1e-3
"""Probability of so large a difference by counting alone, below which it is flagged."""


@dataclass(frozen=True)
class Mean:
    """A mean of several measurements that may differ by more than their errors.

    Attributes
    ----------
    value, std : float
        The standard deviation holds counting and the spread between the measurements.
    factor : float
        Half width of the 95 % interval in standard deviations.
    between, between_lower, between_upper : float
        Standard deviation between the measurements beyond their errors, with its 95 % interval.
    differ : bool
        Whether they differ significantly.
    """

    value: float
    std: float
    factor: float
    between: float
    between_lower: float
    between_upper: float
    differ: bool


def mean_of(values: NDArray[np.float64], stds: NDArray[np.float64]) -> Mean:
    """Mean and spread of two or more measurements with normal errors (a random-effects mean).

    Parameters
    ----------
    values, stds : ndarray, shape (n,)

    Returns
    -------
    Mean
        The spread tau solves Q(tau) = n - 1, with Q = sum (v - mean)^2 / (s^2 + tau^2) (Paule & Mandel, J. Res. NBS
        87, 377 (1982)); its interval holds all tau with Q between the chi-square quantiles (Viechtbauer, Stat. Med. 26,
        37 (2007)). The interval of the mean has Welch-Satterthwaite's degrees of freedom: n - 1 for the part of its
        variance that is known from the spread of n values only.
    """
    n = values.size

    def weighted(variance: float) -> tuple[float, float]:
        weights = 1.0 / (stds**2 + variance)
        mean = float(weights @ values / weights.sum())
        return mean, float(weights @ (values - mean) ** 2)

    def variance_at(level: float) -> float:
        if weighted(0.0)[1] <= level:
            return 0.0
        high = float(np.ptp(values)) ** 2
        while weighted(high)[1] > level:
            high *= 4.0
        return float(brentq(lambda variance: weighted(variance)[1] - level, 0.0, high))

    variance = variance_at(n - 1.0)
    weights = 1.0 / (stds**2 + variance)
    total = 1.0 / float(weights.sum())
    own = float(np.average(variance / (stds**2 + variance), weights=weights))
    factor = float(t.ppf(0.975, max(n - 1.0, (n - 1.0) / max(own, 1e-6) ** 2)))
    most, least = (float(np.sqrt(variance_at(float(chi2.ppf(level, n - 1))))) for level in (0.025, 0.975))
    return Mean(
        value=weighted(variance)[0], std=float(np.sqrt(total)), factor=factor,
        between=float(np.sqrt(variance)), between_lower=least, between_upper=most,
        differ=bool(chi2.sf(weighted(0.0)[1], n - 1) < DIFFERENT),
    )  # fmt: skip


@dataclass(frozen=True)
class Combined:
    """The reflections of a sample over all its patterns.

    Attributes
    ----------
    names : list of str
        Every reflection once.
    quantities, between : dict of Quantity, shape (n,)
        By name; `between` has those of `COMPARED`.
    """

    names: list[str]
    quantities: dict[str, Quantity]
    between: dict[str, Quantity]


def combine(patterns: Sequence[Measured], grazing: Sequence[bool]) -> Combined:
    """Combine the reflections of the patterns of one sample by name.

    Parameters
    ----------
    patterns : sequence of Measured
        Two or more.
    grazing : sequence of bool
        Whether each is at grazing incidence.

    Returns
    -------
    Combined
        Counts add up, all else is averaged. Shares over different reflections have no mean, nor have orientations at
        grazing incidence and in transmission.
    """
    names = list(dict.fromkeys(name for one in patterns for name in one.names))
    quantities, between = {}, {}
    for quantity in UNITS:
        means = [_mean_over(patterns, quantity, name, grazing) for name in names]
        flags = [flag for _, flag in means]
        value, std, factor = (np.array([getattr(mean, part) for mean, _ in means]) for part in
                              ("value", "std", "factor"))  # fmt: skip
        quantities[quantity] = bounded(quantity, value, std, flags, factor)
        if quantity in COMPARED:
            spread, low, high = (np.array([getattr(mean, part) for mean, _ in means]) for part in
                                 ("between", "between_lower", "between_upper"))  # fmt: skip
            told = [join_flags(flag, "" if np.isfinite(value) else "too_few_patterns")
                    for flag, value in zip(flags, spread, strict=True)]  # fmt: skip
            # The spread of a few values has a lopsided interval; its width over that of a normal one is the error.
            between[quantity] = Quantity(
                spread, (high - low) / (2.0 * NORMAL_95), low, high, np.array(told, dtype=np.str_)
            )
    return Combined(names, quantities, between)


def _alone(value: float, std: float) -> Mean:
    """A number that no other stands beside."""
    return Mean(value, std, NORMAL_95, np.nan, np.nan, np.nan, differ=False)


_NOTHING = _alone(np.nan, np.nan)


def _mean_over(patterns: Sequence[Measured], quantity: str, name: str, grazing: Sequence[bool]) -> tuple[Mean, str]:
    places = [(one, one.names.index(name)) for one in patterns if name in one.names]
    values = np.array([one.values[quantity][at] for one, at in places])
    stds = np.array([one.stds[quantity][at] for one, at in places])
    flags = [one.flags[quantity][at] for one, at in places]
    known = np.isfinite(values) & np.isfinite(stds)
    if not known.any():
        return _NOTHING, join_flags(*flags) or "not_measured"
    if quantity in OF_GEOMETRY and len(set(grazing)) > 1:
        return _NOTHING, "geometries_differ"
    if quantity == "texture_share" and len({_shared(one) for one in patterns}) > 1:
        return _NOTHING, "reflections_differ"
    flag = _flag_of([flag for flag, good in zip(flags, known, strict=True) if good])
    if not known.all() or len(places) < len(patterns):
        flag = join_flags(flag, "patterns_left_out")
    values, stds = values[known], stds[known]
    if quantity == "reflection_counts":
        return _alone(float(values.sum()), float(np.hypot.reduce(stds))), flag
    if values.size == 1 or not stds.all():  # the share of a single reflection is one, without error
        return _alone(float(values.mean()), float(stds.mean())), flag
    if quantity == "orientation_angle" and not grazing[0]:
        values = values[0] + (values - values[0] + 90.0) % 180.0 - 90.0
    mean = mean_of(values, stds)
    if quantity == "orientation_angle" and not grazing[0]:
        mean = replace(mean, value=mean.value % 180.0)
    return mean, join_flags(flag, "patterns_differ" if mean.differ else "")


def _shared(one: Measured) -> frozenset[str]:
    """The reflections whose sum a pattern's shares are of."""
    return frozenset(name for name, value in zip(one.names, one.values["texture_share"], strict=True)
                     if np.isfinite(value))  # fmt: skip


def _flag_of(flags: Sequence[str]) -> str:
    """The reasons of all patterns; too few counts in one of them are none where another one has enough."""
    each = [flag.split(";") for flag in flags]
    some = dict.fromkeys(reason for reasons in each for reason in reasons)
    passing = {"not_detected"} if not all("not_detected" in reasons for reasons in each) else set()
    return join_flags(*(reason for reason in some if reason not in passing))

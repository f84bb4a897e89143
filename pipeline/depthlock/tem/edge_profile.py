"""Where a boundary lies by the mean brightness across it: corrects what texture and Fresnel fringes do to a path.

A texture's power is not linear in the share of a side under a blurred boundary, and a Fresnel fringe is neither side;
both pull every column of a path alike. The mean profile across the whole boundary has little noise, so that a blurred
step with and without a fringe can be told apart on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

REACH = 2.5
"""Half length in nm of the profile."""

BIN = 0.06
"""Bin in nm of the profile."""

SHIFTS = np.arange(-0.9, 0.9001, 0.03)
"""Shifts in nm that are tried."""

BLURS = (0.04, 0.1, 0.17, 0.27, 0.4, 0.6, 0.9)
"""Standard deviations in nm of the step's blur that are tried."""

FRINGES = (0.06, 0.12, 0.2, 0.33, 0.5, 0.8)
"""Wavelength times defocus in nm^2 of the fringes that are tried (200 kV: 24 to 320 nm of defocus)."""

DECAYS = (0.5, 1.0, 2.0)
"""Lengths in nm over which the fringes die out that are tried."""

PRIOR = 0.06
"""Standard deviation in nm of a path's common shift before the profile is seen (simulated images)."""

STRAY = 0.5
"""Standard deviation in nm of the shift of a path that followed something else than the boundary."""

STRAY_SHARE = 0.05
"""Share of such paths."""

FLOOR = 0.03
"""Least standard error in nm of a shift: the profile's own model is no better."""

INDEPENDENT = 0.25
"""Length in nm over which the profile's residuals are one: the size of speckle."""


@dataclass(frozen=True)
class Shift:
    """A common shift of a boundary, to be added to its depth.

    Attributes
    ----------
    value, std : float
        nm, after weighing with the prior.
    fringe : float
        Weight (0 to 1) of the models with a Fresnel fringe.
    """

    value: float
    std: float
    fringe: float


def boundary_shift(
    brightness: NDArray[np.float64],
    depth: NDArray[np.float64],
    path: NDArray[np.float64],
    used: NDArray[np.bool_],
    limits: tuple[float, float],
    rng: np.random.Generator,
    resamples: int = 40,
) -> Shift:
    """The shift of a path by the mean brightness profile across it.

    Parameters
    ----------
    brightness : ndarray, shape (n_v, n_s)
        Evenly lit, lattice removed, NaN outside the image.
    depth : ndarray, shape (n_v,)
        nm.
    path : ndarray, shape (n_s,)
        Depth of the boundary in nm.
    used : ndarray of bool, shape (n_s,)
        Columns to use.
    limits : tuple of float
        How far in nm inwards (negative) and outwards the profile may reach without meeting another boundary.
    rng : numpy.random.Generator
    resamples : int
        Bootstrap samples, over blocks of columns, for the error.

    Returns
    -------
    Shift
        Of value 0 and standard error PRIOR where the profile shows no step to measure at; of standard error STRAY
        where it shows one out of reach.
    """
    low, high = max(-REACH, limits[0]), min(REACH, limits[1])
    centres = np.arange(np.ceil(low / BIN), np.floor(high / BIN) + 1) * BIN
    columns = np.nonzero(used)[0]
    if columns.size < 8 or low > -0.8 or high < 0.8:
        return Shift(0.0, PRIOR, 0.0)
    profiles = np.stack([np.interp(centres + path[s], depth, brightness[:, s]) for s in columns])
    profiles = profiles[np.isfinite(profiles).all(axis=1)]
    if len(profiles) < 8:
        return Shift(0.0, PRIOR, 0.0)
    block = max(1, min(4, len(profiles) // 6))
    blocks = profiles[: len(profiles) // block * block].reshape(-1, block, centres.size).mean(axis=1)
    draws = rng.integers(0, len(blocks), size=(resamples, len(blocks)))
    means = np.concatenate([profiles.mean(axis=0)[None], blocks[draws].mean(axis=1)])
    value, spread, fringe = _averaged_shift(means, centres)
    spread = float(np.hypot(spread, FLOOR))
    if spread > 2 * PRIOR:
        return Shift(0.0, PRIOR, 0.0)
    if abs(value) >= SHIFTS[-2]:
        # The step lies further away than shifts are tried: the path is wrong by an unknown length.
        return Shift(0.0, STRAY, fringe)
    return Shift(*_weighed(value, spread), fringe)


def _weighed(value: float, spread: float) -> tuple[float, float]:
    """Mean and standard deviation of a shift under the two priors, of paths on the boundary and of stray ones."""
    widths = np.array([PRIOR, STRAY])
    marginal = np.hypot(widths, spread)
    evidence = np.array([1 - STRAY_SHARE, STRAY_SHARE]) / marginal * np.exp(-0.5 * (value / marginal) ** 2)
    chance = evidence / evidence.sum()
    kept = widths**2 / marginal**2
    means, variances = kept * value, kept * spread**2
    mean = float(chance @ means)
    return mean, float(np.sqrt(chance @ (variances + (means - mean) ** 2)))


def _averaged_shift(means: NDArray[np.float64], centres: NDArray[np.float64]) -> tuple[float, float, float]:
    """Shift of the first profile averaged over the models, its error, and the weight of the models with a fringe.

    Models are weighed by Akaike's criterion (Burnham & Anderson 2002); the others' profiles, resampled, give the error
    within a model.
    """
    count = centres.size * BIN / INDEPENDENT
    values, spreads, criteria = [], [], []
    for kind, parameters in enumerate((4, 7, 7)):
        rest = _residuals(means, centres, kind)
        shifts = _lowest(rest)
        values.append(float(shifts[0]))
        spreads.append(float(np.std(shifts[1:])))
        criteria.append(count * np.log(rest[0].min()) + 2 * parameters)
    weights = np.exp(-0.5 * (np.array(criteria) - min(criteria)))
    weights /= weights.sum()
    value = float(weights @ np.array(values))
    variance = float(weights @ (np.array(spreads) ** 2 + (np.array(values) - value) ** 2))
    return value, float(np.sqrt(variance)), float(1 - weights[0])


def _lowest(by_shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift of the least residual, by a parabola through it and its neighbours."""
    at = np.clip(by_shift.argmin(axis=1), 1, SHIFTS.size - 2)
    row = np.arange(len(by_shift))
    before, here, after = by_shift[row, at - 1], by_shift[row, at], by_shift[row, at + 1]
    bend = before - 2 * here + after
    part = np.where(bend > 0, 0.5 * (before - after) / np.where(bend > 0, bend, 1.0), 0.0)
    return np.asarray(SHIFTS[at] + np.clip(part, -1, 1) * (SHIFTS[1] - SHIFTS[0]))


def _residuals(means: NDArray[np.float64], centres: NDArray[np.float64], kind: int) -> NDArray[np.float64]:
    """Least sum of squares over everything but the shift; shape (n_profiles, n_shifts)."""
    bases = _bases(kind, round(float(centres[0]) / BIN), centres.size)
    total = (means**2).sum(axis=1)
    rest = np.full((len(means), SHIFTS.size), np.inf)
    for number, basis in enumerate(bases):
        explained = ((means @ basis) ** 2).sum(axis=-1)  # (n_designs, n_profiles)
        rest[:, number] = (total[None] - explained).min(axis=0)
    return np.asarray(np.maximum(rest, 1e-30))


@lru_cache(maxsize=12)
def _bases(kind: int, first: int, size: int) -> tuple[NDArray[np.float64], ...]:
    """Orthonormal bases of all designs of a model, for every shift; each (n_designs, size, n_columns)."""
    centres = (first + np.arange(size)) * BIN
    one = np.ones_like(centres)
    result = []
    for shift in SHIFTS:
        at = centres - shift
        designs = []
        for blur in BLURS:
            step = ndtr(at / blur)
            if kind == 0:
                designs.append(np.column_stack([one, step]))
                continue
            for fringe in FRINGES:
                for decay in DECAYS:
                    wave = np.exp(-np.abs(at) / decay) * np.cos(np.pi * at**2 / fringe)
                    # Even about the edge of an opaque object, odd about that of a weak one.
                    designs.append(np.column_stack([one, step, wave if kind == 1 else wave * np.tanh(at / blur)]))
        result.append(np.linalg.qr(np.stack(designs))[0])
    return tuple(result)

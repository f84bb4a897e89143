"""The posterior of one measured profile: layer profile, substrate level and depth response.

All unknowns of a profile are one row of `COLUMNS` numbers; a set of rows is an ensemble of samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_response import PARAMETERS, Design, design
from depthlock.fusion.layer_prior import MODES, log_profile

Array = NDArray[np.float64]

SUBSTRATE, LEVEL, SLOPE, STRENGTH, TRANSIENT, DRIFT = range(PARAMETERS, PARAMETERS + 6)
BENDING = slice(PARAMETERS + 6, PARAMETERS + 6 + MODES)
COLUMNS = PARAMETERS + 6 + MODES
"""Response parameters; then logarithms of the substrate's level, of the layer's mean level, its slope, the bending's
strength, the gain of the surface transient and the drift of the gain over one layer; then the bending modes."""

OWN = COLUMNS - PARAMETERS
"""Columns that belong to one profile; in a fit of several they follow the common response one after the other."""

CELLS = 40
"""Cells of the layer: finer than any response that is met (roughness >= 3 % of the layer)."""


@dataclass(frozen=True)
class Measurement:
    """One measured profile as a counting or a Gaussian experiment.

    Attributes
    ----------
    time : array (k,)
        Sputter time in s in the middle of each point.
    value : array (k,)
        Counts, or areas.
    gain, background : array (k,)
        Expected value = gain x true intensity + background.
    dispersion : array (k,)
        Variance over expected value for counts (1 = Poisson).
    std : array (k,) or None
        Given: Gaussian errors, and `dispersion` is not used.
    transient_range : tuple of float
        Shortest and longest decay time in s that the surface transient may have.
    drifting : array (k,)
        Time from the interface in units of the layer's time, roughly: what a slow drift of the gain follows.
    """

    time: Array
    value: Array
    gain: Array
    background: Array
    dispersion: Array
    transient_range: tuple[float, float]
    drifting: Array
    std: Array | None = None

    def widened(self, factor: float) -> Measurement:
        """The same with variances larger by `factor`."""
        std = None if self.std is None else self.std * np.sqrt(factor)
        return replace(self, dispersion=self.dispersion * factor, std=std)


@dataclass(frozen=True)
class Prior:
    """Independent normal prior of every column; a std of 0 holds it at its mean (or at the chain's start)."""

    mean: Array
    std: Array

    @property
    def free(self) -> NDArray[np.intp]:
        """Columns that are fitted."""
        return np.flatnonzero(self.std > 0)


@dataclass(frozen=True)
class Surroundings:
    """What differs between chains without being fitted, because one profile cannot tell it from the layer.

    Attributes
    ----------
    surface_normalised : array (chains,)
        Share to which the signal near the surface comes from a full half-space (see `depth_response.design`).
    transient_decay : array (chains,)
        Decay of the surface transient in s.
    tilt : array (chains,)
        Relative change of the sputter rate across the layer.
    """

    surface_normalised: Array
    transient_decay: Array
    tilt: Array

    @classmethod
    def typical(cls, chains: int, measurement: Measurement) -> Surroundings:
        """The middle of what is drawn."""
        decay = float(np.sqrt(np.prod(measurement.transient_range)))
        return cls(np.full(chains, 0.85), np.full(chains, decay), np.zeros(chains))

    @classmethod
    def drawn(cls, chains: int, measurement: Measurement, tilt_std: float, random: np.random.Generator) -> Surroundings:
        """One draw a chain, so that the samples carry what is not known about them."""
        shortest, longest = measurement.transient_range
        return cls(
            random.uniform(0.7, 1.0, chains),
            np.exp(random.uniform(np.log(shortest), np.log(longest), chains)),
            tilt_std * random.standard_normal(chains),
        )

    def chosen(self, which: NDArray[np.intp]) -> Surroundings:
        """The chains `which`, in that order."""
        return Surroundings(self.surface_normalised[which], self.transient_decay[which], self.tilt[which])

    def repeated(self, times: int, last: int) -> Surroundings:
        """The same chains `times` over, of which the last `last` are kept."""
        return Surroundings(
            np.tile(self.surface_normalised, times)[-last:],
            np.tile(self.transient_decay, times)[-last:],
            np.tile(self.tilt, times)[-last:],
        )


def layer_of(rows: Array) -> Array:
    """Profile (..., CELLS) in the layer's cells, in the units of the intensity."""
    logarithm = log_profile(rows[..., LEVEL], rows[..., SLOPE], rows[..., BENDING], rows[..., STRENGTH], CELLS)
    return np.asarray(np.exp(np.minimum(logarithm, 50.0)), dtype=np.float64)


def seen_by(measurement: Measurement, rows: Array, around: Surroundings) -> Design:
    """The design of every row."""
    return design(measurement.time, rows[:, :PARAMETERS], CELLS, around.surface_normalised, around.tilt)


def expected(measurement: Measurement, rows: Array, around: Surroundings, seen: Design) -> Array:
    """Expected values (rows, k)."""
    intensity = np.einsum("jkn,jn->jk", seen.layer, layer_of(rows))
    intensity += seen.substrate * np.exp(rows[:, SUBSTRATE, None])
    fading = surface_fading(measurement, around)
    intensity *= np.exp(rows[:, TRANSIENT, None] * fading + rows[:, DRIFT, None] * measurement.drifting)
    return np.asarray(measurement.gain * intensity + measurement.background, dtype=np.float64)


def surface_fading(measurement: Measurement, around: Surroundings) -> Array:
    """Remainder (rows, k) of the surface transient at every point; 1 at the first one of the profile."""
    return np.asarray(np.exp(-measurement.time / around.transient_decay[:, None]), dtype=np.float64)


def log_likelihood(measurement: Measurement, model: Array) -> Array:
    """Logarithm of the likelihood (rows,), up to a constant: quasi-Poisson, or Gaussian where a std is given."""
    if measurement.std is not None:
        pull = (measurement.value - model) / measurement.std
        return np.asarray(-0.5 * np.sum(pull**2, axis=-1), dtype=np.float64)
    safe = np.maximum(model, 1e-9)
    return np.asarray(np.sum((measurement.value * np.log(safe) - safe) / measurement.dispersion, axis=-1))


def log_prior(prior: Prior, rows: Array) -> Array:
    """Logarithm of the prior (rows,) of the free columns, up to a constant."""
    free = prior.free
    return np.asarray(-0.5 * np.sum(((rows[:, free] - prior.mean[free]) / prior.std[free]) ** 2, axis=-1))


def fisher_weight(measurement: Measurement, model: Array) -> Array:
    """Inverse variance (..., k) of every point around its expected value."""
    if measurement.std is not None:
        return np.asarray(np.broadcast_to(1.0 / measurement.std**2, model.shape), dtype=np.float64)
    return np.asarray(1.0 / (np.maximum(model, 1e-3) * measurement.dispersion), dtype=np.float64)


@dataclass(frozen=True)
class Problem:
    """Profiles that share one depth response, with the joint prior of the response and their own columns."""

    measurements: tuple[Measurement, ...]
    prior: Prior

    def part(self, rows: Array, number: int) -> Array:
        """Rows (rows, COLUMNS) of one profile: the response and its own columns."""
        start = PARAMETERS + number * OWN
        return np.concatenate([rows[:, :PARAMETERS], rows[:, start : start + OWN]], axis=1)

    def typical(self, chains: int) -> Surroundings:
        """The middle of what is drawn."""
        return Surroundings.typical(chains, self.measurements[0])

    def seen(self, rows: Array, around: Surroundings) -> tuple[Design, ...]:
        """The design of every profile; profiles measured at the same times share it."""
        designs: list[Design] = []
        for number, measurement in enumerate(self.measurements):
            if number and np.array_equal(measurement.time, self.measurements[0].time):
                designs.append(designs[0])
            else:
                designs.append(seen_by(measurement, rows, around))
        return tuple(designs)

    def expected(self, rows: Array, around: Surroundings, seen: tuple[Design, ...]) -> Array:
        """Expected values (rows, all points)."""
        return np.concatenate(
            [
                expected(measurement, self.part(rows, number), around, seen[number])
                for number, measurement in enumerate(self.measurements)
            ],
            axis=1,
        )

    @property
    def value(self) -> Array:
        """Measured values (all points,)."""
        return np.concatenate([measurement.value for measurement in self.measurements])

    def split(self, model: Array) -> list[Array]:
        """Values on all points, by profile."""
        ends = np.cumsum([measurement.value.size for measurement in self.measurements])
        return np.split(model, ends[:-1], axis=-1)

    def log_likelihood(self, model: Array) -> Array:
        """Logarithm of the joint likelihood (rows,)."""
        parts = zip(self.measurements, self.split(model), strict=True)
        return np.asarray(sum(log_likelihood(one, part) for one, part in parts), dtype=np.float64)

    def weight(self, model: Array) -> Array:
        """Inverse variances on all points."""
        parts = zip(self.measurements, self.split(model), strict=True)
        return np.concatenate([fisher_weight(one, part) for one, part in parts], axis=-1)

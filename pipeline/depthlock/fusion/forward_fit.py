"""Forward fits: the interface and depth response from a substrate species, then the layer profile of every species.

The substrate's species is fitted with its depth response free; all others are fitted at the responses sampled from it,
so that every sample of every profile belongs to one sample of the depth scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_response import INTERFACE, PARAMETERS, ROUGHNESS
from depthlock.fusion.posterior import (
    CELLS,
    SUBSTRATE,
    Measurement,
    Prior,
    Problem,
    Surroundings,
    expected,
    layer_of,
    seen_by,
)
from depthlock.fusion.priors import ResponsePrior, free_response, profile_prior
from depthlock.fusion.sampling import approximate, conditional_modes, sample, sample_conditional

Array = NDArray[np.float64]

TILT_STD = 0.1
"""Relative change of the sputter rate across the layer that is not known (1 std): its parts sputter unlike."""


WIDENED_FROM = 1.5
"""Mean squared pull from which errors are widened by it and the fit is repeated: the model then misses something."""

FEWEST_EFFECTIVE = 40.0
"""Effective number of samples below which weights are flattened."""

CHAINS = 100
"""Markov chains of the interface's fit to a profile of many points."""


@dataclass(frozen=True)
class LayerFit:
    """Samples of one species' profile.

    Attributes
    ----------
    rows : array (samples, COLUMNS)
        Parameters.
    layer : array (samples, CELLS)
        Profile in the layer, in the units of the intensity, free of the depth response.
    substrate : array (samples,)
        Level in the substrate.
    chi_square : float
        Mean squared pull of the data from the mean model.
    accepted : float
        Share of accepted Markov moves.
    """

    rows: Array
    layer: Array
    substrate: Array
    chi_square: float
    accepted: float


@dataclass(frozen=True)
class InterfaceFit(LayerFit):
    """Samples of the substrate's species, with the depth response free, and what each chain assumed."""

    around: Surroundings

    @property
    def response(self) -> Array:
        """Samples (samples, 5) of the logarithmic response parameters."""
        return self.rows[:, :PARAMETERS]

    @property
    def interface_time(self) -> Array:
        """Samples of the time in s at which the layer ends."""
        return np.asarray(np.exp(self.rows[:, INTERFACE]), dtype=np.float64)

    def thinned(self, samples: int) -> InterfaceFit:
        """`samples` of the samples, evenly chosen."""
        which = np.linspace(0, len(self.rows) - 1, samples).astype(np.intp)
        return replace(
            self,
            rows=self.rows[which],
            layer=self.layer[which],
            substrate=self.substrate[which],
            around=self.around.chosen(which),
        )


def fit_interface(
    measurement: Measurement,
    prior: ResponsePrior,
    samples: int,
    random: np.random.Generator,
    companions: Sequence[Measurement] = (),
    steps: int = 400,
    most_chains: int = CHAINS,
    is_repeated: bool = False,
) -> InterfaceFit:
    """Sample interface, depth response and layer profile of a substrate species together.

    Parameters
    ----------
    measurement : Measurement
        The substrate's species, from the surface into its plateau.
    prior : ResponsePrior
        What is known of the response.
    samples : int
        Number of samples.
    companions : sequence of Measurement
        Species of the layer that see the same response: their fall at the interface is fitted with it.
    steps : int
        Moves of the Markov chains.
    most_chains : int
        Chains; more samples are snapshots of the same chains.
    is_repeated : bool
        Whether the errors have been widened to the misfit already.

    Returns
    -------
    InterfaceFit
    """
    columns = profile_prior(measurement, prior, is_substrate=True)
    free_response(columns, prior)
    joint = [columns, *(profile_prior(one, prior, is_substrate=False) for one in companions)]
    problem = Problem(
        (measurement, *companions),
        Prior(
            np.concatenate([columns.mean, *(one.mean[PARAMETERS:] for one in joint[1:])]),
            np.concatenate([columns.std, *(one.std[PARAMETERS:] for one in joint[1:])]),
        ),
    )
    chains = min(samples, most_chains)
    starts = np.repeat(problem.prior.mean[None], 3, axis=0)
    starts[:, ROUGHNESS] += np.log([0.5, 1.0, 2.0])
    joined = approximate(problem, starts, chains, random)
    around = Surroundings.drawn(chains, measurement, TILT_STD, random)
    # Snapshots of the ensemble after the first third: the chains are few and their moves dear.
    snapshots = -(-samples // chains)
    pauses = np.diff(np.linspace(steps / 3.0, steps, snapshots + 1).astype(int))
    joined, accepted = sample(problem, joined, around, steps - int(pauses.sum()), random)
    kept = []
    for pause in pauses:
        joined, accepted = sample(problem, joined, around, int(pause), random)
        kept.append(joined)
    joined = np.concatenate(kept)[-samples:]
    around = around.repeated(snapshots, samples)
    rows = problem.part(joined, 0)
    misfit = max(
        _chi_square(one, problem.part(joined, number), around) for number, one in enumerate(problem.measurements)
    )
    if misfit > WIDENED_FROM and not is_repeated:
        wide = [one.widened(max(misfit, 1.0)) for one in problem.measurements]
        again = fit_interface(wide[0], prior, samples, random, wide[1:], steps, most_chains, is_repeated=True)
        return replace(again, chi_square=misfit)
    return InterfaceFit(rows, layer_of(rows), np.exp(rows[:, SUBSTRATE]), misfit, accepted, around)


def informed_by_layer(
    fit: InterfaceFit,
    measurements: Sequence[tuple[Measurement, Array]],
    prior: ResponsePrior,
    random: np.random.Generator,
) -> InterfaceFit:
    """Resample an interface's fit by how well its responses explain species of the layer.

    A few etch levels that end at the interface show no plateau of the substrate; that the layer's own species are gone
    by then says where it is.

    Parameters
    ----------
    fit : InterfaceFit
        Fit of the substrate's species.
    measurements : sequence of (Measurement, array (samples, 5))
        Species of the layer, with the response of each sample as that species has it.
    prior : ResponsePrior
        Of the technique.

    Returns
    -------
    InterfaceFit
        Of as many samples; the weights are flattened if fewer than `FEWEST_EFFECTIVE` samples would carry them.
    """
    log_weight = np.zeros(len(fit.rows))
    for measurement, response in measurements:
        columns = profile_prior(measurement, prior, is_substrate=False)
        rows = np.repeat(columns.mean[None], len(response), axis=0)
        rows[:, :PARAMETERS] = response
        _, _, evidence = conditional_modes(measurement, columns, rows, fit.around)
        log_weight += evidence
    log_weight -= log_weight.max()
    flatter = 1.0
    weight = np.exp(log_weight)
    while weight.sum() ** 2 / np.sum(weight**2) < FEWEST_EFFECTIVE and flatter > 1e-3:
        flatter *= 0.8
        weight = np.exp(flatter * log_weight)
    # Systematic resampling: as many copies as the weight says, no more noise than needed.
    ladder = (np.arange(len(weight)) + random.uniform()) / len(weight)
    chosen = np.minimum(np.searchsorted(np.cumsum(weight) / weight.sum(), ladder), len(weight) - 1)
    return replace(
        fit,
        rows=fit.rows[chosen],
        layer=fit.layer[chosen],
        substrate=fit.substrate[chosen],
        around=fit.around.chosen(chosen),
    )


def fit_layer(
    measurement: Measurement,
    prior: ResponsePrior,
    response: Array,
    around: Surroundings,
    is_substrate: bool,
    random: np.random.Generator,
    steps: int = 120,
) -> LayerFit:
    """Sample a species' profile at given samples of the depth response.

    Parameters
    ----------
    measurement : Measurement
        The species.
    prior : ResponsePrior
        For the transient and drift.
    response : array (samples, 5)
        Logarithmic response parameters.
    around : Surroundings
        Of the same samples.
    is_substrate : bool
        Whether the species comes from the substrate.

    Returns
    -------
    LayerFit
    """
    columns = profile_prior(measurement, prior, is_substrate)
    start = columns.mean.copy()
    start[:PARAMETERS] = np.median(response, axis=0)
    rows = approximate(Problem((measurement,), columns), start[None], len(response), random)
    rows[:, :PARAMETERS] = response
    rows, accepted = sample_conditional(measurement, columns, rows, around, steps, random)
    misfit = _chi_square(measurement, rows, around)
    if misfit > WIDENED_FROM:
        wide = measurement.widened(misfit)
        rows, accepted = sample_conditional(wide, columns, rows, around, steps, random)
    return LayerFit(rows, layer_of(rows), np.exp(rows[:, SUBSTRATE]), misfit, accepted)


def _chi_square(measurement: Measurement, rows: Array, around: Surroundings) -> float:
    model = expected(measurement, rows, around, seen_by(measurement, rows, around)).mean(axis=0)
    variance = np.maximum(model, 0.3) * measurement.dispersion if measurement.std is None else measurement.std**2
    return float(np.mean((measurement.value - model) ** 2 / variance))


def unit_area(layer: Array) -> Array:
    """Profiles (samples, CELLS) scaled to integral 1 over the layer; the sum over the cells is 1."""
    return np.asarray(layer / layer.sum(axis=-1, keepdims=True), dtype=np.float64)


def cell_centres() -> Array:
    """Centres of the layer's cells as fractions of it."""
    return (np.arange(CELLS) + 0.5) / CELLS

"""Many independent spectra of one core level, each fitted on its own: maps, time series, simulations.

The model is that of `depthlock.xps.lmfit_bridge.region_model` (pseudo-Voigts with one mixing, active Shirley step,
straight background); no priors, no charge shift. A compiled Levenberg-Marquardt with analytic derivatives on tabulated
shapes finds lmfit's minimum and covariance without its cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.model.chemistry import Region
from depthlock.model.errors import MeasurementError
from depthlock.xps.shapes import FloatArray, pseudo_voigt

START_STEP = 0.03
"""Shirley step per area (1/eV) from which fits start, as in `region_model`."""

COMMON = ("mixing", "step", "background_offset", "background_slope")


@dataclass(frozen=True)
class BatchFit:
    """Independent fits of spectra.

    Attributes
    ----------
    names : tuple of str
        Parameters: `<component>/area`, `/position`, `/fwhm` (and `/fwhm_weak`), then those of `COMMON`.
    value : ndarray (spectra, parameters)
        Areas in counts/s eV, energies in eV, mixing in 1, step in 1/eV, background in counts/s (slope: from the
        window's middle to its end).
    covariance : ndarray (spectra, parameters, parameters)
        Inverse of the normal matrix of free parameters; zero for those at a bound.
    chi_square : ndarray (spectra,)
    converged : ndarray (spectra,) of bool
    """

    names: tuple[str, ...]
    value: FloatArray
    covariance: FloatArray
    chi_square: FloatArray
    converged: NDArray[np.bool_]

    @property
    def std(self) -> FloatArray:
        """Standard errors, (spectra, parameters)."""
        return np.asarray(np.sqrt(np.einsum("npp->np", self.covariance)))

    def of(self, name: str) -> FloatArray:
        """Values of one parameter, (spectra,)."""
        return np.asarray(self.value[:, self.names.index(name)])


@dataclass(frozen=True)
class _Plan:
    """Parameters of a region, and its lines: rows of component, width's parameter, share, distance."""

    names: tuple[str, ...]
    start: FloatArray
    lower: FloatArray
    upper: FloatArray
    component: NDArray[np.int64]
    width: NDArray[np.int64]
    share: FloatArray
    distance: FloatArray


def _plan(region: Region) -> _Plan:
    names: list[str] = []
    table: list[tuple[float, float, float]] = []

    def parameter(name: str, start: float, lower: float, upper: float) -> int:
        names.append(name)
        table.append((start, lower, upper))
        return len(names) - 1

    lines: list[tuple[int, int, float, float]] = []
    for c in region.components:
        parameter(f"{c.name}/area", 1.0, 0.0, np.inf)
    for c in region.components:
        parameter(f"{c.name}/position", c.position, c.position - c.position_range, c.position + c.position_range)
    for number, c in enumerate(region.components):
        width = parameter(f"{c.name}/fwhm", c.fwhm, c.fwhm_min, c.fwhm_max)
        if c.splitting is None:
            lines.append((number, width, 1.0, 0.0))
            continue
        strong = 1.0 / (1.0 + c.area_ratio)
        lines.append((number, width, strong, 0.0))
        if c.width_ratio_max > 1.0:
            width = parameter(f"{c.name}/fwhm_weak", c.fwhm, c.fwhm_min, c.fwhm_max * c.width_ratio_max)
        lines.append((number, width, 1.0 - strong, c.splitting))
    parameter("mixing", region.components[0].lorentzian, 0.0, 1.0)
    parameter("step", START_STEP, 0.0, 1.0)
    parameter("background_offset", 0.0, -np.inf, np.inf)
    parameter("background_slope", 0.0, -np.inf, np.inf)
    start, lower, upper = (np.asarray(column, dtype=np.float64) for column in zip(*table, strict=True))
    component, width_of, share, distance = zip(*lines, strict=True)
    return _Plan(
        tuple(names),
        start,
        lower,
        upper,
        np.asarray(component, dtype=np.int64),
        np.asarray(width_of, dtype=np.int64),
        np.asarray(share, dtype=np.float64),
        np.asarray(distance, dtype=np.float64),
    )


def fit_batch(region: Region, energy: FloatArray, rate: FloatArray, weight: FloatArray) -> BatchFit:
    """Fit every spectrum on its own, from the library's positions and widths.

    Parameters
    ----------
    region : Region
        Components are pseudo-Voigts, singlets or doublets with the library's splitting and area ratio.
    energy : ndarray (points,)
        Binding energy, ascending, eV.
    rate : ndarray (spectra, points)
        counts/s.
    weight : ndarray (spectra, points)
        Inverse variances of the rates.

    Returns
    -------
    BatchFit

    Raises
    ------
    MeasurementError
        When a component has another shape, or the arrays do not fit together.
    """
    from depthlock.xps.batch_kernel import fit_all, shape_tables

    other = [f"{c.name}: {c.shape}" for c in region.components if c.shape != "pseudo_voigt"]
    if other or rate.shape != weight.shape or rate.ndim != 2 or rate.shape[1] != energy.size:
        raise MeasurementError(
            f"line shapes {', '.join(other)}" if other else f"rates {rate.shape} and weights {weight.shape}",
            expected="pseudo_voigt" if other else f"both (spectra, {energy.size})",
            where=f"fit_batch of {region.name}",
            hint="fit other shapes with `deconvolve`" if other else "",
        )
    plan = _plan(region)
    middle, half = 0.5 * (energy[0] + energy[-1]), 0.5 * (energy[-1] - energy[0])
    ramp = np.ascontiguousarray((energy - middle) / half)
    value = np.ascontiguousarray(_start(plan, energy, ramp, rate))
    size = plan.start.size
    covariance = np.zeros((rate.shape[0], size, size))
    chi_square = np.zeros(rate.shape[0])
    converged = np.zeros(rate.shape[0], dtype=np.bool_)
    fit_all(
        np.ascontiguousarray(energy, dtype=np.float64),
        ramp,
        np.ascontiguousarray(rate, dtype=np.float64),
        np.ascontiguousarray(weight, dtype=np.float64),
        value,
        plan.lower,
        plan.upper,
        plan.component,
        plan.width,
        plan.share,
        plan.distance,
        len(region.components),
        shape_tables(),
        covariance,
        chi_square,
        converged,
    )
    return BatchFit(plan.names, value, covariance, chi_square, converged)


def _start(plan: _Plan, energy: FloatArray, ramp: FloatArray, rate: FloatArray) -> FloatArray:
    """Areas and background solved linearly at the start's shapes, (spectra, parameters)."""
    count = int(plan.component.max()) + 1
    columns = np.zeros((energy.size, count + 2))
    columns[:, count], columns[:, count + 1] = 1.0, ramp
    for line, component in enumerate(plan.component):
        center = plan.start[count + component] + plan.distance[line]
        shape = pseudo_voigt(energy - center, plan.start[plan.width[line]], plan.start[-4])
        columns[:, component] += plan.share[line] * (shape.density + START_STEP * shape.cumulative)
    solved = rate @ np.linalg.pinv(columns).T
    value = np.tile(plan.start, (rate.shape[0], 1))
    # An area of zero would leave its component's shape without a slope to follow.
    least = 1e-3 * np.maximum(solved[:, :count].max(axis=1, keepdims=True), 1e-300)
    value[:, :count] = np.maximum(solved[:, :count], least)
    value[:, -2:] = solved[:, count:]
    return value

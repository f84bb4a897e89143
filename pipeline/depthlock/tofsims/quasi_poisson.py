"""Fits of smooth models to counts: Poisson likelihood with known extra variance, bounds, priors, profile intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray

Model = Callable[[FloatArray], FloatArray]

CHI_SQUARE_95 = 3.841458820694124
"""95 % point of chi-square with one degree of freedom."""


@dataclass(frozen=True)
class CountData:
    """Measured intensities whose variance is known as a function of their mean.

    Attributes
    ----------
    values : ndarray, shape (point,)
        Intensities; may be slightly negative where a background was removed.
    gain : ndarray, shape (point,)
        Variance per unit of mean intensity; 1 for plain counts.
    floor : ndarray, shape (point,)
        Variance that is there without intensity, from background and neighbouring peaks.
    dispersion : float
        Factor on the whole variance (1 for counting alone).
    """

    values: FloatArray
    gain: FloatArray
    floor: FloatArray
    dispersion: float = 1.0

    def variance(self, mean: FloatArray) -> FloatArray:
        """Variance of each point at the given mean."""
        return self.dispersion * np.maximum(self.gain * np.maximum(mean, 0.0) + self.floor, 1e-12)

    def deviance(self, mean: FloatArray) -> float:
        """Twice the log-likelihood lost against a perfect fit.

        It is the Poisson deviance of ``values + floor / gain`` divided by `gain`: the only quasi-likelihood whose
        score is ``(values - mean) / variance``, and Poisson's own where gain = 1 and floor = 0.
        """
        shift = self.floor / self.gain
        seen = self.values + shift
        expected = np.maximum(mean + shift, 1e-9)
        positive = np.maximum(seen, 1e-12)
        terms = seen * np.log(positive / expected) - (seen - expected)
        return float(np.sum(2.0 * terms / self.gain) / self.dispersion)


def no_counts(points: int) -> CountData:
    """Data of something that was not measured."""
    return CountData(np.zeros(points), np.ones(points), np.full(points, 1e-9))


@dataclass(frozen=True)
class Parameters:
    """Start values with bounds and normal priors.

    Attributes
    ----------
    start, lower, upper : ndarray, shape (parameter,)
    prior_mean, prior_std : ndarray, shape (parameter,)
        A prior of infinite width is none.
    step : ndarray, shape (parameter,)
        Step of the numerical derivative.
    """

    start: FloatArray
    lower: FloatArray
    upper: FloatArray
    prior_mean: FloatArray
    prior_std: FloatArray
    step: FloatArray


ParameterRow = tuple[float, float, float, float, float, float]
"""Start, lower and upper bound, prior mean and std, derivative step."""


def table(rows: Sequence[ParameterRow]) -> Parameters:
    """Parameters from rows of start, lower, upper, prior mean, prior std, derivative step."""
    return Parameters(*(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)))


@dataclass(frozen=True)
class CountFit:
    """A fitted model.

    Attributes
    ----------
    parameters : ndarray, shape (parameter,)
    covariance : ndarray, shape (parameter, parameter)
        From the expected information; rows of parameters held or at a bound are zero.
    mean : ndarray, shape (point,)
    objective : float
        Deviance plus the priors' chi-square.
    deviance : float
    free : ndarray of bool, shape (parameter,)
        Parameters that were neither held nor at a bound.
    converged : bool
    """

    parameters: FloatArray
    covariance: FloatArray
    mean: FloatArray
    objective: float
    deviance: float
    free: NDArray[np.bool_]
    converged: bool


@dataclass(frozen=True)
class CountProblem:
    """A model, its data and its parameters; `held` marks parameters that keep their start value."""

    model: Model
    data: CountData
    parameters: Parameters
    held: frozenset[int] = field(default_factory=frozenset)

    def with_value(self, index: int, value: float, start: FloatArray) -> CountProblem:
        """The same problem with one parameter held at `value`, started from `start`."""
        begin = start.copy()
        begin[index] = value
        return replace(self, parameters=replace(self.parameters, start=begin), held=self.held | {index})

    def objective(self, theta: FloatArray, mean: FloatArray) -> float:
        """Deviance plus the priors' chi-square."""
        pull = (theta - self.parameters.prior_mean) / self.parameters.prior_std
        return self.data.deviance(mean) + float(np.sum(pull**2))

    def jacobian(self, theta: FloatArray, mean: FloatArray) -> FloatArray:
        """Derivative of the mean, shape (point, parameter), by one-sided steps that stay inside the bounds."""
        columns = np.zeros((mean.size, theta.size))
        for k in range(theta.size):
            if k in self.held:
                continue
            step = self.parameters.step[k]
            if theta[k] + step > self.parameters.upper[k]:
                step = -step
            moved = theta.copy()
            moved[k] += step
            columns[:, k] = (self.model(moved) - mean) / step
        return columns


def fit_counts(problem: CountProblem, iterations: int = 100) -> CountFit:
    """Maximise the penalised likelihood by damped Fisher scoring.

    Parameters
    ----------
    problem : CountProblem
    iterations : int
        Most accepted or rejected steps.

    Returns
    -------
    CountFit
    """
    limits = problem.parameters
    theta = np.clip(limits.start, limits.lower, limits.upper)
    mean = problem.model(theta)
    objective = problem.objective(theta, mean)
    precision = 1.0 / limits.prior_std**2
    held = np.array([k in problem.held for k in range(theta.size)])
    damping, converged, stale = 1e-3, False, True
    information = np.zeros((theta.size, theta.size))
    gradient = np.zeros(theta.size)
    for _ in range(iterations):
        if stale:
            jacobian = problem.jacobian(theta, mean)
            weight = 1.0 / problem.data.variance(mean)
            information = (jacobian * weight[:, np.newaxis]).T @ jacobian + np.diag(precision)
            gradient = jacobian.T @ (weight * (problem.data.values - mean)) - precision * (theta - limits.prior_mean)
        at_lower = (theta <= limits.lower) & (gradient < 0)
        at_upper = (theta >= limits.upper) & (gradient > 0)
        free = ~(held | at_lower | at_upper)
        if not free.any():
            converged = True
            break
        block = information[np.ix_(free, free)]
        scale = np.maximum(np.diag(block), 1e-12)
        proposal = theta.copy()
        proposal[free] += np.linalg.solve(block + damping * np.diag(scale), gradient[free])
        proposal = np.clip(proposal, limits.lower, limits.upper)
        trial = problem.model(proposal)
        tried = problem.objective(proposal, trial)
        if np.isfinite(tried) and tried <= objective:
            gained = objective - tried
            theta, mean, objective, stale = proposal, trial, tried, True
            damping = max(damping * 0.2, 1e-9)
            if gained < 1e-4:
                converged = True
                break
        else:
            stale = False
            damping *= 6.0
            if damping > 1e8:
                converged = True
                break
    return _finish(problem, theta, mean, objective, converged)


def _finish(problem: CountProblem, theta: FloatArray, mean: FloatArray, objective: float, converged: bool) -> CountFit:
    limits = problem.parameters
    jacobian = problem.jacobian(theta, mean)
    weight = 1.0 / problem.data.variance(mean)
    information = (jacobian * weight[:, np.newaxis]).T @ jacobian + np.diag(1.0 / limits.prior_std**2)
    margin = 1e-9 * np.maximum(np.abs(limits.upper - limits.lower), 1e-12)
    held = np.array([k in problem.held for k in range(theta.size)])
    free = ~held & (theta > limits.lower + margin) & (theta < limits.upper - margin)
    covariance = np.zeros((theta.size, theta.size))
    if free.any():
        covariance[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)], hermitian=True)
    return CountFit(theta, covariance, mean, objective, problem.data.deviance(mean), free, converged)


def profile_interval(problem: CountProblem, best: CountFit, index: int, threshold: float) -> tuple[float, float]:
    """Interval of one parameter in which the profiled objective rises by less than `threshold`.

    Parameters
    ----------
    problem : CountProblem
    best : CountFit
        Its best fit.
    index : int
        Parameter.
    threshold : float
        Rise of the objective at the interval's ends, 3.84 for 95 %.

    Returns
    -------
    tuple of float
        Lower and upper end; a bound of the parameter where the rise is never reached.
    """
    return (
        _profile_end(problem, best, index, threshold, -1.0),
        _profile_end(problem, best, index, threshold, 1.0),
    )


def _profile_end(problem: CountProblem, best: CountFit, index: int, threshold: float, side: float) -> float:
    limits = problem.parameters
    centre = best.parameters[index]
    bound = limits.lower[index] if side < 0 else limits.upper[index]
    sigma = float(np.sqrt(best.covariance[index, index])) or abs(limits.step[index]) * 10.0
    inner, inner_root = 0.0, 0.0
    start = best.parameters
    reach = sigma * np.sqrt(threshold)
    outer: float | None = None
    outer_root = np.inf
    wanted = float(np.sqrt(threshold))
    for _ in range(12):
        value = centre + side * reach
        if side * (value - bound) >= 0:
            value = bound
            reach = abs(bound - centre)
        constrained = fit_counts(problem.with_value(index, float(value), start), iterations=25)
        # The square root of the rise is nearly linear in the distance, which makes the secant converge in a few steps.
        root = float(np.sqrt(max(constrained.objective - best.objective, 0.0)))
        if abs(root - wanted) < 0.03 or (value == bound and root < wanted):
            return float(value)
        if root < wanted:
            inner, inner_root, start = reach, root, constrained.parameters
        else:
            outer, outer_root = reach, root
        if outer is None:
            reach = reach * min(max(wanted / max(root, 0.3), 1.15), 3.0)
        else:
            share = (wanted - inner_root) / (outer_root - inner_root)
            reach = inner + (outer - inner) * float(np.clip(share, 0.1, 0.9))
    return float(np.clip(centre + side * reach, limits.lower[index], limits.upper[index]))

"""The substrate interface: the depth response fitted forward to the counts of a substrate ion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.quasi_poisson import (
    CHI_SQUARE_95,
    CountData,
    CountFit,
    CountProblem,
    fit_counts,
    profile_interval,
)
from depthlock.tofsims.response import (
    HIGH,
    HIGH_SLOPE,
    LOG_RATE_RATIO,
    LOG_WIDTH,
    LOW,
    MIXING,
    T50,
    ResponseModel,
    start_parameters,
)
from depthlock.tofsims.rise import find_rise

IntArray = NDArray[np.intp]

PLATEAU_ERROR = 0.025
"""Relative error of a plateau cut off by a fall: half of the 5 % by which it may bend in the scans that are fitted."""

HOPELESS = 50.0
"""Variance over its expectation from which the profile has another form than a step, and no interface is told."""


@dataclass(frozen=True)
class Interface:
    """Where and how wide the substrate's rise is.

    Attributes
    ----------
    time, width : tuple of float
        Value, std, lower and upper end of the 95 % interval, in s; NaN when no rise was found.
    sigma, mixing : tuple of float
        Layer-side Gaussian sigma and mixing length on the time axis in s, each with its std.
    rate_ratio : tuple of float
        Sputter rate of the layer over the substrate's, with its std.
    surface_level, plateau_level : tuple of float
        Ions a scan on both sides of the interface, each with its std.
    fitted : ndarray, shape (scan,)
        The fitted curve; NaN where scans were not used.
    theta : ndarray, shape (parameter,)
        Parameters of the `ResponseModel`, with `theta_covariance` (also of those at a bound) and `theta_bounds`; empty
        when no rise was found.
    dispersion : float
        Variance over its counting expectation.
    flag : str
    """

    time: tuple[float, float, float, float]
    width: tuple[float, float, float, float]
    sigma: tuple[float, float]
    mixing: tuple[float, float]
    rate_ratio: tuple[float, float]
    surface_level: tuple[float, float]
    plateau_level: tuple[float, float]
    fitted: FloatArray
    theta: FloatArray
    theta_covariance: FloatArray
    theta_bounds: tuple[FloatArray, FloatArray]
    dispersion: float
    flag: str


def no_interface(scans: int, flag: str) -> Interface:
    """The answer where no interface can be measured."""
    four, two = (np.nan,) * 4, (np.nan, np.nan)
    none = np.zeros(0)
    fitted = np.full(scans, np.nan)
    return Interface(four, four, two, two, two, two, two, fitted, none, np.zeros((0, 0)), (none, none), np.nan, flag)


def fit_interface(time: FloatArray, data: CountData, usable: NDArray[np.bool_]) -> Interface:
    """Fit the depth response to the first rise of a substrate ion.

    Parameters
    ----------
    time : ndarray, shape (scan,)
        Sputter time in s, ascending.
    data : CountData
        Corrected intensity of every scan with its variance law.
    usable : ndarray of bool, shape (scan,)
        True where a scan may be used.

    Returns
    -------
    Interface
        With flag ``interface_not_found`` and NaN when there is no rise.
    """
    kept = np.flatnonzero(usable)
    if kept.size < 8:
        return no_interface(time.size, "interface_not_found")
    values = data.values[kept]
    rise = find_rise(values, np.sqrt(data.gain[kept] * np.maximum(values, 1.0) + data.floor[kept]))
    if not rise.found:
        return no_interface(time.size, rise.flag)
    chosen = kept[rise.first : rise.last]
    subset = CountData(data.values[chosen], data.gain[chosen], data.floor[chosen])
    model = ResponseModel(time[chosen])
    # Behind a thin layer the plateau already bends into the fall: that is no drift to be drawn back to the interface.
    held = frozenset({HIGH_SLOPE}) if "fall_after_rise" in rise.flag else frozenset()
    problem = CountProblem(model, subset, start_parameters(time[kept], rise, model.time), held)
    best = _best_fit(problem)
    dispersion = _dispersion(subset, best)
    if not dispersion < HOPELESS or chosen.size <= best.parameters.size:
        return no_interface(time.size, "interface_not_found;poor_fit")
    problem = replace(problem, data=replace(subset, dispersion=dispersion))
    problem = replace(problem, parameters=replace(problem.parameters, start=best.parameters))
    best = fit_counts(problem)
    found = _interface(time.size, chosen, model, problem, best, rise.flag)
    return _with_plateau_error(found, model, best.parameters) if held else found


def _with_plateau_error(found: Interface, model: ResponseModel, theta: FloatArray) -> Interface:
    """The interface with the error of a plateau that a fall cuts off: its level is known to half of what it bends."""
    fine = np.linspace(model.time[0], model.time[-1], 4001)
    curve = ResponseModel(fine)(theta)
    slope = np.gradient(curve, fine)
    low, middle, high = (float(np.interp(theta[T50] + part * found.width[0], fine, slope)) for part in (-0.5, 0.0, 0.5))
    level = PLATEAU_ERROR * abs(found.plateau_level[0] - found.surface_level[0])
    shift = 0.5 * level / max(middle, 1e-12)
    stretch = level * float(np.hypot(0.84 / max(high, 1e-12), 0.16 / max(low, 1e-12)))
    return replace(found, time=_widened(found.time, shift), width=_widened(found.width, stretch))


def _widened(measured: tuple[float, float, float, float], error: float) -> tuple[float, float, float, float]:
    value, std, lower, upper = measured
    return (
        value,
        float(np.hypot(std, error)),
        value - float(np.hypot(value - lower, NORMAL_95 * error)),
        value + float(np.hypot(upper - value, NORMAL_95 * error)),
    )


def _best_fit(problem: CountProblem) -> CountFit:
    """The best of fits started from several widths, as noise makes the rough width unreliable."""
    fits = []
    for factor in (0.5, 1.0, 2.0):
        start = problem.parameters.start.copy()
        start[LOG_WIDTH] += np.log(factor)
        fits.append(fit_counts(replace(problem, parameters=replace(problem.parameters, start=start))))
    return min(fits, key=lambda fit: fit.objective)


def _dispersion(data: CountData, fit: CountFit) -> float:
    """Variance of the residuals over that of counting; 1 unless they exceed it by more than their own scatter.

    Slow residuals show in sums of four scans.
    """
    variance = data.variance(fit.mean)
    residual = data.values - fit.mean
    freedom = max(residual.size - int(fit.free.sum()), 1)
    single = float(np.sum(residual**2 / variance)) / freedom
    single = single if single > 1.0 + np.sqrt(2.0 / freedom) else 1.0
    blocks = residual.size // 4
    if blocks < 5:
        return single
    sums = residual[: 4 * blocks].reshape(blocks, 4).sum(axis=1)
    spread = variance[: 4 * blocks].reshape(blocks, 4).sum(axis=1)
    joined = float(np.mean(sums**2 / spread)) * residual.size / freedom
    # Blocks are few: only an excess beyond their own scatter tells that residuals are correlated.
    slow = joined if joined > single * (1.0 + 2.0 * np.sqrt(2.0 / blocks)) else 0.0
    return max(single, slow)


def _interface(
    scans: int, chosen: IntArray, model: ResponseModel, problem: CountProblem, best: CountFit, flag: str
) -> Interface:
    dispersion = problem.data.dispersion
    theta, covariance = best.parameters, best.covariance
    freedom = max(chosen.size - theta.size, 1)
    # A dispersion that was measured has an error of its own.
    threshold = float(fisher.ppf(0.95, 1, freedom)) if dispersion > 1.0 else CHI_SQUARE_95
    lower, upper = profile_interval(problem, best, T50, threshold)
    narrow, wide = np.exp(profile_interval(problem, best, LOG_WIDTH, threshold))
    half = float(np.sqrt(threshold))
    shape, sigma, _ = model.geometry(theta)
    sigma_std = _delta_std(lambda p: model.geometry(p)[1], theta, covariance, problem.parameters.step)
    mixing_std = _delta_std(lambda p: p[MIXING] * model.geometry(p)[1], theta, covariance, problem.parameters.step)
    fitted = np.full(scans, np.nan)
    fitted[chosen] = best.mean
    width = float(np.exp(theta[LOG_WIDTH]))
    at_edge = lower <= model.time[0] or upper >= model.time[-1]
    spread = np.sqrt(np.diag(covariance))
    return Interface(
        time=(float(theta[T50]), (upper - lower) / (2.0 * half), lower, upper),
        width=(width, float(wide - narrow) / (2.0 * half), float(narrow), float(wide)),
        sigma=(sigma, sigma_std),
        mixing=(float(theta[MIXING]) * sigma, mixing_std),
        rate_ratio=(shape.rate_ratio, shape.rate_ratio * float(spread[LOG_RATE_RATIO])),
        surface_level=(float(theta[LOW]), float(spread[LOW])),
        plateau_level=(float(theta[HIGH]), float(spread[HIGH])),
        fitted=fitted,
        theta=theta,
        theta_covariance=_whole_covariance(problem, best),
        theta_bounds=(problem.parameters.lower, problem.parameters.upper),
        dispersion=dispersion,
        flag=join_flags(
            flag,
            "interface_at_edge" if at_edge else "",
            "fit_not_converged" if not best.converged else "",
            "poor_fit" if dispersion > 4.0 else "",
        ),
    )


def _whole_covariance(problem: CountProblem, best: CountFit) -> FloatArray:
    """Covariance of all parameters but the held ones: one at its bound is not known exactly."""
    jacobian = problem.jacobian(best.parameters, best.mean)
    weight = 1.0 / problem.data.variance(best.mean)
    information = (jacobian * weight[:, np.newaxis]).T @ jacobian + np.diag(1.0 / problem.parameters.prior_std**2)
    free = np.array([k not in problem.held for k in range(best.parameters.size)])
    covariance = np.zeros_like(information)
    covariance[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)], hermitian=True)
    return covariance


def _delta_std(
    function: Callable[[FloatArray], float], theta: FloatArray, covariance: FloatArray, steps: FloatArray
) -> float:
    """Standard deviation of a function of the parameters to first order."""
    base = float(function(theta))
    gradient = np.zeros(theta.size)
    for k in np.flatnonzero(np.diag(covariance) > 0):
        moved = theta.copy()
        moved[k] += steps[k]
        gradient[k] = (float(function(moved)) - base) / steps[k]
    return float(np.sqrt(max(float(gradient @ covariance @ gradient), 0.0)))

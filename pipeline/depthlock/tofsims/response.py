"""The substrate interface: a forward fit of the depth response to the counts of a substrate ion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from depthlock.model.quantity import NORMAL_95, join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.mixing_roughness import step_response
from depthlock.tofsims.quasi_poisson import (
    CountData,
    CountFit,
    CountProblem,
    Parameters,
    fit_counts,
    profile_interval,
)
from depthlock.tofsims.rise import Rise, find_rise

IntArray = NDArray[np.intp]

T50, LOG_WIDTH, LOG_RATE_RATIO, MIXING, INFORMATION, LOW, LOW_SLOPE, HIGH, HIGH_SLOPE, SURFACE, LOG_DECAY = range(11)
"""Places in the parameter vector of `ResponseModel`."""

PLATEAU_ERROR = 0.025
"""Relative error of a plateau cut off by a fall: half of the 5 % by which it may bend in the scans that are fitted."""

HOPELESS = 50.0
"""Variance over its expectation from which the profile has another form than a step, and no interface is told."""

_U = np.linspace(-8.0, 14.0, 881)


@dataclass(frozen=True)
class StepShape:
    """The response to a sharp interface on the time axis, in units of the layer-side Gaussian sigma.

    Attributes
    ----------
    rate_ratio : float
        Sputter rate of the layer over that of the substrate: how much longer a depth takes behind the interface.
    mixing, information : float
        w and l over the roughness s.
    quantiles : tuple of float
        Times at which the response is 0.16, 0.5 and 0.84 (one sigma of a Gaussian).
    """

    rate_ratio: float
    mixing: float
    information: float
    quantiles: tuple[float, float, float]

    def __call__(self, u: FloatArray) -> FloatArray:
        """Response at times `u` from the moment the surface passes the interface, in layer-side sigmas."""
        return step_response(np.where(u > 0, u / self.rate_ratio, u), self.mixing, self.information)


@lru_cache(maxsize=256)
def step_shape(rate_ratio: float, mixing: float, information: float) -> StepShape:
    """The shape with its quantiles; kept, as most steps of a derivative leave it as it is."""
    response = step_response(_U, mixing, information)
    depth = np.interp((0.15865525, 0.5, 0.84134475), response, _U)
    times = np.where(depth > 0, depth * rate_ratio, depth)
    return StepShape(rate_ratio, mixing, information, (float(times[0]), float(times[1]), float(times[2])))


@dataclass(frozen=True)
class ResponseModel:
    """Mean intensity of a substrate ion over sputter time.

    A step from a layer level to a plateau, each with a slow linear drift, blurred in depth by the MRI response; the
    layer level may start with an exponentially decaying surface transient. Sputtered depth runs at the layer's rate
    before the interface and at the substrate's after it, so the response on the time axis is stretched by the ratio of
    the two behind the interface. Position and width are parameters themselves, so that their likelihood can be
    profiled.

    Attributes
    ----------
    time : ndarray, shape (scan,)
        Sputter time in s.
    """

    time: FloatArray

    def geometry(self, theta: FloatArray) -> tuple[StepShape, float, float]:
        """Shape, layer-side sigma in s, and the time in s at which the surface passes the interface."""
        shape = step_shape(float(np.exp(theta[LOG_RATE_RATIO])), float(theta[MIXING]), float(theta[INFORMATION]))
        low, middle, high = shape.quantiles
        sigma = float(np.exp(theta[LOG_WIDTH])) / (high - low)
        return shape, sigma, float(theta[T50]) - sigma * middle

    def __call__(self, theta: FloatArray) -> FloatArray:
        """Mean intensity a scan."""
        shape, sigma, passage = self.geometry(theta)
        response = shape((self.time - passage) / sigma)
        # Drifts are relative changes over the fitted range; the layer's ends with the layer, the plateau's begins
        # there.
        elapsed = (self.time - theta[T50]) / max(self.time[-1] - self.time[0], 1e-12)
        low = theta[LOW] * (1.0 + theta[LOW_SLOPE] * np.minimum(elapsed, 0.0))
        low = low + theta[SURFACE] * np.exp(-(self.time - self.time[0]) * np.exp(-theta[LOG_DECAY]))
        high = theta[HIGH] * (1.0 + theta[HIGH_SLOPE] * np.maximum(elapsed, 0.0))
        return np.asarray(np.maximum(low + (high - low) * response, 1e-9), dtype=np.float64)


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
    dispersion: float
    flag: str


def no_interface(scans: int, flag: str) -> Interface:
    """The answer where no interface can be measured."""
    four, two = (np.nan,) * 4, (np.nan, np.nan)
    return Interface(four, four, two, two, two, two, two, np.full(scans, np.nan), np.nan, flag)


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
    problem = CountProblem(model, subset, _parameters(time[kept], rise, model.time), held)
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


def _parameters(time: FloatArray, rise: Rise, fitted_time: FloatArray) -> Parameters:
    """Start, bounds and weak priors.

    The priors keep shape parameters in the range of real instruments where the counts say nothing: rates within a
    factor of about 2.5 (SCIENCE: composite electrodes differ by 2), mixing of the order of the roughness, drifts of
    some ten percent.
    """
    scans = np.arange(time.size)
    crossing = float(np.interp(rise.crossing, scans, time))
    step = float(np.median(np.diff(fitted_time)))
    width = max(rise.width * step, step)
    span = float(fitted_time[-1] - fitted_time[0])
    high = max(rise.high, 1e-6)
    low = max(rise.low, 1e-3 * high)
    infinite = np.inf
    decay = np.log(3.0 * step)
    table = [
        # start, lower, upper, prior mean, prior std, derivative step
        (crossing, fitted_time[0], fitted_time[-1], 0.0, infinite, 1e-4 * width),
        (np.log(width), np.log(0.3 * step), np.log(2.0 * span), 0.0, infinite, 1e-4),
        (0.0, -1.8, 1.8, 0.0, 0.6, 1e-4),
        (0.8, 0.0, 6.0, 0.8, 0.9, 1e-4),
        (0.3, 0.0, 3.0, 0.3, 0.3, 1e-4),
        (low, 0.0, 2.0 * high, 0.0, infinite, 1e-5 * high),
        (0.0, -20.0, 20.0, 0.0, 1.0, 1e-4),
        (high, 0.0, 20.0 * high, 0.0, infinite, 1e-5 * high),
        (0.0, -3.0, 3.0, 0.0, 0.15, 1e-4),
        (0.0, -2.0 * high, 50.0 * high, 0.0, 0.5 * high, 1e-5 * high),
        (decay, decay - 2.5, max(np.log(0.15 * max(crossing - time[0], step)), decay), decay, 0.7, 1e-3),
    ]
    start, lower, upper, prior_mean, prior_std, steps = (
        np.array(column, dtype=np.float64) for column in zip(*table, strict=True)
    )
    return Parameters(start, lower, upper, prior_mean, prior_std, steps)


def _best_fit(problem: CountProblem) -> CountFit:
    """The best of fits started from several widths, as noise makes the rough width unreliable."""
    fits = []
    for factor in (0.5, 1.0, 2.0):
        start = problem.parameters.start.copy()
        start[LOG_WIDTH] += np.log(factor)
        fits.append(fit_counts(replace(problem, parameters=replace(problem.parameters, start=start))))
    return min(fits, key=lambda fit: fit.objective)


def _dispersion(data: CountData, fit: CountFit) -> float:
    """Variance of the residuals over that of counting, at least 1; slow residuals show in sums of four scans."""
    variance = data.variance(fit.mean)
    residual = data.values - fit.mean
    freedom = max(residual.size - int(fit.free.sum()), 1)
    single = float(np.sum(residual**2 / variance)) / freedom
    blocks = residual.size // 4
    if blocks < 5:
        return max(single, 1.0)
    sums = residual[: 4 * blocks].reshape(blocks, 4).sum(axis=1)
    spread = variance[: 4 * blocks].reshape(blocks, 4).sum(axis=1)
    joined = float(np.mean(sums**2 / spread)) * residual.size / freedom
    # Blocks are few: only an excess beyond their own scatter tells that residuals are correlated.
    slow = joined if joined > single * (1.0 + 2.0 * np.sqrt(2.0 / blocks)) else 0.0
    return max(single, slow, 1.0)


def _interface(
    scans: int, chosen: IntArray, model: ResponseModel, problem: CountProblem, best: CountFit, flag: str
) -> Interface:
    dispersion = problem.data.dispersion
    theta, covariance = best.parameters, best.covariance
    freedom = max(chosen.size - theta.size, 1)
    threshold = float(fisher.ppf(0.95, 1, freedom))
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
        dispersion=dispersion,
        flag=join_flags(
            flag,
            "interface_at_edge" if at_edge else "",
            "fit_not_converged" if not best.converged else "",
            "poor_fit" if dispersion > 4.0 else "",
        ),
    )


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

"""Mean intensity of a substrate ion over sputter time: a step between two levels, blurred by the depth response."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.mixing_roughness import step_response
from depthlock.tofsims.quasi_poisson import Parameters, table
from depthlock.tofsims.rise import Rise

T50, LOG_WIDTH, LOG_RATE_RATIO, MIXING, INFORMATION, LOW, LOW_SLOPE, HIGH, HIGH_SLOPE, SURFACE, LOG_DECAY = range(11)
"""Places in the parameter vector of `ResponseModel`."""

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


def start_parameters(time: FloatArray, rise: Rise, fitted_time: FloatArray) -> Parameters:
    """Start, bounds and weak priors of a `ResponseModel`.

    Parameters
    ----------
    time : ndarray, shape (scan,)
        Sputter time in s of the scans in which the rise was found.
    rise : Rise
    fitted_time : ndarray, shape (chosen,)
        Those of them that are fitted.

    Notes
    -----
    Where the counts say nothing the priors keep the shape in the range of real instruments: rates of layer and
    substrate within a factor of about 2.5 (composite electrodes differ by 2) and drifts of some ten percent. Mixing and
    information depth cannot be negative, so a prior about a typical value would find them too large wherever they are
    small, and the interface too late; theirs are half-normal, highest at none, and reach to thrice and once the
    roughness.
    """
    scans = np.arange(time.size)
    crossing = float(np.interp(rise.crossing, scans, time))
    step = float(np.median(np.diff(fitted_time)))
    width = max(rise.width * step, step)
    first, last = float(fitted_time[0]), float(fitted_time[-1])
    high = max(rise.high, 1e-6)
    low = max(rise.low, 1e-3 * high)
    free = np.inf
    decay = float(np.log(3.0 * step))
    slowest = max(float(np.log(0.15 * max(crossing - float(time[0]), step))), decay)
    return table(
        [
            # start, lower, upper, prior mean, prior std, derivative step
            (crossing, first, last, 0.0, free, 1e-4 * width),
            (float(np.log(width)), float(np.log(0.3 * step)), float(np.log(2.0 * (last - first))), 0.0, free, 1e-4),
            (0.0, -1.8, 1.8, 0.0, 0.6, 1e-4),
            (0.3, 0.0, 6.0, 0.0, 1.5, 1e-4),
            (0.2, 0.0, 3.0, 0.0, 0.5, 1e-4),
            (low, 0.0, 2.0 * high, 0.0, free, 1e-5 * high),
            (0.0, -20.0, 20.0, 0.0, 1.0, 1e-4),
            (high, 0.0, 20.0 * high, 0.0, free, 1e-5 * high),
            (0.0, -3.0, 3.0, 0.0, 0.15, 1e-4),
            (0.0, -2.0 * high, 50.0 * high, 0.0, 0.5 * high, 1e-5 * high),
            (decay, decay - 2.5, slowest, decay, 0.7, 1e-3),
        ]
    )

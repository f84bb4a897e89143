"""How sputtering smears depth: the MRI response, layered sputter rates, and the path from time to depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, erfcx

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DepthResponse:
    """Parameters of the MRI model (Hofmann).

    Attributes
    ----------
    roughness_nm : float
        Standard deviation of the Gaussian part in nm.
    mixing_nm : float
        Length of the mixing zone in nm; 0 for none.
    information_nm : float
        Length from which ions escape in nm; 0 for none.
    """

    roughness_nm: float = 1.1
    mixing_nm: float = 0.1
    information_nm: float = 0.15


def delta_response(depth_nm: FloatArray, response: DepthResponse) -> FloatArray:
    """Signal of an infinitely thin layer, of integral 1, in 1/nm.

    Parameters
    ----------
    depth_nm : array
        Sputtered depth minus the layer's depth in nm.
    response : DepthResponse
        Roughness must be positive.

    Notes
    -----
    Two exponentials, behind the mixing length and before it, smeared by a Gaussian (Liu et al., Appl. Surf. Sci. 314
    (2014) 942). Written with erfcx where exponentials would overflow.
    """
    s = response.roughness_nm
    w = response.mixing_nm
    length = response.information_nm
    u = np.asarray(depth_nm, dtype=float) + w
    behind = 1.0 if length <= 0.0 else -float(np.expm1(-w / length))
    total = np.zeros_like(u)
    if w > 0.0:
        total += behind * _smeared_exponential(u, w, s)
    if behind < 1.0:
        total += (1.0 - behind) * _smeared_exponential(-u, length, s)
    if w <= 0.0 and length <= 0.0:
        total += np.exp(-0.5 * (u / s) ** 2) / (s * np.sqrt(2.0 * np.pi))
    return total


def _smeared_exponential(u: FloatArray, decay: float, s: float) -> FloatArray:
    """Unit-area exponential exp(-u/decay)/decay for u > 0, smeared by a Gaussian of standard deviation s."""
    x = (s / decay - u / s) / np.sqrt(2.0)
    positive = np.maximum(x, 0.0)
    steep = np.exp(-0.5 * (u / s) ** 2) * erfcx(positive)
    exponent = np.where(x < 0.0, -u / decay + 0.5 * (s / decay) ** 2, 0.0)
    gentle = np.exp(exponent) * erfc(np.minimum(x, 0.0))
    return np.asarray(np.where(x < 0.0, gentle, steep) / (2.0 * decay))


def response_matrix(sputtered_nm: FloatArray, grid_nm: FloatArray, response: DepthResponse) -> FloatArray:
    """Weights with which the composition at `grid_nm` (equal steps from the surface) makes the signal.

    Nothing stands above the surface, so every row is scaled to 1: the first layers are not seen weaker.

    Returns
    -------
    array, shape (sputtered depth, grid)
    """
    weights = delta_response(sputtered_nm[:, None] - grid_nm[None, :], response)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class SputterRates:
    """Sputter rates of the layer and of what lies under it.

    Attributes
    ----------
    layer_nm_s : float
        Mean rate in the layer, thickness over the time to its end, in nm/s.
    substrate_nm_s : float
        Rate in the substrate in nm/s.
    tilt : float
        Relative change of the rate from the surface to the layer's end: negative when the inner part is slower (1).
    """

    layer_nm_s: float = 0.05
    substrate_nm_s: float = 0.03
    tilt: float = 0.0


def depth_at_time(time_s: FloatArray, thickness_nm: float, rates: SputterRates) -> FloatArray:
    """Sputtered depth in nm after a time in s; the layer's end is reached at thickness / mean rate exactly."""
    fraction = np.linspace(0.0, 1.0, 2001)
    slowness = 1.0 / (1.0 + rates.tilt * (fraction - 0.5))
    passed = np.concatenate(([0.0], np.cumsum(0.5 * (slowness[1:] + slowness[:-1]))))
    end = thickness_nm / rates.layer_nm_s
    inside = np.interp(time_s, passed / passed[-1] * end, fraction * thickness_nm)
    return np.asarray(np.where(time_s < end, inside, thickness_nm + (time_s - end) * rates.substrate_nm_s))

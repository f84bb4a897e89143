"""The MRI depth response: atomic Mixing, Roughness and Information depth (Hofmann)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from depthlock.tofsims.exponential_gauss import FloatArray, leading_cdf, trailing_cdf


def delta_response(z: ArrayLike, mixing: float, information: float, roughness: float) -> FloatArray:
    """Signal while sputtering through an infinitely thin layer at depth 0.

    Parameters
    ----------
    z : array_like
        Sputtered depth relative to the layer, any length unit.
    mixing, information, roughness : float
        w, l and s of the model in the same unit, all > 0.

    Returns
    -------
    ndarray
        Per unit length; its integral over `z` is 1.

    Notes
    -----
    Liu et al., Appl. Surf. Sci. 314 (2014) 942, with s/l in the last term (a public code has s/w there, which makes the
    integral 1.156 at w = 1.5, l = 0.6, s = 0.8).
    """
    from scipy.special import log_ndtr

    x = (np.asarray(z, dtype=np.float64) + mixing) / roughness
    trail, lead = mixing / roughness, information / roughness
    after = np.exp(0.5 / trail**2 - x / trail + log_ndtr(x - 1.0 / trail)) * -np.expm1(-mixing / information) / mixing
    before = np.exp(0.5 / lead**2 + x / lead + log_ndtr(-x - 1.0 / lead)) * np.exp(-mixing / information) / information
    return np.asarray(after + before, dtype=np.float64)


def step_response(z: ArrayLike, mixing: float, information: float) -> FloatArray:
    """Signal of a substrate that begins at depth 0, from 0 in the layer to 1 in the substrate.

    Parameters
    ----------
    z : array_like
        Sputtered depth relative to the interface in units of the roughness s.
    mixing, information : float
        w/s and l/s, >= 0; with both 0 it is the Gaussian's cumulative distribution.

    Returns
    -------
    ndarray
        The integral of `delta_response` from minus infinity to `z`.
    """
    x = np.asarray(z, dtype=np.float64) + mixing
    ahead = float(np.exp(-mixing / information)) if information > 0 else float(mixing <= 0)
    if ahead == 0.0:
        return trailing_cdf(x, mixing)
    if ahead == 1.0:
        return leading_cdf(x, information)
    return (1.0 - ahead) * trailing_cdf(x, mixing) + ahead * leading_cdf(x, information)

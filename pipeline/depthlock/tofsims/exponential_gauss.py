"""Gaussians blurred by one-sided exponentials: the building block of mass peaks and of depth responses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

FloatArray = NDArray[np.float64]

SMALLEST_TAIL = 0.02
"""Exponential lengths below this share of the Gaussian's sigma are the Gaussian itself, to 1e-4 of its height."""


def trailing_cdf(x: ArrayLike, tail: float) -> FloatArray:
    """Cumulative distribution of a unit Gaussian plus an exponential delay of mean `tail`.

    Parameters
    ----------
    x : array_like
        Positions in units of the Gaussian's sigma.
    tail : float
        Mean of the exponential in the same units; below `SMALLEST_TAIL` it is a plain shift.

    Returns
    -------
    ndarray
        Of the shape of `x`, from 0 to 1.

    Notes
    -----
    ``Phi(x) - exp(1/(2 tail^2) - x/tail) Phi(x - 1/tail)``; the product is formed as a logarithm, which stays finite
    where its factors over- and underflow.
    """
    positions = np.asarray(x, dtype=np.float64)
    if tail < SMALLEST_TAIL:
        return np.asarray(ndtr(positions - tail), dtype=np.float64)
    exponent = 0.5 / tail**2 - positions / tail + log_ndtr(positions - 1.0 / tail)
    return np.asarray(ndtr(positions) - np.exp(np.minimum(exponent, 0.0)), dtype=np.float64)


def leading_cdf(x: ArrayLike, tail: float) -> FloatArray:
    """As `trailing_cdf`, with the exponential on the side of small `x`."""
    return 1.0 - trailing_cdf(-np.asarray(x, dtype=np.float64), tail)

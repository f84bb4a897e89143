"""What is measured of the named reflections, pattern by pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthlock.model.quantity import NORMAL_95, Quantity

UNITS = {
    "reflection_spacing": "nm", "reflection_width": "1/nm", "reflection_counts": "1", "texture_share": "1",
    "orientation_spread": "degree", "orientation_angle": "degree", "oriented_share": "1",
}  # fmt: skip
"""The quantities of a reflection."""

SHARES = ("texture_share", "oriented_share")
POSITIVE = ("reflection_counts", "orientation_spread")


@dataclass
class Measured:
    """The reflections of one pattern: every quantity's value, standard deviation and flag by name.

    Attributes
    ----------
    names : list of str
        The reflections, shape (n,).
    values, stds : dict of ndarray, shape (n,)
        Not yet cut to the quantity's range; NaN where not measured.
    flags : dict of list of str
    azimuth : ndarray, shape (n_azimuth,)
        Bin centres in degree.
    profile, profile_std : ndarray, shape (n, n_azimuth)
        Each ring over azimuth, counts a pixel / nm.
    """

    names: list[str]
    values: dict[str, NDArray[np.float64]]
    stds: dict[str, NDArray[np.float64]]
    flags: dict[str, list[str]]
    azimuth: NDArray[np.float64]
    profile: NDArray[np.float64]
    profile_std: NDArray[np.float64]


def bounded(
    name: str, value: NDArray[np.float64], std: NDArray[np.float64], flags: list[str], factor: ArrayLike = NORMAL_95
) -> Quantity:
    """A quantity cut to the values it can have, with its interval.

    The interval stands around the cut value, not the raw one: a share that counting noise made negative has an upper
    limit above zero, and the interval holds the truth at least as often as promised (Mandelkern & Schultz, J. Math.
    Phys. 41, 5701 (2000)).

    Parameters
    ----------
    name : str
        One of `UNITS`.
    value, std : ndarray, shape (n,)
    flags : list of str
    factor : array_like
        Half width of the 95 % interval in standard deviations.
    """
    low = 0.0 if name in (*SHARES, *POSITIVE) else -np.inf
    high = 1.0 if name in SHARES else np.inf
    value = np.clip(value, low, high)
    half = np.asarray(factor) * std
    return Quantity(
        value, std, np.clip(value - half, low, high), np.clip(value + half, low, high), np.array(flags, dtype=np.str_)
    )

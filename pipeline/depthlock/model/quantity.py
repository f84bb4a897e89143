"""Numbers with their uncertainty, as they stand in a Dataset: `q`, `q_std`, `q_lower`, `q_upper`, `q_flag`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

NORMAL_95 = 1.959963984540054
"""Half width of the central 95 % interval of a normal distribution, in standard deviations."""

SIBLINGS = ("std", "lower", "upper", "flag")


def join_flags(*reasons: str) -> str:
    """Join flag reasons with `;`, each once, in the order given; empty ones are dropped.

    Examples
    --------
    >>> join_flags("at_bound", "", "correlated;at_bound")
    'at_bound;correlated'
    """
    single = [part.strip() for reason in reasons for part in reason.split(";")]
    return ";".join(dict.fromkeys(part for part in single if part))


@dataclass(frozen=True)
class Quantity:
    """A measured array with its standard deviation, 95 % interval and flags, all of one shape.

    Leave `lower` and `upper` out for a normal error: they become value -+ 1.96 std.
    """

    value: ArrayLike
    std: ArrayLike
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None
    flag: ArrayLike = ""

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The four numeric arrays by suffix (`""`, `std`, `lower`, `upper`), broadcast to one shape."""
        value = np.asarray(self.value, dtype=np.float64)
        std = np.broadcast_to(np.asarray(self.std, dtype=np.float64), value.shape)
        lower = value - NORMAL_95 * std if self.lower is None else np.asarray(self.lower, dtype=np.float64)
        upper = value + NORMAL_95 * std if self.upper is None else np.asarray(self.upper, dtype=np.float64)
        return {
            "": value,
            "std": std.copy(),
            "lower": np.broadcast_to(lower, value.shape).copy(),
            "upper": np.broadcast_to(upper, value.shape).copy(),
        }

    def flags(self) -> NDArray[np.str_]:
        """The flags as a unicode array of the value's shape."""
        shape = np.shape(self.value)
        return np.broadcast_to(np.asarray(self.flag, dtype=np.str_), shape).copy()


def assign(dataset: xr.Dataset, name: str, dims: Sequence[Hashable], quantity: Quantity, units: str) -> xr.Dataset:
    """Return `dataset` with `name` and its siblings added on `dims`.

    Parameters
    ----------
    dataset : xr.Dataset
        Left unchanged.
    name : str
        The quantity's name, for instance ``interface_time``.
    dims : sequence of hashable
        Dims of the value; empty for a scalar.
    quantity : Quantity
        Value, std, interval and flags.
    units : str
        Units that pint can parse; ``"1"`` for dimensionless.

    Returns
    -------
    xr.Dataset
    """
    variables: dict[str, xr.Variable] = {}
    for suffix, array in quantity.arrays().items():
        key = f"{name}_{suffix}" if suffix else name
        variables[key] = xr.Variable(tuple(dims), array, attrs={"units": units})
    variables[f"{name}_flag"] = xr.Variable(tuple(dims), quantity.flags(), attrs={"units": "1"})
    return dataset.assign(variables)


def quantity_of(dataset: xr.Dataset, name: str) -> Quantity:
    """The quantity `name` of a dataset; raises KeyError when one of its siblings is missing."""
    value, std, lower, upper, flag = (
        dataset[key].values for key in (name, *(f"{name}_{suffix}" for suffix in SIBLINGS))
    )
    return Quantity(value, std, lower, upper, flag)

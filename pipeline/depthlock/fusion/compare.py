"""The stage `compare`: the depth numbers of a session's samples side by side, with their differences."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import xarray as xr

from depthlock.model.errors import MeasurementError
from depthlock.model.options import CompareOptions
from depthlock.model.quantity import SIBLINGS, Quantity, assign, join_flags, quantity_of

TARGETS = ("species", "pair", "rated_technique")
"""Dims that name what a quantity is about; the samples are joined on their labels."""


def compare_samples(profiles: Mapping[str, xr.Dataset], options: CompareOptions) -> xr.Dataset:
    """Set the samples side by side and take differences.

    Parameters
    ----------
    profiles : mapping
        Contract ``depth_profile`` by sample name, in the session's order.
    options : CompareOptions

    Returns
    -------
    xr.Dataset
        Contract ``comparison``: every quantity of the depth profiles on (sample, target), and ``<name>_difference`` on
        (contrast, target), first sample of the contrast minus the second; labels read ``A,B``.

    Raises
    ------
    MeasurementError
        When there is no sample.
    """
    if not profiles:
        raise MeasurementError("no samples to compare", expected="at least one depth profile")
    del options  # nothing to choose so far; the stage table passes them to every stage
    names = list(profiles)
    contrasts = list(combinations(range(len(names)), 2))
    result = xr.Dataset(
        coords={
            "sample": ("sample", np.array(names, dtype=np.str_), {"units": "1"}),
            "contrast": (
                "contrast",
                np.array([f"{names[a]},{names[b]}" for a, b in contrasts], dtype=np.str_),
                {"units": "1"},
            ),
        }
    )
    for quantity in _quantities(profiles):
        result = _side_by_side(result, profiles, quantity, contrasts)
    return result


def _quantities(profiles: Mapping[str, xr.Dataset]) -> list[str]:
    """Names of all quantities on a target, or on nothing, in the order of their first appearance."""
    names: dict[str, None] = {}
    for profile in profiles.values():
        for name in profile.data_vars:
            key = str(name)
            whole = all(f"{key}_{suffix}" in profile for suffix in SIBLINGS)
            if whole and (profile[key].dims == () or profile[key].dims[0] in TARGETS):
                names[key] = None
    return list(names)


def _side_by_side(
    result: xr.Dataset, profiles: Mapping[str, xr.Dataset], name: str, contrasts: list[tuple[int, int]]
) -> xr.Dataset:
    holders = [profile for profile in profiles.values() if name in profile]
    dims = tuple(str(dim) for dim in holders[0][name].dims)
    units = str(holders[0][name].attrs["units"])
    labels: list[str] = [""]
    if dims:
        labels = list(dict.fromkeys(str(label) for profile in holders for label in profile[dims[0]].values))
        result = result.assign_coords({dims[0]: (dims[0], np.array(labels, dtype=np.str_), {"units": "1"})})
    table = [[_entry(profile, name, dims, label) for label in labels] for profile in profiles.values()]
    result = assign(result, name, ("sample", *dims), _grid(table, dims), units)
    if contrasts:
        differences = [
            [difference(first, second) for first, second in zip(table[a], table[b], strict=True)] for a, b in contrasts
        ]
        result = assign(result, f"{name}_difference", ("contrast", *dims), _grid(differences, dims), units)
    return result


def _entry(profile: xr.Dataset, name: str, dims: tuple[str, ...], label: str) -> Quantity:
    """One number of one sample, NaN with the flag ``not_in_sample`` where the sample has no such target."""
    missing = Quantity(np.nan, np.nan, np.nan, np.nan, "not_in_sample")
    if name not in profile:
        return missing
    if not dims:
        return quantity_of(profile, name)
    place = np.flatnonzero(profile[dims[0]].values.astype(np.str_) == label)
    if place.size == 0:
        return missing
    return quantity_of(profile.isel({dims[0]: int(place[0])}), name)


def difference(first: Quantity, second: Quantity) -> Quantity:
    """First minus second of two independent quantities.

    The interval joins the two distances to the ends of theirs in quadrature, which keeps asymmetric intervals (Zou and
    Donner, Stat. Med. 27 (2008) 1693).
    """
    a, b = first.arrays(), second.arrays()
    value = a[""] - b[""]
    lower = value - np.hypot(a[""] - a["lower"], b["upper"] - b[""])
    upper = value + np.hypot(a["upper"] - a[""], b[""] - b["lower"])
    flag = join_flags(str(first.flags()), str(second.flags()))
    return Quantity(value, np.hypot(a["std"], b["std"]), lower, upper, flag)


def _grid(table: list[list[Quantity]], dims: tuple[str, ...]) -> Quantity:
    arrays = [[one.arrays() for one in row] for row in table]
    flags = np.array([[str(one.flags()) for one in row] for row in table], dtype=np.str_)
    shape = (len(table), len(table[0])) if dims else (len(table),)
    value, std, lower, upper = (
        np.array([[float(one[key]) for one in row] for row in arrays], dtype=np.float64).reshape(shape)
        for key in ("", "std", "lower", "upper")
    )
    return Quantity(value, std, lower, upper, flags.reshape(shape))

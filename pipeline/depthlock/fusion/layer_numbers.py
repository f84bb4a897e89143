"""The tables of a sample's depth numbers: one row a species, one a pair."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.as_measured import measured_layer
from depthlock.fusion.co_occurrence import CoOccurrence, co_occurrence, not_measured
from depthlock.fusion.depth_response import reported_fraction
from depthlock.fusion.depth_scale import Thickness, summarise
from depthlock.fusion.forward_fit import InterfaceFit
from depthlock.fusion.measures import centroid_fraction, pair_measures, substrate_share
from depthlock.fusion.technique import Species, TechniqueFit
from depthlock.model.quantity import Quantity, assign, join_flags

Array = NDArray[np.float64]

NOT_APPLICABLE = Quantity(np.nan, np.nan, np.nan, np.nan, "")
"""Where a quantity has no meaning, for instance the share of the substrate of an ion that is not of it."""


def stacked(quantities: list[Quantity]) -> Quantity:
    """One quantity of an array from quantities of scalars."""
    parts = [one.arrays() for one in quantities]
    flags = np.array([str(one.flags()) for one in quantities], dtype=np.str_)
    value, std, lower, upper = (
        np.array([float(part[key]) for part in parts], dtype=np.float64) for key in ("", "std", "lower", "upper")
    )
    return Quantity(value, std, lower, upper, flags)


def unknown(flag: str) -> Quantity:
    """A quantity that could not be measured, and why."""
    return Quantity(np.nan, np.nan, np.nan, np.nan, flag)


def species_table(
    dataset: xr.Dataset,
    fits: list[TechniqueFit],
    thickness: Thickness,
    samples: Array,
    random: np.random.Generator,
) -> xr.Dataset:
    """Add `centroid`, `substrate_in_layer` and their `_as_measured` of every species."""
    rows: dict[str, list[Quantity]] = {
        name: []
        for name in ("centroid", "centroid_as_measured", "substrate_in_layer", "substrate_in_layer_as_measured")
    }
    for fit in fits:
        for one in fit.species:
            numbers = _species_numbers(fit, one, thickness, samples, random)
            for name, quantity in numbers.items():
                rows[name].append(quantity)
    for name, quantities in rows.items():
        units = "nm" if name.startswith("centroid") else "1"
        dataset = assign(dataset, name, ("species",), stacked(quantities), units)
    return dataset


def _species_numbers(
    fit: TechniqueFit, one: Species, thickness: Thickness, samples: Array, random: np.random.Generator
) -> dict[str, Quantity]:
    is_substrate = one.role == "substrate"
    if fit.interface is None or one.fit is None:
        missing = unknown(join_flags(one.flag, fit.flag) or "no_depth_scale")
        share = missing if is_substrate else NOT_APPLICABLE
        return {
            "centroid": missing,
            "centroid_as_measured": missing,
            "substrate_in_layer": share,
            "substrate_in_layer_as_measured": share,
        }
    length_flag = join_flags(one.flag, thickness.flag)
    measured = _measured(fit.interface, one, random)
    numbers = {
        "centroid": summarise(centroid_fraction(one.fit.layer) * samples, length_flag),
        "centroid_as_measured": _centroid_as_measured(measured, samples, length_flag),
        "substrate_in_layer": NOT_APPLICABLE,
        "substrate_in_layer_as_measured": NOT_APPLICABLE,
    }
    if is_substrate:
        numbers["substrate_in_layer"] = summarise(substrate_share(one.fit.layer, one.fit.substrate), one.flag)
        numbers["substrate_in_layer_as_measured"] = summarise(measured.mean(axis=1) / one.fit.substrate, one.flag or "")
    return numbers


def _measured(interface: InterfaceFit, one: Species, random: np.random.Generator) -> Array:
    good = np.isfinite(one.time)
    fraction = reported_fraction(one.time[good], interface.response, interface.around.tilt)
    return measured_layer(fraction, one.signal[good], one.signal_std[good], random)


def _centroid_as_measured(measured: Array, samples: Array, flag: str) -> Quantity:
    good = measured.sum(axis=1) > 0
    if np.count_nonzero(good) < 2:
        return unknown(join_flags(flag, "few_points"))
    return summarise(centroid_fraction(measured[good]) * samples[good], flag)


def pairs_of(fit: TechniqueFit) -> list[tuple[Species, Species]]:
    """Organic against inorganic species; all pairs without the substrate's where the roles of the ions give none.

    Components are paired within their region, where sensitivity and attenuation are the same.
    """
    organic = [one for one in fit.species if one.role == "organic"]
    inorganic = [one for one in fit.species if one.role == "inorganic"]
    pairs = [(a, b) for a in organic for b in inorganic]
    if fit.technique != "tofsims":
        return [(a, b) for a, b in pairs if a.name.split("/")[0] == b.name.split("/")[0]]
    if pairs:
        return pairs
    others = [one for one in fit.species if one.role != "substrate"]
    return [(a, b) for k, a in enumerate(others) for b in others[k + 1 :]]


def pair_table(
    dataset: xr.Dataset,
    fits: list[TechniqueFit],
    thickness: Thickness,
    samples: Array,
    volumes: Mapping[str, xr.DataArray] | None,
    random: np.random.Generator,
) -> xr.Dataset:
    """Add `separation`, `overlap`, `interlocking`, their `_as_measured`, and the voxel correlation of every pair."""
    names = ("separation", "overlap", "interlocking")
    labels: list[str] = []
    techniques: list[str] = []
    rows: dict[str, list[Quantity]] = {f"{name}{tail}": [] for name in names for tail in ("", "_as_measured")}
    voxels: list[CoOccurrence] = []
    for fit in fits:
        for first, second in pairs_of(fit):
            labels.append(f"{first.name},{second.name}")
            techniques.append(fit.technique)
            for name, quantity in _pair_numbers(fit, first, second, thickness, samples, random).items():
                rows[name].append(quantity)
            voxels.append(_voxels(fit, first, second, volumes, random))
    dataset = dataset.assign_coords(
        pair=("pair", np.array(labels, dtype=np.str_), {"units": "1"}),
        pair_technique=("pair", np.array(techniques, dtype=np.str_), {"units": "1"}),
    )
    for name, quantities in rows.items():
        units = "nm" if name.startswith("separation") else "1"
        dataset = assign(dataset, name, ("pair",), stacked(quantities), units)
    fields = {
        "co_occurrence": "z_score",
        "voxel_correlation": "pearson",
        "voxel_correlation_with_depth": "pearson_with_depth",
        "manders_first": "manders_first",
        "manders_second": "manders_second",
    }
    for name, field in fields.items():
        dataset = assign(dataset, name, ("pair",), stacked([getattr(one, field) for one in voxels]), "1")
    lengths = np.array([one.correlation_length for one in voxels], dtype=np.float64)
    return dataset.assign(cross_correlation_length=("pair", lengths, {"units": "1", "note": "pixels"}))


def _pair_numbers(
    fit: TechniqueFit,
    first: Species,
    second: Species,
    thickness: Thickness,
    samples: Array,
    random: np.random.Generator,
) -> dict[str, Quantity]:
    flag = join_flags(first.flag, second.flag)
    names = ("separation", "overlap", "interlocking")
    if fit.interface is None or first.fit is None or second.fit is None:
        return {f"{name}{tail}": unknown(flag or "no_depth_scale") for name in names for tail in ("", "_as_measured")}
    length_flag = join_flags(flag, thickness.flag)
    numbers = dict(pair_measures(first.fit.layer, second.fit.layer, samples, flag, length_flag))
    one, two = _measured(fit.interface, first, random), _measured(fit.interface, second, random)
    good = (one.sum(axis=1) > 0) & (two.sum(axis=1) > 0)
    if np.count_nonzero(good) < 10:
        few = unknown(join_flags(flag, "few_points"))
        return numbers | {f"{name}_as_measured": few for name in names}
    plain = pair_measures(one[good], two[good], samples[good], flag, length_flag)
    return numbers | {f"{name}_as_measured": quantity for name, quantity in plain.items()}


def _voxels(
    fit: TechniqueFit,
    first: Species,
    second: Species,
    volumes: Mapping[str, xr.DataArray] | None,
    random: np.random.Generator,
) -> CoOccurrence:
    """Voxel correlation in the layer's scans."""
    if fit.technique != "tofsims":
        return not_measured("")
    if volumes is None or first.name not in volumes or second.name not in volumes:
        return not_measured("no_volume")
    if fit.interface is None:
        return not_measured("no_interface")
    end = float(np.median(fit.interface.interface_time))
    one, two = volumes[first.name], volumes[second.name]
    inside = np.flatnonzero(one["sputter_time"].values < end)
    if inside.size == 0:
        return not_measured("few_counts")
    counts = [np.asarray(volume.transpose("scan", "y", "x").isel(scan=inside).values) for volume in (one, two)]
    return co_occurrence(counts[0], counts[1], random)

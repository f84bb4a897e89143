"""STEM-EDS on the common axis: the elements' counts along the layer's normal, anchored at the substrate's interface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.axis import DepthAxis
from depthlock.fusion.depth_scale import Thickness, eds_thickness, summarise
from depthlock.fusion.layer_numbers import NOT_APPLICABLE, stacked, unknown
from depthlock.model.quantity import NORMAL_95, Quantity, assign, join_flags

Array = NDArray[np.float64]

DETECTED = 5.0
"""Counts of an element over their standard deviation below which it has no profile."""

ANCHORED = 0.1
"""Error of the interface's place, as a share of the layer, from which the anchor is uncertain."""

DIFFERS = 3.0
"""Difference of two thicknesses over its error from which they are not those of one layer."""

PLATEAU = 1.1
"""Fraction of the layer from which the substrate's counts are taken to be its own."""


@dataclass(frozen=True)
class Elements:
    """Profiles of elements over the fraction of the layer, 0 at its surface and 1 at the substrate's interface.

    Attributes
    ----------
    names, roles, flags : tuple of str
        One an element.
    fraction : ndarray, shape (n,)
        Ascending.
    place_std : ndarray, shape (n,)
        Standard error of `fraction` from the interface's place and the thickness (1).
    counts, std, lower, upper : ndarray, shape (n_elements, n)
        Counts a pixel with their Poisson error and 95 % interval.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    flags: tuple[str, ...]
    fraction: Array
    place_std: Array
    counts: Array
    std: Array
    lower: Array
    upper: Array

    @property
    def deepest(self) -> float | None:
        """Largest fraction of the layer; None where nothing is placed."""
        return float(self.fraction[-1]) if self.fraction.size else None


def place_elements(eds: xr.Dataset, thickness: Thickness) -> Elements:
    """Place the profiles of the maps of a sample by the substrate's interface and the layer's surface.

    Parameters
    ----------
    eds : xr.Dataset
        Contract ``eds_profile``. Several data sets are pooled over the distances that all of them show.
    thickness : Thickness
        The sample's, which scales what lies beyond the interface, and the layer where the maps do not show its surface.

    Returns
    -------
    Elements
        Without any point where there is no interface in the maps, or no thickness.
    """
    names = [str(name) for name in eds["element"].values]
    marks = {str(name) for name in np.atleast_1d(eds.attrs["substrate"])}
    seen = eds["significance"].max("data_set").values > DETECTED
    own = eds_thickness(eds)
    anchor = float(np.sqrt(np.nanmean(eds["edge_std"].values ** 2))) if np.isfinite(eds["edge_std"]).any() else np.nan
    placed = thickness.known and np.isfinite(anchor)
    apart = np.hypot(own.std, thickness.std) * DIFFERS
    common = join_flags(
        *(str(flag) for flag in np.atleast_1d(eds.attrs["map_flags"])),
        thickness.flag,
        "anchor_uncertain" if placed and anchor > ANCHORED * thickness.value else "",
        "surface_not_seen" if placed and not own.known else "",
        "thickness_differs" if placed and own.known and abs(own.value - thickness.value) > apart else "",
    )
    flags = [
        join_flags("" if seen[number] else "not_detected", common, *_flags(eds, number)) for number in range(len(names))
    ]
    fraction, place_std, (counts, std, lower, upper) = np.zeros(0), np.zeros(0), np.zeros((4, len(names), 0))
    if placed:
        distance, (counts, std, lower, upper) = _pooled(eds)
        layer = own if own.known else thickness
        inside = distance > 0
        fraction = 1.0 - distance / np.where(inside, layer.value, thickness.value)
        stretched = np.abs(1.0 - fraction) * np.where(inside, float(eds["layer_thickness_std"]), thickness.std)
        place_std = np.hypot(anchor, np.nan_to_num(stretched)) / thickness.value
    return Elements(
        names=tuple(f"EDS {name}" for name in names),
        roles=tuple("substrate" if name in marks else "other" for name in names),
        flags=tuple(flags),
        fraction=fraction[::-1],
        place_std=place_std[::-1],
        counts=counts[:, ::-1],
        std=std[:, ::-1],
        lower=lower[:, ::-1],
        upper=upper[:, ::-1],
    )


def _flags(eds: xr.Dataset, number: int) -> list[str]:
    """What is said of an element's counts where they are measured."""
    flags = {str(flag) for flag in np.unique(eds["intensity_flag"].isel(element=number).values)}
    return sorted(flags - {"", "not_measured"})


def _pooled(eds: xr.Dataset) -> tuple[Array, Array]:
    """Distances that all data sets with a layer show, and counts a pixel, error and interval of all of them."""
    pixels = eds["pixels"].values.astype(np.float64)
    used = pixels.any(axis=1)
    shown = (pixels[used] > 0).all(axis=0)
    share = pixels[used][:, shown] / pixels[used][:, shown].sum(axis=0)
    parts = [
        np.nan_to_num(eds[f"intensity{suffix}"].values[used][:, :, shown])
        for suffix in ("", "_std", "_lower", "_upper")
    ]
    value = (share[:, None] * parts[0]).sum(axis=0)
    std = np.sqrt(((share[:, None] * parts[1]) ** 2).sum(axis=0))
    # Differences of independent sums add up in squares, as their variances do.
    low, high = (np.sqrt(((share[:, None] * (part - parts[0])) ** 2).sum(axis=0)) for part in (parts[2], parts[3]))
    return eds["distance"].values[shown], np.stack([value, std, value - low, value + high])


def with_elements(
    dataset: xr.Dataset, elements: Elements, axis: DepthAxis, samples: Array, random: np.random.Generator
) -> xr.Dataset:
    """A `depth_profile` with the elements as further species.

    Parameters
    ----------
    dataset : xr.Dataset
        Contract ``depth_profile``.
    elements : Elements
    axis : DepthAxis
        Of `dataset`.
    samples : ndarray, shape (n_samples,)
        Of the thickness in nm.
    random : numpy Generator

    Returns
    -------
    xr.Dataset
        `signal` in counts a pixel, `signal_std` with the error of the place; `signal_lower` and `signal_upper` of all
        species. Nothing is said of the elements without the depth response: an electron probe has next to none.
    """
    names = {"species": ("species", np.array(elements.names, dtype=np.str_), {"units": "1"})}
    labels = {"technique": ["eds"] * len(elements.names), "role": list(elements.roles)}
    names |= {key: ("species", np.array(values, dtype=np.str_), {"units": "1"}) for key, values in labels.items()}
    more = xr.Dataset(coords=names)
    shape = (axis.fraction.size, len(elements.names))
    drawn = {name: np.full(shape, np.nan) for name in ("signal", "signal_std", "signal_lower", "signal_upper")}
    if elements.fraction.size > 1:
        for number in range(shape[1]):
            for target, curve in zip(drawn.values(), _on_axis(elements, number, axis.fraction), strict=True):
                target[:, number] = curve
    for name, values in drawn.items():
        more[name] = (("depth", "species"), values, {"units": "1"})
    more["signal_unit"] = ("species", np.array(["count / pixel"] * shape[1], dtype=np.str_), {"units": "1"})
    rows = [_numbers(elements, number, samples, random) for number in range(shape[1])]
    for name in ("centroid", "centroid_as_measured", "substrate_in_layer", "substrate_in_layer_as_measured"):
        units = "nm" if name.startswith("centroid") else "1"
        more = assign(more, name, ("species",), stacked([row[name] for row in rows]), units)
    spread = NORMAL_95 * dataset["signal_std"]
    told = dataset.assign(
        signal_lower=(dataset["signal"] - spread).assign_attrs(units="1"),
        signal_upper=(dataset["signal"] + spread).assign_attrs(units="1"),
    )
    for key, variable in told.data_vars.items():
        if "species" in variable.dims and key not in more:
            sizes = [shape[1] if dim == "species" else told.sizes[dim] for dim in variable.dims]
            more[str(key)] = (variable.dims, np.full(sizes, np.nan), variable.attrs)
    joined = xr.concat([told, more], "species", data_vars="minimal", coords="minimal", compat="override",
                       join="override", combine_attrs="override")  # fmt: skip
    return joined.assign_attrs(dataset.attrs)


def _on_axis(elements: Elements, number: int, fraction: Array) -> list[Array]:
    """Signal, its error and its interval on the axis; where counts change fast, the place's error is one of them."""
    value = elements.counts[number]
    moved = np.abs(np.gradient(value, elements.fraction)) * elements.place_std
    down = np.hypot(value - elements.lower[number], NORMAL_95 * moved)
    up = np.hypot(elements.upper[number] - value, NORMAL_95 * moved)
    curves = (value, np.hypot(elements.std[number], moved), value - down, value + up)
    return [np.interp(fraction, elements.fraction, one, left=np.nan, right=np.nan) for one in curves]


def _numbers(elements: Elements, number: int, samples: Array, random: np.random.Generator) -> dict[str, Quantity]:
    """The numbers of one element in the layer."""
    flag, is_substrate = elements.flags[number], elements.roles[number] == "substrate"
    numbers = dict.fromkeys(("centroid", "substrate_in_layer", "substrate_in_layer_as_measured"), NOT_APPLICABLE)
    inside = (elements.fraction > 0) & (elements.fraction < 1)
    beyond = elements.fraction > PLATEAU
    if "not_detected" in flag.split(";") or np.count_nonzero(inside) < 2:
        missing = unknown(flag or "not_measured")
        numbers["substrate_in_layer_as_measured"] = missing if is_substrate else NOT_APPLICABLE
        return numbers | {"centroid_as_measured": missing}
    counts = elements.counts[number] + elements.std[number] * random.standard_normal((samples.size, inside.size))
    total = np.maximum(counts[:, inside].sum(axis=1), 1e-9)
    centre = counts[:, inside] @ elements.fraction[inside] / total
    centre = centre + float(np.interp(1.0, elements.fraction, elements.place_std)) * random.standard_normal(
        samples.size
    )
    numbers["centroid_as_measured"] = summarise(centre * samples, flag)
    if is_substrate and beyond.any():
        plateau = np.maximum(counts[:, beyond].mean(axis=1), 1e-9)
        numbers["substrate_in_layer_as_measured"] = summarise(counts[:, inside].mean(axis=1) / plateau, flag)
    return numbers

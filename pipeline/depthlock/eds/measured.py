"""What one set of element maps says of the layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.composition import atomic_percent
from depthlock.eds.element_maps import ElementMaps
from depthlock.eds.layer import MappedLayer, map_layer, uneven_variance
from depthlock.eds.slab_fit import distance_profiles, least_scale
from depthlock.eds.slabs import (
    WIDTH_16_84,
    Boundary,
    Profiles,
    boundary_interval,
    dispersed,
    fit_boundary,
    levels,
)
from depthlock.eds.substrate import first_edge, substrate_elements
from depthlock.eds.uniformity import SMOOTH_BLOCK, measure_uniformity
from depthlock.model.options import EdsOptions
from depthlock.model.quantity import NORMAL_95, Quantity, join_flags

STEP_SEEN = 5.0
"""Standard deviations by which an element's counts must change at the interface to have a place there."""

PLACE = 0.08
"""Standard error of a boundary's place in pixels from how a line is laid through square pixels."""

QUANTITIES = ("interface_position", "interface_width", "layer_share", "uniformity", "uniformity_z")
"""Quantities that every element has."""

UNITS = {"interface_position": "nm", "interface_width": "nm", "layer_share": "1", "uniformity": "1",
         "uniformity_z": "1", "atomic_percent": "percent"}  # fmt: skip


@dataclass(frozen=True)
class MeasuredMaps:
    """What one set of maps says.

    Attributes
    ----------
    maps : ElementMaps
    layer : MappedLayer or None
    thickness : Quantity
        Scalar, nm: of the imaged piece.
    quantities : dict
        Scalar quantities by name and element.
    flags : tuple of str
        Reasons that hold for all numbers of these maps.
    substrate : tuple of str
        Elements that mark the substrate.
    """

    maps: ElementMaps
    layer: MappedLayer | None
    thickness: Quantity
    quantities: dict[str, dict[str, Quantity]]
    flags: tuple[str, ...] = field(default=())
    substrate: tuple[str, ...] = field(default=())

    @property
    def edge_std(self) -> float:
        """Standard error in nm of the place that distances count from; NaN without a layer."""
        if self.layer is None:
            return float("nan")
        own = float(np.asarray(self.layer.inner.position.std))
        return float(np.hypot(own, PLACE * float(np.mean(self.maps.pixel))))


def measure_maps(
    maps: ElementMaps,
    options: EdsOptions,
    substrate: Sequence[str],
    k_factors: Mapping[str, float],
    k_factor_std: float,
    rng: np.random.Generator,
) -> MeasuredMaps:
    """Measure one set of maps.

    Parameters
    ----------
    maps : ElementMaps
    options : EdsOptions
    substrate : sequence of str
        Elements that may mark the substrate.
    k_factors, k_factor_std
        As for `composition.atomic_percent`; no atomic percent without factors.
    rng : numpy Generator
    """
    marks, guessed = substrate_elements(maps, substrate)
    smoothing = max(options.edge_smoothing, 3.0 * max(maps.pixel))
    edge = first_edge(maps, marks, smoothing) if marks else None
    common = tuple(filter(None, (guessed,)))
    if edge is None:
        return _without_layer(maps, "no_substrate", bool(k_factors))
    layer = map_layer(maps, edge, marks, smoothing)
    step = float(np.mean(maps.pixel))
    quantities: dict[str, dict[str, Quantity]] = {name: {} for name in QUANTITIES}
    profiles = distance_profiles(maps, layer.straight, step)
    profiles = dispersed(profiles, layer.slabs, least_scale(maps, profiles))
    low, high = layer.inside
    inside = maps.good & (layer.straight > low) & (layer.straight < high)
    block = 1 if maps.are_counts else SMOOTH_BLOCK
    for number, element in enumerate(maps.elements):
        counted = maps.counted.of(number)
        own = join_flags(
            maps.flags[number],
            *common,
            # A sum far below 0 says that the line shapes do not describe the spectrum.
            "poor_fit" if maps.significance[number] < -STEP_SEEN else "",
        )
        position, width = _interface(maps, number, profiles.channels([number]), layer, smoothing)
        even = measure_uniformity(counted, inside, shuffles=options.shuffles, block=block, rng=rng)
        for name, quantity in (
            ("interface_position", position),
            ("interface_width", width),
            ("layer_share", _layer_share(maps, number, layer)),
            ("uniformity", even.excess),
            ("uniformity_z", even.z),
        ):
            quantities[name][element] = flagged(quantity, own)
    if k_factors:
        region = np.where(inside, 0, -1)
        sums = maps.counted.summed(region, 1)
        counts = sums.net[:, 0]
        variance = sums.variance[:, 0] + (counts * (np.array(maps.shape_error) if maps.shape_error else 0.0)) ** 2
        percent = atomic_percent(maps.elements, counts, variance, k_factors, k_factor_std)
        quantities["atomic_percent"] = {
            element: flagged(_at(percent, number), maps.flags[number], *common)
            for number, element in enumerate(maps.elements)
        }
    return MeasuredMaps(maps, layer, flagged(_thickness(layer, step), *common), quantities, common, marks)


def flagged(quantity: Quantity, *flags: str) -> Quantity:
    """A scalar quantity with more flags."""
    return replace(quantity, flag=join_flags(str(quantity.flag), *flags))


def nothing(reason: str) -> Quantity:
    """A scalar quantity that could not be measured."""
    return Quantity(np.nan, np.nan, np.nan, np.nan, reason)


def _without_layer(maps: ElementMaps, reason: str, with_percent: bool) -> MeasuredMaps:
    names = (*QUANTITIES, "atomic_percent") if with_percent else QUANTITIES
    quantities = {name: dict.fromkeys(maps.elements, nothing(reason)) for name in names}
    return MeasuredMaps(maps, None, nothing(reason), quantities, (reason,))


def _at(quantity: Quantity, number: int) -> Quantity:
    """One of an array of quantities."""
    value, std, lower, upper = (float(array[number]) for array in quantity.arrays().values())
    return Quantity(value, std, lower, upper, str(quantity.flags()[number]))


def _thickness(layer: MappedLayer, step: float) -> Quantity:
    if layer.outer is None or layer.chords is None:
        return nothing("no_outside")
    found = _widened(layer.outer.position, layer.inner, step, layer.chords.variance)
    moved = layer.chords.mean - float(np.asarray(found.value))
    value, std, lower, upper = (float(one) for one in found.arrays().values())
    shifted = Quantity(value + moved, std, lower + moved, upper + moved)
    return shifted if layer.chords.complete else flagged(shifted, "too_few_positions")


def _widened(position: Quantity, edge: Boundary, step: float, variance: float = 0.0) -> Quantity:
    """A place relative to the edge: with the edge's own error, that of a line through pixels, and some `variance`."""
    more = float(np.sqrt(float(np.asarray(edge.position.std)) ** 2 + (PLACE * step) ** 2 + variance))
    value, std, lower, upper = (float(one) for one in position.arrays().values())
    down, up = (float(np.hypot(one, NORMAL_95 * more)) for one in (value - lower, upper - value))
    return Quantity(value, float(np.hypot(std, more)), value - down, value + up)


def _interface(
    maps: ElementMaps, number: int, profiles: Profiles, layer: MappedLayer, smoothing: float
) -> tuple[Quantity, Quantity]:
    """Place and 16-84 % width of one element's step at the crystal's edge."""
    step = float(np.mean(maps.pixel))
    before = levels(profiles, layer.slabs)[0]
    # What stands on either side within a few pixels of the edge decides whether there is a step at all.
    reach = max(6.0 * step, 2.0 * layer.slabs.inner_blur)
    near = np.abs(profiles.distance) < reach
    pixels = 0.5 * float(profiles.pixels[near].sum())
    noise = np.sqrt(profiles.scale[0] * max(before[0] + before[1], 1e-9) / max(pixels, 1.0))
    if abs(before[0] - before[1]) < STEP_SEEN * noise:
        return nothing("no_step"), nothing("no_step")
    slabs = fit_boundary(profiles, layer.slabs, "inner", step)
    limit = 0.5 * layer.slabs.outer if np.isfinite(layer.slabs.outer) else 0.5 * float(profiles.distance.max())
    if abs(slabs.inner) > limit:
        return nothing("interface_not_found"), nothing("interface_not_found")
    found = boundary_interval(profiles, slabs, "inner", step)
    blur = found.blur
    width = Quantity(*(WIDTH_16_84 * float(np.asarray(one)) for one in (blur.value, blur.std, blur.lower, blur.upper)))
    uneven = uneven_variance(maps, layer, number, profiles, slabs, smoothing)
    return _widened(found.position, layer.inner, step, uneven), width


def _layer_share(maps: ElementMaps, number: int, layer: MappedLayer) -> Quantity:
    """Share of an element's counts in the image that come from the layer."""
    end = layer.slabs.outer
    part = np.where((layer.straight > 0) & (layer.straight <= end), 0, 1)
    sums = maps.counted.of(number).summed(np.where(maps.good, part, -1), 2)
    inside, outside = (float(value) for value in sums.net)
    of_inside, of_outside = (float(value) for value in sums.variance)
    total = inside + outside
    if total < 3.0 * np.sqrt(of_inside + of_outside) or total <= 0:
        return nothing("not_detected")
    share = inside / total
    std = float(np.sqrt((1.0 - share) ** 2 * of_inside + share**2 * of_outside)) / total
    return Quantity(share, std)


def labels(layer: MappedLayer | None, shape: tuple[int, int]) -> NDArray[np.int8]:
    """0 outside, 1 layer, 2 crystal; all 0 where there is no layer."""
    if layer is None:
        return np.zeros(shape, dtype=np.int8)
    return np.where(layer.straight <= 0, 2, np.where(layer.straight <= layer.slabs.outer, 1, 0)).astype(np.int8)

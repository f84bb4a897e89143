"""The forward fits of etched XPS: the substrate's region, its interface, every component's layer profile."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.depth_response import INFORMATION
from depthlock.fusion.depth_scale import Thickness
from depthlock.fusion.forward_fit import fit_interface, fit_layer, informed_by_layer
from depthlock.fusion.measurements import REACH, XPS_MODEL_STD, rough_interface, xps_measurement
from depthlock.fusion.posterior import Measurement
from depthlock.fusion.priors import ResponsePrior
from depthlock.fusion.technique import LAYER_ROLES, POOR_FIT, Species, TechniqueFit, length_prior, rate_ratio_prior
from depthlock.model.chemistry import Region
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import join_flags

Array = NDArray[np.float64]

CHAINS = 300
"""Chains of the interface's fit to etch levels: there are few levels, and many chains may be resampled."""

INFORMANTS = 3
"""Species of the layer whose disappearance helps to place the interface."""

DEFAULT_ATTENUATION = 2.5
"""Effective attenuation length in nm of photoelectrons where the library has none."""


def fit_xps(fit: xr.Dataset, thickness: Thickness, options: DepthOptions, random: np.random.Generator) -> TechniqueFit:
    """Fit the areas of the XPS components along the etch levels.

    The interface is seen in the components of the substrate: their sum in the region where it is surest. Photoelectrons
    come from an attenuation length below the surface, which is the response's information depth.

    Parameters
    ----------
    fit : xr.Dataset
        Contract ``xps_fit``.
    thickness, options, random
        As for `fit_tofsims`; `options.regions` give roles and attenuation lengths.
    """
    time = fit["etch_time"].values.astype(np.float64)
    names = [str(name) for name in fit["component"].values]
    regions = [str(name) for name in fit["region"].values]
    roles = _component_roles(options.regions)
    order = np.argsort(time, kind="stable")
    area = fit["area"].transpose("component", "level").values.astype(np.float64)
    std = fit["area_std"].transpose("component", "level").values.astype(np.float64)

    def bare(flag: str) -> TechniqueFit:
        species = tuple(
            Species(name, roles.get(name, "other"), "xps", time, area[k], std[k], None, flag)
            for k, name in enumerate(names)
        )
        return TechniqueFit("xps", time, None, "", species, flag)

    if np.count_nonzero(np.isfinite(time)) < 3:
        return bare("too_few_levels")
    region, total, total_std = _substrate_region(names, regions, roles, area, std)
    if region == "":
        return bare("no_substrate_component")
    started = rough_interface(time[order], total[order], 0.9)
    if not np.isfinite(started) or started <= 0:
        return bare("no_interface")
    attenuation = {entry.name: entry.attenuation_length for entry in options.regions}
    own_length = attenuation.get(region, DEFAULT_ATTENUATION)
    prior = ResponsePrior(
        interface=(started, 0.6),
        roughness=length_prior(thickness, 0.5, 0.7),
        mixing=length_prior(thickness, 0.3, 0.7),
        information=length_prior(thickness, own_length, 0.2),
        rate_ratio=rate_ratio_prior(options, thickness, started),
        transient_std=0.0,
        drift_std=0.0,
    )
    near = order[time[order] < 2.0 * REACH * started]
    measurement = xps_measurement(time[near], total[near], total_std[near], started)
    if measurement.time.size < 3:
        return bare("too_few_levels")
    chains = max(options.samples, CHAINS)
    interface = fit_interface(measurement, prior, chains, random, steps=200, most_chains=chains)
    points = [xps_measurement(time[near], area[k][near], std[k][near], started) for k in range(len(names))]
    longer = [float(np.log(attenuation.get(name, DEFAULT_ATTENUATION) / own_length)) for name in regions]
    clearest = sorted(
        (k for k, name in enumerate(names) if roles.get(name) in LAYER_ROLES and _signal_to_noise(points[k]) > 10.0),
        key=lambda k: -_signal_to_noise(points[k]),
    )[:INFORMANTS]
    interface = informed_by_layer(
        interface, [(points[k], _as_seen(interface.response, longer[k])) for k in clearest], prior, random
    ).thinned(options.samples)
    median = float(np.median(interface.interface_time))
    flag = join_flags(
        "interface_not_reached" if measurement.time[-1] < 0.9 * median else "",
        "poor_fit" if interface.chi_square > POOR_FIT else "",
    )
    species = []
    for k, name in enumerate(names):
        role = roles.get(name, "other")
        if points[k].time.size < 3 or _signal_to_noise(points[k]) < 3.0:
            species.append(Species(name, role, "xps", time, area[k], std[k], None, "not_detected"))
            continue
        response = _as_seen(interface.response, longer[k])
        layer = fit_layer(points[k], prior, response, interface.around, role == "substrate", random)
        own = join_flags("poor_fit" if layer.chi_square > POOR_FIT else "", flag)
        species.append(Species(name, role, "xps", time, area[k], std[k], layer, own))
    return TechniqueFit("xps", time, interface, region, tuple(species), flag)


def _as_seen(response: Array, longer: float) -> Array:
    """The response for electrons whose attenuation length is longer than the substrate's by a factor exp(`longer`)."""
    moved = response.copy()
    moved[:, INFORMATION] += longer
    return moved


def _signal_to_noise(measurement: Measurement) -> float:
    if measurement.std is None or measurement.value.size == 0:
        return 0.0
    return float(np.max(measurement.value / np.hypot(measurement.std, XPS_MODEL_STD * np.abs(measurement.value))))


def _component_roles(regions: tuple[Region, ...]) -> dict[str, str]:
    return {f"{region.name}/{part.name}": part.role for region in regions for part in region.components}


def _substrate_region(
    names: list[str], regions: list[str], roles: dict[str, str], area: Array, std: Array
) -> tuple[str, Array, Array]:
    """Region whose substrate components together stand out most, with their summed area; empty if there is none."""
    best, chosen = 0.0, ("", area[0] if len(area) else np.zeros(0), std[0] if len(std) else np.zeros(0))
    for region in dict.fromkeys(regions):
        rows = [k for k, name in enumerate(names) if regions[k] == region and roles.get(name) == "substrate"]
        if not rows:
            continue
        # Levels at which a component is not finite carry no sum.
        total = area[rows].sum(axis=0)
        total_std = np.sqrt((std[rows] ** 2).sum(axis=0))
        if not np.any(np.isfinite(total) & np.isfinite(total_std)):
            continue
        strength = float(np.nanmax(total / np.maximum(total_std, 1e-12)))
        if strength > best:
            best, chosen = strength, (region, total, total_std)
    return chosen

"""The forward fits of TOF-SIMS: which ion shows the substrate, its interface, every ion's layer profile."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.depth_scale import Thickness
from depthlock.fusion.forward_fit import InterfaceFit, LayerFit, fit_interface, fit_layer
from depthlock.fusion.measurements import tofsims_measurement, tofsims_points
from depthlock.fusion.posterior import Measurement
from depthlock.fusion.priors import ResponsePrior
from depthlock.fusion.technique import LAYER_ROLES, POOR_FIT, Species, TechniqueFit, length_prior, rate_ratio_prior
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import join_flags

Array = NDArray[np.float64]

FEW_COUNTS = 100.0
"""Ions in the layer below which a profile's shape is hardly more than its prior."""

FEWEST_POINTS = 6
"""Points of a profile without which it is not fitted."""

TRANSIENT_DEPTH = (0.08, 0.7)
"""Depths in nm between which the surface transient decays by a factor e."""


def fit_tofsims(
    profile: xr.Dataset, thickness: Thickness, options: DepthOptions, random: np.random.Generator
) -> TechniqueFit:
    """Fit the TOF-SIMS profiles of a sample.

    Parameters
    ----------
    profile : xr.Dataset
        Contract ``tofsims_profile``.
    thickness : Thickness
        For the priors of the depth response only.
    options : DepthOptions
    random : numpy Generator

    Returns
    -------
    TechniqueFit
    """
    time = profile["sputter_time"].values.astype(np.float64)
    names = [str(name) for name in profile["ion"].values]
    roles = [str(role) for role in profile["role"].values]
    leading = _leading_ion(profile, names, roles)
    scans = tofsims_points(profile, leading)
    measured = {
        name: (profile["intensity"].sel(ion=name).values, profile["intensity_std"].sel(ion=name).values)
        for name in names
    }
    if leading is None:
        return _unplaced(profile, "no_interface" if "substrate" in roles else "no_substrate_ion")
    started = float(profile["interface_time"].sel(ion=leading))
    # Secondary ions come from the outermost atomic layer or two; a beam of a few hundred eV mixes some tenths of a
    # nanometre to a few nanometres. Roughness grows with depth, so it scales with the layer.
    prior = ResponsePrior(
        interface=(started, 0.6),
        roughness=(0.12, 0.8),
        mixing=length_prior(thickness, 0.4, 1.0),
        information=length_prior(thickness, 0.2, 0.9),
        rate_ratio=rate_ratio_prior(options, thickness, started),
    )
    transient = _transient(thickness, started, time)
    points = {name: tofsims_measurement(profile, name, scans, started, transient) for name in names}
    measurement = points[leading]
    if measurement.time.size < FEWEST_POINTS:
        return _unplaced(profile, "too_few_scans")
    companion = _companion(points, dict(zip(names, roles, strict=True)), started)
    interface, differs = _tofsims_interface(measurement, companion, prior, options.samples, random)
    median = float(np.median(interface.interface_time))
    flag = join_flags(
        differs,
        "poor_fit" if interface.chi_square > POOR_FIT else "",
        "plateau_short" if measurement.time[-1] < 1.15 * median else "",
        _flag_of(profile, "interface_time", leading),
    )
    species = []
    for name, role in zip(names, roles, strict=True):
        if points[name].time.size < FEWEST_POINTS:
            missing = join_flags(_flag_of(profile, "total_counts", name), "not_measured")
            species.append(Species(name, role, "tofsims", time, *measured[name], None, missing))
            continue
        if name == leading:
            fit: LayerFit = interface
        else:
            fit = fit_layer(points[name], prior, interface.response, interface.around, role == "substrate", random)
        own = join_flags(
            "few_counts" if _ions_in_layer(points[name], median) < FEW_COUNTS and role != "substrate" else "",
            "poor_fit" if fit.chi_square > POOR_FIT and name != leading else "",
            _flag_of(profile, "total_counts", name),
        )
        species.append(Species(name, role, "tofsims", time, *measured[name], fit, join_flags(own, flag)))
    return TechniqueFit("tofsims", time, interface, leading, tuple(species), flag)


def _unplaced(profile: xr.Dataset, flag: str) -> TechniqueFit:
    """The profiles as they are, where there is no interface to place them by."""
    time = profile["sputter_time"].values.astype(np.float64)
    species = tuple(
        Species(
            str(name),
            str(profile["role"].values[k]),
            "tofsims",
            time,
            profile["intensity"].sel(ion=name).values,
            profile["intensity_std"].sel(ion=name).values,
            None,
            flag,
        )
        for k, name in enumerate(profile["ion"].values)
    )
    return TechniqueFit("tofsims", time, None, "", species, flag)


def _tofsims_interface(
    measurement: Measurement,
    companion: Measurement | None,
    prior: ResponsePrior,
    samples: int,
    random: np.random.Generator,
) -> tuple[InterfaceFit, str]:
    """Fit the substrate's ion together with one of the layer; alone where the two do not agree on one response."""
    if companion is None:
        return fit_interface(measurement, prior, samples, random), ""
    joint = fit_interface(measurement, prior, samples, random, companions=(companion,))
    if joint.chi_square <= POOR_FIT:
        return joint, ""
    alone = fit_interface(measurement, prior, samples, random)
    return (alone, "response_differs") if alone.chi_square < 0.7 * joint.chi_square else (joint, "")


def _companion(points: dict[str, Measurement], roles: dict[str, str], interface: float) -> Measurement | None:
    """The strongest ion of the layer that falls at the interface; organic and inorganic ones before others."""
    best, chosen = (False, 0.0), None
    for name, measurement in points.items():
        if roles[name] == "substrate" or measurement.time.size == 0:
            continue
        intensity = (measurement.value - measurement.background) / measurement.gain
        beyond = measurement.time > 1.5 * interface
        inside = measurement.time < 0.8 * interface
        counts = _ions_in_layer(measurement, interface)
        if not beyond.any() or not inside.any() or counts < 10.0 * FEW_COUNTS:
            continue
        if float(intensity[beyond].mean()) > 0.3 * float(intensity[inside].max()):
            continue
        rank = (roles[name] in LAYER_ROLES, counts)
        if rank > best:
            best, chosen = rank, measurement
    return chosen


def _leading_ion(profile: xr.Dataset, names: list[str], roles: list[str]) -> str | None:
    """The substrate ion with an interface, unflagged ones first, then by counts."""
    best: tuple[bool, float] | None = None
    leading = None
    for name, role in zip(names, roles, strict=True):
        time = float(profile["interface_time"].sel(ion=name))
        if role != "substrate" or not np.isfinite(time) or time <= 0:
            continue
        counts = float(np.nan_to_num(profile["total_counts"].sel(ion=name)))
        rank = (_flag_of(profile, "interface_time", name) == "", counts)
        if best is None or rank > best:
            best, leading = rank, name
    return leading


def _flag_of(profile: xr.Dataset, quantity: str, ion: str) -> str:
    return str(profile[f"{quantity}_flag"].sel(ion=ion).item())


def _ions_in_layer(measurement: Measurement, interface: float) -> float:
    inside = measurement.time < interface
    return float(np.sum(measurement.value[inside] - measurement.background[inside]))


def _transient(thickness: Thickness, interface: float, time: Array) -> tuple[float, float]:
    """Decay times in s of the surface transient: what sputtering needs for a few tenths of a nanometre."""
    second = interface / thickness.scale
    shortest = max(TRANSIENT_DEPTH[0] * second, 0.3 * float(np.median(np.diff(time))))
    return shortest, max(TRANSIENT_DEPTH[1] * second, 1.01 * shortest)

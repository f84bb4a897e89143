"""Simulated etched XPS: the layer seen through attenuated electrons, with the exact truth of every component."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from depthlock.simulate.core_levels import CORE_LEVELS, CoreLevel, State
from depthlock.simulate.layer import LayerParameters, layer_profile

FloatArray = NDArray[np.float64]

_GAUSS = 2.0 * np.sqrt(2.0 * np.log(2.0))
_DEPTH_STEP_NM = 0.02


@dataclass(frozen=True)
class XpsParameters:
    """An etch series of one sample.

    Attributes
    ----------
    fractions : tuple of float
        Part of the layer that is etched away at every level (1).
    rate_nm_s : float
        Etch rate in the layer in nm/s.
    roughness_nm : float
        Standard deviation of the etched depth over the spot in nm.
    attenuation_nm : float
        Effective attenuation length at 1000 eV kinetic energy in nm; grows with its square root.
    photon_energy_ev : float
        Photon energy in eV.
    intensity : float
        Area in counts/s eV of a pure formula unit with sensitivity 1.
    dwell_s, scans : float, int
        Time at a point a scan in s, and scans summed.
    step_ev : float
        Step of the energy axis in eV.
    charge_shift_ev : tuple of float
        Measured minus true binding energy at every level in eV, common to all regions.
    common_window : bool
        O 1s and V 2p measured as one block from 507 to 540 eV.
    regions : tuple of str
        Core levels that are measured.
    background : float
        Factor on all backgrounds, linear and Shirley (1).
    position_offset_ev, width_factor : dict
        Changes of single states by target, for instance ``F 1s/MgF2``, in eV and (1).
    """

    fractions: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    rate_nm_s: float = 0.04
    roughness_nm: float = 0.4
    attenuation_nm: float = 2.05
    photon_energy_ev: float = 1486.69
    intensity: float = 2500.0
    dwell_s: float = 0.2
    scans: int = 5
    step_ev: float = 0.1
    charge_shift_ev: tuple[float, ...] = (0.42, 0.36, 0.31, 0.24, 0.20, 0.12)
    common_window: bool = True
    regions: tuple[str, ...] = ("F 1s", "O 1s", "V 2p", "C 1s", "Mg 1s", "S 2p", "N 1s")
    background: float = 1.0
    position_offset_ev: dict[str, float] = field(default_factory=dict)
    width_factor: dict[str, float] = field(default_factory=dict)

    def etch_time_s(self, thickness_nm: float) -> FloatArray:
        """Etch time of every level in s for a layer of given thickness in nm."""
        return np.round(np.array(self.fractions) * thickness_nm / self.rate_nm_s, 3)


@dataclass(frozen=True)
class XpsTruth:
    """What is true of a simulated etch series.

    Attributes
    ----------
    etch_time_s : array, shape (level,)
    area : dict
        Area above background by target in counts/s eV, whole doublets, shape (level,).
    position, fwhm : dict
        Of the (stronger) line by target in eV, charge-referenced.
    fraction : dict
        Share of the core level's states by target, shape (level,).
    atomic_percent : dict
        By element, from areas over sensitivity factors, shape (level,).
    charge_shift : array, shape (level,)
        In eV.
    profiles : dict
        True profile inside the layer by target, on midpoints of equal depth steps.
    """

    etch_time_s: FloatArray
    area: dict[str, FloatArray]
    position: dict[str, float]
    fwhm: dict[str, float]
    fraction: dict[str, FloatArray]
    atomic_percent: dict[str, FloatArray]
    charge_shift: FloatArray
    profiles: dict[str, FloatArray]


def simulate_spectra(
    parameters: XpsParameters, layer: LayerParameters, rng: np.random.Generator, sample: str = "sample"
) -> tuple[list[xr.Dataset], XpsTruth]:
    """One dataset of counts a measured window (contract `xps_spectra`), and the truth.

    Parameters
    ----------
    parameters : XpsParameters
        Instrument and etch series; one charge shift a level.
    layer : LayerParameters
        The sample.
    rng : numpy Generator
        Draws the counts.
    sample : str
        Name that goes into the attributes.
    """
    if len(parameters.charge_shift_ev) != len(parameters.fractions):
        raise ValueError("expected one charge shift a level")
    levels = [_adapted(one, parameters) for one in CORE_LEVELS if one.name in parameters.regions]
    area = {f"{one.name}/{state.name}": _areas(one, state, parameters, layer) for one in levels for state in one.states}
    windows = _windows(levels, parameters)
    spectra = [_measure(name, limits, levels, area, parameters, layer, rng) for name, limits in windows]
    for dataset in spectra:
        dataset.attrs["sample"] = sample
    return spectra, _truth(levels, area, parameters, layer)


def _adapted(one: CoreLevel, parameters: XpsParameters) -> CoreLevel:
    states = tuple(
        replace(
            state,
            position_ev=state.position_ev + parameters.position_offset_ev.get(f"{one.name}/{state.name}", 0.0),
            fwhm_ev=state.fwhm_ev * parameters.width_factor.get(f"{one.name}/{state.name}", 1.0),
        )
        for state in one.states
    )
    level, slope = one.background
    factor = parameters.background
    return replace(one, states=states, shirley=one.shirley * factor, background=(level * factor, slope * factor))


def _areas(one: CoreLevel, state: State, parameters: XpsParameters, layer: LayerParameters) -> FloatArray:
    """Area of a state at every level in counts/s eV: atoms weighted by the escape of their electrons."""
    kinetic = parameters.photon_energy_ev - state.position_ev
    escape = parameters.attenuation_nm * np.sqrt(kinetic / 1000.0)
    thickness = layer.thickness_nm
    depth = np.arange(0.5 * _DEPTH_STEP_NM, thickness + 14.0 * escape + 6.0, _DEPTH_STEP_NM)
    density = sum(
        (weight * layer.strength(phase, depth / thickness) for phase, weight in state.atoms.items()),
        start=np.zeros(depth.size),
    )
    if parameters.roughness_nm > 0.0:
        spread = np.linspace(-3.0, 3.0, 13)
        weight = np.exp(-0.5 * spread**2)
    else:
        spread, weight = np.zeros(1), np.ones(1)
    areas = np.zeros(len(parameters.fractions))
    for level, fraction in enumerate(parameters.fractions):
        # the untouched surface is not roughened, and nothing is etched above it
        surfaces = fraction * thickness + spread * parameters.roughness_nm * np.sqrt(max(fraction, 0.0))
        for surface, share in zip(np.maximum(surfaces, 0.0), weight / weight.sum(), strict=True):
            below = depth - surface
            attenuation = np.where(below >= 0.0, np.exp(-np.maximum(below, 0.0) / escape), 0.0)
            areas[level] += share * float(density @ attenuation / attenuation.sum())
    return np.asarray(areas * one.sensitivity * parameters.intensity)


def _windows(levels: list[CoreLevel], parameters: XpsParameters) -> list[tuple[str, tuple[float, float]]]:
    names = {one.name for one in levels}
    windows: list[tuple[str, tuple[float, float]]] = []
    joined = parameters.common_window and {"O 1s", "V 2p"} <= names
    for one in levels:
        if joined and one.name in {"O 1s", "V 2p"}:
            if one.name == "O 1s":
                windows.append(("O 1s + V 2p", (507.0, 540.0)))
        else:
            windows.append((one.name, one.window_ev))
    return windows


def _measure(
    name: str,
    limits: tuple[float, float],
    levels: list[CoreLevel],
    area: dict[str, FloatArray],
    parameters: XpsParameters,
    layer: LayerParameters,
    rng: np.random.Generator,
) -> xr.Dataset:
    low, high = limits
    # descending binding energies, as an instrument that scans kinetic energies upwards writes them
    points = round((high - low) / parameters.step_ev) + 1
    energy = high - parameters.step_ev * np.arange(points, dtype=np.float64)
    rate = np.zeros((len(parameters.fractions), energy.size))
    aimed = [one for one in levels if one.name in name.split(" + ")]
    for one in aimed:
        middle, slope = one.background
        rate += (middle + slope * (energy - 0.5 * (low + high))) / len(aimed)
    for one in levels:
        for state in one.states:
            target = f"{one.name}/{state.name}"
            for level, shift in enumerate(parameters.charge_shift_ev):
                rate[level] += area[target][level] * _line_with_step(energy - shift, state, one.shirley)
    counts = rng.poisson(rate * parameters.dwell_s * parameters.scans).astype(float)
    size = len(parameters.fractions)
    return xr.Dataset(
        {
            "counts": (("level", "energy"), counts, {"units": "1"}),
            "dwell_time": ("level", np.full(size, parameters.dwell_s), {"units": "s"}),
            "scans": ("level", np.full(size, parameters.scans), {"units": "1"}),
        },
        coords={
            "etch_time": ("level", parameters.etch_time_s(layer.thickness_nm), {"units": "s"}),
            "binding_energy": ("energy", energy, {"units": "eV"}),
            "kinetic_energy": ("energy", parameters.photon_energy_ev - energy, {"units": "eV"}),
        },
        attrs={
            "region": name,
            "photon_energy_eV": parameters.photon_energy_ev,
            "source": "simulated",
            "intensity_kind": "counts",
        },
    )


def _line_with_step(energy: FloatArray, state: State, shirley: float) -> FloatArray:
    """Unit-area line (or doublet) in 1/eV plus the Shirley step that it makes towards higher binding energy."""
    lines = [(state.position_ev, state.fwhm_ev, 1.0)]
    if state.splitting_ev > 0.0:
        weaker = (state.position_ev + state.splitting_ev, state.fwhm_ev * state.width_ratio)
        lines = [(state.position_ev, state.fwhm_ev, 2.0 / 3.0), (*weaker, 1.0 / 3.0)]
    total = np.zeros_like(energy)
    for position, fwhm, share in lines:
        x = energy - position
        sigma, half = fwhm / _GAUSS, 0.5 * fwhm
        gauss = np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))
        lorentz = half / np.pi / (x**2 + half**2)
        step = (1.0 - state.lorentzian) * ndtr(x / sigma) + state.lorentzian * (0.5 + np.arctan(x / half) / np.pi)
        peak = (1.0 - state.lorentzian) * gauss + state.lorentzian * lorentz
        total += share * (peak + shirley * step)
    return total


def _truth(
    levels: list[CoreLevel], area: dict[str, FloatArray], parameters: XpsParameters, layer: LayerParameters
) -> XpsTruth:
    states = {f"{one.name}/{state.name}": state for one in levels for state in one.states}
    whole = {
        one.name: sum((area[f"{one.name}/{state.name}"] for state in one.states), start=np.zeros(1)) for one in levels
    }
    atoms = {one.element: whole[one.name] / one.sensitivity for one in levels}
    total = sum(atoms.values(), start=np.zeros(1))
    return XpsTruth(
        etch_time_s=parameters.etch_time_s(layer.thickness_nm),
        area=area,
        position={target: state.position_ev for target, state in states.items()},
        fwhm={target: state.fwhm_ev for target, state in states.items()},
        fraction={target: _share(area[target], whole[target.split("/")[0]]) for target in area},
        atomic_percent={element: 100.0 * _share(amount, total) for element, amount in atoms.items()},
        charge_shift=np.array(parameters.charge_shift_ev),
        profiles={target: layer_profile(layer, state.atoms) for target, state in states.items()},
    )


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part of a whole; NaN where there is nothing."""
    share = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0.0)
    return share

"""A small simulated etch series, written out line by line and independent of the analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import erf

from depthlock.chemistry.library import load
from depthlock.model.options import DeconvolveOptions

# name, position, FWHM, splitting (0: singlet), width of the weaker line, areas at the first and last level
STATES = {
    "F 1s": (
        (680.0, 694.0),
        0.02,
        [("MgF2", 685.6, 1.6, 0.0, 0.0, 900.0, 300.0), ("CF3", 688.7, 1.8, 0.0, 0.0, 1500.0, 40.0)],
    ),
    "O 1s + V 2p": (
        (508.0, 539.0),
        0.03,
        [
            ("V-O", 530.1, 1.4, 0.0, 0.0, 200.0, 2400.0),
            ("C-O", 532.2, 1.9, 0.0, 0.0, 1500.0, 300.0),
            ("V5+", 517.4, 1.4, 7.4, 2.2, 60.0, 1800.0),
            ("V4+", 516.2, 1.6, 7.4, 2.4, 150.0, 700.0),
        ],
    ),
    "C 1s": (
        (281.0, 296.0),
        0.015,
        [("C-C", 284.8, 1.4, 0.0, 0.0, 900.0, 500.0), ("CF3", 292.7, 1.6, 0.0, 0.0, 300.0, 20.0)],
    ),
}
LORENTZIAN = 0.25


def line_and_step(x: np.ndarray, fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit line, and the integral below it."""
    sigma, half = fwhm / 2.3548200450309493, fwhm / 2.0
    gauss = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    lorentz = half / (math.pi * (x**2 + half**2))
    gauss_step = 0.5 * (1 + erf(x / (sigma * math.sqrt(2))))
    lorentz_step = np.arctan(x / half) / math.pi + 0.5
    share = LORENTZIAN
    return (1 - share) * gauss + share * lorentz, (1 - share) * gauss_step + share * lorentz_step


@dataclass
class Series:
    spectra: dict[str, xr.Dataset]
    area: dict[str, np.ndarray]
    position: dict[str, float]
    fwhm: dict[str, float]
    shift: np.ndarray


def owner(block: str, state: str) -> str:
    if block != "O 1s + V 2p":
        return block
    return "V 2p" if state.startswith("V") and state.endswith("+") else "O 1s"


def simulate(
    seed: int,
    *,
    levels: int = 5,
    step: float = 0.1,
    seconds: float = 4.0,
    drift: float = 0.4,
    blocks: tuple[str, ...] = tuple(STATES),
) -> Series:
    rng = np.random.default_rng(seed)
    shift = np.cumsum(rng.uniform(-drift, drift, levels))
    spectra, areas, positions, widths = {}, {}, {}, {}
    for block in blocks:
        (low, high), rise, states = STATES[block]
        energy = np.arange(high, low, -step)
        rate = np.full((levels, energy.size), 300.0) + 2.0 * (energy - low)
        for name, position, fwhm, splitting, weak, first, last in states:
            label = f"{owner(block, name)}/{name}"
            area = np.geomspace(first, last, levels)
            areas[label], positions[label], widths[label] = area, position, fwhm
            lines = [(1.0, position, fwhm)]
            if splitting:
                lines = [(2 / 3, position, fwhm), (1 / 3, position + splitting, weak)]
            for share, centre, width in lines:
                for level in range(levels):
                    line, raised = line_and_step(energy - shift[level] - centre, width)
                    rate[level] += area[level] * share * (line + rise * raised)
        spectra[block] = dataset(block, energy, rng.poisson(rate * seconds).astype(float), seconds)
    return Series(spectra, areas, positions, widths, shift)


def dataset(region: str, energy: np.ndarray, counts: np.ndarray, seconds: float) -> xr.Dataset:
    levels = counts.shape[0]
    return xr.Dataset(
        {
            "counts": (("level", "energy"), counts, {"units": "1"}),
            "dwell_time": ("level", np.full(levels, seconds), {"units": "s"}),
            "scans": ("level", np.ones(levels), {"units": "1"}),
        },
        coords={
            "etch_time": ("level", 60.0 * np.arange(levels), {"units": "s"}),
            "binding_energy": ("energy", energy, {"units": "eV"}),
        },
        attrs={"region": region, "sample": "S", "photon_energy_eV": 1486.6, "intensity_kind": "counts"},
    )


def options(**changes: object) -> DeconvolveOptions:
    chemistry = load("mg-tfsi-v2o5")
    return DeconvolveOptions(
        regions=chemistry.regions,
        charge_references=chemistry.charge_references,
        sensitivity=chemistry.sensitivity,
        **changes,
    )

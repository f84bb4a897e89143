"""Simulated surveys: lines of the table, moved by chemistry and charge, on the losses they make themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from etch_series import dataset, line_and_step

from depthlock.chemistry.library import survey_lines


@dataclass
class Survey:
    spectra: xr.Dataset
    percent: dict[str, np.ndarray]
    shift: float


def simulate_survey(
    seed: int, composition: dict[str, list[float]], *, seconds: float = 0.5, step: float = 0.8, bright: float = 4000.0
) -> Survey:
    """Composition: atomic percent of every element by level."""
    rng = np.random.default_rng(seed)
    energy = np.arange(0.0, 1350.0, step)
    table = {entry.element: entry for entry in survey_lines().elements}
    shift = float(rng.uniform(-4.0, 4.0))
    levels = len(next(iter(composition.values())))
    signal = np.zeros((levels, energy.size))
    for element, percent in composition.items():
        moved = shift + rng.uniform(-1.3, 1.3)
        width = rng.uniform(1.6, 2.6)
        for line in table[element].lines:
            own = width if line.level in ("1s", "2p", "3d", "4f") else 2.0 * width
            parts = [(line.strong_share, 0.0), (1.0 - line.strong_share, line.splitting)]
            for share, apart in parts:
                if share > 0:
                    shape = line_and_step(energy - line.position - apart - moved, own)[0]
                    signal += 0.01 * bright * np.array(percent)[:, None] * line.factor * share * shape
    loss = np.arange(0.0, 300.0, step)
    strength = rng.uniform(0.5, 1.0) * 2866.0
    kernel = strength * loss / (1643.0 + loss**2) ** 2 * step
    lost = np.stack([np.convolve(row, kernel)[: energy.size] for row in signal])
    again = np.stack([np.convolve(row, kernel)[: energy.size] for row in lost])
    rate = signal + lost + 0.7 * again + 0.05 * bright * np.exp(-(((energy - 1350.0) / 900.0) ** 2)) + 0.02 * bright
    spectra = dataset("survey", energy, rng.poisson(rate * seconds).astype(float), seconds)
    return Survey(spectra, {element: np.array(percent) for element, percent in composition.items()}, shift)

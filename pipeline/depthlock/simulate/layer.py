"""The true layer on its substrate: what stands at which depth, and the true numbers that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PHASES = ("organic", "inorganic", "matrix", "vanadium", "substrate")
"""What the layer and the substrate are made of; every ion and every electron comes from these."""

_STEPS = 4000


@dataclass(frozen=True)
class ProfileShape:
    """Shape of a phase across the layer: a logistic step on a floor.

    Attributes
    ----------
    amount : float
        Mean over the layer, in units of the phase's pure strength (1).
    centre : float
        Depth fraction of the step, 0 at the surface and 1 at the substrate (1).
    width : float
        Depth fraction over which the step falls by a factor e (1).
    side : str
        ``"outer"``: piled up towards the surface; ``"inner"``: towards the substrate.
    floor : float
        Level on the poor side over that on the rich side; 1 is a uniform phase (1).
    """

    amount: float = 1.0
    centre: float = 0.5
    width: float = 0.1
    side: str = "outer"
    floor: float = 1.0

    def __call__(self, fraction: FloatArray) -> FloatArray:
        """Strength at depth fractions between 0 and 1, with `amount` as its mean; shape of `fraction`."""
        grid = (np.arange(_STEPS) + 0.5) / _STEPS
        return self.amount * self._raw(fraction) / float(np.mean(self._raw(grid)))

    def _raw(self, fraction: FloatArray) -> FloatArray:
        sign = 1.0 if self.side == "outer" else -1.0
        step = 1.0 / (1.0 + np.exp(np.clip(sign * (fraction - self.centre) / self.width, -60.0, 60.0)))
        return self.floor + (1.0 - self.floor) * step


@dataclass(frozen=True)
class LayerParameters:
    """A layer on a substrate.

    Attributes
    ----------
    thickness_nm : float
        Mean thickness of the sample's layer in nm.
    organic, inorganic, matrix, vanadium : ProfileShape
        Salt fragments, magnesium fluoride, solvent residue and carbon, and dissolved vanadium. The amount of
        vanadium is relative to the substrate (1).
    """

    thickness_nm: float = 13.5
    organic: ProfileShape = field(default_factory=ProfileShape)
    inorganic: ProfileShape = field(default_factory=ProfileShape)
    matrix: ProfileShape = field(default_factory=ProfileShape)
    vanadium: ProfileShape = field(default_factory=lambda: ProfileShape(amount=0.1))

    def strength(self, phase: str, fraction: FloatArray) -> FloatArray:
        """Strength of a phase at depth fractions (0 surface, 1 substrate); the substrate is 1 beyond 1."""
        inside = (fraction >= 0.0) & (fraction < 1.0)
        if phase == "substrate":
            return np.where(fraction >= 1.0, 1.0, 0.0)
        shape: ProfileShape = getattr(self, phase)
        return np.where(inside, shape(np.clip(fraction, 0.0, 1.0)), 0.0)


def layer_profile(layer: LayerParameters, weights: dict[str, float]) -> FloatArray:
    """True profile inside the layer of something that comes from phases with given weights, on midpoints."""
    grid = (np.arange(_STEPS) + 0.5) / _STEPS
    total = np.zeros(_STEPS)
    for phase, weight in weights.items():
        if phase != "substrate" and weight:
            total += weight * layer.strength(phase, grid)
    return total


def centroid(profile: FloatArray, thickness_nm: float) -> float:
    """Intensity-weighted mean depth in nm of a profile on midpoints of equal steps; NaN when it is empty."""
    total = float(profile.sum())
    if total <= 0.0:
        return float("nan")
    depth = (np.arange(profile.size) + 0.5) / profile.size * thickness_nm
    return float(profile @ depth / total)


def overlap(first: FloatArray, second: FloatArray) -> float:
    """Integral of the smaller of two unit-area profiles (1)."""
    if first.sum() <= 0.0 or second.sum() <= 0.0:
        return float("nan")
    return float(np.minimum(first / first.sum(), second / second.sum()).sum())


def pair_truth(first: FloatArray, second: FloatArray, thickness_nm: float) -> dict[str, float]:
    """True separation in nm, overlap and interlocking of two profiles."""
    # what is only rounding is no separation
    separation = round(centroid(first, thickness_nm) - centroid(second, thickness_nm), 9) + 0.0
    shared = overlap(first, second)
    return {
        "separation": separation,
        "overlap": shared,
        "interlocking": shared * (1.0 - abs(separation) / thickness_nm),
    }

"""Layered samples as an instrument's export shows them: blurred on a fine grid of its own, then counted."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHAPES = {
    "step": lambda u: np.where(u < 0.5, 1.0, 0.1),
    "gaussian": lambda u: 0.02 + np.exp(-0.5 * ((u - 0.5) / 0.12) ** 2),
    "double": lambda u: 0.03 + (np.abs(u - 0.25) < 0.1) + 0.6 * (np.abs(u - 0.7) < 0.08),
    "delta": lambda u: 0.02 + 4.0 * (np.abs(u - 0.5) < 0.015),
}
"""Profiles in the layer against depth over its thickness."""

STEP = 0.02


def blurred(profile: Array, roughness: float, mixing: float) -> Array:
    """A profile on a grid of `STEP` nm, seen through an exponential mixing tail and a Gaussian roughness."""
    z = np.arange(-12.0, 12.0, STEP)
    tail = np.where(z >= -mixing, np.exp(-(z + mixing) / mixing), 0.0)
    gauss = np.exp(-0.5 * (z / roughness) ** 2)
    kernel = np.convolve(tail, gauss, "same")
    return np.convolve(np.pad(profile, z.size // 2, mode="edge"), kernel / kernel.sum(), "valid")[: profile.size]


def layered_export(shape: str, rng: np.random.Generator, scans: int = 130) -> tuple[xr.Dataset, Array]:
    """An export of MgF2- and V-, and what MgF2- would give at the depth of each scan; unequal sputter rates."""
    thickness, rate, ratio = rng.uniform(8, 16), rng.uniform(0.04, 0.08), rng.uniform(0.4, 2.0)
    roughness, mixing = rng.uniform(0.6, 1.2), rng.uniform(0.1, 0.8)
    end = thickness / rate
    time = np.linspace(0.0, end + 8.0 / (rate * ratio), scans)
    depth = np.where(time < end, rate * time, thickness + rate * ratio * (time - end))
    z = np.arange(0.0, depth[-1] + 15.0, STEP)
    inside = z < thickness
    truth = np.where(inside, SHAPES[shape](z / thickness), 1e-4)
    strength = 10 ** rng.uniform(2.0, 3.3) / truth[inside].mean()
    substrate = np.where(inside, 0.05, 1.0) * 10 ** rng.uniform(2.3, 3.3)
    edges = np.concatenate(([0.0], 0.5 * (depth[1:] + depth[:-1]), [depth[-1] + 0.5 * (depth[-1] - depth[-2])]))
    total = np.concatenate(([0.0], np.cumsum(truth) * STEP))
    own = np.diff(np.interp(edges, np.append(z, z[-1] + STEP), total)) / np.diff(edges) * strength
    seen = np.stack([np.interp(depth, z, blurred(each, roughness, mixing)) for each in (truth * strength, substrate)])
    one = {"units": "1"}
    export = xr.Dataset(
        {"intensity": (("ion", "scan"), rng.poisson(seen).astype(float), one)},
        coords={
            "ion": ("ion", np.array(["MgF2-", "V-"]), one),
            "sputter_time": ("scan", time, {"units": "s"}),
        },
        attrs={"source": "simulated", "corrected": 1, "polarity": "-"},
    )
    return export, own

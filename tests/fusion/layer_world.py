"""A small world of its own for the fusion's tests: a layer on a substrate, blurred on a fine grid, and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.quantity import Quantity, assign

Array = NDArray[np.float64]

IONS = ("SO2CF3-", "MgF2-", "V-")
ROLES = ("organic", "inorganic", "substrate")


@dataclass(frozen=True)
class World:
    """A layer of `thickness` nm sputtered at `rate` nm/s, its substrate at `ratio` times that."""

    thickness: float = 10.0
    rate: float = 0.05
    ratio: float = 0.6
    roughness: float = 1.0
    dissolved: float = 0.08
    organic: Callable[[Array], Array] = lambda u: np.exp(-u / 0.3)
    inorganic: Callable[[Array], Array] = lambda u: 0.2 + u
    counts: float = 600.0

    @property
    def time(self) -> Array:
        end = self.thickness / self.rate
        return np.linspace(0.0, end + 6.0 / (self.rate * self.ratio), 90)

    def depth(self) -> Array:
        end = self.thickness / self.rate
        late = self.thickness + (self.time - end) * self.rate * self.ratio
        return np.where(self.time < end, self.rate * self.time, late)

    def seen(self, profile: Array, grid: Array) -> Array:
        """Gaussian response, scaled near the surface as nothing stands above it."""
        weight = np.exp(-0.5 * ((self.depth()[:, None] - grid) / self.roughness) ** 2)
        return weight @ profile / weight.sum(axis=1)

    def truth(self) -> dict[str, float]:
        u = (np.arange(4000) + 0.5) / 4000
        a, b = (shape(u) / shape(u).sum() for shape in (self.organic, self.inorganic))
        first, second = float(a @ u * self.thickness), float(b @ u * self.thickness)
        overlap = float(np.minimum(a, b).sum())
        return {
            "sputter_rate": self.rate,
            "organic": first,
            "inorganic": second,
            "separation": first - second,
            "overlap": overlap,
            "interlocking": overlap * (1 - abs(first - second) / self.thickness),
            "substrate_in_layer": self.dissolved,
        }

    def profile(self, seed: int) -> xr.Dataset:
        """Contract ``tofsims_profile``."""
        random = np.random.default_rng(seed)
        grid = np.arange(0.025, self.depth()[-1] + 6 * self.roughness, 0.05)
        u = grid / self.thickness
        inside = u < 1
        shapes = (
            np.where(inside, self.organic(u), 0.0),
            np.where(inside, self.inorganic(u), 0.0),
            np.where(inside, self.dissolved, 1.0),
        )
        scale = [self.counts / shape[inside].mean() for shape in shapes[:2]] + [2.0 * self.counts]
        counts = np.array([random.poisson(self.seen(s, grid) * k) for s, k in zip(shapes, scale, strict=True)], float)
        return tofsims_dataset(self.time, counts, self.thickness / self.rate)


def tofsims_dataset(time: Array, counts: Array, interface: float) -> xr.Dataset:
    nothing = np.full(3, np.nan)
    fitted = np.full(counts.shape, np.nan)
    fitted[2] = counts[2]
    times = nothing.copy()
    times[2] = interface
    one = {"units": "1"}
    dataset = xr.Dataset(
        {
            "counts": (("ion", "scan"), counts, one),
            "intensity": (("ion", "scan"), counts, one),
            "intensity_std": (("ion", "scan"), np.sqrt(np.maximum(counts, 1.0)), one),
            "background": (("ion", "scan"), np.zeros_like(counts), one),
            "response_fit": (("ion", "scan"), fitted, one),
            "used_scans": ("scan", np.ones(time.size, np.int8), one),
        },
        coords={
            "ion": ("ion", np.array(IONS), one),
            "role": ("ion", np.array(ROLES), one),
            "mz": ("ion", np.array([132.958, 61.982, 50.945]), {"units": "Da"}),
            "sputter_time": ("scan", time, {"units": "s"}),
        },
    )
    quantities = {
        "interface_time": (times, "s"),
        "interface_width": (times / 5, "s"),
        "total_counts": (counts.sum(axis=1), "1"),
        "mass_error": (nothing, "ppm"),
        "mass_resolution": (nothing, "1"),
    }
    for name, (value, units) in quantities.items():
        dataset = assign(dataset, name, ("ion",), Quantity(value, 0.01 * np.abs(value)), units)
    return dataset


def tem_dataset(mean: float, std: float, sampling: float) -> xr.Dataset:
    """What the fusion reads of ``tem_thickness``."""
    dataset = xr.Dataset(coords={"statistic": ("statistic", np.array(["mean", "sd", "p05", "p95"]), {"units": "1"})})
    value = np.array([mean, 1.0, mean - 1.6, mean + 1.6])
    dataset = assign(dataset, "cei_thickness", ("statistic",), Quantity(value, np.full(4, std)), "nm")
    return dataset.assign(thickness_sampling_std=((), sampling, {"units": "nm"}))

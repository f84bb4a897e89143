from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import lmfit
import numpy as np
import xarray as xr

from depthlock.model.chemistry import Component, Region
from depthlock.xps.assign import assign_regions
from depthlock.xps.batch import fit_batch
from depthlock.xps.build import build_blocks
from depthlock.xps.fit import fit_group, start_state
from depthlock.xps.lmfit_bridge import prefix_of, region_model
from depthlock.xps.shapes import pseudo_voigt
from depthlock.xps.solver import minimise
from depthlock.xps.windows import clean_window

SPECTRA, LMFIT_SPECTRA, POINTS, SECONDS = 10_000, 20, 201, 20.0
LEVELS = 30
REGION = Region(
    name="F 1s",
    element="F",
    window=(680.0, 696.0),
    components=tuple(Component(name=n, position=p, fwhm=1.6) for n, p in (("A", 685.5), ("B", 687.5), ("C", 689.4))),
)
ENERGY = np.linspace(*REGION.window, POINTS)


def simulated(count: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rates with Poisson noise and their inverse variances; positions and widths differ by `spread` eV."""
    rng = np.random.default_rng(seed)
    areas = rng.uniform([600.0, 200.0, 800.0], [1500.0, 900.0, 2000.0], (count, 3))
    positions = np.array([685.6, 687.4, 689.5]) + rng.normal(0.0, spread, (count, 3))
    widths = np.array([1.5, 1.6, 1.7]) + rng.normal(0.0, spread, (count, 3))
    rate = np.full((count, POINTS), 200.0)
    for k in range(3):
        shape = pseudo_voigt(ENERGY - positions[:, k, None], widths[:, k, None], np.array(0.25))
        rate += areas[:, k, None] * (shape.density + 0.02 * shape.cumulative)
    return rng.poisson(rate * SECONDS) / SECONDS, SECONDS / rate


def independent_spectra() -> Iterator[str]:
    """10,000 three-component spectra, each on its own, against a loop over lmfit's Model.fit"""
    rate, weight = simulated(SPECTRA, 0.05)
    begun = time.perf_counter()
    fit_batch(REGION, ENERGY, rate[:2], weight[:2])
    yield f"compiling or loading the kernel: {time.perf_counter() - begun:.1f} s, once"
    begun = time.process_time()
    batch = fit_batch(REGION, ENERGY, rate, weight)
    ours = (time.process_time() - begun) / SPECTRA
    yield f"depthlock {1e3 * ours:.3f} ms a spectrum with covariance, {np.mean(batch.converged):.2%} converged"

    model = region_model(REGION)
    parameters = model.make_params()
    parameters["background_centre"].set(value=688.0)
    parameters["background_half"].set(value=8.0)
    parameters["background_offset"].set(value=200.0)
    prefixes = [prefix_of(component.name) for component in REGION.components]
    for prefix in prefixes:
        parameters[f"{prefix}area"].set(value=1000.0)
    times, worst, worst_error = [], 0.0, 0.0
    for number in range(LMFIT_SPECTRA):
        begun = time.process_time()
        found = model.fit(rate[number], parameters, x=ENERGY, weights=np.sqrt(weight[number]), scale_covar=False)
        times.append(time.process_time() - begun)
        for k, prefix in enumerate(prefixes):
            area = found.params[f"{prefix}area"]
            worst = max(worst, abs(batch.value[number, k] / area.value - 1.0))
            worst_error = max(worst_error, abs(batch.std[number, k] / area.stderr - 1.0))
    theirs = float(np.median(times))
    yield f"lmfit {1e3 * theirs:.1f} ms a spectrum (median of {LMFIT_SPECTRA})"
    yield f"ratio {theirs / ours:.0f}; areas differ by {worst:.1e}, their errors by {worst_error:.1e} at most"


def levels_together() -> Iterator[str]:
    """30 levels with common positions, widths and mixing in one fit, against lmfit's joint fit"""
    rate, weight = simulated(LEVELS, 0.0)
    data = xr.Dataset(
        {"counts": (("level", "energy"), rate * SECONDS), "dwell_time": ("level", np.full(LEVELS, SECONDS))},
        coords={"etch_time": ("level", np.arange(LEVELS) * 60.0), "binding_energy": ("energy", ENERGY)},
        attrs={"region": "F 1s"},
    )
    window = clean_window("F 1s", data, np.arange(LEVELS), LEVELS)
    blocks, shared = build_blocks(assign_regions([window], [REGION]), "active_shirley")
    held = replace(shared, std=np.full(shared.mean.size, np.inf), shift_std=np.zeros(LEVELS))
    weights = [weight]
    begin = start_state(blocks, shared.mean, np.zeros(LEVELS), weights)
    begun = time.process_time()
    state, cost = minimise(blocks, held, begin, weights, iterations=200, tolerance=1e-6)
    ours = time.process_time() - begun
    yield f"depthlock {1e3 * ours:.0f} ms for the minimum, chi-square {cost:.2f}"
    begun = time.process_time()
    fit_group(blocks, shared)
    whole = time.process_time() - begun
    yield f"  (with the search for charge shifts, several starts and the noise scale {1e3 * whole:.0f} ms)"

    parameters = lmfit.Parameters()
    for place, name in enumerate(("p", "w")):
        for k in range(3):
            start = (REGION.components[k].position, REGION.components[k].fwhm)[place]
            parameters.add(f"{name}{k}", value=start)
    parameters.add("mixing", value=0.3, min=0.0, max=1.0)
    for level in range(LEVELS):
        own = begin.level[0][level]
        for k in range(3):
            parameters.add(f"a{k}_{level}", value=max(own[k], 1.0), min=0.0)
        parameters.add(f"offset_{level}", value=own[3])
        parameters.add(f"slope_{level}", value=own[4])
        parameters.add(f"step_{level}", value=0.03, min=0.0, max=1.0)
    ramp = (ENERGY - ENERGY.mean()) / (0.5 * np.ptp(ENERGY))

    def residual(values: lmfit.Parameters) -> np.ndarray:
        v = values.valuesdict()
        column = {
            name: np.array([v[f"{name}_{level}"] for level in range(LEVELS)])[:, None]
            for name in ("a0", "a1", "a2", "offset", "slope", "step")
        }
        model = column["offset"] + column["slope"] * ramp
        for k in range(3):
            shape = pseudo_voigt(ENERGY - v[f"p{k}"], np.asarray(v[f"w{k}"]), np.asarray(v["mixing"]))
            model = model + column[f"a{k}"] * (shape.density + column["step"] * shape.cumulative)
        return ((rate - model) * np.sqrt(weight)).ravel()

    begun = time.process_time()
    found = lmfit.minimize(residual, parameters, calc_covar=False)
    theirs = time.process_time() - begun
    areas = np.array([[found.params[f"a{k}_{level}"].value for k in range(3)] for level in range(LEVELS)])
    worst = np.abs(state.level[0][:, :3] / areas - 1.0).max()
    yield f"lmfit {theirs:.1f} s, chi-square {found.chisqr:.2f}"
    yield f"ratio {theirs / ours:.0f}, and {theirs / whole:.0f} with all else; areas differ by {worst:.1e} at most"

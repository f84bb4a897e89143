"""First guesses: linear solutions at given shapes, and the path of charge shifts over the levels."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import dataset, line_and_step, options, simulate
from scipy.optimize import nnls

from depthlock.xps.assign import assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.charge import GUESS_STEP_PER_AREA, common_shift, linear_levels, search_shifts, unit_columns
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.fit import make_weights, smoothed
from depthlock.xps.windows import clean_window


@pytest.fixture(scope="module")
def problem():
    series = simulate(5, levels=6, step=0.2)
    windows = [clean_window(key, block, np.arange(6), 6) for key, block in series.spectra.items()]
    blocks, shared = build_blocks(assign_regions(windows, options().regions), "active_shirley")
    return series, blocks, shared, [make_weights(block, smoothed(block.rate), 1.0) for block in blocks]


def test_levels_at_once_are_non_negative_least_squares_one_by_one(problem) -> None:
    series, blocks, shared, weights = problem
    for block, weight in zip(blocks, weights, strict=True):
        columns = unit_columns(block, shared.mean, series.shift)
        values, chi_square = linear_levels(block, columns, weight)
        used = np.flatnonzero(np.any(block.straight != 0.0, axis=0))
        for level in range(6):
            root = np.sqrt(weight[level])
            straight = block.straight[:, used] * root[:, None]
            design = np.column_stack([columns[level] * root[:, None], straight, -straight])
            expected, norm = nnls(design, block.rate[level] * root)
            assert chi_square[level] == pytest.approx(norm**2, rel=2e-3)
            areas = expected[: block.components]
            assert values[level, : block.components] == pytest.approx(areas, abs=0.02 * areas.max())
        assert np.all(values[:, -block.regions :] == GUESS_STEP_PER_AREA)


def test_shifts_are_found_within_the_grid(problem) -> None:
    series, blocks, shared, weights = problem
    assert search_shifts(blocks, shared.mean, weights) == pytest.approx(series.shift, abs=0.3)


def test_common_shift_has_the_scatter_of_the_windows_as_its_error() -> None:
    rng = np.random.default_rng(1)
    value, levels = np.linspace(0.0, 1.0, 200), 200
    own = value + np.array([[3.0], [-1.0]]) + rng.normal(0.0, 0.1, (2, levels)) + rng.normal(0.0, 0.05, (2, levels))
    common = common_shift(value, own, np.full((2, levels), 0.05**2))
    assert common.std == pytest.approx(0.1, rel=0.1)
    assert common.gauged(own[0], np.full(levels, 0.05**2)) == pytest.approx(value + 3.0, abs=0.04)


def test_where_regions_charge_apart_the_axis_is_the_common_one_unless_a_line_is_asked_for() -> None:
    spectra = dict(simulate(3, levels=5, drift=0.0).spectra)
    fluorine, extra = spectra["F 1s"], np.array([0.0, 0.0, 0.3, 0.3, 0.3])
    energy = fluorine.binding_energy.values
    for level, shift in enumerate(extra):
        counts = fluorine.counts.values[level]
        fluorine.counts.values[level] = np.round(np.interp(energy, energy[::-1] + shift, counts[::-1]))
    fit = deconvolve(spectra, options(compared_shapes=()))
    assert all("differential_charging" in flag for flag in fit.charge_shift_flag.values)
    position, error = fit.sel(component="F 1s/MgF2").position, fit.charge_shift_std.values
    # The axis lies between the regions, by an error that reaches to both.
    assert position.values - position.values[0] == pytest.approx(extra, abs=0.2)
    assert np.all(error > 0.05)
    assert np.all(np.abs(fit.charge_shift.values) < 1.96 * error)
    carbon = fit.sel(component="C 1s/C-C").position.values
    assert 0.0 < np.ptp(carbon) < 0.3
    assert np.average(carbon) == pytest.approx(284.8, abs=0.1)
    asked = deconvolve(spectra, options(charge_reference="C 1s/C-C", compared_shapes=()))
    assert asked.sel(component="C 1s/C-C").position.values == pytest.approx(284.8, abs=1e-6)
    assert asked.charge_shift.values == pytest.approx(0.0, abs=0.1)
    position = asked.sel(component="F 1s/MgF2").position.values
    assert position - position[0] == pytest.approx(extra, abs=0.1)


def test_peaks_are_assigned_by_the_minima_not_by_the_steps_of_the_search() -> None:
    """At high counts a tenth of an eV costs more than a small second line tells."""
    energy = np.arange(680.0, 694.0, 0.1)
    lines = ((689.13, 1.7, 5000.0), (685.35, 1.6, 180.0))
    rate = 400.0 + sum(area * line_and_step(energy - place, width)[0] for place, width, area in lines)
    counts = np.random.default_rng(4).poisson(4.0 * rate)[None, :].astype(float)
    fit = deconvolve({"F 1s": dataset("F 1s", energy, counts, 4.0)}, options(compared_shapes=())).isel(level=0)
    assert float(fit.sel(component="F 1s/CF3").area) == pytest.approx(5000.0, rel=0.03)
    assert float(fit.sel(component="F 1s/MgF2").area) == pytest.approx(180.0, abs=60.0)
    assert abs(float(fit.charge_shift)) < 1.0

"""What a fit is asked beyond its own errors: does it lack a line, does it hang on its window."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from etch_series import dataset, line_and_step, options, simulate

from depthlock.model.chemistry import Region
from depthlock.xps.deconvolve import deconvolve


def only(region: str, *names: str) -> tuple[Region, ...]:
    """The library's core level with some of its states."""
    found = next(one for one in options().regions if one.name == region)
    return (found.model_copy(update={"components": tuple(c for c in found.components if c.name in names)}),)


def test_a_state_left_out_is_asked_for_by_name_of_its_place() -> None:
    series = simulate(11, levels=3, step=0.2, blocks=("C 1s",))
    given = options(charge_reference="none")
    lacking = given.model_copy(update={"regions": only("C 1s", "C-C", "C-O")})
    fit = deconvolve(series.spectra, lacking)
    assert all("under_fitted" in flag for flag in fit.area_flag.values.ravel())
    assert json.loads(fit.attrs["suggested_lines"])["C 1s"] == pytest.approx(292.7, abs=1.0)
    assert any("one more component" in note for note in fit.attrs["notes"])
    whole = deconvolve(series.spectra, given.model_copy(update={"regions": only("C 1s", "C-C", "CF3")}))
    assert json.loads(whole.attrs["suggested_lines"]) == {}
    assert not np.any(np.char.find(whole.area_flag.values.astype(str), "under_fitted") >= 0)


def bent(strength: float) -> xr.Dataset:
    """A fluorine line before a background that bends upwards far from it."""
    energy = np.arange(694.0, 680.0, -0.1)
    line, step = line_and_step(energy - 688.7, 1.8)
    rate = 300.0 + 900.0 * (line + 0.02 * step) + strength * np.maximum(energy - 692.3, 0.0) ** 2
    counts = np.random.default_rng(4).poisson(rate * 40.0)[None, :].astype(float)
    return dataset("F 1s", energy, counts, 40.0)


def test_a_background_that_bends_at_the_end_of_the_window_is_told_and_carried() -> None:
    given = options(charge_reference="none", charge_scope="common").model_copy(update={"regions": only("F 1s", "CF3")})
    straight, crooked = (deconvolve({"F 1s": bent(strength)}, given).isel(level=0) for strength in (0.0, 40.0))
    assert "window_sensitive" not in str(straight.area_flag.values)
    assert "window_sensitive" in str(crooked.area_flag.values)
    assert float(crooked.area_std[0]) > 3.0 * float(straight.area_std[0])
    assert float(crooked.area_lower[0]) < 900.0 < float(crooked.area_upper[0])


def test_a_misfit_too_small_for_one_level_is_seen_in_all() -> None:
    energy = np.arange(694.0, 680.0, -0.1)
    first, step = line_and_step(energy - 688.7, 1.6)
    second, _ = line_and_step(energy - 687.55, 1.6)
    rate = 300.0 + 900.0 * (first + 0.02 * step) + 250.0 * second
    counts = np.random.default_rng(5).poisson(np.tile(rate * 2.0, (24, 1))).astype(float)
    given = options(charge_reference="none").model_copy(update={"regions": only("F 1s", "CF3")})
    alone = deconvolve({"F 1s": dataset("F 1s", energy, counts[:1], 2.0)}, given)
    assert "poor_fit" not in str(alone.area_flag.values)
    fit = deconvolve({"F 1s": dataset("F 1s", energy, counts, 2.0)}, given)
    assert all("poor_fit" in flag or "under_fitted" in flag for flag in fit.area_flag.values.ravel())

"""The interface's area from the slope of its map."""

import numpy as np
import pytest
import xarray as xr
from layer_world import World, tem_dataset

from depthlock.fusion.depth_profile import lock_depth
from depthlock.fusion.interface_area import interface_area_ratio
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import Quantity, assign

RATE = np.full(2000, 0.05)


def sloped(slope, std, units="s/um", flag=""):
    return assign(
        xr.Dataset(), "interface_slope", (), Quantity(slope, std, slope - 2 * std, slope + 2 * std, flag), units
    )


def test_an_inclined_interface_has_the_area_of_its_incline():
    # 45 degrees: 1000 nm deeper a micrometre, at 0.05 nm/s.
    found = interface_area_ratio(sloped(20000.0, 0.0), RATE, "", np.random.default_rng(0))
    assert found.value == pytest.approx(np.sqrt(2.0))
    assert found.std < 1e-12


def test_a_shallow_wave_has_the_area_of_its_integral_within_its_error():
    x = np.linspace(0.0, 2.0 * np.pi, 4001)
    gradient = 0.3 * np.cos(x)
    true = np.sqrt(1.0 + gradient**2).mean()
    slope = np.sqrt(np.mean(gradient**2)) / (1e-3 * 0.05)
    found = interface_area_ratio(sloped(slope, 0.1 * slope), RATE, "", np.random.default_rng(0))
    assert found.lower < true < found.upper
    assert found.value - 1.0 == pytest.approx(true - 1.0, rel=0.05)
    assert found.std == pytest.approx(0.2 * (true - 1.0), rel=0.15)


def test_without_a_scale_or_a_slope_there_is_a_reason():
    bare = interface_area_ratio(sloped(3.0, 0.1, units="s/pixel"), RATE, "", np.random.default_rng(0))
    assert np.isnan(bare.value)
    assert bare.flag == "no_pixel_size"
    lost = interface_area_ratio(sloped(np.nan, np.nan, flag="few_counts"), RATE, "", np.random.default_rng(0))
    assert np.isnan(lost.value)
    assert lost.flag == "few_counts"


def test_the_stage_takes_the_layers_rate():
    profile = World().profile(3).merge(sloped(20000.0, 500.0))
    locked = lock_depth(profile, None, tem_dataset(10.1, 0.1, 0.2), None, None, DepthOptions(samples=100))
    rate = float(locked["sputter_rate"].sel(rated_technique="tofsims"))
    assert float(locked["interface_area_ratio"]) == pytest.approx(np.hypot(1.0, 20.0 * rate), rel=0.02)
    assert float(locked["interface_area_ratio_std"]) > 0
    bare = lock_depth(profile, None, None, None, None, DepthOptions(samples=60))
    assert np.isnan(float(bare["interface_area_ratio"]))
    assert "no_thickness" in str(bare["interface_area_ratio_flag"].values)
    assert "interface_area_ratio" not in lock_depth(
        World().profile(3), None, None, None, None, DepthOptions(samples=60)
    )

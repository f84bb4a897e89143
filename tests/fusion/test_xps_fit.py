"""XPS on the depth axis: etch levels seen through attenuated electrons."""

import numpy as np
import pytest
import xarray as xr
from layer_world import tem_dataset

from depthlock.fusion.depth_profile import lock_depth
from depthlock.model.chemistry import Component, Region
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import Quantity, assign

THICKNESS, RATE, ESCAPE = 9.0, 0.04, 1.9
REGIONS = (
    Region(
        name="F 1s",
        element="F",
        window=(681.0, 694.0),
        attenuation_length=ESCAPE,
        components=(
            Component(name="MgF2", position=685.7, role="inorganic"),
            Component(name="CF3", position=688.8, role="organic"),
        ),
    ),
    Region(
        name="O 1s",
        element="O",
        window=(526.0, 537.0),
        attenuation_length=ESCAPE,
        components=(Component(name="V-O", position=530.0, role="substrate"),),
    ),
)


def _xps_fit(seed: int) -> xr.Dataset:
    random = np.random.default_rng(seed)
    levels = np.linspace(0.0, 1.2, 7)
    depth = np.arange(0.005, 60.0, 0.01)
    u = depth / THICKNESS
    profiles = {
        "F 1s/MgF2": np.where(u < 1, 0.3 + u, 0.0),
        "F 1s/CF3": np.where(u < 1, np.exp(-u / 0.5), 0.0),
        "O 1s/V-O": np.where(u < 1, 0.1, 1.0),
    }
    area = np.empty((7, 3))
    for k, level in enumerate(levels):
        below = depth - level * THICKNESS
        seen = np.where(below > 0, np.exp(-below / ESCAPE), 0.0)
        area[k] = [profile @ seen / seen.sum() for profile in profiles.values()]
    std = 0.01 * area + 0.004
    area = area + std * random.standard_normal(area.shape)
    names = list(profiles)
    dataset = xr.Dataset(
        coords={
            "etch_time": ("level", levels * THICKNESS / RATE, {"units": "s"}),
            "component": ("component", np.array(names), {"units": "1"}),
            "region": ("component", np.array([name.split("/")[0] for name in names]), {"units": "1"}),
        }
    )
    return assign(dataset, "area", ("level", "component"), Quantity(area, std), "count * eV / s")


@pytest.fixture(scope="module")
def locked() -> xr.Dataset:
    options = DepthOptions(samples=100, regions=REGIONS)
    return lock_depth(None, _xps_fit(4), tem_dataset(9.05, 0.1, 0.1), None, None, options)


def test_rate_and_centroids(locked: xr.Dataset) -> None:
    u = (np.arange(2000) + 0.5) / 2000
    truth = {
        "F 1s/MgF2": float((0.3 + u) @ u / (0.3 + u).sum()) * THICKNESS,
        "F 1s/CF3": float(np.exp(-u / 0.5) @ u / np.exp(-u / 0.5).sum()) * THICKNESS,
    }
    rate, std = float(locked["sputter_rate"].values[0]), float(locked["sputter_rate_std"].values[0])
    assert abs(rate - RATE) < 3 * std < 0.4 * RATE
    for name, true in truth.items():
        place = list(locked["species"].values).index(name)
        value, spread = float(locked["centroid"].values[place]), float(locked["centroid_std"].values[place])
        assert abs(value - true) < 3 * spread < 1.2


def test_substrate_seen_through_the_layer_is_not_in_it(locked: xr.Dataset) -> None:
    share = float(locked["substrate_in_layer"].values[2])
    std = float(locked["substrate_in_layer_std"].values[2])
    assert abs(share - 0.1) < 3 * std
    assert float(locked["substrate_in_layer_as_measured"].values[2]) > 0.2


def test_pairs_stay_within_a_region(locked: xr.Dataset) -> None:
    assert list(locked["pair"].values) == ["F 1s/CF3,F 1s/MgF2"]
    assert list(locked["rated_technique"].values) == ["xps"]
    assert locked["level_depth"].values[0] == 0.0


def test_without_roles_there_is_no_interface() -> None:
    bare = lock_depth(None, _xps_fit(4), tem_dataset(9.0, 0.1, 0.1), None, None, DepthOptions(samples=50))
    assert set(bare["centroid_flag"].values) == {"no_substrate_component"}

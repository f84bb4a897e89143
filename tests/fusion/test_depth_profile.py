"""The stage on a small world with known truth."""

import numpy as np
import pytest
import xarray as xr
from layer_world import World, tem_dataset

from depthlock.fusion.depth_profile import lock_depth
from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DepthOptions

WORLD = World()


@pytest.fixture(scope="module")
def locked() -> xr.Dataset:
    tem = tem_dataset(10.1, 0.1, 0.2)
    return lock_depth(WORLD.profile(3), None, tem, None, None, DepthOptions(samples=100))


@pytest.mark.parametrize(
    ("quantity", "place", "truth"),
    [
        ("sputter_rate", 0, "sputter_rate"),
        ("centroid", 0, "organic"),
        ("centroid", 1, "inorganic"),
        ("separation", 0, "separation"),
        ("overlap", 0, "overlap"),
        ("interlocking", 0, "interlocking"),
        ("substrate_in_layer", 2, "substrate_in_layer"),
    ],
)
def test_truth_lies_within_errors(locked: xr.Dataset, quantity: str, place: int, truth: str) -> None:
    value, std = float(locked[quantity].values[place]), float(locked[f"{quantity}_std"].values[place])
    true = WORLD.truth()[truth]
    assert abs(value - true) < 3.0 * std
    assert std < 0.25 * abs(true)
    assert float(locked[f"{quantity}_lower"].values[place]) < value < float(locked[f"{quantity}_upper"].values[place])


def test_contract_and_labels(locked: xr.Dataset) -> None:
    check(locked, "depth_profile")
    assert list(locked["pair"].values) == ["SO2CF3-,MgF2-"]
    assert locked["co_occurrence_flag"].values[0] == "no_volume"
    assert np.isnan(locked["substrate_in_layer"].values[0])


def test_response_is_removed_from_the_substrate_share(locked: xr.Dataset) -> None:
    measured = float(locked["substrate_in_layer_as_measured"].values[2])
    assert measured > 1.3 * WORLD.dissolved


def test_axis_has_an_error_that_grows_beyond_the_interface(locked: xr.Dataset) -> None:
    fraction, std = locked["depth_fraction"].values, locked["depth_std"].values
    assert locked["depth"].values[0] == 0.0
    inside = float(std[np.argmin(abs(fraction - 0.5))])
    end = float(std[np.argmin(abs(fraction - 1.0))])
    assert 0.0 < inside < end < float(std[-1])
    assert np.isnan(locked["layer_signal"].values[fraction > 1.01]).all()
    assert np.all(np.diff(locked["scan_depth"].values) > 0)


def test_without_thickness_depths_are_fractions() -> None:
    bare = lock_depth(WORLD.profile(3), None, None, None, None, DepthOptions(samples=60))
    check(bare, "depth_profile")
    assert np.isnan(bare["depth"].values).all()
    assert np.isfinite(bare["depth_fraction"].values).all()
    assert "no_thickness" in str(bare["centroid_flag"].values[0])
    assert np.isnan(bare["sputter_rate"].values[0])
    assert abs(float(bare["overlap"].values[0]) - WORLD.truth()["overlap"]) < 3.5 * float(bare["overlap_std"].values[0])
    assert bare["overlap_flag"].values[0] == ""


def test_without_an_interface_nothing_is_placed() -> None:
    profile = WORLD.profile(3)
    profile["interface_time"][:] = np.nan
    bare = lock_depth(profile, None, tem_dataset(10.0, 0.1, 0.1), None, None, DepthOptions(samples=60))
    check(bare, "depth_profile")
    assert np.isnan(bare["centroid"].values).all()
    assert set(bare["centroid_flag"].values) == {"no_interface"}
    assert bare["overlap_flag"].values[0] == "no_interface"


def test_no_technique_is_told() -> None:
    with pytest.raises(MeasurementError, match="neither a TOF-SIMS profile nor an XPS fit"):
        lock_depth(None, None, None, None, None, DepthOptions())


def test_volumes_reach_the_voxel_correlation() -> None:
    random = np.random.default_rng(2)
    profile = WORLD.profile(3)
    time = profile["sputter_time"].values
    pattern = np.kron(random.uniform(0.2, 1.8, (8, 8)), np.ones((4, 4)))
    volumes = {
        ion: xr.DataArray(
            random.poisson(np.broadcast_to(0.4 * pattern, (time.size, 32, 32))),
            dims=("scan", "y", "x"),
            coords={"sputter_time": ("scan", time)},
        )
        for ion in ("SO2CF3-", "MgF2-")
    }
    found = lock_depth(profile, None, tem_dataset(10.0, 0.1, 0.1), None, volumes, DepthOptions(samples=60))
    assert float(found["co_occurrence"].values[0]) > 3.0
    assert float(found["voxel_correlation"].values[0]) > 0.3


def test_an_ion_that_was_not_found_is_flagged_and_spoils_nothing() -> None:
    profile = WORLD.profile(3)
    for name in ("intensity", "intensity_std", "counts"):
        profile[name][1] = np.nan
    found = lock_depth(profile, None, tem_dataset(10.0, 0.1, 0.1), None, None, DepthOptions(samples=60))
    assert "not_measured" in str(found["centroid_flag"].values[1])
    assert "not_measured" in str(found["overlap_flag"].values[0])
    assert np.isfinite(found["centroid"].values[[0, 2]]).all()


@pytest.mark.parametrize("ratio", [0.35, 2.5])
def test_the_depth_scale_runs_at_each_layers_own_rate(ratio: float) -> None:
    world = World(ratio=ratio)
    locked = lock_depth(world.profile(3), None, None, None, None, DepthOptions(thickness=10.0, thickness_std=0.2))
    error = (locked["scan_depth"].values - world.depth())[1:] / locked["scan_depth_std"].values[1:]
    assert np.mean(np.abs(error) < 1.96) > 0.9
    deepest = world.depth()[-1] - world.thickness
    assert float(locked["scan_depth"][-1]) - world.thickness == pytest.approx(deepest, rel=0.25)
    substrate = locked["substrate_rate"].sel(rated_technique="tofsims")
    lower, upper = (float(locked[f"substrate_rate_{end}"][0]) for end in ("lower", "upper"))
    assert lower < world.rate * ratio < upper
    assert float(substrate) == pytest.approx(world.rate * ratio, rel=0.25)

"""STEM-EDS elements on the common depth axis."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import xarray as xr
from layer_world import World, tem_dataset

from depthlock.eds.profile import measure_profile
from depthlock.fusion.depth_profile import lock_depth
from depthlock.model.contracts import check
from depthlock.model.options import DepthOptions, EdsOptions
from depthlock.simulate.eds import EdsParameters, EdsTruth, simulate_maps

OPTIONS = DepthOptions(samples=100)


@lru_cache(maxsize=4)
def maps_of(thickness: float = 10.0) -> tuple[xr.Dataset, EdsTruth]:
    parameters = EdsParameters(rows=80, columns=80, thickness_nm=thickness, curvature_per_nm=0.0)
    maps, truth = simulate_maps(parameters, np.random.default_rng(4))
    return measure_profile([maps], EdsOptions(substrate=("V",), shuffles=20)), truth


@lru_cache(maxsize=1)
def locked() -> xr.Dataset:
    return lock_depth(World().profile(3), None, tem_dataset(10.1, 0.1, 0.2), maps_of()[0], None, OPTIONS)


def test_elements_are_species_of_the_common_axis() -> None:
    found = check(locked(), "depth_profile")
    assert found["species"].values.tolist()[-5:] == ["EDS F", "EDS C", "EDS Mg", "EDS O", "EDS V"]
    vanadium = found.sel(species="EDS V")
    assert str(vanadium["role"].values) == "substrate"
    assert str(vanadium["signal_unit"].values) == "count / pixel"
    assert found.attrs["thickness_source"] == "tem"
    # The others keep what they had.
    alone = lock_depth(World().profile(3), None, tem_dataset(10.1, 0.1, 0.2), None, None, OPTIONS)
    kept = found.sel(species=alone["species"].values).isel(depth=slice(alone.sizes["depth"]))
    for name in ("signal", "layer_signal", "centroid"):
        np.testing.assert_array_equal(kept[name].values, alone[name].values)
    assert kept["substrate_in_layer_flag"].values.tolist() == alone["substrate_in_layer_flag"].values.tolist()


def test_they_lie_where_they_are() -> None:
    found, (_, truth) = locked(), maps_of()
    fraction = found["depth_fraction"].values
    true_fraction = 1.0 - truth.depth_fraction
    inside = 0
    checked = 0
    for element in ("V", "F", "O"):
        at = found.sel(species=f"EDS {element}")
        for place in np.arange(0.1, 1.5, 0.05):
            near = np.abs(true_fraction - place) < 0.02
            true = float(truth.intensity[element][near].mean())
            number = int(np.argmin(np.abs(fraction - place)))
            inside += bool(at["signal_lower"].values[number] <= true <= at["signal_upper"].values[number])
            checked += 1
    assert inside / checked > 0.9
    half = np.interp(1.0, fraction, found["signal"].sel(species="EDS V").values)
    assert half == pytest.approx(0.5 * truth.intensity["V"].max(), rel=0.25)


def test_the_place_of_the_interface_is_in_the_error_there() -> None:
    vanadium, fraction = locked().sel(species="EDS V"), locked()["depth_fraction"].values
    profile = maps_of()[0].sel(element="V").isel(data_set=0)
    counted = float(profile["intensity_std"].sel(distance=0.0, method="nearest"))
    assert float(vanadium["signal_std"].values[np.argmin(np.abs(fraction - 1.0))]) > 1.2 * counted


def test_numbers_of_the_layer() -> None:
    found = locked()
    centre = found.sel(species="EDS F")
    assert float(centre["centroid_as_measured"]) == pytest.approx(
        5.05, abs=4.0 * float(centre["centroid_as_measured_std"])
    )
    share = found.sel(species="EDS V")
    assert 0.04 < float(share["substrate_in_layer_as_measured"]) < 0.12
    assert np.isnan(float(centre["centroid"]))


def test_maps_give_the_scale_where_there_is_no_tem() -> None:
    eds, truth = maps_of()
    found = lock_depth(World().profile(3), None, None, eds, None, OPTIONS)
    assert found.attrs["thickness_source"] == "eds"
    assert "STEM-EDS" in found.attrs["notes"][0]
    value, std = float(found["layer_thickness"]), float(found["layer_thickness_std"])
    assert value == pytest.approx(truth.thickness, rel=0.03)
    assert std > float(eds["layer_thickness_std"]), "the imaged piece is not the sample"


def test_maps_alone_have_an_axis() -> None:
    eds, _ = maps_of()
    found = check(lock_depth(None, None, None, eds, None, OPTIONS), "depth_profile")
    assert found["depth"].values[-1] > 1.3 * float(eds["layer_thickness"])
    assert np.isfinite(found["signal"].sel(species="EDS V").values[-5:]).all()


def test_what_does_not_fit_is_told() -> None:
    eds, _ = maps_of()
    other = lock_depth(None, None, tem_dataset(14.0, 0.1, 0.2), eds, None, OPTIONS)
    assert "thickness_differs" in str(other.sel(species="EDS F")["centroid_as_measured_flag"].values)
    wide = eds.assign(edge_std=("data_set", [2.0], {"units": "nm"}))
    loose = lock_depth(None, None, None, wide, None, OPTIONS)
    assert "anchor_uncertain" in str(loose.sel(species="EDS F")["centroid_as_measured_flag"].values)
    bare = eds.copy()
    bare["layer_thickness"] = ((), np.nan, {"units": "nm"})
    seen = lock_depth(None, None, tem_dataset(10.0, 0.1, 0.2), bare, None, OPTIONS)
    assert "surface_not_seen" in str(seen.sel(species="EDS F")["centroid_as_measured_flag"].values)
    nothing = check(lock_depth(None, None, None, bare, None, OPTIONS), "depth_profile")
    assert nothing.sizes["depth"] == 0
    assert "no_thickness" in str(nothing.sel(species="EDS F")["centroid_as_measured_flag"].values)

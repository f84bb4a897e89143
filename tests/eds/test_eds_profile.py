"""Element maps and spectrum images of a simulated layer, measured against the truth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import xarray as xr

from depthlock.eds.profile import measure_profile
from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import EdsOptions
from depthlock.simulate.eds import EdsParameters, EdsTruth, ElementCounts, simulate_maps, simulate_spectra

OPTIONS = EdsOptions(elements=("C", "O", "F", "Mg", "V"), substrate=("V",), shuffles=60)
SMALL = {"rows": 72, "columns": 72}


def scaled(factor: float, **changed: ElementCounts) -> dict[str, ElementCounts]:
    usual = EdsParameters().counts | changed
    return {
        element: ElementCounts(
            one.crystal * factor, one.layer * factor, one.outside * factor, one.gradient, one.patchiness, one.patch_nm
        )
        for element, one in usual.items()
    }


@lru_cache(maxsize=16)
def world(seed: int, factor: float = 1.0, dark_field: bool = True) -> tuple[xr.Dataset, EdsTruth]:
    rng = np.random.default_rng(seed)
    parameters = EdsParameters(
        **SMALL,
        thickness_nm=float(rng.uniform(7.0, 12.0)),
        orientation_deg=float(rng.uniform(0.0, 360.0)),
        curvature_per_nm=float(rng.uniform(-0.01, 0.01)),
        counts=scaled(factor, Mg=ElementCounts(0.1, 1.5, 0.0, patchiness=0.5)),
        dead=0.003,
    )
    maps, truth = simulate_maps(parameters, rng)
    maps = maps if dark_field else maps.drop_vars("haadf")
    return check(measure_profile([maps], OPTIONS), "eds_profile"), truth


def interval(result: xr.Dataset, name: str, element: str = "") -> tuple[float, float, float]:
    here = result.sel(element=element) if element else result
    return float(here[f"{name}_lower"]), float(here[name]), float(here[f"{name}_upper"])


@pytest.mark.parametrize("seed", range(5))
def test_layer_and_interfaces(seed: int) -> None:
    result, truth = world(seed)
    low, value, high = interval(result, "layer_thickness")
    assert value == pytest.approx(truth.thickness, rel=0.02)
    assert abs(value - truth.thickness) < 3.5 * float(result["layer_thickness_std"])
    assert low < value < high < value + 0.5
    for element in ("F", "C", "O", "V"):
        low, value, high = interval(result, "interface_position", element)
        assert abs(value) < 4.0 * float(result["interface_position_std"].sel(element=element)) < 1.0
        assert interval(result, "interface_width", element)[1] == pytest.approx(1.99 * truth.edge_blur, abs=0.5)
    assert interval(result, "layer_share", "F")[1] > 0.9
    assert interval(result, "layer_share", "V")[1] < 0.15


def test_even_fluorine_and_patchy_magnesium() -> None:
    z = {element: [float(world(seed)[0]["uniformity_z"].sel(element=element)) for seed in range(5)] for element in "F"}
    patchy = [float(world(seed)[0]["uniformity_z"].sel(element="Mg")) for seed in range(5)]
    assert np.median(np.abs(z["F"])) < 2.0
    assert np.median(patchy) > 3.0


def test_profile_points_are_covered() -> None:
    hits, points = 0, 0
    for seed in range(5):
        result, truth = world(seed)
        distance = result["distance"].values
        number = np.rint((truth.distance - 0.0) / 0.4).astype(int) - round(distance[0] / 0.4)
        # Far from both boundaries it does not matter that the true distance is not the measured one.
        deep = (distance > -8.0) & (distance < -2.0)
        for element in ("V", "O"):
            here = result.sel(element=element).isel(data_set=0)
            true = np.array(
                [
                    truth.intensity[element][number == at].mean() if np.any(number == at) else np.nan
                    for at in range(distance.size)
                ]
            )
            good = deep & np.isfinite(true) & (result["pixels"].values[0] > 20)
            inside = (here["intensity_lower"].values <= true) & (true <= here["intensity_upper"].values)
            hits, points = hits + int(inside[good].sum()), points + int(good.sum())
    assert points > 80
    assert 0.90 <= hits / points <= 0.99


def test_few_counts_and_no_dark_field() -> None:
    result, truth = world(7, 0.15, False)
    low, value, high = interval(result, "layer_thickness")
    assert value == pytest.approx(truth.thickness, rel=0.06)
    assert low - 0.1 <= truth.thickness <= high + 0.1


def test_dead_pixels_are_counted_and_left_out() -> None:
    rng = np.random.default_rng(3)
    maps, _ = simulate_maps(EdsParameters(**SMALL, counts=scaled(12.0)), rng)
    maps["counts"][:, 50, 10:14] = 0.0
    maps["counts"][1, 20, 20] = 5000.0
    result = measure_profile([maps], OPTIONS)
    assert np.isnan(result["map_0"].values[:, 50, 10:14]).all()
    assert np.isnan(result["map_0"].values[0, 20, 20])
    (note,) = result.attrs["notes"]
    assert note.startswith("EDS: 5 of 5184 pixels")


@lru_cache(maxsize=1)
def spectra_world() -> tuple[xr.Dataset, xr.Dataset, EdsTruth]:
    rng = np.random.default_rng(5)
    spectra, truth = simulate_spectra(EdsParameters(**SMALL, thickness_nm=10.0), rng, offset_kev=0.004)
    lazy = spectra.chunk({"y": 20})
    return measure_profile([lazy], OPTIONS), spectra, truth


def test_line_maps_of_a_spectrum_image() -> None:
    result, _, truth = spectra_world()
    for element, intensity in truth.intensity.items():
        counts = float(np.nansum(result["map_0"].sel(element=element).values))
        error = counts / float(result["significance"].sel(element=element)[0])
        assert abs(counts - float(intensity.sum())) < 3.5 * error < 0.15 * counts, element
    value = float(result["layer_thickness"])
    assert abs(value - truth.thickness) < 4.0 * float(result["layer_thickness_std"])
    inside = result.sel(element="F", distance=slice(2.0, 8.0)).isel(data_set=0)
    true = truth.intensity["F"][(truth.distance > 2.0) & (truth.distance < 8.0)].mean()
    covered = (inside["intensity_lower"] <= true) & (true <= inside["intensity_upper"])
    assert float(covered.mean()) > 0.8
    assert result["spectrum_0"].size == result["energy_0"].size


def test_oxygen_under_vanadium_carries_its_flag() -> None:
    result, _, _ = spectra_world()
    assert str(result["interface_position_flag"].sel(element="O").values) == "overlap:V La"
    assert str(result["interface_position_flag"].sel(element="F").values) == ""


def test_maps_that_are_no_counts_are_told() -> None:
    maps, truth = simulate_maps(EdsParameters(**SMALL), np.random.default_rng(8))
    maps["counts"] = maps["counts"] * 0.37
    result = measure_profile([maps], OPTIONS)
    assert float(result["layer_thickness"]) == pytest.approx(truth.thickness, rel=0.03)
    assert str(result["uniformity_flag"].sel(element="F").values) == "not_counts"
    counted = measure_profile([maps.assign(counts=np.round(maps["counts"] / 0.37))], OPTIONS)
    inside = {"element": "F", "distance": slice(2.0, 8.0)}
    errors = [float(one["intensity_std"].sel(inside).median()) for one in (result, counted)]
    assert errors[0] == pytest.approx(0.37 * errors[1], rel=0.3), "the noise is found from neighbouring pixels"


def test_without_a_substrate_there_are_maps_and_reasons() -> None:
    rng = np.random.default_rng(2)
    maps, _ = simulate_maps(EdsParameters(**SMALL), rng)
    even = maps.assign(counts=xr.zeros_like(maps["counts"]) + rng.poisson(2.0, maps["counts"].shape)).drop_vars("haadf")
    result = check(measure_profile([even], OPTIONS), "eds_profile")
    assert np.isnan(float(result["layer_thickness"]))
    assert set(result["uniformity_flag"].values) == {"no_substrate"}
    assert result["map_0"].shape == (5, 72, 72)


def test_a_substrate_nobody_named_is_guessed_and_told() -> None:
    maps, truth = simulate_maps(EdsParameters(**SMALL, offset_nm=-3.0, thickness_nm=8.0), np.random.default_rng(4))
    result = measure_profile([maps], EdsOptions(shuffles=20))
    assert "substrate_guessed" in str(result["layer_thickness_flag"].values)
    assert float(result["layer_thickness"]) == pytest.approx(truth.thickness, rel=0.03)


def test_a_film_to_the_border_has_an_interface_but_no_thickness() -> None:
    maps, _ = simulate_maps(EdsParameters(**SMALL, thickness_nm=60.0), np.random.default_rng(4))
    result = measure_profile([maps], OPTIONS)
    assert str(result["layer_thickness_flag"].values) == "no_outside"
    assert abs(float(result["interface_position"].sel(element="O"))) < 0.3


def test_several_maps_are_one_number() -> None:
    parts = [simulate_maps(EdsParameters(**SMALL), np.random.default_rng(seed)) for seed in (1, 2)]
    both = measure_profile([part for part, _ in parts], OPTIONS)
    one = measure_profile([parts[0][0]], OPTIONS)
    assert both.sizes["data_set"] == 2
    assert float(both["interface_position_std"].sel(element="F")) < float(
        one["interface_position_std"].sel(element="F")
    )


def test_factors_give_atomic_percent() -> None:
    maps, _ = simulate_maps(EdsParameters(**SMALL), np.random.default_rng(6))
    told = maps.assign_attrs(k_factors='{"F": 1.2, "Mg": 1.0}', k_factor_std=0.05)
    result = measure_profile([told], OPTIONS)
    percent = result["atomic_percent"]
    # 1.5 and 0.8 counts: weights 1.8 and 0.8, atoms 1.8/18.998 and 0.8/24.305.
    expected = 100 * (1.8 / 18.998) / (1.8 / 18.998 + 0.8 / 24.305)
    assert float(percent.sel(element="F")) == pytest.approx(expected, abs=4.0 * 2.5)
    assert str(result["atomic_percent_flag"].sel(element="V").values) == "no_k_factor"


def test_no_scale_is_a_question() -> None:
    maps, _ = simulate_maps(EdsParameters(**SMALL), np.random.default_rng(6))
    del maps.attrs["pixel_size_nm"]
    with pytest.raises(MeasurementError, match="no scale") as caught:
        measure_profile([maps], OPTIONS)
    assert "pixel_size" in caught.value.hint


@pytest.mark.parametrize("values", ["zeros", "missing", "negative", "striped"])
def test_odd_maps_are_answered_with_reasons(values: str) -> None:
    rng = np.random.default_rng(1)
    shape = (2, 24, 24)
    counts = {
        "zeros": np.zeros(shape),
        "missing": np.full(shape, np.nan),
        "negative": rng.normal(0.0, 1.0, shape),
        "striped": rng.poisson(5.0, shape) * np.array([1.0, 0.0] * 12),
    }[values]
    maps, _ = simulate_maps(EdsParameters(rows=24, columns=24), rng)
    odd = maps.isel(element=[4, 0]).drop_vars("haadf").assign(counts=(("element", "y", "x"), counts, {"units": "1"}))
    result = check(measure_profile([odd], OPTIONS), "eds_profile")
    assert np.isnan(float(result["layer_thickness"]))
    assert str(result["layer_thickness_flag"].values) in {"no_substrate", "no_outside"}


def test_rough_and_bent_layers_are_covered() -> None:
    """A layer as rough as a tenth of its thickness is no blurred boundary: its local places are followed."""
    errors, sampled = [], []
    for seed in range(3):
        rng = np.random.default_rng([7, seed])
        parameters = EdsParameters(
            **SMALL,
            thickness_nm=5.0,
            orientation_deg=float(rng.uniform(0.0, 360.0)),
            outer_roughness_nm=(0.6, 8.0),
            counts=scaled(4.0),
        )
        maps, truth = simulate_maps(parameters, rng)
        result = measure_profile([maps], OPTIONS)
        errors.append((float(result["layer_thickness"]) - truth.thickness) / truth.thickness)
        low, _, high = interval(result, "layer_thickness")
        assert low - 0.05 < truth.thickness < high + 0.05
        sampled.append(float(result["thickness_sampling_std"]))
        assert sampled[-1] > float(result["layer_thickness_std"])
    assert np.median(np.abs(errors)) < 0.015
    # 0.6 nm of roughness over 8 nm along 29 nm of layer: its mean is that of about two independent positions.
    assert 0.15 < np.median(sampled) < 0.9

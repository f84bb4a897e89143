from dataclasses import replace

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.simulate.layer import LayerParameters, ProfileShape
from depthlock.simulate.xps import XpsParameters, simulate_spectra

LAYER = LayerParameters(
    10.0,
    organic=ProfileShape(1.0, 0.3, 0.08, "outer", 0.1),
    inorganic=ProfileShape(0.4, 0.6, 0.1, "inner", 0.1),
    vanadium=ProfileShape(0.1),
)


def by_region(spectra):
    return {dataset.attrs["region"]: dataset for dataset in spectra}


def test_counts_hold_the_stated_areas():
    # noise-free in effect, backgrounds off: what is left above nothing is the areas, up to Lorentzian tails
    quiet = XpsParameters(intensity=1e6, background=0.0, common_window=False)
    spectra, truth = simulate_spectra(quiet, LAYER, np.random.default_rng(0))
    fluorine = by_region(spectra)["F 1s"]
    rate = fluorine["counts"].to_numpy() / 1.0  # 0.2 s times 5 scans
    area = rate.sum(axis=1) * quiet.step_ev
    expected = truth.area["F 1s/MgF2"] + truth.area["F 1s/CF3"]
    np.testing.assert_allclose(area, expected, rtol=0.05)
    assert np.all(area < expected)
    centre = (rate * fluorine["binding_energy"].to_numpy()).sum(axis=1) / rate.sum(axis=1)
    positions = np.array([truth.position["F 1s/MgF2"], truth.position["F 1s/CF3"]])
    areas = np.stack([truth.area["F 1s/MgF2"], truth.area["F 1s/CF3"]])
    np.testing.assert_allclose(centre, positions @ areas / expected + truth.charge_shift, atol=0.15)


def test_shirley_step_is_the_area_times_its_factor():
    still = XpsParameters(intensity=2e5, common_window=False, charge_shift_ev=(0.0,) * 6)
    spectra, truth = simulate_spectra(still, LAYER, np.random.default_rng(0))
    fluorine = by_region(spectra)["F 1s"].isel(level=0)
    energy, counts = fluorine["binding_energy"].to_numpy(), fluorine["counts"].to_numpy()
    below, above = counts[energy < 680.0].mean(), counts[energy > 694.0].mean()
    slope = 15.0 * (energy[energy > 694.0].mean() - energy[energy < 680.0].mean())
    area = truth.area["F 1s/CF3"][0] + truth.area["F 1s/MgF2"][0]
    # Lorentzian tails add a little on either side
    assert (above - below - slope) / area == pytest.approx(0.015, abs=0.003)


def test_doublet_is_two_to_one_and_broad_on_the_weak_side():
    bare = replace(
        LAYER, organic=ProfileShape(0.0), matrix=ProfileShape(0.0), vanadium=ProfileShape(0.0), thickness_nm=0.01
    )
    quiet = XpsParameters(intensity=1e6, background=0.0, charge_shift_ev=(0.0,) * 6)
    spectra, truth = simulate_spectra(quiet, bare, np.random.default_rng(0))
    window = by_region(spectra)["O 1s + V 2p"].isel(level=0)
    energy, counts = window["binding_energy"].to_numpy(), window["counts"].to_numpy()
    strong = counts[(energy > 508.0) & (energy < 521.0)].sum()
    weak = counts[(energy > 521.0) & (energy < 527.3)].sum()
    assert weak / strong == pytest.approx(0.5, abs=0.06)
    assert truth.fraction["V 2p/V5+"][0] == pytest.approx(0.75, abs=0.01)
    assert counts[(energy > 523.0) & (energy < 526.0)].max() < 0.4 * counts.max()


def test_uniform_layer_is_attenuated_exponentially():
    uniform = LayerParameters(10.0)
    parameters = XpsParameters(roughness_nm=0.0)
    _, truth = simulate_spectra(parameters, uniform, np.random.default_rng(0))
    kinetic = parameters.photon_energy_ev - truth.position["F 1s/CF3"]
    escape = parameters.attenuation_nm * np.sqrt(kinetic / 1000.0)
    left = 10.0 * (1.0 - np.array(parameters.fractions))
    expected = 3.0 * 4.43 * parameters.intensity * -np.expm1(-left / escape)
    np.testing.assert_allclose(truth.area["F 1s/CF3"], expected, rtol=0.01, atol=200.0)


def test_noise_is_poisson():
    spectra, _ = simulate_spectra(XpsParameters(intensity=0.0), LAYER, np.random.default_rng(7))
    values = np.concatenate([one["counts"].to_numpy().ravel() for one in spectra if one.attrs["region"] == "N 1s"])
    energy = spectra[-1]["binding_energy"].to_numpy()
    mean = np.tile(1200.0 + 5.0 * (energy - 399.5), 6)
    assert np.mean((values - mean) ** 2 / mean) == pytest.approx(1.0, abs=4 * np.sqrt(2 / values.size))


def test_shares_and_atomic_percent_add_up():
    spectra, truth = simulate_spectra(XpsParameters(), LAYER, np.random.default_rng(0))
    np.testing.assert_allclose(sum(truth.atomic_percent.values()), 100.0)
    for region in ("F 1s", "V 2p", "C 1s"):
        np.testing.assert_allclose(sum(f for t, f in truth.fraction.items() if t.startswith(region)), 1.0)
    assert np.all(np.diff(truth.area["V 2p/V5+"]) > 0)
    for dataset in spectra:
        check(dataset, "xps_spectra")


def test_separate_windows_hold_the_same_lines():
    joined, truth = simulate_spectra(XpsParameters(), LAYER, np.random.default_rng(0))
    apart, other = simulate_spectra(XpsParameters(common_window=False), LAYER, np.random.default_rng(0))
    assert {"O 1s", "V 2p"} <= set(by_region(apart))
    assert "O 1s + V 2p" in by_region(joined)
    np.testing.assert_array_equal(truth.area["O 1s/V-O"], other.area["O 1s/V-O"])


def test_one_shift_a_level_is_needed():
    with pytest.raises(ValueError, match="one charge shift a level"):
        simulate_spectra(XpsParameters(charge_shift_ev=(0.0,)), LAYER, np.random.default_rng(0))

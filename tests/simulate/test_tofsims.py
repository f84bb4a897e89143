from dataclasses import replace

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.simulate.depth_response import DepthResponse, SputterRates
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters, ProfileShape
from depthlock.simulate.sputtered_fields import interface_truth, local_thickness, phase_fields
from depthlock.simulate.tofsims import TofsimsParameters, simulate_events

SMALL = TofsimsParameters(pixels=24, scans=60, scan_interval_s=7.0, ions=4e5)
LAYER = LayerParameters(
    12.0,
    organic=ProfileShape(1.0, 0.3, 0.08, "outer", 0.1),
    inorganic=ProfileShape(0.5, 0.6, 0.1, "inner", 0.1),
    vanadium=ProfileShape(0.1),
)


def counts_by_scan(events, spectrometer, mz, ppm):
    """Ions in a window of flight times around the true position of a mass, by scan."""
    low, high = spectrometer.flight_time_ns(mz * (1 + np.array([-ppm, ppm]) * 1e-6)) * 1e3 / events.bin_width_ps
    rows = np.flatnonzero((events.mass_bin >= low) & (events.mass_bin <= high))
    span = slice(int(events.indptr[rows[0]]), int(events.indptr[rows[-1] + 1]))
    scan = events.pixel_id[span] // np.prod(events.row_shape[1:])
    return np.bincount(scan, weights=events.count[span], minlength=events.row_shape[0])


def test_realised_counts_are_poisson_around_the_expected_ones():
    parameters = replace(SMALL, background=0.0, spectrometer=SpectrometerParameters(dead_time_ns=0.0))
    events, truth = simulate_events(parameters, LAYER, np.random.default_rng(3))
    assert truth.lost_to_dead_time == 0.0
    assert abs(events.ions - 4e5) < 4 * np.sqrt(4e5)
    for label, mz, ppm in (("CF3-", 68.99576, 2000), ("SO2CF3-", 132.95766, 1500), ("MgF3-", 80.98080, 1000)):
        counted, expected = counts_by_scan(events, parameters.spectrometer, mz, ppm), truth.expected[label]
        assert abs(counted.sum() - truth.total_counts[label]) < 4 * np.sqrt(truth.total_counts[label])
        many = expected > 5.0
        chi_square = np.sum((counted - expected)[many] ** 2 / expected[many])
        assert abs(chi_square - many.sum()) < 4 * np.sqrt(2 * many.sum())


def test_dead_time_takes_what_the_formula_says():
    spectrometer = SpectrometerParameters(dead_time_ns=40.0, shots_per_pixel=2)
    parameters = replace(SMALL, background=0.0, domain_contrast=0.0, ions=8e5, spectrometer=spectrometer)
    events, truth = simulate_events(parameters, LAYER, np.random.default_rng(3))
    pulses = parameters.pixels**2 * spectrometer.shots_per_pixel
    counted = counts_by_scan(events, spectrometer, 15.99546, 4000)  # O- has no neighbour within the dead time
    # isotopes of lighter nominal masses are further than 40 ns away
    expected = pulses * -np.expm1(-truth.expected["O-"] / pulses)
    assert truth.expected["O-"].max() / pulses > 0.2
    assert abs(counted.sum() - expected.sum()) < 4 * np.sqrt(expected.sum())
    corrected = -pulses * np.log1p(-counted / pulses)
    assert corrected.sum() == pytest.approx(truth.total_counts["O-"], rel=0.02)


def test_interface_of_a_gaussian_response_is_at_the_layers_end():
    parameters = replace(
        SMALL, response=DepthResponse(1.2, 0.0, 0.0), rates=SputterRates(0.04, 0.04), scan_interval_s=9.0
    )
    time, width = interface_truth(parameters, LAYER, np.full(576, 12.0))
    assert time == pytest.approx(300.0, abs=0.5)
    assert width == pytest.approx(2.0 * 1.2 / 0.04, rel=0.005)


def test_layered_rates_stretch_the_far_side_of_the_rise():
    parameters = replace(SMALL, response=DepthResponse(1.2, 0.0, 0.0), rates=SputterRates(0.05, 0.03))
    time, width = interface_truth(parameters, LAYER, np.full(576, 12.0))
    assert time == pytest.approx(240.0, abs=0.6)
    assert width == pytest.approx(1.2 / 0.05 + 1.2 / 0.03, rel=0.01)


def test_expected_rise_crosses_half_way_at_the_stated_time():
    parameters = replace(SMALL, drift=0.0, transient_s=0.01, topography_nm=0.5)
    _, truth = simulate_events(parameters, LAYER, np.random.default_rng(3))
    curve = truth.expected["V-"]
    share = (curve / curve[-1] - truth.substrate_in_layer) / (1.0 - truth.substrate_in_layer)
    time = parameters.sputter_time_s
    assert np.interp(0.5, share[5:], time[5:]) == pytest.approx(truth.interface_time_s, abs=1.0)
    span = np.interp(0.8413, share[5:], time[5:]) - np.interp(0.1587, share[5:], time[5:])
    assert span == pytest.approx(truth.interface_width_s, rel=0.03)


def test_domains_leave_the_mean_profile_and_correlate_as_asked():
    parameters = replace(SMALL, pixels=64, domain_contrast=0.4, domain_correlation=0.8)
    flat = replace(parameters, domain_contrast=0.0)
    thickness = np.full(64 * 64, 12.0)
    domains = phase_fields(parameters, LAYER, thickness, np.random.default_rng(1))
    plain = phase_fields(flat, LAYER, thickness, np.random.default_rng(1))
    for phase in ("organic", "inorganic"):
        np.testing.assert_allclose(domains[phase].mean(axis=1), plain[phase].mean(axis=1), rtol=1e-4, atol=1e-6)
    scan = 20
    correlation = np.corrcoef(np.log(domains["organic"][scan]), np.log(domains["inorganic"][scan]))[0, 1]
    assert correlation == pytest.approx(0.8, abs=0.12)
    assert np.log(domains["organic"][scan]).std() == pytest.approx(0.4, abs=0.12)


def test_topography_keeps_the_mean_thickness():
    rough = local_thickness(replace(SMALL, pixels=64, topography_nm=0.6), LAYER, np.random.default_rng(2))
    assert rough.mean() == pytest.approx(12.0, abs=1e-9)
    assert rough.std() == pytest.approx(0.6, abs=0.05)


def test_in_memory_events_keep_the_contract():
    events, _ = simulate_events(SMALL, LAYER, np.random.default_rng(0))
    dataset = check(events.to_dataset(), "tofsims_events")
    assert int(dataset["count"].sum()) == events.ions


def test_look_alikes_are_there_and_apart_by_their_mass_difference():
    sharp = SpectrometerParameters(resolution=9000.0, dead_time_ns=0.0)
    parameters = replace(SMALL, background=0.0, spectrometer=sharp, yields={"SF-": 20.0, "NO3-": 30.0})
    events, truth = simulate_events(parameters, LAYER, np.random.default_rng(5))
    for label, mz in (("V-", 50.94451), ("SF-", 50.97102)):
        counted = counts_by_scan(events, sharp, mz, 180).sum()
        assert 0.85 < counted / truth.total_counts[label] < 1.05


def test_profile_that_ends_too_early_is_an_error():
    with pytest.raises(ValueError, match="more scans"):
        interface_truth(replace(SMALL, rates=SputterRates(0.05, 1e-4)), LAYER, np.full(4, 12.0))

"""The drift of the mass scale over the scans: found where it is, with its error, and taken out of everything."""

from dataclasses import replace

import numpy as np
import pytest
from tofsims_stores import options, random_store

from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.drift_measurement import random_walk
from depthlock.tofsims.mass_drift import MassDrift, drift_of, steady_ions, steady_spectrum
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.volume import ion_volume

STEADY = TofsimsParameters(pixels=24, scans=90, ions=3e5, spectrometer=SpectrometerParameters(resolution=9000.0))
IONS = ("SO2CF3-", "V-", "CN-")


def reduced(parameters, seed):
    events, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(seed))
    dataset = events.to_dataset()
    return dataset, truth, reduce_profile(dataset, options(*IONS))


@pytest.fixture(scope="module")
def drifting():
    return reduced(replace(STEADY, mass_drift_ppm=90.0, charging_ppm=-45.0), 3)


def test_the_drift_is_found_with_its_error(drifting):
    _, truth, profile = drifting
    error = profile["mass_drift"].values - truth.mass_drift_ppm
    error -= error.mean()
    assert truth.mass_drift_ppm.std() > 15.0
    assert error.std() < 2.5
    assert np.mean(np.abs(error) < 1.96 * profile["mass_drift_std"].values) > 0.85
    assert profile.attrs["mass_drift_flag"] == ""


def test_with_the_drift_taken_out_numbers_are_as_good_as_without_one(drifting):
    _, truth, profile = drifting
    totals = np.array([truth.total_counts[ion] for ion in IONS])
    resolution = np.array([truth.mass_resolution[ion] for ion in IONS])
    assert np.abs(profile["mass_error"] / profile["mass_error_std"]).max() < 3.5
    assert np.abs((profile["total_counts"] - totals) / profile["total_counts_std"]).max() < 3.5
    assert profile["mass_resolution"].values == pytest.approx(resolution, rel=0.05)


def test_a_steady_scale_is_left_alone():
    _, _, profile = reduced(STEADY, 4)
    assert not profile["mass_drift"].values.any()
    assert 0.0 < float(profile["mass_drift_std"].max()) < 2.0


def test_volumes_follow_the_drift(drifting):
    events, _, profile = drifting
    own = profile.sel(ion="V-")
    low, high = int(own["bin_low"]), int(own["bin_high"])
    steady = ion_volume(events, low, high, drift=drift_of(profile))
    assert np.array_equal(steady.sum(("y", "x")).values, own["counts"].values)
    assert not np.array_equal(ion_volume(events, low, high).sum(("y", "x")).values, own["counts"].values)


@pytest.mark.parametrize("seed", range(3))
def test_moved_ions_equal_a_naive_sum(seed):
    events = random_store(seed, chunk=7)
    raster = raster_of(events)
    drift = MassDrift(np.array([-0.02, 0.0, 0.05, 0.2]), np.ones(4), -10.0)
    bins = np.repeat(events["mass_bin"].values, np.diff(events["indptr"].values))
    scan = raster.scan_of(events["pixel_id"].values.astype(np.int64))
    count = events["count"].values
    naive = {}
    for place, which, number in zip(bins, scan, count, strict=True):
        moved = int(place - drift.bins(np.array([place]), np.array([which]))[0])
        naive[moved] = naive.get(moved, 0) + int(number)
    spectrum = steady_spectrum(events, raster, drift)
    assert dict(zip(spectrum.mass_bin.tolist(), spectrum.counts.tolist(), strict=True)) == {
        place: number for place, number in sorted(naive.items()) if place >= 0
    }
    late = drift.late(60, 90)
    inside = [(b - late[s], s) for b, s in zip(bins, scan, strict=True) if 60 <= b - late[s] < 90]
    part = steady_ions(events, raster, drift, 60, 90)
    assert sorted(part.mass_bin.tolist()) == sorted(int(b) for b, _ in inside)


def test_a_moved_bin_is_right_on_average():
    scans = np.arange(400)
    drift = MassDrift(np.full(400, 1.3e-3), np.ones(400), 0.0)
    assert drift.bins(np.full(400, 999.5), scans).mean() == pytest.approx(1.3, abs=0.02)


def test_the_walk_holds_the_truth_and_a_deviating_peak_is_no_drift():
    rng = np.random.default_rng(0)
    inside, gains, alone = [], [], []
    for _ in range(40):
        true = np.cumsum(rng.normal(0.0, 0.3, 40))
        variance = rng.uniform(0.5, 3.0, (5, 40))
        place = true + rng.normal(0.0, 9.0, (5, 1)) + rng.normal(size=(5, 40)) * np.sqrt(variance)
        walk = random_walk(place, variance)
        error = walk.stretch - true
        centred = np.eye(40) - 1.0 / 40
        std = np.sqrt(np.diag(centred @ walk.covariance @ centred))
        inside.append(np.abs(error - error.mean()) < 1.96 * std)
        flat = rng.normal(size=(5, 40)) * np.sqrt(variance)
        gains.append(random_walk(flat, variance).gain)
        flat[0] += np.linspace(-3.0, 3.0, 40)
        alone.append(random_walk(flat, variance).shared_gain)
    assert 0.9 < np.mean(inside) < 0.99
    assert max(gains) < 12.0
    assert np.quantile(alone, 0.9) < 6.0

import numpy as np
import pytest
from pydantic import ValidationError
from tofsims_stores import options, random_store

from depthlock.model.errors import MeasurementError
from depthlock.readers import surfacelab
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.counting import correct_dead_time
from depthlock.tofsims.field_of_view import whole_raster
from depthlock.tofsims.normalisation import Reference, ratio, total_ions
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.windows import Detector


@pytest.mark.parametrize(("own", "rest"), [(400.0, 1600.0), (900.0, 100.0), (5.0, 60.0)])
def test_intervals_of_a_part_of_the_whole_hold_the_truth(own, rest):
    rng = np.random.default_rng(int(own))
    part = rng.poisson(own, 20000).astype(float)
    whole = part + rng.poisson(rest, part.size)
    expected = np.full(part.size, own)
    got = ratio(part[np.newaxis], expected[np.newaxis], Reference(whole, expected + rest, expected[np.newaxis]))
    true = own / (own + rest)
    inside = (np.asarray(got.lower) <= true) & (true <= np.asarray(got.upper))
    assert inside.mean() == pytest.approx(0.95, abs=0.015)
    assert np.median(np.asarray(got.std)) == pytest.approx(np.nanstd(np.asarray(got.value)), rel=0.05)
    # Without the covariance the error of a ratio near 1 is far too large.
    blind = ratio(part[np.newaxis], expected[np.newaxis], Reference(whole, expected + rest, 0.0 * expected[np.newaxis]))
    assert np.median(np.asarray(blind.std)) > np.median(np.asarray(got.std))


def test_a_reference_that_is_not_detected_gives_no_number_and_says_so():
    reference = Reference(np.array([100.0, 2.0]), np.array([100.0, 4.0]), np.zeros((1, 2)))
    got = ratio(np.array([[50.0, 50.0]]), np.array([[50.0, 50.0]]), reference)
    assert np.isfinite(np.asarray(got.value)[0]).tolist() == [True, False]
    assert np.asarray(got.flag)[0].tolist() == ["", "reference_not_detected"]


@pytest.mark.parametrize("seed", range(3))
def test_all_ions_equal_a_naive_table(seed):
    events = random_store(seed, chunk=17)
    view = whole_raster(raster_of(events))
    detector = Detector(16, 30.0)
    table = np.zeros((4, 400))
    indptr = events["indptr"].values
    for row, bin_ in enumerate(events["mass_bin"].values):
        for entry in range(indptr[row], indptr[row + 1]):
            scan = int(events["pixel_id"][entry]) // 70
            table[scan, (int(bin_) - int(events["mass_bin"][0])) // 2] += int(events["count"][entry])
    naive = correct_dead_time(table, np.full(4, 35 * 2 * 30.0), 8)
    ions, variance = total_ions(events, view, detector)
    assert ions == pytest.approx(naive.ions.sum(axis=1))
    assert variance == pytest.approx(naive.variance.sum(axis=1))


@pytest.fixture(scope="module")
def measured():
    parameters = TofsimsParameters(pixels=32, scans=110, ions=4e5)
    events, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(5))
    return events.to_dataset(), truth


def test_normalised_profiles_hold_the_true_ratios_and_leave_the_intensities(measured):
    events, truth = measured
    plain = reduce_profile(events, options("V-", "SO2CF3-"))
    assert "normalised" not in plain
    for normalisation, below in (("reference:F-", ["F-"]), ("point_to_point", ["V-", "SO2CF3-"])):
        profile = reduce_profile(events, options("V-", "SO2CF3-", normalisation=normalisation))
        assert profile["ion"].values.tolist() == ["V-", "SO2CF3-"]
        assert np.array_equal(profile["intensity"].values, plain["intensity"].values)
        true = np.stack([truth.expected[ion] for ion in ("V-", "SO2CF3-")]) / sum(truth.expected[ion] for ion in below)
        pull = (profile["normalised"].values - true) / profile["normalised_std"].values
        seen = np.isfinite(pull)
        assert seen.mean() > 0.6
        assert np.array_equal(seen, profile["normalised_flag"].values == "")
        assert np.mean(np.abs(pull[seen]) < 1.96) > 0.88


def test_all_ions_are_corrected_for_dead_time(measured):
    events, _ = measured
    profile = reduce_profile(events, options("V-", normalisation="total_ions"))
    lost = reduce_profile(events, options("V-"))
    assert float(profile["total_intensity"].sum()) > 1.01 * float(lost["total_intensity"].sum())
    expected = profile["intensity"].values[0] / profile["total_intensity"].values
    assert profile["normalised"].values[0] == pytest.approx(expected)


def test_a_reference_that_is_not_there_is_an_error(measured):
    with pytest.raises(MeasurementError, match=r"reference ion Cs\+"):
        reduce_profile(measured[0], options("V-", normalisation="reference:Cs+"))
    with pytest.raises(ValidationError, match="expected none, total_ions, point_to_point"):
        options("V-", normalisation="sum")


def test_real_export_over_all_ions(real_data):
    export = surfacelab.read(next((real_data / "tofsims" / "surfacelab_profiles").glob("I241209h*electrode1*")))
    profile = reduce_profile(export, options("SnO2-", normalisation="total_ions"))
    own = profile.sel(ion="SnO2-").isel(scan=slice(0, 341))
    assert float(own["normalised"].max()) < 0.2
    assert np.all(own["normalised_std"].values > 0)

"""The whole stage on simulated and on real measurements."""

import numpy as np
import pytest
from tofsims_stores import options

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.readers import surfacelab
from depthlock.readers.event_store import open_events
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.simulate.worlds import random_parameters
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.volume import ion_volume

IONS = ("SO2CF3-", "MgF2-", "V-", "VO2-", "F-", "SF-")


def simulated(seed, **spectrometer):
    parameters = TofsimsParameters(
        pixels=32, scans=110, ions=4e5, spectrometer=SpectrometerParameters(**{"resolution": 6000.0, **spectrometer})
    )
    events, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(seed))
    return events.to_dataset(), truth


@pytest.fixture(scope="module")
def reduced():
    events, truth = simulated(4, header_error_ppm=-480.0)
    return events, truth, reduce_profile(events, options(*IONS))


def pulls(profile, truth, name):
    return (profile[name].values - truth) / profile[f"{name}_std"].values


def test_the_contract_holds_and_everything_has_units(reduced):
    _, _, profile = reduced
    check(profile, "tofsims_profile")
    assert profile.attrs["header_shift_ppm"] == pytest.approx(-480, abs=30)
    assert len(profile.attrs["calibration_ions"]) >= 8


def test_numbers_agree_with_the_truth(reduced):
    _, truth, profile = reduced
    totals = np.array([truth.total_counts[ion] for ion in IONS])
    assert np.abs(pulls(profile, totals, "total_counts")).max() < 3.5
    assert np.abs(pulls(profile, 0.0, "mass_error")).max() < 3.5
    resolution = np.array([truth.mass_resolution[ion] for ion in IONS])
    assert profile["mass_resolution"].values == pytest.approx(resolution, rel=0.07)
    for ion in ("V-", "VO2-"):
        own = profile.sel(ion=ion)
        assert abs(float(own["interface_time"]) - truth.interface_time_s) < 3.5 * float(own["interface_time_std"])
        assert abs(float(own["interface_width"]) - truth.interface_width_s) < 3.5 * float(own["interface_width_std"])
        assert str(own["interface_time_flag"].values) == ""


def test_profile_points_have_honest_errors(reduced):
    _, truth, profile = reduced
    for ion in IONS:
        own = profile.sel(ion=ion)
        z = (own["intensity"].values - truth.expected[ion]) / own["intensity_std"].values
        assert np.mean(np.abs(z) < 1.96) > 0.88
        assert abs(z.mean()) < 0.5


def test_only_substrate_ions_have_an_interface(reduced):
    _, _, profile = reduced
    organic = profile.sel(ion="SO2CF3-")
    assert np.isnan(float(organic["interface_time"]))
    assert str(organic["interface_time_flag"].values) == ""
    assert np.isnan(organic["response_fit"].values).all()


def test_the_volume_of_the_window_holds_the_counts(reduced):
    events, _, profile = reduced
    own = profile.sel(ion="MgF2-")
    cube = ion_volume(events, int(own["bin_low"]), int(own["bin_high"]))
    assert np.array_equal(cube.sum(("y", "x")).values, own["counts"].values)
    assert 0.8 < float(own["share"]) <= 1.0


@pytest.mark.parametrize(
    ("pair", "resolution", "shares", "seed"),
    [
        (("V-", "SF-"), 2700.0, (0.1, 3.0), 1),
        (("V-", "SF-"), 3500.0, (2.0, 0.1), 2),
        (("MgF2-", "NO3-"), 7300.0, (0.1, 1.0), 4),
        (("VO2-", "SO2F-"), 3600.0, (0.3, 1.0), 5),
    ],
)
def test_two_ions_in_one_peak_are_right_or_flagged(pair, resolution, shares, seed):
    parameters = TofsimsParameters(
        pixels=24,
        scans=50,
        ions=3e5,
        yields=dict(zip(pair, shares, strict=True)),
        mass_drift_ppm=25.0,
        spectrometer=SpectrometerParameters(resolution=resolution, dead_time_ns=30.0, header_error_ppm=-350.0),
    )
    events, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(seed))
    profile = reduce_profile(events.to_dataset(), options(*pair))
    for ion in pair:
        own = profile.sel(ion=ion)
        right = abs(float(own["total_counts"]) - truth.total_counts[ion]) < 3.0 * float(own["total_counts_std"])
        flag = str(own["total_counts_flag"].values)
        assert right or "lookalike" in flag or "not_detected" in flag


def test_an_overlap_is_not_fitted_with_formulas_between_its_peaks():
    # At R = 4500 a strong VO2- stands 1.4 FWHM from SO2F-; formulas between both may come first and fit nearly as well.
    sample = random_parameters(633).samples[0]
    events, truth = simulate_events(sample.tofsims, sample.layer, np.random.default_rng(633))
    asked = options("SO2F-").model_copy(update={"elements": ("H", "C", "N", "O", "F", "Mg", "S", "V", "Al")})
    own = reduce_profile(events.to_dataset(), asked)
    right = abs(float(own["total_counts"][0]) - truth.total_counts["SO2F-"]) < 3.0 * float(own["total_counts_std"][0])
    assert right
    assert str(own["total_counts_flag"].values[0]) == ""


def test_the_files_own_calibration_is_used_when_asked_for_and_flagged_when_wrong(reduced):
    events = reduced[0]
    own = reduce_profile(events, options("F-", "V-", calibration="file"))
    assert own.attrs["calibration_slope"] == events.attrs["calibration_slope"]
    assert own.attrs["calibration_offset"] == events.attrs["calibration_offset"]
    assert own.attrs["calibration_flag"] == "calibration_off"
    assert np.median(own.attrs["calibration_residuals_ppm"]) == pytest.approx(-480, abs=30)
    for ion in ("F-", "V-"):
        at = own.sel(ion=ion)
        assert "calibration_off" in str(at["total_counts_flag"].values)
        # A peak so far off is either measured where it is, or not at all.
        value = float(at["mass_error"])
        assert np.isnan(value) or abs(value + 480.0) < 100.0 or float(at["mass_error_lower"]) < -480.0


def test_the_session_overrules_the_file_on_dead_time(reduced):
    events, _, profile = reduced
    plain = reduce_profile(events, options("F-", dead_time=0.0))
    corrected = float(profile.sel(ion="F-")["total_counts"])
    assert float(plain["total_counts"][0]) < 0.97 * corrected


def test_no_ions_are_an_error_that_says_what_to_do(reduced):
    with pytest.raises(MeasurementError, match="no ions to follow"):
        reduce_profile(reduced[0], options())
    with pytest.raises(MeasurementError, match="none of the ions"):
        reduce_profile(reduced[0], options("Cu+"))


def test_an_ion_of_the_other_polarity_has_a_row_that_says_so(reduced):
    profile = reduce_profile(reduced[0], options("F-", "Cu+"))
    other = profile.sel(ion="Cu+")
    for quantity in ("total_counts", "mass_error", "mass_resolution"):
        assert np.isnan(float(other[quantity]))
        assert str(other[f"{quantity}_flag"].values) == "other_polarity"
    assert str(other["interface_time_flag"].values) == "interface_not_found;other_polarity"
    assert int(other["bin_low"]) == int(other["bin_high"])
    assert float(profile.sel(ion="F-")["total_counts"]) > 0


def test_real_copper_grid(real_data):
    events = open_events(real_data / "tofsims" / "phi_simsh5" / "PowerCo-102-Pos-Cu_Grid.h5")
    chosen = options("Cu+", "^65Cu+", "Cs+", "C3H5+", "Na+")
    chosen = chosen.model_copy(
        update={
            "ions": tuple(
                ion.model_copy(update={"role": "substrate"}) if ion.ion == "Cu+" else ion for ion in chosen.ions
            )
        }
    )
    profile = reduce_profile(events, chosen)
    assert 375 < profile.attrs["header_shift_ppm"] < 430
    strong = np.array(profile.attrs["calibration_residual_errors_ppm"]) < 5.0
    assert strong.sum() >= 6
    assert np.abs(np.array(profile.attrs["calibration_residuals_ppm"])[strong]).max() < 15.0
    ratio = float(profile.sel(ion="^65Cu+")["total_counts"] / profile.sel(ion="Cu+")["total_counts"])
    assert ratio == pytest.approx(0.446, abs=0.01)
    assert str(profile.sel(ion="Cu+")["interface_time_flag"].values) == "interface_not_found;no_sputter_axis"
    assert np.isnan(float(profile.sel(ion="Cu+")["interface_time"]))


def test_real_surfacelab_export(real_data):
    folder = real_data / "tofsims" / "surfacelab_profiles"
    export = surfacelab.read(next(folder.glob("I241209h*electrode1*")))
    profile = reduce_profile(export, options("SnO2-", "O-"))
    own = profile.sel(ion="SnO2-")
    assert profile.attrs["pulses_per_point"] == 128**2
    assert profile["used_scans"].values.tolist() == [1] * 341 + [0]
    assert "fall_after_rise" in str(own["interface_time_flag"].values)
    assert float(own["interface_time"]) == pytest.approx(838.1, abs=5.0)
    assert float(own["interface_width"]) == pytest.approx(889.7 - 773.4, abs=8.0)
    assert float(own["plateau_level"]) == pytest.approx(3040, rel=0.03)
    # The right pulses make counts of the corrected values, and the errors those of a nearly full detector.
    counts = own["counts"].values[:341]
    small = counts < 1000
    assert np.mean(np.abs(counts[small] - np.round(counts[small])) < 0.05) > 0.5
    assert float(own["intensity_std"].max()) > 1.05 * np.sqrt(3000)


def test_an_export_without_the_ion_says_so(real_data):
    folder = real_data / "tofsims" / "surfacelab_profiles"
    export = surfacelab.read(next(folder.glob("I241209h*electrode1*")))
    profile = reduce_profile(export, options("O-", "SO2CF3-"))
    assert "not_in_file" in str(profile.sel(ion="SO2CF3-")["total_counts_flag"].values)
    with pytest.raises(MeasurementError, match="none of SO2CF3-"):
        reduce_profile(export, options("SO2CF3-"))


def test_the_session_may_bound_the_scans_of_the_interface(real_data):
    folder = real_data / "tofsims" / "surfacelab_profiles"
    export = surfacelab.read(next(folder.glob("I241209h*electrode1*")))
    own = reduce_profile(export, options("SnO2-", first_time=50.0, last_time=1050.0)).sel(ion="SnO2-")
    fitted = own["sputter_time"].values[np.isfinite(own["response_fit"].values)]
    assert fitted.min() >= 50.0
    assert 1000.0 < fitted.max() <= 1050.0
    assert "fall_after_rise" not in str(own["interface_time_flag"].values)
    assert float(own["interface_time"]) == pytest.approx(840, abs=6.0)

"""The isotope check on known abundances, on simulated spectra, and on a real copper grid."""

import dask.array as da
import numpy as np
import pytest
from tofsims_stores import options

from depthlock.model.ions import Ion
from depthlock.readers.event_store import open_events
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.isotopes import natural_lines
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.spectrum import MassScale


@pytest.mark.parametrize(
    ("ion", "shift", "mz", "ratio"),
    [
        ("MgF2-", 1, 62.98319, 0.1266),
        ("MgF2-", 2, 63.97995, 0.1394),
        ("SO2CF3-", 1, 133.9595, 0.0195),
        ("V-", -1, 49.9477, 0.0025),
        ("Cu+", 2, 64.9272, 0.4457),
        ("^65Cu+", -2, 62.9291, 1 / 0.4457),
        ("^25MgF2-", -1, 61.98240, 1 / 0.1266),
    ],
)
def test_natural_abundances(ion, shift, mz, ratio):
    line = next(one for one in natural_lines(Ion.parse(ion), 0.006) if one.shift == shift)
    assert line.mz == pytest.approx(mz, abs=4e-4)
    assert line.ratio == pytest.approx(ratio, rel=0.01)


def test_lines_of_one_mass_number_that_stand_apart_are_not_added_up():
    together = natural_lines(Ion.parse("CN-"), 0.01)[0]
    apart = natural_lines(Ion.parse("CN-"), 0.002)[0]
    assert together.ratio == pytest.approx(0.0108 + 0.00365, rel=0.01)
    assert apart.ratio == pytest.approx(0.0108, rel=0.01)
    assert (apart.beside[0] - apart.mz) * 1e3 == pytest.approx(-6.32, abs=0.02)


def test_an_element_of_one_isotope_has_no_other_lines():
    assert natural_lines(Ion.parse("F2-"), 0.01) == ()


@pytest.fixture(scope="module")
def world():
    parameters = TofsimsParameters(
        pixels=32,
        scans=60,
        ions=4e5,
        spectrometer=SpectrometerParameters(resolution=8000.0, header_error_ppm=0.0, header_tilt_ppm=0.0),
    )
    return simulate_events(parameters, LayerParameters(), np.random.default_rng(11))[0].to_dataset()


def without(events, *masses):
    """The events without those about some masses in Da."""
    attrs = events.attrs
    scale = MassScale(
        attrs["calibration_slope"], attrs["calibration_offset"], attrs["mass_bin_width_ps"], np.zeros((2, 2))
    )
    mz = scale.mz(events["mass_bin"].values + 0.5)
    keep = np.all([np.abs(mz - mass) > 0.05 for mass in masses], axis=0)
    sizes = np.diff(events["indptr"].values)
    kept = np.repeat(keep, sizes)
    fewer = events.drop_vars(["mass_bin", "indptr", "pixel_id", "count"])
    one = {"units": "1"}
    return fewer.assign(
        mass_bin=("bin", events["mass_bin"].values[keep], one),
        indptr=("bin_edge", np.concatenate([[0], np.cumsum(sizes[keep])]), one),
        pixel_id=("event", da.from_array(events["pixel_id"].values[kept], chunks=10_000), one),
        count=("event", da.from_array(events["count"].values[kept], chunks=10_000), one),
    )


def test_true_assignments_have_natural_ratios(world):
    profile = reduce_profile(world, options("MgF2-", "SO2-", "CN-", "F-"))
    assert not any("isotope_pattern" in str(flag) for flag in profile["total_counts_flag"].values)
    deviation = profile["isotope_deviation_sigma"].values
    assert np.isfinite(deviation).sum() >= 4
    assert np.nanmin(deviation) > -4.0
    own = profile.sel(ion="MgF2-", isotopologue="M+1")
    assert float(own["isotope_ratio_natural"]) == pytest.approx(0.1266, abs=2e-4)
    assert abs(float(own["isotope_ratio"]) - 0.1266) < 3.5 * float(own["isotope_ratio_std"])
    assert float(own["isotope_ratio_std"]) < 0.015
    alone = profile.sel(ion="F-")
    assert np.isnan(alone["isotope_ratio"].values).all()
    assert (alone["isotope_ratio_flag"].values == "").all()


def test_missing_isotopologues_refute_an_assignment(world):
    profile = reduce_profile(without(world, 62.983), options("MgF2-", "SO2-"))
    flags = dict(zip(profile["ion"].values.tolist(), profile["total_counts_flag"].values.tolist(), strict=True))
    assert "isotope_pattern" in flags["MgF2-"].split(";")
    assert "isotope_pattern" not in flags["SO2-"]
    gone = profile.sel(ion="MgF2-", isotopologue="M+1")
    assert float(gone["isotope_ratio"]) < 0.01
    assert float(gone["isotope_deviation_sigma"]) < -10.0


def test_real_copper_isotopes(real_data):
    events = open_events(real_data / "tofsims" / "phi_simsh5" / "PowerCo-102-Pos-Cu_Grid.h5")
    profile = reduce_profile(events, options("Cu+", "^65Cu+"))
    heavy = profile.sel(ion="Cu+", isotopologue="M+2")
    assert float(heavy["isotope_ratio"]) == pytest.approx(0.446, abs=0.01)
    assert float(heavy["isotope_ratio_natural"]) == pytest.approx(0.4457, abs=5e-4)
    assert abs(float(heavy["isotope_deviation_sigma"])) < 2.0
    light = profile.sel(ion="^65Cu+", isotopologue="M-2")
    assert abs(float(light["isotope_deviation_sigma"])) < 2.0
    assert not any("isotope_pattern" in str(flag) for flag in profile["total_counts_flag"].values)

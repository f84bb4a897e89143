from dataclasses import replace

import numpy as np
import pytest
from tofsims_stores import options

from depthlock.model.regions_of_interest import Area, RegionOfInterest
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.image_registration import Registration, structure_of
from depthlock.tofsims.lateral_drift import measure_lateral_drift
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.scan_survey import ScanSurvey
from depthlock.tofsims.volume import ion_volume

SCANS, SIDE = 60, 48


def drifting(seed, path, per_pixel=1.0, contrast=0.5, turn=0.0):
    """Counts of a structure that moves by a path, by scan; `turn` radians take it over into another one."""
    rng = np.random.default_rng(seed)
    ky, kx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :]
    first, last = (
        np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * np.exp(-((np.pi * 4.0) ** 2) * (kx**2 + ky**2))
        for _ in range(2)
    )
    moved = [
        np.fft.irfft2(
            (np.cos(angle) * first + np.sin(angle) * last) * np.exp(-2j * np.pi * (ky * y + kx * x)), s=(SIDE, SIDE)
        )
        for (y, x), angle in zip(path, np.linspace(0.0, turn, len(path)), strict=True)
    ]
    strength = np.broadcast_to(contrast, len(path))[:, None, None]
    images = rng.poisson(per_pixel * np.exp(strength * np.array(moved) / np.std(moved[0]))).astype(np.float32)
    bands = np.repeat(images.sum(axis=(1, 2))[np.newaxis] / 8.0, 8, axis=0)
    return ScanSurvey(bands, images.sum(axis=(0, 2)), images.sum(axis=(0, 1)), images, 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_path_is_followed_below_a_pixel_with_honest_errors(seed):
    at = np.linspace(0.0, 1.0, SCANS)
    path = np.stack([3.0 * at, np.sin(5.0 * at)], axis=1)
    found = measure_lateral_drift(drifting(seed, path), np.ones(SCANS, dtype=bool))
    error = found.path - (path - path.mean(axis=0))
    assert found.believed
    assert np.sqrt(np.mean(error**2)) < 0.25
    assert np.mean(np.abs(error) < 1.96 * found.std) > 0.9
    assert found.std.max() < 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_sample_that_stands_still_is_not_moved(seed):
    still = drifting(seed, np.zeros((SCANS, 2)))
    assert not measure_lateral_drift(still, np.ones(SCANS, dtype=bool)).shift.any()


@pytest.mark.parametrize("seed", range(4))
def test_structure_that_changes_with_depth_is_no_drift(seed):
    changing = drifting(seed, np.zeros((SCANS, 2)), turn=0.5 * np.pi)
    assert not measure_lateral_drift(changing, np.ones(SCANS, dtype=bool)).shift.any()


def test_where_structure_ends_the_drift_goes_on_with_larger_errors():
    path = np.linspace(0.0, 1.0, SCANS)[:, None] * [4.0, -3.0]
    fading = np.clip(np.linspace(1.2, -0.8, SCANS), 0.0, 0.5)
    found = measure_lateral_drift(drifting(1, path, per_pixel=2.0, contrast=fading), np.ones(SCANS, dtype=bool))
    assert found.believed
    assert np.mean(np.abs(found.path - path + path.mean(axis=0)) < 1.96 * found.std) > 0.9
    assert np.ptp(found.path, axis=0) == pytest.approx([4.0, 3.0], abs=1.2)
    apart = found.path - found.path[10]
    assert np.abs(apart[-1]).max() > 2.0
    assert found.std[-1].min() > 1.5 * found.std[20].max()


def test_the_gradient_of_the_likelihood_is_its_slope():
    rng = np.random.default_rng(0)
    structure = structure_of(rng.standard_normal((5, 24, 24)) + 3.0 * rng.standard_normal((24, 24)))
    register = Registration.of(structure, 3.0)
    path = rng.normal(0.0, 0.3, (5, 2))
    value, gradient = register.likelihood(path)
    for place in np.ndindex(5, 2):
        moved = path.copy()
        moved[place] += 1e-5
        assert (register.likelihood(moved)[0] - value) / 1e-5 == pytest.approx(gradient[place], rel=1e-3, abs=1e-2)


def test_noise_without_structure_is_not_followed():
    images = np.random.default_rng(0).poisson(1.0, (SCANS, SIDE, SIDE)).astype(np.float32)
    survey = ScanSurvey(np.ones((8, SCANS)), np.ones(SIDE), np.ones(SIDE), images, 1)
    assert not measure_lateral_drift(survey, np.ones(SCANS, dtype=bool)).shift.any()


def test_volumes_and_regions_follow_the_sample():
    parameters = TofsimsParameters(
        pixels=32,
        scans=80,
        scan_interval_s=5.5,
        ions=8e5,
        domain_nodes=1,
        domain_contrast=0.6,
        domain_length_px=3.0,
        lateral_drift_px=(8.0, 0.0),
        spectrometer=SpectrometerParameters(shots_per_pixel=8),
    )
    events, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(3))
    dataset = events.to_dataset()
    profile = reduce_profile(dataset, options("SO2CF3-", "V-"))
    assert any("the sample drifted by" in note for note in profile.attrs["notes"])
    # The profile of the whole raster keeps every ion.
    pull = (profile["total_counts"].values - [truth.total_counts[ion] for ion in ("SO2CF3-", "V-")]) / profile[
        "total_counts_std"
    ].values
    assert np.abs(pull).max() < 3.5
    window = int(profile["bin_low"][0]), int(profile["bin_high"][0])
    view = view_of(dataset, profile)
    layer = slice(0, 45)

    def sharpness(volume):
        image = volume.isel(scan=layer).sum("scan").values[3:-3, 3:-3].astype(float)
        return image.var() / image.mean()

    assert sharpness(ion_volume(dataset, *window, view=view)) > 1.1 * sharpness(ion_volume(dataset, *window))
    region = RegionOfInterest(include=(Area(ion="SO2CF3-", above=0.5),))
    inside = reduce_profile(dataset, options("SO2CF3-", region_of_interest=region))
    assert np.all(inside["pulses"].values == inside["region"].values.sum() * 8)
    assert not inside["region"].values[[0, -1]].any()


def test_the_simulated_drift_leaves_a_still_sample_as_it_was():
    parameters = TofsimsParameters(pixels=16, scans=100, ions=2e4)
    still, truth = simulate_events(parameters, LayerParameters(), np.random.default_rng(1))
    assert not truth.lateral_path_px.any()
    moved, other = simulate_events(
        replace(parameters, lateral_drift_px=(3.0, -1.0), lateral_wander_px=0.5),
        LayerParameters(),
        np.random.default_rng(1),
    )
    assert other.lateral_path_px[-1] == pytest.approx([3.0, -1.0], abs=2.5)
    assert not np.array_equal(still.pixel_id[:100], moved.pixel_id[:100])
    assert abs(still.ions - moved.ions) < 0.01 * still.ions

"""Unmixing of the spectrum image: what nobody asked for is found, and nothing where there is nothing."""

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.ions import Ion
from depthlock.model.options import ComponentsOptions, ProfileOptions
from depthlock.simulate.event_table import pack_events
from depthlock.tofsims.component_number import (
    find_number,
    poisson_scale,
    principal_components,
    significance,
    split_counts,
)
from depthlock.tofsims.components import find_components
from depthlock.tofsims.factors import _expected_deviance, _improved, factorise, poisson_deviance
from depthlock.tofsims.field_of_view import whole_raster
from depthlock.tofsims.peaks import Peak
from depthlock.tofsims.raster import Raster
from depthlock.tofsims.spectrum import MassScale
from depthlock.tofsims.spectrum_image import grouped, peak_windows, read_spectrum_image, voxel_steps

SCALE = MassScale(0.38, -1.5874, 128.0, np.zeros((2, 2)))
MATRIX = {
    "C-": 3, "CH-": 4, "O-": 8, "OH-": 5, "F-": 6, "C2-": 4, "C2H-": 3, "CN-": 2, "Cl-": 1, "S-": 1, "C3-": 1, "C4H-": 1
}  # fmt: skip
OXIDE = {"O-": 9, "OH-": 2, "VO-": 4, "VO2-": 5, "VO3-": 4, "V-": 3, "O2-": 1}
UNEXPECTED = {"PO2-": 5, "PO3-": 8, "PO-": 1}
SHAPE = (40, 20, 20)
OPTIONS = ProfileOptions(elements=("C", "H", "O", "F", "N", "S", "V", "Cl", "P"))


def simulated(parts, rng, shots=20, dead_time=None):
    """An event store of phases, each with expected ions by (scan, y, x) and relative yields by ion."""
    bins, cells = [], []
    for field, yields in parts:
        total = sum(yields.values())
        for label, strength in yields.items():
            counts = rng.poisson(field * strength / total).ravel()
            if dead_time is not None:
                # At most one ion of a peak is detected in each pulse.
                counts = rng.binomial(shots, -np.expm1(-field * strength / total / shots)).ravel()
            cell = np.repeat(np.arange(counts.size), counts)
            place = float(SCALE.position(Ion.parse(label).mz))
            width = place / 2.0 / 4000.0 / 2.355
            bins.append(np.floor(rng.normal(place, width, cell.size)).astype(np.int64))
            cells.append(cell)
    shape = parts[0][0].shape
    table = pack_events(
        np.concatenate(bins), np.concatenate(cells), (shape[0], 1, *shape[1:]), 5.0 * np.arange(shape[0]),
        (SCALE.slope, SCALE.offset), 128, 0.5, shots, dead_time or 0.0,
    )  # fmt: skip
    events = table.to_dataset()
    if dead_time is None:
        del events.attrs["dead_time_ns"], events.attrs["shots_per_pixel"]
    return events


def layer_on_oxide(ions=8.0):
    """Expected ions of a matrix over an oxide, and of a patch buried in the matrix."""
    scan = np.arange(SHAPE[0])[:, None, None]
    oxide = np.broadcast_to(1.0 / (1.0 + np.exp(-(scan - 25.0) / 1.5)), SHAPE)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    patch = ((y - 6) ** 2 + (x - 14) ** 2 < 16) & (np.abs(scan - 12) <= 3)
    return ions * (1.0 - oxide), ions * oxide, 3.0 * patch


@pytest.fixture(scope="module")
def unmixed() -> xr.Dataset:
    matrix, oxide, patch = layer_on_oxide()
    events = simulated([(matrix, MATRIX), (oxide, OXIDE), (patch, UNEXPECTED)], np.random.default_rng(3))
    return find_components(events, ComponentsOptions(profile=OPTIONS))


def test_an_unexpected_species_comes_out_with_its_peaks_map_and_depth(unmixed):
    assert unmixed.sizes["component"] == 3
    named = [str(text) for text in unmixed["telling_peaks"].values]
    (found,) = [k for k, text in enumerate(named) if "PO3-" in text]
    assert set(named[found].split(", ")[:2]) == {"PO2-", "PO3-"}
    _, _, patch = layer_on_oxide()
    assert np.corrcoef(unmixed["map"].values[found].ravel(), patch.sum(axis=0).ravel())[0, 1] > 0.95
    assert np.corrcoef(unmixed["profile"].values[found], patch.sum(axis=(1, 2)))[0, 1] > 0.95
    assert float(unmixed["component_time"][found]) == pytest.approx(5.0 * 12, abs=4.0)
    assert unmixed["component_ions_flag"].values.tolist() == ["", "", ""]
    assert (unmixed["stability"].values > 0.95).all()


def test_volume_map_and_profile_hold_the_same_ions(unmixed):
    total = unmixed["profile"].sum("scan").values
    assert unmixed["volume"].sum(("voxel_scan", "voxel_y", "voxel_x")).values == pytest.approx(total, rel=1e-3)
    assert unmixed["map"].sum(("y", "x")).values == pytest.approx(total, rel=1e-3)
    assert total.sum() == pytest.approx(float(unmixed["peak_ions"].sum()), rel=0.02)


def test_profile_errors_hold_the_truth(unmixed):
    matrix, oxide, _ = layer_on_oxide()
    pulls = []
    for truth, ion in ((matrix, "CH-"), (oxide, "VO2-")):
        k = next(n for n, text in enumerate(unmixed["telling_peaks"].values) if ion in str(text))
        error = unmixed["profile"].values[k] - truth.sum(axis=(1, 2))
        pulls.append(error / unmixed["profile_std"].values[k])
    # Peaks are cut at the ends of their windows and spectra are taken as known: a few per mille beside counting.
    assert np.mean(np.abs(np.concatenate(pulls)) < 1.96) > 0.85


def test_one_phase_is_one_component():
    rng = np.random.default_rng(5)
    events = simulated([(np.full((30, 16, 16), 12.0), MATRIX)], rng)
    found = find_components(events, ComponentsOptions(profile=OPTIONS))
    assert found.sizes["component"] == 1
    assert found.attrs["deviance_over_noise"] == pytest.approx(1.0, abs=0.03)
    assert found["component_ions_flag"].values.tolist() == [""]
    events["sputter_time"] = ("scan", np.full(30, np.nan), {"units": "s"})
    without_times = find_components(events, ComponentsOptions(profile=OPTIONS, components=1))
    assert without_times["component_time_flag"].values.tolist() == ["no_sputter_axis"]


def test_dead_time_makes_no_component():
    """Losses that differ from place to place look like another composition unless they are restored."""
    rng = np.random.default_rng(6)
    field = np.broadcast_to(np.where(np.arange(16) < 8, 60.0, 5.0), (16, 16, 16))
    events = simulated([(field, MATRIX)], rng, shots=20, dead_time=40.0)
    with_dead_time = find_components(events, ComponentsOptions(profile=OPTIONS))
    assert with_dead_time.sizes["component"] == 1
    del events.attrs["dead_time_ns"]
    assert find_components(events, ComponentsOptions(profile=OPTIONS)).sizes["component"] > 1


def test_the_number_can_be_set_and_the_unmixing_switched_off():
    rng = np.random.default_rng(7)
    matrix, oxide, patch = layer_on_oxide(4.0)
    events = simulated([(matrix, MATRIX), (oxide, OXIDE), (patch, UNEXPECTED)], rng)
    two = find_components(events, ComponentsOptions(profile=OPTIONS, components=2))
    assert two.sizes["component"] == 2
    assert all("more_components" in flag for flag in two["component_ions_flag"].values)
    none = check(find_components(events, ComponentsOptions(profile=OPTIONS, components=0)), "tofsims_components")
    assert none.sizes["component"] == 0
    assert none.attrs["notes"] == ["the unmixing is switched off"]


def test_the_same_ions_give_the_same_answer():
    rng = np.random.default_rng(8)
    matrix, oxide, _ = layer_on_oxide(2.0)
    events = simulated([(matrix, MATRIX), (oxide, OXIDE)], rng)
    first, second = (find_components(events, ComponentsOptions(profile=OPTIONS)) for _ in range(2))
    xr.testing.assert_identical(first, second)


def test_equals_naive_multiplicative_updates():
    rng = np.random.default_rng(1)
    table = rng.poisson(rng.gamma(5.0, 5.0, (60, 2)) @ rng.dirichlet(np.ones(9), 2)).astype(float)
    W, H = rng.random((60, 2)) + 0.1, rng.random((2, 9)) + 0.1
    amounts, spectra = _improved(table, (W, H), 50)
    for _ in range(50):
        W *= (table / (W @ H)) @ H.T / H.sum(axis=1)
        H *= W.T @ (table / (W @ H)) / W.sum(axis=0)[:, None]
    assert amounts @ spectra == pytest.approx(W @ H, abs=1e-6)
    assert spectra.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_several_starts_reach_the_best_fit():
    rng = np.random.default_rng(2)
    truth = rng.gamma(1.0, 50.0, (80, 3)) @ rng.dirichlet(np.full(12, 0.2), 3)
    table = rng.poisson(truth).astype(float)
    found = factorise(table, 3, starts=8, seed=0)
    assert found.deviance < poisson_deviance(table, truth)
    assert found.deviance == pytest.approx(found.noise_deviance, rel=0.15)
    assert (np.diff(found.amounts.sum(axis=0)) <= 0).all()


def test_the_table_equals_naive_counting():
    rng = np.random.default_rng(2)
    events = simulated([(np.full((5, 6, 7), 3.0), {"O-": 1, "OH-": 1})], rng).chunk({"event": 97})
    places = [float(SCALE.position(Ion.parse(label).mz)) for label in ("O-", "OH-")]
    windows = peak_windows([Peak(place, 0.1, place / 8000.0, 1.0, 1.0, 0.0) for place in places])
    image = read_spectrum_image(events, whole_raster(Raster(5, 1, 6, 7)), None, windows, (2, 4, 3))
    naive = np.zeros((5, 6, 7, 2))
    bins = np.repeat(events["mass_bin"].values, np.diff(events["indptr"].values))
    for mass, pixel, count in zip(bins, events["pixel_id"].values, events["count"].values, strict=True):
        for k, (low, high) in enumerate(windows):
            if low <= mass + 0.5 < high:
                naive[pixel // 42, pixel % 42 // 7, pixel % 7, k] += count
    assert naive.sum() > 0.9 * int(events["count"].sum())
    assert image.scans == pytest.approx(naive.sum(axis=(1, 2)))
    assert image.places == pytest.approx(naive.sum(axis=0))
    assert image.shape == (3, 2, 3)
    assert image.voxels[0] == pytest.approx(naive[:2, :4, :3].sum(axis=(0, 1, 2)))
    assert image.voxels[-1] == pytest.approx(naive[4:, 4:, 6:].sum(axis=(0, 1, 2)))
    assert image.visits[[0, -1]].tolist() == [24, 2]
    assert grouped(image.voxels, image.shape, (3, 2, 3))[0] == pytest.approx(naive.sum(axis=(0, 1, 2)))


def test_neighbouring_windows_meet_half_way():
    peaks = [Peak(place, 0.1, 10.0, 1.0, 1.0, 0.0) for place in (100.0, 112.0, 500.0)]
    assert peak_windows(peaks) == pytest.approx(np.array([[87.0, 106.0], [106.0, 130.0], [487.0, 518.0]]))


@pytest.mark.parametrize(("scans", "side", "ions"), [(120, 64, 1e6), (1000, 512, 1e9), (3, 256, 1e5), (50, 8, 1e3)])
def test_the_table_stays_small(scans, side, ions):
    steps = voxel_steps(Raster(scans, 1, side, side), 120, ions)
    voxels = np.prod([-(-size // step) for size, step in zip((scans, side, side), steps, strict=True)])
    assert voxels * 120 < 6e6
    assert voxels >= min(60, scans)


def test_halves_are_independent_with_and_without_dead_time():
    rng = np.random.default_rng(4)
    pulses = np.full(200000, 30.0)
    for counts, known in ((rng.poisson(6.0, (200000, 1)), None), (rng.binomial(30, 0.4, (200000, 1)), pulses)):
        one, other = split_counts(counts.astype(float), known, rng)
        assert one + other == pytest.approx(counts)
        assert np.corrcoef(one[:, 0], other[:, 0])[0, 1] == pytest.approx(0.0, abs=0.01)
    # Thinning binomial counts as if they were Poisson leaves the halves anticorrelated.
    one, other = split_counts(counts.astype(float), None, rng)
    assert np.corrcoef(one[:, 0], other[:, 0])[0, 1] < -0.1


def test_noise_stays_below_the_threshold_and_a_weak_component_is_counted_once():
    rng = np.random.default_rng(9)
    spectrum, other = rng.dirichlet(np.ones(40)), rng.dirichlet(np.ones(40))
    shape = (20, 8, 8)
    flat = np.outer(np.full(1280, 15.0), spectrum)
    numbers = [find_number(rng.poisson(flat).astype(float), shape, None, rng).number for _ in range(20)]
    assert numbers == [1] * 20
    share = 0.25 * (np.arange(20) >= 10)[:, None, None] * np.ones(shape)
    mixed = flat + 15.0 * np.outer(share.ravel(), other - spectrum)
    numbers = [find_number(rng.poisson(mixed).astype(float), shape, None, rng).number for _ in range(10)]
    assert numbers == [2] * 10
    # At the smallest voxels noise spreads it over many directions, and it must not count as several.
    z = significance(*split_counts(rng.poisson(mixed).astype(float), None, rng), None)
    assert z[2:].max() < 4


def test_expected_deviance_is_that_of_poisson_draws():
    rng = np.random.default_rng(10)
    for mean in (0.02, 0.5, 3.0, 60.0):
        draws = rng.poisson(mean, 400000).astype(float)
        found = poisson_deviance(draws, np.full(draws.size, mean)) / draws.size
        assert float(_expected_deviance(np.array([mean]))[0]) == pytest.approx(found, rel=0.02)


def test_principal_components_are_those_of_the_scaled_table():
    rng = np.random.default_rng(11)
    table = rng.poisson(4.0, (50, 6)).astype(float)
    scaled = table * poisson_scale(table)
    images, spectra, squares = principal_components(scaled, 6)
    _, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    assert np.sqrt(squares) == pytest.approx(singular)
    assert images @ np.diag(singular) @ spectra.T == pytest.approx(scaled)

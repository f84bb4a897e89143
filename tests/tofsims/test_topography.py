import numpy as np
import pytest
from tofsims_stores import options

from depthlock.simulate import sputtered_fields
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.gaussian_field import Averages, covariance, smooth
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.topography import Rise, interface_surface, quad_tree
from depthlock.tofsims.volume import ion_volume

TIME = np.arange(60.0) * 2.0


def boxes(edges, value=0.0, std=1.0):
    edges = np.asarray(edges, dtype=float)
    number = np.full(len(edges), 1.0)
    return Averages(edges[:, ::2] + 0.5 * (edges[:, 1::2] - edges[:, ::2]), edges[:, 1::2] - edges[:, ::2],
                    value * number, std * number)  # fmt: skip


def test_the_covariance_of_averages_is_that_of_a_naive_mean_over_points():
    one, other = boxes([[0, 4, 0, 2]]), boxes([[3, 6, 1, 5]])
    length = 3.0

    def points(edges):
        y0, y1, x0, x1 = edges
        y, x = np.meshgrid(np.linspace(y0, y1, 41), np.linspace(x0, x1, 41))
        return np.stack([y.ravel(), x.ravel()], axis=1)

    apart = points((0, 4, 0, 2))[:, None, :] - points((3, 6, 1, 5))[None, :, :]
    naive = np.exp(-0.5 * np.sum(apart**2, axis=2) / length**2).mean()
    assert covariance(one, other, length)[0, 0] == pytest.approx(naive, rel=0.02)


def test_a_quad_tree_covers_every_cell_once_and_keeps_enough_ions():
    ions = np.random.default_rng(0).poisson(3.0, (20, 13)).astype(float)
    ions[:, :5] *= 10.0
    inside = np.ones(ions.shape, dtype=bool)
    leaves = quad_tree(ions, inside, 60.0)
    covered = np.zeros(ions.shape, dtype=int)
    for y0, y1, x0, x1 in leaves:
        covered[y0:y1, x0:x1] += 1
        assert ions[y0:y1, x0:x1].sum() >= 60.0
    assert np.all(covered == 1)
    assert len({(leaf[1] - leaf[0]) * (leaf[3] - leaf[2]) for leaf in leaves}) > 1


def rise(width=12.0):
    shape = 1.0 / (1.0 + np.exp(-(TIME - 60.0) / (0.3 * width)))
    return Rise(TIME, 8.0 * shape, np.full(TIME.size, 0.5) + (1.0 - shape), 60.0, width)


def surface(seed, size):
    """A smooth surface of times and counts of its columns, with layers of uneven strength."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24] / 24.0
    late = size * np.sqrt(2.0) * np.sin(2 * np.pi * (x + rng.random())) * np.cos(np.pi * (y + rng.random()) * 1.5)
    late = late - late.mean()
    mean = rise().moved(late.ravel(), 1.0).T.reshape(TIME.size, 24, 24)
    uneven = np.exp(0.3 * rng.standard_normal((24, 24)))
    return late, rng.poisson(0.4 * mean * uneven)


@pytest.mark.parametrize("seed", range(3))
def test_a_surface_is_found_with_honest_errors(seed):
    late, counts = surface(seed, 5.0)
    found = interface_surface(counts, rise(), np.ones((24, 24), dtype=bool), np.random.default_rng(0))
    assert found.believed
    error = found.late - late
    assert np.sqrt(np.mean(error**2)) < 0.6 * late.std()
    assert np.mean(np.abs(error) < 1.96 * found.std) > 0.85
    assert found.roughness[2] * 0.9 < late.std() < found.roughness[3] * 1.1


@pytest.mark.parametrize("seed", range(4))
def test_a_flat_interface_is_not_believed_to_be_rough(seed):
    _, counts = surface(seed + 10, 0.0)
    assert not interface_surface(counts, rise(), np.ones((24, 24), dtype=bool), np.random.default_rng(0)).believed


def test_without_counts_there_is_no_surface():
    counts = np.zeros((TIME.size, 24, 24))
    assert interface_surface(counts, rise(), np.ones((24, 24), dtype=bool), np.random.default_rng(0)) is None


def test_smoothing_leaves_nothing_of_noise():
    rng = np.random.default_rng(1)
    edges = [[k, k + 2, n, n + 2] for k in range(0, 16, 2) for n in range(0, 16, 2)]
    flat = boxes(edges)
    noisy = Averages(flat.centre, flat.side, rng.standard_normal(64), flat.std)
    field = smooth(noisy, flat, 16.0, 120, rng)
    assert field.gain < 8.0
    assert field.mean.std() < 0.5


@pytest.fixture(scope="module")
def rough():
    parameters = TofsimsParameters(
        pixels=32,
        scans=110,
        ions=1e6,
        topography_nm=1.2,
        domain_length_px=4.0,
        spectrometer=SpectrometerParameters(shots_per_pixel=6),
    )
    layer = LayerParameters()
    events, truth = simulate_events(parameters, layer, np.random.default_rng(2))
    dataset = events.to_dataset()
    thickness = np.full(parameters.pixels**2, layer.thickness_nm)
    flat = sputtered_fields.interface_truth(parameters, layer, thickness)
    asked = ("V-", "VO2-", "SO2CF3-")
    measured = reduce_profile(dataset, options(*asked))
    return dataset, truth, flat, measured, reduce_profile(dataset, options(*asked, flatten="substrate"))


def test_the_map_holds_the_true_surface(rough):
    _, truth, _, measured, _ = rough
    late = (truth.thickness_nm - truth.thickness_nm.mean()).reshape(32, 32) / 0.05
    mapped = measured["interface_map"].values
    error = mapped - mapped.mean() - late
    assert np.mean(np.abs(error) < 1.96 * measured["interface_map_std"].values) > 0.8
    low, high = float(measured["interface_roughness_lower"]), float(measured["interface_roughness_upper"])
    assert 0.85 * low < late.std() < 1.15 * high
    assert str(measured["interface_roughness_flag"].values) == ""


def test_without_flattening_nothing_moves_and_with_it_the_interface_is_that_of_a_flat_sample(rough):
    _, truth, flat, measured, flattened = rough
    for ion in ("V-", "VO2-"):
        before, after = measured.sel(ion=ion), flattened.sel(ion=ion)
        assert abs(float(before["interface_width"]) - truth.interface_width_s) < 3.5 * float(
            before["interface_width_std"]
        )
        assert float(after["interface_width"]) < 0.85 * float(before["interface_width"])
        wide = 3.0 * float(after["interface_width_std"]) + 0.15 * flat[1]
        assert abs(float(after["interface_width"]) - flat[1]) < wide
        assert abs(float(after["interface_time"]) - flat[0]) < 3.5 * float(after["interface_time_std"]) + 2.0
    assert any(note.startswith("flattened: columns were moved") for note in flattened.attrs["notes"])


def test_total_counts_stay_those_of_the_raster_and_what_left_the_scans_is_told(rough):
    dataset, truth, _, measured, flattened = rough
    assert np.array_equal(flattened["total_counts"].values, measured["total_counts"].values)
    pull = [
        float((flattened["total_counts"] - truth.total_counts[ion]).sel(ion=ion))
        / float(flattened["total_counts_std"].sel(ion=ion))
        for ion in ("V-", "VO2-", "SO2CF3-")
    ]
    assert np.abs(pull).max() < 3.5
    view = view_of(dataset, flattened)
    used = flattened["used_scans"].values.astype(bool)
    left = 1.0 - view.pixels[used].sum() / (view.raster.pixels * view.raster.scans)
    assert left > 0.01
    assert any(f"{left:.1%} of the pixels measured lie outside" in note for note in flattened.attrs["notes"])
    # Moved columns keep their rate: scaled to all columns, nothing is gained or lost where most of them are.
    rates = flattened["intensity"].sel(ion="V-").values[used].mean() / measured["intensity"].sel(ion="V-").values.mean()
    assert rates == pytest.approx(1.0, abs=0.03)


def test_flattened_counts_pulses_and_volumes_belong_together(rough):
    dataset, _, _, measured, flattened = rough
    own = flattened.sel(ion="SO2CF3-")
    volume = ion_volume(dataset, int(own["bin_low"]), int(own["bin_high"]), view=view_of(dataset, flattened))
    assert np.array_equal(volume.sum(("y", "x")).values, own["counts"].values)
    pulses = own["pulses"].values / measured["pulses"].values[0]
    assert pulses[30:60].mean() == pytest.approx(1.0, abs=0.03)
    assert pulses.min() < 0.9
    # At full pulses the intensity is that of whole scans.
    ratio = own["intensity"].values[5:40].sum() / measured.sel(ion="SO2CF3-")["intensity"].values[5:40].sum()
    assert ratio == pytest.approx(1.0, abs=0.06)


def test_a_flat_sample_is_not_moved():
    events, _ = simulate_events(
        TofsimsParameters(pixels=32, scans=110, ions=4e5), LayerParameters(), np.random.default_rng(4)
    )
    profile = reduce_profile(events.to_dataset(), options("V-", flatten="substrate"))
    assert "column_lag" not in profile
    assert "the interface is flat within its errors: no column was moved" in profile.attrs["notes"]
    assert str(profile["interface_roughness_flag"].values) in {"flat_within_errors", "few_counts"}

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import ThicknessOptions
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.thickness import measure_thickness

OPTIONS = ThicknessOptions(bootstrap=100)


def _image(seed, thickness=6.0, **changes):
    settings = {"pixels": 512, "pixel_nm": 0.042, "outer_roughness_nm": (0.4, 3.0), "patchiness": 0.1} | changes
    return simulate_image(TemParameters(**settings), thickness, np.random.default_rng(seed))


def _bare(values, pixel=0.04):
    attrs = {"source": "test", "pixel_size_nm": [pixel, pixel]}
    return xr.Dataset({"image": (("y", "x"), values.astype(np.float32), {"units": "1"})}, attrs=attrs)


CASES = {
    "crystal at the left": {"orientation_deg": 3.0},
    "crystal at the bottom": {"orientation_deg": 265.0, "dose_e_per_a2": 200.0},
    "diagonal, curved": {"orientation_deg": 130.0, "curvature_per_nm": -0.012},
    "dark embedding": {"orientation_deg": 80.0, "outside": "embedding", "brightness": (0.6, 0.86, 0.72)},
    "layer as bright as the crystal": {"orientation_deg": 200.0, "brightness": (1.0, 0.8, 0.8), "speckle": 0.08},
    "thin": {"orientation_deg": 310.0, "thickness": 3.0},
    "uneven light": {"orientation_deg": 40.0, "illumination": 0.3},
}


@pytest.fixture(scope="module")
def measured():
    pairs = {}
    for seed, (name, changes) in enumerate(CASES.items()):
        image, truth = _image(50 + seed, **changes)
        pairs[name] = (measure_thickness([image], OPTIONS), truth)
    return pairs


@pytest.mark.parametrize("name", CASES)
def test_mean_is_right_wherever_the_crystal_lies(measured, name):
    result, truth = measured[name]
    check(result, "tem_thickness")
    expected = truth.statistics()["mean"]
    mean = result["cei_thickness"].sel(statistic="mean")
    assert float(mean) == pytest.approx(expected, abs=max(0.02 * expected, 0.15))
    assert float(result["lattice_spacing"]) == pytest.approx(truth.lattice_nm, rel=5e-3)
    assert "no_" not in str(result["cei_thickness_flag"].values[0])


def test_intervals_hold_the_truth(measured):
    inside = []
    for result, truth in measured.values():
        expected = np.array([truth.statistics()[name] for name in result["statistic"].values])
        inside.append((result["cei_thickness_lower"] <= expected) & (result["cei_thickness_upper"] >= expected))
    share = np.mean(inside)
    assert share >= 0.8
    for result, _ in measured.values():
        mean = result.sel(statistic="mean")
        assert float(mean["cei_thickness_std"] / mean["cei_thickness"]) < 0.05


def test_two_methods_agree_on_good_images(measured):
    for result, _ in measured.values():
        assert "methods_disagree" not in str(result["cei_thickness_flag"].values[0])
        evidence = result.attrs["evidence"][0]
        assert abs(evidence.get("watched_outer_shift_nm", 0.0)) < 0.08
    shifts = [result.attrs["evidence"][0].get("watched_crystal_shift_nm", np.nan) for result, _ in measured.values()]
    assert np.isfinite(shifts).sum() >= 5
    assert np.nanmedian(shifts) == pytest.approx(0.1, abs=0.15)


def test_the_crystallinity_map_lies_over_the_image(measured):
    result, truth = measured["diagonal, curved"]
    found = result["crystallinity_0"]
    assert found.dims == ("window_y_0", "window_x_0")
    assert result["window_x_0"].attrs["units"] == "nm"
    at = [np.round(result[name].values / 0.042).astype(int) for name in found.dims]
    label = truth.label[np.ix_(*at)]
    assert float(np.median(found.values[label == 2])) > 5 * float(np.median(found.values[label == 0]))


def test_the_reflections_of_an_image_are_those_of_its_lattice(measured):
    result, truth = measured["crystal at the left"]
    ky, kx, spacing = (result[f"reflection_{name}_0"] for name in ("ky", "kx", "spacing"))
    assert (ky.attrs["units"], spacing.attrs["units"]) == ("1/nm", "nm")
    np.testing.assert_allclose(1 / np.hypot(ky, kx), spacing, rtol=2e-3)
    first = int(np.argmin(np.abs(spacing.values - truth.lattice_nm)))
    assert float(spacing[first]) == pytest.approx(truth.lattice_nm, rel=5e-3)
    # The default lattice vector lies 30 degrees from the outward normal, which is at 3 degrees here.
    angle = np.rad2deg(np.arctan2(float(ky[first]), float(kx[first])))
    assert abs((angle - 33.0 + 90.0) % 180.0 - 90.0) < 1.0


def test_fringes_that_fade_before_the_crystal_ends_are_flagged():
    draw = np.random.default_rng(1001)
    settings = {"brightness": (1.0, 0.8, 0.8), "patchiness": 0.75, "fringe_contrast": 0.06}
    turned = {"orientation_deg": draw.uniform(0, 360), "outer_roughness_nm": (0.4, 3.0)}
    image, truth = simulate_image(TemParameters(pixels=512, pixel_nm=0.042, **settings, **turned), 6.0, draw)
    result = measure_thickness([image], OPTIONS)
    assert float(result["cei_thickness"][0]) > 1.05 * truth.statistics()["mean"]
    assert "methods_disagree" in str(result["cei_thickness_flag"].values[0])


def test_streamlines_are_another_definition_close_to_the_chords(measured):
    for result, _ in measured.values():
        chord, along = (result[name].sel(statistic="mean") for name in ("cei_thickness", "thickness_laplace"))
        assert float(along / chord) == pytest.approx(1.0, abs=0.03)
        assert float(result["thickness_laplace_std"].sel(statistic="mean")) == pytest.approx(
            float(result["cei_thickness_std"].sel(statistic="mean")), rel=0.1
        )
        assert float(result["laplace_length"].mean()) == pytest.approx(float(along), abs=1e-6)
        # A streamline spreads under a dent and gathers under a bump: the distribution is narrower.
        spread = result["laplace_length"].std() / result["thickness"].std()
        assert 0.6 < float(spread) < 1.05


def test_label_image_is_the_true_one(measured):
    for result, truth in measured.values():
        label = result["label_0"].values
        near = truth.label == 1
        dice = 2 * (near & (label == 1)).sum() / (near.sum() + (label == 1).sum())
        assert dice > 0.93
        assert np.mean(label == truth.label) > 0.95


def test_positions_lie_on_the_boundaries(measured):
    result, truth = measured["diagonal, curved"]
    for line, inner, outer in (("inner", 2, 1), ("outer", 1, 0)):
        at = np.round([result[f"{line}_y"].values, result[f"{line}_x"].values]).astype(int)
        window = [truth.label[max(r - 12, 0) : r + 13, max(c - 12, 0) : c + 13] for r, c in at.T]
        assert np.mean([(inner in w) and (outer in w) for w in window]) > 0.95


def test_two_images_are_pooled_and_a_failed_one_is_told():
    first, _ = _image(60, orientation_deg=10.0)
    second, _ = _image(61, orientation_deg=200.0, thickness=7.0)
    noise = _bare(np.random.default_rng(0).poisson(100, (256, 256)))
    both = measure_thickness([first, second], OPTIONS)
    check(both, "tem_thickness")
    assert set(both["image_index"].values) == {0, 1}
    assert float(both["between_image_std"]) == pytest.approx(1 / np.sqrt(2), abs=0.35)
    assert float(both["thickness_sampling_std"]) > 0.3
    assert both.attrs["images"] == 2
    three = measure_thickness([first, noise], OPTIONS)
    assert "images_left_out" in str(three["cei_thickness_flag"].values[0])
    assert three.attrs["image_flags"] == ["", "no_crystal"]


def test_the_same_seed_gives_the_same_numbers():
    image, _ = _image(62)
    first, again = (measure_thickness([image], OPTIONS) for _ in range(2))
    xr.testing.assert_identical(first, again)


def test_an_image_without_scale_asks_for_it():
    image, _ = _image(63)
    del image.attrs["pixel_size_nm"]
    with pytest.raises(MeasurementError, match="pixel_size"):
        measure_thickness([image], OPTIONS)
    image.attrs["pixel_size_nm"] = [0.0, 0.0]
    with pytest.raises(MeasurementError, match="positive"):
        measure_thickness([image], OPTIONS)


def _only_crystal(noise):
    y, x = np.meshgrid(np.arange(400) * 0.04, np.arange(400) * 0.04, indexing="ij")
    return noise.poisson(100 * (0.8 + 0.1 * np.cos(2 * np.pi * (1.1 * y + 2.4 * x))))


def _crystal_beside_vacuum(noise):
    y, x = np.meshgrid(np.arange(400) * 0.04, np.arange(400) * 0.04, indexing="ij")
    fringes = 0.7 + 0.1 * np.cos(2 * np.pi * (1.1 * y + 2.4 * x))
    return noise.poisson(200 * np.where(x < 7.0, fringes, 1.0))


def _ramp_without_outside(noise):
    y, x = np.meshgrid(np.arange(400) * 0.04, np.arange(400) * 0.04, indexing="ij")
    fringes = 0.1 * np.cos(2 * np.pi * (1.1 * y + 2.4 * x)) * (x < 5.0)
    return noise.poisson(200 * (0.7 + fringes + 0.01 * x))


def _burnt_out(_):
    image, _ = _image(50, orientation_deg=3.0)
    return np.minimum(image["image"].values, np.quantile(image["image"].values, 0.6))


def _reflections_of_a_diffraction_pattern(noise):
    y, x = np.indices((400, 400)) - 200
    spots = np.exp(-(((y + 19) % 38 - 19) ** 2) / 18 - ((x + 15) % 31 - 15) ** 2 / 18) * np.exp(-np.hypot(y, x) / 80)
    return noise.poisson(3 + 3000 * spots)


def _banner_alone(_):
    image = np.zeros((400, 400))
    image[350:356, 240:340] = 255
    return image


@pytest.mark.parametrize(
    ("make", "flag"),
    [
        (_burnt_out, "saturated"),
        (_reflections_of_a_diffraction_pattern, "no_"),
        (_banner_alone, "saturated"),
        (lambda noise: noise.poisson(50, (64, 64)), "no_crystal"),
        (lambda noise: noise.poisson(50, (400, 400)), "no_crystal"),
        (lambda noise: np.full((300, 300), 7.0), "no_contrast"),
        (lambda noise: np.clip(noise.poisson(50, (400, 400)), 0, 52), "saturated"),
        (_only_crystal, "no_outside"),
        (_crystal_beside_vacuum, "no_outside"),
        (_ramp_without_outside, "no_"),
    ],
)
def test_no_layer_no_number(make, flag):
    result = measure_thickness([_bare(make(np.random.default_rng(1)))], OPTIONS)
    check(result, "tem_thickness")
    assert np.all(np.isnan(result["cei_thickness"]))
    assert np.all(np.isnan(result["thickness_laplace"]))
    assert flag in str(result["cei_thickness_flag"].values[0])
    assert result.sizes["position"] == 0


def test_a_hint_chooses_the_reflection():
    image, _ = _image(64, second_nm=0.26)
    image.attrs["lattice_spacing_nm"] = 0.262
    result = measure_thickness([image], OPTIONS)
    assert float(result["lattice_spacing"]) == pytest.approx(0.26, rel=5e-3)
    image.attrs["lattice_spacing_nm"] = 0.55
    result = measure_thickness([image], OPTIONS)
    assert str(result["lattice_spacing_flag"].values) == "hinted_spacing_not_found"


def test_pixel_size_error_reaches_the_interval():
    image, _ = _image(65)
    image.attrs["pixel_size_std"] = 0.04
    result = measure_thickness([image], OPTIONS).sel(statistic="mean")
    assert float(result["cei_thickness_std"]) > 0.039 * float(result["cei_thickness"])
    assert float(result["lattice_spacing_std"]) > 0.039 * float(result["lattice_spacing"])

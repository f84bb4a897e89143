from dataclasses import replace

import numpy as np
import pytest
import tifffile

from depthlock.model.contracts import check
from depthlock.simulate.tem import TemParameters, simulate_image, write_tiff
from depthlock.simulate.tem_lines import BoundaryLines, chord_ends, chords, draw_lines, rough_line

SMALL = TemParameters(pixels=512, pixel_nm=0.06)
FLAT = replace(SMALL, inner_roughness_nm=(0.0, 5.0), outer_roughness_nm=(0.0, 5.0), overlap_nm=0.01)


@pytest.mark.parametrize("degrees", [0.0, 37.0, 130.0, -95.0])
def test_flat_layer_has_its_thickness_in_truth_and_label(degrees):
    _, truth = simulate_image(replace(FLAT, orientation_deg=degrees), 11.0, np.random.default_rng(0))
    statistics = truth.statistics()
    assert statistics["mean"] == pytest.approx(11.0, abs=1e-3)
    assert statistics["sd"] == pytest.approx(0.0, abs=1e-3)
    turn = np.deg2rad(degrees)
    # the label's layer, measured along the normal through the image's centre
    steps = np.arange(-12.0, 12.0, 0.01)
    middle = 0.5 * 511
    y = np.round(middle + np.sin(turn) * steps / 0.06).astype(int)
    x = np.round(middle + np.cos(turn) * steps / 0.06).astype(int)
    label = truth.label[y, x]
    assert (label == 1).sum() * 0.01 == pytest.approx(11.0, abs=0.12)
    assert label[0] == 2
    assert label[-1] == 0


def test_chords_follow_the_edge_where_it_slopes():
    along = np.arange(-20.0, 20.0, 0.05)
    lines = BoundaryLines(along, 0.5 * along, 0.5 * along + 4.0)
    middle = np.abs(along) < 8.0
    np.testing.assert_allclose(chords(lines, middle), 4.0 / np.sqrt(1.25), rtol=1e-3)
    starts, ends = chord_ends(lines)
    direction = (ends - starts)[:, middle]
    np.testing.assert_allclose(direction[0] / direction[1], -0.5, atol=1e-3)


def test_curved_layer_of_equal_thickness():
    lines = draw_lines(20.0, 6.0, 0.004, (0.0, 5.0), (0.0, 5.0), np.random.default_rng(0))
    inside = np.abs(lines.along) < 12.0
    np.testing.assert_allclose(chords(lines, inside), 6.0, rtol=0.01)


def test_roughness_has_the_asked_deviation_and_length():
    along = np.arange(0.0, 4000.0, 0.1)
    line = rough_line(along, 0.4, 5.0, np.random.default_rng(1))
    assert line.std() == pytest.approx(0.4, rel=0.1)
    lag = 50
    # autocorrelation exp(-d^2 / (2 L^2)) at d = L
    assert np.mean(line[lag:] * line[:-lag]) / line.var() == pytest.approx(np.exp(-0.5), abs=0.08)


def test_piece_differs_from_the_sample_by_chance_but_not_on_average():
    rng = np.random.default_rng(3)
    means = [chords(draw_lines(15.0, 9.0, 0.0, (0.2, 6.0), (0.5, 5.0), rng)).mean() for _ in range(60)]
    assert np.mean(means) == pytest.approx(9.0, abs=4 * np.std(means) / np.sqrt(60))
    assert np.std(means) > 0.1


def test_fringes_have_their_spacing_and_lie_in_the_crystal():
    image, truth = simulate_image(replace(FLAT, patchiness=0.0, orientation_deg=0.0), 8.0, np.random.default_rng(0))
    values = image["image"].to_numpy()
    piece = values[100:356, 0:150]
    assert np.all(truth.label[100:356, 0:150] == 2)
    power = np.abs(np.fft.rfft2(piece * np.outer(np.hanning(256), np.hanning(150)), s=(2048, 2048))) ** 2
    gy, gx = np.fft.fftfreq(2048, 0.06)[:, None], np.fft.rfftfreq(2048, 0.06)[None, :]
    radius = np.hypot(gy, gx)
    power[radius < 2.0] = 0.0
    top = radius.ravel()[power.argmax()]
    assert 1.0 / top == pytest.approx(0.38, rel=0.01)
    assert truth.lattice_nm == 0.38


def test_dose_sets_the_noise():
    image, _ = simulate_image(replace(FLAT, illumination=0.0, fresnel=0.0), 5.0, np.random.default_rng(0))
    outside = image["image"].to_numpy()[:, -100:].astype(float) - 100.0
    electrons = 800.0 * 0.6**2
    # pixels share electrons with their neighbours, which smooths their noise
    assert 0.25 / np.sqrt(electrons) < outside.std() / outside.mean() < 1.0 / np.sqrt(electrons)


def test_tiff_holds_the_counts_and_the_scale(tmp_path):
    image, _ = simulate_image(SMALL, 9.0, np.random.default_rng(0))
    path = tmp_path / "hrtem.tif"
    write_tiff(path, image)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.dtype == np.uint16
        np.testing.assert_array_equal(page.asarray(), image["image"].to_numpy())
        numerator, denominator = page.tags["XResolution"].value
        assert denominator / numerator == pytest.approx(0.06, rel=1e-6)
        assert file.imagej_metadata["unit"] == "nm"
    check(image, "tem_image")


def test_hyperspy_users_get_the_scale(tmp_path):
    rsciio = pytest.importorskip("rsciio.tiff")
    image, _ = simulate_image(SMALL, 9.0, np.random.default_rng(0))
    write_tiff(tmp_path / "hrtem.tif", image)
    axes = rsciio.file_reader(str(tmp_path / "hrtem.tif"))[0]["axes"]
    assert [axis["units"] for axis in axes] == ["nm", "nm"]
    np.testing.assert_allclose([axis["scale"] for axis in axes], 0.06, rtol=1e-6)

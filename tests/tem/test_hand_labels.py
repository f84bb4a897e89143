import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.options import ThicknessOptions
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.thickness import measure_thickness

OPTIONS = ThicknessOptions(bootstrap=50)


def _labelled(seed=7, thickness=6.0, **changes):
    settings = {"pixels": 512, "pixel_nm": 0.042, "outer_roughness_nm": (0.4, 3.0)} | changes
    image, truth = simulate_image(TemParameters(**settings), thickness, np.random.default_rng(seed))
    image = image.assign(labels=(("y", "x"), truth.label, {"units": "1"}))
    image.attrs["labels_source"] = "mine.png"
    return image, truth


@pytest.mark.parametrize("changes", [{"orientation_deg": 20.0}, {"orientation_deg": 200.0, "curvature_per_nm": -0.015}])
def test_labels_take_the_place_of_the_segmentation(changes):
    image, truth = _labelled(**changes)
    # What the image shows does not matter to where the boundaries are.
    image["image"] = image["image"].copy(data=np.roll(image["image"].values, 60, axis=0))
    result = check(measure_thickness([image], OPTIONS), "tem_thickness")
    expected = truth.statistics()
    assert float(result["cei_thickness"][0]) == pytest.approx(expected["mean"], abs=0.06)
    assert float(result["cei_thickness"][1]) == pytest.approx(expected["sd"], abs=0.08)
    assert 0.15 < float(result["cei_thickness_std"][0]) < 0.3
    assert str(result["cei_thickness_flag"].values[0]) == ""
    assert result.attrs["segmentation"] == ["hand-corrected labels mine.png"]
    np.testing.assert_array_equal(result["label_0"], truth.label)
    assert float(result["lattice_spacing"]) == pytest.approx(truth.lattice_nm, rel=5e-3)


def test_a_bare_piece_of_crystal_has_a_layer_of_no_thickness():
    labels = np.zeros((400, 400), dtype=np.int8)
    labels[:, :150] = 2
    labels[:200, 150:250] = 1
    values = np.random.default_rng(0).poisson(100, labels.shape).astype(np.float32)
    image, _ = _labelled()
    image = image.isel(y=slice(400), x=slice(400)).assign(
        image=(("y", "x"), values, {"units": "1"}), labels=(("y", "x"), labels, {"units": "1"})
    )
    result = measure_thickness([image], OPTIONS)
    thickness = result["thickness"].values
    y = result["inner_y"].values
    assert thickness[y < 180] == pytest.approx(100 * 0.042, abs=0.15)
    assert thickness[y > 220] == pytest.approx(0.0, abs=0.15)
    assert str(result["lattice_spacing_flag"].values) == "no_crystal"
    assert result.attrs["evidence"] == [{}]


def test_labels_without_an_outside_give_no_thickness():
    image, truth = _labelled()
    image["labels"] = image["labels"].copy(data=np.maximum(truth.label, 1))
    result = measure_thickness([image], OPTIONS)
    assert np.all(np.isnan(result["cei_thickness"]))
    assert str(result["cei_thickness_flag"].values[0]) == "no_outside"

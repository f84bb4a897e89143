import numpy as np
import pytest

from depthlock.model.options import ThicknessOptions
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.hidden import filled
from depthlock.tem.thickness import measure_thickness


def test_hidden_pixels_take_the_brightness_around_them():
    image = np.random.default_rng(0).normal(1.0, 0.05, (80, 90)).astype(np.float32)
    hidden = np.zeros(image.shape, dtype=bool)
    hidden[30:40, 20:60] = True
    drawn = np.where(hidden, np.float32(9.0), image)
    result = filled(drawn, hidden)
    np.testing.assert_array_equal(result[~hidden], image[~hidden])
    assert result[hidden].mean() == pytest.approx(1.0, abs=0.02)
    assert result[hidden].std() < 0.03


def test_a_bar_across_the_layer_is_left_out_of_its_thickness():
    parameters = TemParameters(pixels=512, pixel_nm=0.042, orientation_deg=0.0, outer_roughness_nm=(0.4, 3.0))
    image, truth = simulate_image(parameters, 6.0, np.random.default_rng(5))
    hidden = np.zeros((512, 512), dtype=bool)
    hidden[240:290, 150:420] = True
    drawn = image.assign(image=image["image"].where(~hidden, 60000.0), drawn_over=(("y", "x"), hidden, {"units": "1"}))
    result = measure_thickness([drawn], ThicknessOptions(bootstrap=60))
    mean = result.sel(statistic="mean")
    assert float(mean["cei_thickness"]) == pytest.approx(truth.statistics()["mean"], rel=0.02)
    at = result["inner_y"].values
    assert not np.any((at > 230) & (at < 300))
    assert np.any(at < 200)
    assert np.any(at > 330)

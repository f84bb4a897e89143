import numpy as np
import pytest

from depthlock.simulate.layer import LayerParameters, ProfileShape, centroid, layer_profile, overlap, pair_truth


@pytest.mark.parametrize("shape", [ProfileShape(0.7), ProfileShape(0.3, 0.2, 0.05, "inner", 0.1)])
def test_amount_is_the_mean_over_the_layer(shape):
    fraction = (np.arange(5000) + 0.5) / 5000
    assert shape(fraction).mean() == pytest.approx(shape.amount, rel=1e-4)


def test_numbers_of_profiles_that_can_be_done_by_hand():
    steps = np.arange(1000)
    uniform = np.ones(1000)
    outer, inner = (steps < 500).astype(float), (steps >= 500).astype(float)
    assert centroid(uniform, 8.0) == pytest.approx(4.0)
    assert centroid(outer, 8.0) == pytest.approx(2.0)
    assert overlap(outer, inner) == 0.0
    assert overlap(uniform, outer) == pytest.approx(0.5)
    assert pair_truth(outer, inner, 8.0) == pytest.approx({"separation": -4.0, "overlap": 0.0, "interlocking": 0.0})
    assert pair_truth(uniform, outer, 8.0)["interlocking"] == pytest.approx(0.5 * (1 - 2.0 / 8.0))
    assert np.isnan(centroid(np.zeros(10), 8.0))


def test_substrate_begins_where_the_layer_ends():
    layer = LayerParameters(5.0)
    fraction = np.array([0.5, 0.999, 1.001, 2.0])
    np.testing.assert_array_equal(layer.strength("substrate", fraction), [0, 0, 1, 1])
    np.testing.assert_allclose(layer.strength("organic", fraction), [1, 1, 0, 0])
    assert layer_profile(layer, {"vanadium": 3.0, "substrate": 3.0}).mean() == pytest.approx(0.3)

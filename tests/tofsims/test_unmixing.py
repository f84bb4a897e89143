import numpy as np
import pytest

from depthlock.tofsims.peak_shape import PeakShape
from depthlock.tofsims.unmixing import unmixing_weights

EDGES = np.arange(0.0, 121.0)
SHAPE = PeakShape(0.4, 0.08, 3.0, 0.01, 2.0)


def shares():
    peaks = [SHAPE.shares(EDGES, mode, 14.0) for mode in (50.0, 62.0)]
    return np.vstack([*peaks, np.full(120, 1 / 120)])


def test_every_mixture_comes_back_exactly_without_noise():
    table = shares()
    weights = unmixing_weights(table, np.array([900.0, 300.0, 200.0]) @ table)
    for mixture in ([900, 300, 200], [10, 4000, 0], [0, 0, 500], [3000, 1, 9]):
        assert weights @ (np.array(mixture, dtype=float) @ table) == pytest.approx(mixture, abs=1e-6)


def test_unbiased_with_the_stated_variance():
    rng = np.random.default_rng(0)
    table = shares()
    expected = np.array([30.0, 12.0, 8.0]) @ table
    weights = unmixing_weights(table, expected)
    drawn = rng.poisson(expected, size=(20000, 120)) @ weights[0]
    assert drawn.mean() == pytest.approx(30.0, abs=0.25)
    assert drawn.var() == pytest.approx(float(expected @ weights[0] ** 2), rel=0.05)


def test_a_lone_peak_is_summed_with_its_missing_tails():
    table = np.vstack([SHAPE.shares(EDGES, 50.0, 14.0)])
    weights = unmixing_weights(table, 500.0 * table[0] + 1e-3)
    assert weights[0] @ (500.0 * table[0]) == pytest.approx(500.0)
    assert weights[0][50] == pytest.approx(1.0 / table[0].sum(), rel=1e-2)

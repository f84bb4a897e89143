import numpy as np
import pytest

from depthlock.tofsims.exponential_gauss import leading_cdf, trailing_cdf


@pytest.mark.parametrize("tail", [0.03, 0.3, 1.0, 8.0])
def test_trailing_cdf_equals_the_distribution_of_a_sum(tail):
    rng = np.random.default_rng(1)
    drawn = np.sort(rng.standard_normal(400_000) + tail * rng.standard_exponential(400_000))
    x = np.linspace(-3, 3 + 3 * tail, 25)
    seen = np.searchsorted(drawn, x) / drawn.size
    assert trailing_cdf(x, tail) == pytest.approx(seen, abs=4e-3)


def test_finite_and_monotonic_far_out():
    x = np.linspace(-60.0, 300.0, 4001)
    for tail in (0.021, 0.5, 20.0):
        values = trailing_cdf(x, tail)
        assert np.all(np.isfinite(values))
        assert np.all(np.diff(values) >= -1e-12)
        assert (values[0], values[-1]) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_leading_is_the_mirror_image():
    x = np.linspace(-6, 6, 61)
    assert leading_cdf(x, 1.5) == pytest.approx(1.0 - trailing_cdf(-x, 1.5))

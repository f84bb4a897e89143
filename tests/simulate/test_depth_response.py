import numpy as np
import pytest

from depthlock.simulate.depth_response import (
    DepthResponse,
    SputterRates,
    delta_response,
    depth_at_time,
    response_matrix,
)

GRID = np.arange(-40.0, 60.0, 0.002)


@pytest.mark.parametrize(
    "case", [(0.8, 1.5, 0.6), (1.1, 0.0, 0.0), (0.5, 0.02, 3.0), (2.0, 0.1, 0.15), (0.3, 2.0, 0.0)]
)
def test_integral_is_one(case):
    assert delta_response(GRID, DepthResponse(*case)).sum() * 0.002 == pytest.approx(1.0, abs=3e-6)


def test_published_widths():
    # golden values of the MRI delta response at w = 1.5, l = 0.6, s = 0.8
    curve = delta_response(GRID, DepthResponse(0.8, 1.5, 0.6))
    above = GRID[curve >= 0.5 * curve.max()]
    assert above[-1] - above[0] == pytest.approx(2.885, abs=0.005)
    share = np.cumsum(curve) * 0.002
    assert np.interp(0.84, share, GRID) - np.interp(0.16, share, GRID) == pytest.approx(3.029, abs=0.005)


def test_equals_the_two_exponentials_smeared_numerically():
    s, w, length = 0.7, 0.9, 0.4
    bare = np.where(w + GRID > 0, -np.expm1(-w / length) / w * np.exp(-(GRID + w) / w), np.exp(GRID / length) / length)
    reach = np.arange(-5.0, 5.0 + 1e-9, 0.002)
    gauss = np.exp(-0.5 * (reach / s) ** 2) / (s * np.sqrt(2 * np.pi))
    smeared = np.convolve(bare, gauss, mode="same") * 0.002
    inner = np.abs(GRID) < 10.0
    np.testing.assert_allclose(delta_response(GRID, DepthResponse(s, w, length))[inner], smeared[inner], atol=2e-3)


def test_what_is_uniform_is_seen_uniform_from_the_surface_on():
    grid = np.arange(0.05, 30.0, 0.1)
    seen = response_matrix(np.linspace(0.0, 15.0, 40), grid, DepthResponse()) @ np.ones(grid.size)
    np.testing.assert_allclose(seen, 1.0, atol=1e-12)


@pytest.mark.parametrize("tilt", [0.0, -0.4, 0.3])
def test_layer_ends_at_thickness_over_mean_rate(tilt):
    rates = SputterRates(0.05, 0.03, tilt)
    depth = depth_at_time(np.array([0.0, 200.0, 300.0]), 10.0, rates)
    np.testing.assert_allclose(depth, [0.0, 10.0, 13.0], atol=1e-6)
    early = depth_at_time(np.array([1.0]), 10.0, rates)[0]
    late = 10.0 - depth_at_time(np.array([199.0]), 10.0, rates)[0]
    assert late / early == pytest.approx((1 + 0.5 * tilt) / (1 - 0.5 * tilt), rel=0.01)

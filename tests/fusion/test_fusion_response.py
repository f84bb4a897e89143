"""The depth response against golden values and against plain numerical convolution."""

import numpy as np
import pytest

from depthlock.fusion.depth_response import design, reported_fraction, response_cumulative


def test_golden_widths_of_the_mri_response() -> None:
    x = np.linspace(-15.0, 25.0, 40001)
    cumulative = response_cumulative(x, np.array(0.8), np.array(1.5), np.array(0.6))
    low, high = (x[np.searchsorted(cumulative, q)] for q in (0.16, 0.84))
    density = np.gradient(cumulative, x)
    above = x[density > 0.5 * density.max()]
    assert cumulative[0] == pytest.approx(0.0, abs=1e-9)
    assert cumulative[-1] == pytest.approx(1.0, abs=1e-6)
    assert high - low == pytest.approx(3.029, abs=0.003)
    assert above[-1] - above[0] == pytest.approx(2.885, abs=0.003)


def test_response_is_the_printed_formula() -> None:
    from scipy.special import erf

    w, length, s = 1.1, 0.4, 0.9
    z = np.linspace(-4.0, 6.0, 2001)
    printed = (1 - np.exp(-w / length)) / (2 * w) * np.exp(-(z + w) / w + s**2 / (2 * w**2)) * (
        1 - erf((-(z + w) / s + s / w) / np.sqrt(2))
    ) + 1 / (2 * length) * np.exp(z / length + s**2 / (2 * length**2)) * (
        1 + erf((-(z + w) / s - s / length) / np.sqrt(2))
    )
    density = np.gradient(response_cumulative(z, np.array(s), np.array(w), np.array(length)), z)
    np.testing.assert_allclose(density[2:-2], printed[2:-2], atol=2e-5)


def test_design_conserves_and_matches_convolution() -> None:
    time = np.linspace(0.0, 350.0, 40)
    parameters = np.log(np.array([200.0, 0.1, 0.0005, 0.0005, 0.7]))
    made = design(time, parameters, 40, 1.0)
    np.testing.assert_allclose(made.layer.sum(axis=-1) + made.substrate, 1.0, atol=1e-9)
    depth = reported_fraction(time, parameters)
    grid = np.arange(0.0005, 4.0, 0.001)
    weight = np.exp(-0.5 * ((depth[:, None] - grid) / 0.1) ** 2)
    plain = weight[:, grid > 1].sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(made.substrate, plain, atol=0.005)


def test_depth_runs_at_the_rate_of_what_is_sputtered() -> None:
    parameters = np.log(np.array([100.0, 0.1, 0.05, 0.05, 0.5]))
    np.testing.assert_allclose(reported_fraction(np.array([0.0, 50.0, 100.0, 200.0]), parameters), [0, 0.5, 1, 1.5])
    tilted = reported_fraction(np.array([0.0, 50.0, 100.0]), parameters, 0.2)
    np.testing.assert_allclose(tilted, [0.0, 0.5 - 0.025, 1.0])

import numpy as np
import pytest
from scipy.special import erf

from depthlock.tofsims.mixing_roughness import delta_response, step_response

Z = np.linspace(-30.0, 60.0, 90001)


def naive(z, w, length, s):
    after = (1 - np.exp(-w / length)) / (2 * w) * np.exp(-(z + w) / w + s**2 / (2 * w**2))
    after = after * (1 - erf((-(z + w) / s + s / w) / np.sqrt(2)))
    before = 1 / (2 * length) * np.exp(z / length + s**2 / (2 * length**2))
    return after + before * (1 + erf((-(z + w) / s - s / length) / np.sqrt(2)))


def test_golden_values():
    g = delta_response(Z, 1.5, 0.6, 0.8)
    step = Z[1] - Z[0]
    assert g.sum() * step == pytest.approx(1.0, abs=1e-6)
    low, high = np.interp([0.16, 0.84], np.cumsum(g) * step, Z)
    assert high - low == pytest.approx(3.029, abs=0.002)
    above = Z[g >= 0.5 * g.max()]
    assert above[-1] - above[0] == pytest.approx(2.885, abs=0.003)


@pytest.mark.parametrize(("w", "length", "s"), [(1.5, 0.6, 0.8), (0.4, 0.3, 1.2), (2.5, 1.0, 0.5)])
def test_equals_the_printed_formula_where_that_is_finite(w, length, s):
    z = np.linspace(-3.0, 6.0, 181)
    assert delta_response(z, w, length, s) == pytest.approx(naive(z, w, length, s), rel=1e-6, abs=1e-5)


@pytest.mark.parametrize(("w", "length"), [(1.5, 0.6), (0.3, 0.1), (3.0, 0.2)])
def test_the_step_is_the_integral_of_the_delta_response(w, length):
    s = 0.8
    summed = np.cumsum(delta_response(Z, w, length, s)) * (Z[1] - Z[0])
    assert step_response(Z / s, w / s, length / s) == pytest.approx(summed, abs=2e-3)


def test_without_mixing_the_step_is_gaussian():
    from scipy.special import ndtr

    x = np.linspace(-5, 5, 101)
    assert step_response(x, 0.0, 0.0) == pytest.approx(ndtr(x), abs=1e-12)

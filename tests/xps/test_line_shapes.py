from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from depthlock.xps.shapes import pseudo_voigt, pseudo_voigt_density, shirley_step
from depthlock.xps.tabulated import tabulated_line


def evaluate(x: float, fwhm: float, mixing: float):
    return pseudo_voigt(np.array([x]), np.array([fwhm]), np.array([mixing]))


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_full_width_at_half_maximum(mixing: float) -> None:
    half = evaluate(0.85, 1.7, mixing).density[0]
    assert half == pytest.approx(0.5 * evaluate(0.0, 1.7, mixing).density[0], rel=1e-12)


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_cumulative_is_the_integral_of_the_line(mixing: float) -> None:
    integral = quad(lambda x: evaluate(x, 1.3, mixing).density[0], -0.4, 2.1, epsabs=1e-12)[0]
    difference = evaluate(2.1, 1.3, mixing).cumulative[0] - evaluate(-0.4, 1.3, mixing).cumulative[0]
    assert difference == pytest.approx(integral, abs=1e-10)


def test_slope_is_the_derivative_of_the_line() -> None:
    h = 1e-5
    numeric = (evaluate(0.6 + h, 1.3, 0.4).density[0] - evaluate(0.6 - h, 1.3, 0.4).density[0]) / (2 * h)
    assert evaluate(0.6, 1.3, 0.4).slope[0] == pytest.approx(numeric, rel=1e-8)


def test_step_rises_to_its_height_times_area_on_the_high_binding_energy_side() -> None:
    step = shirley_step(np.array([0.0, 500.0, 1.0e6]), 200.0, 500.0, 1.5, 0.2, 0.03)
    assert step == pytest.approx([0.0, 3.0, 6.0], abs=1e-2)


def test_area_of_the_density() -> None:
    energy = np.linspace(-4000, 4000, 2_000_001)
    assert np.trapezoid(pseudo_voigt_density(energy, 7.0, 0.3, 1.2, 0.5), energy) == pytest.approx(7.0, rel=2e-4)


def test_tabulated_line_has_unit_width_unit_area_and_its_own_derivative() -> None:
    line = tabulated_line("LA(1.53,243)")

    def at(x: float):
        return line.evaluate(np.array([x]), np.array([1.8]))

    assert at(0.9).density[0] == pytest.approx(0.5 * at(0.0).density[0], rel=1e-4)
    assert at(100.0).cumulative[0] - at(-100.0).cumulative[0] == pytest.approx(1.0, abs=1e-3)
    integral = quad(lambda x: at(x).density[0], -0.5, 2.0, epsabs=1e-10)[0]
    assert at(2.0).cumulative[0] - at(-0.5).cumulative[0] == pytest.approx(integral, abs=1e-7)
    h = 1e-4
    assert at(0.7).slope[0] == pytest.approx((at(0.7 + h).density[0] - at(0.7 - h).density[0]) / (2 * h), rel=1e-5)

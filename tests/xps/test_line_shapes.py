from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import least_squares

from depthlock.model.line_shapes import parse_shape
from depthlock.xps.evaluation import line_shape
from depthlock.xps.model_kernel import pseudo_voigt_lines
from depthlock.xps.shapes import pseudo_voigt, pseudo_voigt_density, shirley_step
from depthlock.xps.tabulated import nearest_la, tabulated_line


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


SHAPES = (
    "pseudo_voigt",
    "voigt",
    "gl_product",
    "SGL(30)",
    "GL(30)",
    "LA(1.3,2.5,11)",
    "LA(1.53,243)",
    "LF(0.7,3,40,100)",
    "DS(0.1,120)",
)


def shape_at(name: str, x: np.ndarray, fwhm: float = 1.4, mixing: float = 0.37, tail: float = 0.6):
    return line_shape(name, x, np.array([fwhm]), mixing, tail)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_has_its_width_its_area_and_its_derivatives(name: str) -> None:
    x = np.linspace(-14.0, 14.0, 28001)
    shape = shape_at(name, x)
    above = x[shape.density >= 0.5 * shape.density.max()]
    assert above[-1] - above[0] == pytest.approx(1.4, abs=0.003)
    ends = shape_at(name, np.array([-1e5, 1e5])).cumulative
    assert ends[1] - ends[0] == pytest.approx(1.0, abs=1e-3)
    running = np.concatenate([[0.0], np.cumsum(0.5 * (shape.density[1:] + shape.density[:-1])) * 1e-3])
    assert shape.cumulative - shape.cumulative[0] == pytest.approx(running, abs=2e-6)
    # Within 9 eV: a Doniach-Sunjic line ends where its area is said to end.
    inner = np.abs(x[1:-1]) < 9.0
    differences = (shape.density[2:] - shape.density[:-2]) / 2e-3
    assert shape.slope[1:-1][inner] == pytest.approx(differences[inner], abs=3e-4)


@pytest.mark.parametrize("name", ["pseudo_voigt", "voigt", "gl_product"])
def test_derivatives_to_the_mixing(name: str) -> None:
    x = np.linspace(-6.0, 6.0, 301)
    shape, more, less = shape_at(name, x), shape_at(name, x, mixing=0.371), shape_at(name, x, mixing=0.369)
    assert shape.mixing_density == pytest.approx((more.density - less.density) / 2e-3, abs=1e-5)
    assert shape.mixing_cumulative == pytest.approx((more.cumulative - less.cumulative) / 2e-3, abs=1e-5)


def test_derivatives_to_the_share_of_short_tails() -> None:
    x = np.linspace(-6.0, 6.0, 301)
    shape, more, less = (shape_at("pseudo_voigt", x, tail=tail) for tail in (0.6, 0.7, 0.5))
    assert shape.tail_density == pytest.approx((more.density - less.density) / 0.2, abs=1e-12)
    assert shape.tail_cumulative == pytest.approx((more.cumulative - less.cumulative) / 0.2, abs=1e-12)


def test_short_tails_make_a_voigt_line_and_casaxps_la() -> None:
    """Which a plain sum of Gaussian and Lorentzian misses by 1 and 2 % of the area."""
    x = np.linspace(-7.0, 7.0, 281)
    for name, mixing in (("voigt", 0.15), ("LA(1.53,243)", 0.0)):
        aim = shape_at(name, x, 1.0, mixing).density

        def misfit(p: np.ndarray, aim: np.ndarray = aim, share: float | None = None) -> np.ndarray:
            shape = shape_at("pseudo_voigt", x, p[1], p[2], p[3] if share is None else share)
            return (p[0] * shape.density + p[4] - aim) / np.sqrt(aim + 0.02)

        start, bounds = [1.0, 1.0, 0.3, 0.5, 0.0], ([0, 0.5, 0, 0, -1], [2, 2, 1, 1, 1])
        assert least_squares(misfit, start, bounds=bounds).x[0] == pytest.approx(1.0, abs=0.002)
        assert least_squares(misfit, start, bounds=bounds, kwargs={"share": 0.0}).x[0] > 1.007


@pytest.mark.parametrize(("mixing", "tail"), [(0.3, 1.0), (0.2, 0.4), (0.5, 0.6)])
def test_nearest_line_of_casaxps(mixing: float, tail: float) -> None:
    x = np.linspace(-6.0, 6.0, 241)
    aim = shape_at("pseudo_voigt", x, 1.0, mixing, tail).density
    found = shape_at(nearest_la(mixing, tail), x, 1.0).density
    assert np.abs(found - aim).max() < 0.012 * aim.max()
    assert np.abs(shape_at("SGL(30)", x, 1.0).density - aim).max() > np.abs(found - aim).max()


def test_compiled_lines_are_the_plain_ones() -> None:
    rng = np.random.default_rng(2)
    energy = np.linspace(680.0, 700.0, 157)
    place, width = rng.uniform(682.0, 698.0, (2, 5)), rng.uniform(0.6, 2.5, (2, 5))
    mixing, tail = np.array([0.0, 0.2, 0.5, 1.0, 0.4]), np.array([0.0, 0.3, 1.0, 0.7, 0.0])
    found = pseudo_voigt_lines(energy, place, width, mixing, tail, derivatives=True)
    plain = pseudo_voigt(energy - place[:, :, None], width[:, :, None], mixing[:, None], tail[:, None])
    for column in fields(plain):
        assert getattr(found, column.name) == pytest.approx(getattr(plain, column.name), abs=2e-6), column.name
    short = pseudo_voigt_lines(energy, place, width, mixing, tail, derivatives=False)
    assert np.array_equal(short.density, found.density)
    assert np.array_equal(short.cumulative, found.cumulative)


@pytest.mark.parametrize("name", ["voigt", "gl_product"])
def test_families_end_in_a_gaussian_and_a_lorentzian(name: str) -> None:
    x = np.linspace(-5.0, 5.0, 101)
    for mixing in (0.0, 1.0):
        expected = pseudo_voigt(x, np.array([1.4]), np.array([mixing]))
        found = shape_at(name, x, mixing=mixing)
        assert found.density == pytest.approx(expected.density, abs=3e-4)
        assert found.cumulative == pytest.approx(expected.cumulative, abs=3e-4)


@pytest.mark.parametrize("name", ["LA(1.3,2.5,11)", "DS(0.1,120)", "LF(0.7,3,40,100)"])
def test_tails_lie_at_high_binding_energy(name: str) -> None:
    low, high = shape_at(name, np.array([-4.0, 4.0])).density
    assert high > 2.0 * low


def test_sgl_states_the_share_of_the_height() -> None:
    at_five = shape_at("SGL(30)", np.array([0.0, 7.0])).density
    # Five widths away only the Lorentzian is left: 0.3/(1 + 4 x 25).
    assert at_five[1] / at_five[0] == pytest.approx(0.3 / 101.0, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gauss", "expected one of pseudo_voigt"),
        ("LA(1.5)", "has 1 numbers"),
        ("LA(0.3,40)", "exponents"),
        ("SGL(130)", "between 0 and 100"),
        ("DS(x,3)", "no number"),
        ("LA(1.5,900)", "between 0 and 499"),
    ],
)
def test_wrong_shapes_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_shape(text)

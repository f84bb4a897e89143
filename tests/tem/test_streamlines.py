import numpy as np
import pytest

from depthlock.tem.streamlines import streamline_lengths


def _line(x, y):
    return np.column_stack([y, x])


def test_between_parallel_lines_it_is_their_distance():
    x = np.arange(0, 30, 0.5)
    tilt = np.deg2rad(20)
    normal = np.array([np.cos(tilt), -np.sin(tilt)])
    inner = _line(x * np.cos(tilt), x * np.sin(tilt))
    assert streamline_lengths(inner, inner + 6.0 * normal) == pytest.approx(6.0, abs=1e-6)


def test_between_circles_it_is_the_difference_of_the_radii():
    angle = np.linspace(0.3, 2.8, 80)
    circle = np.column_stack([np.sin(angle), np.cos(angle)])
    assert streamline_lengths(12 * circle, 18 * circle) == pytest.approx(6.0, abs=0.01)


def test_in_a_wedge_it_is_the_arc():
    x = np.arange(20, 50, 0.5)
    opening = np.deg2rad(14)
    # Opposite points lie on one normal of the inner line; the streamline from x is the arc of radius x.
    found = streamline_lengths(_line(x, 0 * x), _line(x, x * np.tan(opening)))
    assert found[20:-20] == pytest.approx(x[20:-20] * opening, rel=3e-3)


def test_over_a_bump_it_is_longer_than_the_gap_beside_it_and_shorter_than_the_chord():
    x = np.arange(0, 40, 0.25)
    bump = 6.0 + 2.0 * np.exp(-(((x - 20) / 1.0) ** 2))
    found = streamline_lengths(_line(x, 0 * x), _line(x, bump))
    assert found[:40] == pytest.approx(6.0, abs=0.05)
    # A field line that starts below the bump ends on it or beside it, never beyond.
    assert 6.5 < found[80] <= 8.01
    assert found.mean() == pytest.approx(bump.mean(), rel=0.05)


def test_lines_that_touch_have_their_distance():
    x = np.arange(0, 10, 0.5)
    assert streamline_lengths(_line(x, 0 * x), _line(x, 0.2 * x)) == pytest.approx(0.2 * x)

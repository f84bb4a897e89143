"""Means over several patterns: coverage of the mean and of the spread, what adds up, and what has no mean."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.diffraction.combination import combine, mean_of
from depthlock.diffraction.measured import UNITS, Measured


def measured(names: tuple[str, ...] = ("001", "110"), flag: str = "", **values: tuple[float, float]) -> Measured:
    """A pattern whose reflections all have the values (value, std) by quantity, 1 -+ 0.1 where not given."""
    n = len(names)
    given = {name: values.get(name, (0.5, 0.1)) for name in UNITS}
    return Measured(
        list(names), {name: np.full(n, value) for name, (value, _) in given.items()},
        {name: np.full(n, std) for name, (_, std) in given.items()}, {name: [flag] * n for name in UNITS},
        np.arange(3.0), np.zeros((n, 3)), np.zeros((n, 3)),
    )  # fmt: skip


@pytest.mark.parametrize("spread", [0.0, 4.0])
def test_intervals_hold_the_mean_and_the_spread(spread: float) -> None:
    rng = np.random.default_rng(1)
    held, between = [], []
    for _ in range(200):
        stds = rng.uniform(0.5, 1.5, 4)
        mean = mean_of(5.0 + np.hypot(spread, stds) * rng.normal(size=4), stds)
        held.append(abs(mean.value - 5.0) <= mean.factor * mean.std)
        between.append(mean.between_lower <= spread <= mean.between_upper)
    assert 0.9 <= np.mean(held) <= 0.99
    assert 0.9 <= np.mean(between) <= 0.995


def test_equal_values_are_a_weighted_mean() -> None:
    mean = mean_of(np.array([1.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.2]))
    assert (mean.value, mean.between, mean.differ) == (pytest.approx(1.0), 0.0, False)
    assert mean.std == pytest.approx((1 / 0.01 + 2 / 0.04) ** -0.5)
    assert mean.factor == pytest.approx(1.96, abs=1e-3)


def test_patterns_that_differ_are_told_and_widen_the_interval() -> None:
    found = combine([measured(texture_share=(value, 0.01)) for value in (0.2, 0.3, 0.5)], [True] * 3)
    share, spread = found.quantities["texture_share"].arrays(), found.between["texture_share"].arrays()
    assert found.quantities["texture_share"].flags().tolist() == ["patterns_differ"] * 2
    assert share[""][0] == pytest.approx(1 / 3, abs=0.01)
    assert share["upper"][0] - share["lower"][0] > 0.5
    assert spread["lower"][0] < spread[""][0] < spread["upper"][0]
    assert spread[""][0] == pytest.approx(np.std([0.2, 0.3, 0.5], ddof=1), abs=0.005)


def test_counts_add_up() -> None:
    found = combine([measured(reflection_counts=(100.0, 30.0)), measured(reflection_counts=(50.0, 40.0))], [True] * 2)
    counts = found.quantities["reflection_counts"].arrays()
    assert counts[""].tolist() == [150.0, 150.0]
    assert counts["std"].tolist() == [50.0, 50.0]


def test_what_has_no_mean_is_told() -> None:
    mixed = combine([measured(), measured()], [True, False])
    assert mixed.quantities["texture_share"].flags().tolist() == ["geometries_differ"] * 2
    assert np.isfinite(mixed.quantities["reflection_spacing"].arrays()[""]).all()
    others = combine([measured(), measured(("001",))], [True, True])
    assert set(others.quantities["texture_share"].flags()) == {"reflections_differ"}
    assert others.quantities["reflection_width"].flags().tolist() == ["", "patterns_left_out"]
    assert others.between["reflection_width"].flags()[1] == "patterns_left_out;too_few_patterns"


def test_a_ring_detected_once_is_detected() -> None:
    found = combine([measured(flag="not_detected"), measured()], [True, True])
    assert set(found.quantities["texture_share"].flags()) == {""}
    found = combine([measured(flag="not_detected")] * 2, [True, True])
    assert set(found.quantities["texture_share"].flags()) == {"not_detected"}


def test_directions_in_transmission_go_around() -> None:
    found = combine([measured(orientation_angle=(value, 1.0)) for value in (179.0, 1.0)], [False, False])
    angle = found.quantities["orientation_angle"].arrays()[""][0]
    assert angle % 180.0 == pytest.approx(0.0, abs=1e-6) or angle % 180.0 == pytest.approx(180.0, abs=1e-6)

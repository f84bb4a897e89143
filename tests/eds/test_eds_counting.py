"""Poisson intervals of counts and of counts above a background."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.counting import Counted, poisson_interval


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_plain_counts_have_garwoods_interval(count: int, low: float, high: float) -> None:
    found = poisson_interval(np.array([float(count)]), np.array([float(count)]))
    assert found[0][0] == pytest.approx(low, abs=2e-3)
    assert found[1][0] == pytest.approx(high, rel=2e-3)


@pytest.mark.parametrize(("line", "background"), [(1.0, 0.5), (4.0, 3.0), (30.0, 10.0)])
def test_net_counts_are_covered(line: float, background: float) -> None:
    rng = np.random.default_rng(1)
    # The background is measured in a window of twice the width, and counts half.
    signal = rng.poisson(line + background, 20000).astype(float)
    beside = rng.poisson(2.0 * background, 20000).astype(float)
    low, high = Counted(signal, signal, 0.5 * beside, 0.25 * beside).interval()
    assert 0.945 <= np.mean((low <= line) & (line <= high)) <= 0.998


def test_bins_add_up_as_five_lines_do() -> None:
    rng = np.random.default_rng(2)
    values = rng.poisson(3.0, (2, 5, 6)).astype(float)
    index = rng.integers(-1, 4, (5, 6))
    found = Counted(values, values, 0 * values, 0 * values).summed(index, 4)
    for element in range(2):
        for number in range(4):
            assert found.net[element, number] == values[element][index == number].sum()

"""Grids of m/z values: found where there is one, and not where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthlock.readers.mass_grid import free_grid, own_grid


def test_no_grid_in_free_masses() -> None:
    roots = np.sort(np.random.default_rng(0).uniform(1, 12, 3000))
    assert own_grid(roots, 1e-12) is None
    assert own_grid(roots[:20], 1e-12) is None


@settings(max_examples=40)
@given(step=st.floats(1e-5, 1e-3), start=st.floats(0.5, 3.0), seed=st.integers(0, 10**6))
def test_grids_are_found(step: float, start: float, seed: int) -> None:
    index = np.unique(np.random.default_rng(seed).integers(0, 3000, 900))
    roots = start + step * index
    found = own_grid(roots, 1e-12)
    assert found is not None
    assert found.step == pytest.approx(step, rel=1e-6)
    assert np.array_equal(np.diff(found.bins(roots**2)), np.diff(index))


def test_the_free_grid_is_fine() -> None:
    grid = free_grid()
    for mass, ppm in ((1.0, 10.0), (100.0, 1.0)):
        low, high = ((grid.bins(np.array([mass]))[0] + step) * grid.step for step in (-0.5, 0.5))
        assert (high**2 - low**2) / mass == pytest.approx(ppm * 1e-6, rel=1e-3)
        assert low**2 <= mass <= high**2
    assert grid.slope * 1e-6 * grid.width_ps == pytest.approx(grid.step)

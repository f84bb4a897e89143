"""First guesses: linear solutions at given shapes, and the path of charge shifts over the levels."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import options, simulate
from scipy.optimize import nnls

from depthlock.xps.assign import assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.charge import GUESS_STEP_PER_AREA, linear_levels, search_shifts, unit_columns
from depthlock.xps.fit import make_weights, smoothed
from depthlock.xps.windows import clean_window


@pytest.fixture(scope="module")
def problem():
    series = simulate(5, levels=6, step=0.2)
    windows = [clean_window(key, block, np.arange(6), 6) for key, block in series.spectra.items()]
    blocks, shared = build_blocks(assign_regions(windows, options().regions), "active_shirley")
    return series, blocks, shared, [make_weights(block, smoothed(block.rate), 1.0) for block in blocks]


def test_levels_at_once_are_non_negative_least_squares_one_by_one(problem) -> None:
    series, blocks, shared, weights = problem
    for block, weight in zip(blocks, weights, strict=True):
        columns = unit_columns(block, shared.mean, series.shift)
        values, chi_square = linear_levels(block, columns, weight)
        used = np.flatnonzero(np.any(block.straight != 0.0, axis=0))
        for level in range(6):
            root = np.sqrt(weight[level])
            straight = block.straight[:, used] * root[:, None]
            design = np.column_stack([columns[level] * root[:, None], straight, -straight])
            expected, norm = nnls(design, block.rate[level] * root)
            assert chi_square[level] == pytest.approx(norm**2, rel=2e-3)
            areas = expected[: block.components]
            assert values[level, : block.components] == pytest.approx(areas, abs=0.02 * areas.max())
        assert np.all(values[:, -block.regions :] == GUESS_STEP_PER_AREA)


def test_shifts_are_found_within_the_grid(problem) -> None:
    series, blocks, shared, weights = problem
    assert search_shifts(blocks, shared.mean, weights) == pytest.approx(series.shift, abs=0.3)

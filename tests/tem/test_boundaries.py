from itertools import product

import numpy as np
import pytest

from depthlock.tem.boundaries import ordered_boundaries


def _naive(inner, outer, gap, reach, stiffness):
    best = -np.inf
    n_s, n_v = inner.shape
    for i in product(range(n_v), repeat=n_s):
        for j in product(range(n_v), repeat=n_s):
            if any(b < a + gap for a, b in zip(i, j, strict=True)):
                continue
            steps = np.concatenate([np.diff(i), np.diff(j)])
            if np.abs(steps).max(initial=0) > reach:
                continue
            score = sum(inner[s, i[s]] + outer[s, j[s]] for s in range(n_s)) - stiffness * (steps**2).sum()
            best = max(best, score)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_same_as_trying_everything(seed):
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(0, 2, (3, 5)), rng.normal(0, 2, (3, 5))
    i, j, score = ordered_boundaries(inner, outer, least_gap=1, reach=2, stiffness=0.4)
    assert score == pytest.approx(_naive(inner, outer, 1, 2, 0.4))
    own = inner[np.arange(3), i].sum() + outer[np.arange(3), j].sum()
    own -= 0.4 * ((np.diff(i) ** 2).sum() + (np.diff(j) ** 2).sum())
    assert own == pytest.approx(score)
    assert np.all(j >= i + 1)
    assert np.abs(np.diff(i)).max() <= 2


@pytest.mark.parametrize("seed", range(4))
def test_points_not_to_be_looked_at_are_no_answer(seed):
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(0, 2, (3, 5)), rng.normal(0, 2, (3, 5))
    inner[:, [0, 3, 4]] = -np.inf
    i, j, score = ordered_boundaries(inner, outer, least_gap=1, reach=2, stiffness=0.4)
    assert score == pytest.approx(_naive(inner, outer, 1, 2, 0.4))
    assert set(i) <= {1, 2}
    assert np.all(j >= i + 1)


def test_a_blind_column_follows_its_neighbours():
    score = np.full((9, 30), -5.0)
    score[:, 10] = 0.0
    score[4] = 0.0
    outer = np.full((9, 30), -5.0)
    outer[:, 20] = 0.0
    i, j, _ = ordered_boundaries(score, outer, least_gap=2, reach=3, stiffness=0.5)
    assert np.all(i == 10)
    assert np.all(j == 20)

import numpy as np
import pytest

from depthlock.tem.edge_profile import Shift
from depthlock.tem.posterior import sample_boundary


def _boundary(rng, step, noise, columns=80):
    true = np.cumsum(rng.normal(0, step, columns))
    true -= true.mean()
    depth = np.arange(true.min() - 2, true.max() + 2, 0.05)
    seen = true + rng.normal(0, noise, columns)
    return true, depth, -0.5 * ((depth[None] - seen[:, None]) / noise) ** 2


@pytest.mark.parametrize(("step", "noise"), [(0.1, 0.2), (0.2, 0.1), (0.05, 0.3)])
def test_error_and_spread_are_those_of_the_draws(step, noise):
    rng = np.random.default_rng(5)
    scaled, spreads = [], []
    for _ in range(12):
        true, depth, score = _boundary(rng, step, noise)
        posterior = sample_boundary(score, depth, 100, rng)
        scaled.append((posterior.mean - true) / posterior.samples.std(axis=0))
        spreads.append(posterior.samples.std(axis=1).mean() / true.std())
    assert np.sqrt(np.mean(np.square(scaled))) == pytest.approx(1.0, abs=0.15)
    # Noise of 0.3 nm does not widen the distribution: it is part of the posterior.
    assert np.mean(spreads) == pytest.approx(1.0, abs=0.08)


def test_a_shift_moves_every_draw_and_adds_its_error():
    rng = np.random.default_rng(1)
    _, depth, score = _boundary(rng, 0.1, 0.1)
    posterior = sample_boundary(score, depth, 400, rng)
    moved = posterior.shifted(Shift(0.3, 0.05, 0.0), rng)
    moves = (moved.samples - posterior.samples)[:, 0]
    assert moves.mean() == pytest.approx(0.3, abs=0.01)
    assert moves.std() == pytest.approx(0.05, rel=0.15)
    assert np.ptp(moved.samples - posterior.samples, axis=1).max() < 1e-9

import numpy as np
import pytest

from depthlock.tem.edge_profile import Shift
from depthlock.tem.posterior import _compiled, _filter, _kernel, _likelihood, sample_boundary


def _boundary(rng, step, noise, columns=80, excess=1.0):
    """A random walk, and scores that say `noise` where it is `excess` times as large."""
    true = np.cumsum(rng.normal(0, step, columns))
    true -= true.mean()
    depth = np.arange(true.min() - 2, true.max() + 2, 0.05)
    seen = true + rng.normal(0, noise * excess, columns)
    return true, depth, -0.5 * ((depth[None] - seen[:, None]) / noise) ** 2


def _scaled_and_spread(rng, *settings, **more):
    scaled, spreads = [], []
    for _ in range(15):
        true, depth, score = _boundary(rng, *settings, **more)
        posterior = sample_boundary(score, depth, 100, rng)
        scaled.append((posterior.mean - true) / posterior.samples.std(axis=0))
        spreads.append(posterior.samples.std(axis=1).mean() / true.std())
    return float(np.sqrt(np.mean(np.square(scaled)))), float(np.mean(spreads))


@pytest.mark.parametrize(("step", "noise"), [(0.1, 0.2), (0.2, 0.1), (0.05, 0.3)])
def test_error_and_spread_are_those_of_the_draws(step, noise):
    scaled, spread = _scaled_and_spread(np.random.default_rng(5), step, noise)
    assert scaled == pytest.approx(1.0, abs=0.2)
    # Noise of 0.3 nm does not widen the distribution: it is part of the posterior.
    assert spread == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(("step", "noise"), [(0.03, 0.05), (0.05, 0.1)])
def test_scatter_beyond_what_the_scores_say_is_no_roughness(step, noise):
    scaled, spread = _scaled_and_spread(np.random.default_rng(6), step, noise, excess=2.5)
    assert scaled == pytest.approx(1.0, abs=0.2)
    assert spread == pytest.approx(1.0, abs=0.12)
    true, depth, score = _boundary(np.random.default_rng(7), step, noise, columns=200, excess=2.5)
    posterior = sample_boundary(score, depth, 50, np.random.default_rng(8))
    assert 4.0 <= posterior.scatter <= 8.0
    assert np.std(posterior.mean - true) < 1.5 * noise


def test_the_compiled_filter_is_the_plain_one():
    rng = np.random.default_rng(9)
    score = rng.normal(0, 2, (6, 9))
    kernel, norm = _kernel(0.05, 0.03, 9)
    place = np.arange(9)
    transition = kernel[place[:, None] - place[None] + 8] / norm
    assert transition.sum(axis=0) == pytest.approx(1.0)
    likelihood = _likelihood(score, 2.0, 0.03)
    probability, evidence, expected = np.full(9, 1 / 9), 0.0, []
    for column, row in enumerate(likelihood):
        here = (transition @ probability if column else probability) * row
        evidence += np.log(here.sum())
        probability = here / here.sum()
        expected.append(probability)
    filtered = np.empty(score.shape)
    assert _filter(likelihood, kernel, norm, filtered) == pytest.approx(evidence)
    assert filtered == pytest.approx(np.array(expected), abs=1e-6)
    index = np.empty((4000, 6), dtype=int)
    _compiled()[1](filtered / norm, kernel, rng.random(index.shape), index)
    assert np.bincount(index[:, -1], minlength=9) / 4000 == pytest.approx(filtered[-1], abs=0.04)
    backward = [filtered[-1]]
    for row in filtered[-2::-1]:
        joint = row[:, None] * transition.T
        backward.append(joint / joint.sum(axis=0) @ backward[-1])
    assert np.bincount(index[:, 0], minlength=9) / 4000 == pytest.approx(backward[-1], abs=0.04)


def test_a_shift_moves_every_draw_and_adds_its_error():
    rng = np.random.default_rng(1)
    _, depth, score = _boundary(rng, 0.1, 0.1)
    posterior = sample_boundary(score, depth, 400, rng)
    moved = posterior.shifted(Shift(0.3, 0.05, 0.0), rng)
    moves = (moved.samples - posterior.samples)[:, 0]
    assert moves.mean() == pytest.approx(0.3, abs=0.01)
    assert moves.std() == pytest.approx(0.05, rel=0.15)
    assert np.ptp(moved.samples - posterior.samples, axis=1).max() < 1e-9

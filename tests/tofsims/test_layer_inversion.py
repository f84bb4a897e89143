import numpy as np
import pytest
from scipy.special import ndtr

from depthlock.tofsims.layer_inversion import invert
from depthlock.tofsims.quasi_poisson import CountData

SIGMA = 5.0


def gaussian_blur(cells):
    edges = np.concatenate(([-1e3], np.arange(cells - 1) + 0.5, [1e3]))
    weights = -np.diff(ndtr((np.arange(cells)[:, None] - edges) / SIGMA), axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


def inverted(truth, seed=0):
    rng = np.random.default_rng(seed)
    blur = gaussian_blur(truth.size)
    counts = rng.poisson(blur @ truth).astype(float)
    return counts, invert(CountData(counts, np.ones(truth.size), np.zeros(truth.size) + 1e-9), [blur], SIGMA, 300, rng)


def test_two_layers_that_the_blur_merges_are_told_apart():
    x = np.arange(120)
    truth = 20.0 + 2000.0 * (np.exp(-0.5 * ((x - 50) / 2.0) ** 2) + np.exp(-0.5 * ((x - 64) / 2.0) ** 2))
    counts, found = inverted(truth)
    profile = np.median(found.samples, axis=0)
    assert counts[57] > 0.7 * counts[50]
    assert profile[57] < 0.45 * min(profile[48:53].max(), profile[61:67].max())
    assert (found.samples > 0).all()


def test_a_flat_profile_stays_flat():
    _, found = inverted(np.full(100, 300.0))
    profile = np.median(found.samples, axis=0)
    assert np.abs(profile / 300.0 - 1.0).max() < 0.05
    assert found.roughness < 0.2


def test_counts_are_neither_made_nor_lost():
    x = np.arange(120)
    truth = np.where((x > 30) & (x < 60), 400.0, 5.0)
    counts, found = inverted(truth, seed=3)
    assert np.median(found.samples, axis=0).sum() == pytest.approx(counts.sum(), rel=0.03)
    assert found.chi_square == pytest.approx(1.0, abs=0.4)


def test_more_scatter_than_counting_widens_the_samples():
    truth = np.full(100, 300.0)
    rng = np.random.default_rng(1)
    blur = gaussian_blur(100)
    noisy = np.maximum(300.0 + 60.0 * rng.standard_normal(100), 0.0)
    wide = invert(CountData(noisy, np.ones(100), np.zeros(100) + 1e-9), [blur], SIGMA, 300, rng)
    assert wide.chi_square == pytest.approx(12.0, rel=0.4)
    _, plain = inverted(truth)
    assert wide.samples.std(axis=0).mean() > 1.4 * plain.samples.std(axis=0).mean()

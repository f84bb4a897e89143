"""Measures of layer profiles on samples whose answers are known."""

import numpy as np
import pytest

from depthlock.fusion.measures import centroid_fraction, debiased, overlap_of, pair_measures, substrate_share


def _noisy(shape: np.ndarray, scatter: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    error = np.cumsum(random.standard_normal((300, shape.size)), axis=1) / np.sqrt(shape.size)
    return shape * np.exp(scatter * (error - error.mean(axis=1, keepdims=True)))


def test_exact_profiles() -> None:
    u = (np.arange(40) + 0.5) / 40
    falling, rising = np.tile(1 - u, (50, 1)), np.tile(u, (50, 1))
    numbers = pair_measures(falling, rising, np.full(50, 12.0), "", "")
    assert float(numbers["separation"].value) == pytest.approx(-4.0, abs=0.01)
    assert float(numbers["overlap"].value) == pytest.approx(0.5, abs=0.002)
    assert float(numbers["interlocking"].value) == pytest.approx(0.5 * (1 - 1 / 3), abs=0.002)
    assert centroid_fraction(falling)[0] == pytest.approx(1 / 3, abs=0.001)


def test_disjoint_profiles_are_stacked() -> None:
    first, second = np.zeros((20, 40)), np.zeros((20, 40))
    first[:, :10], second[:, 30:] = 1.0, 1.0
    numbers = pair_measures(first, second, np.full(20, 10.0), "", "")
    assert float(numbers["overlap"].value) == pytest.approx(0.0, abs=1e-12)
    assert float(numbers["separation"].value) == pytest.approx(-7.5)


def test_noise_does_not_part_two_equal_profiles() -> None:
    u = (np.arange(40) + 0.5) / 40
    shape = 1 + 0.3 * u
    shared = overlap_of(_noisy(shape, 0.1, 1), _noisy(shape, 0.1, 2))
    plain_upper = np.percentile(shared.samples, 97.5)
    quantity = debiased(shared.samples, shared.lowered, shared.may_be_one).arrays()
    assert shared.may_be_one
    assert plain_upper < 1.0 - 1e-4
    assert quantity["upper"] == 1.0
    assert quantity[""] > shared.samples.mean() + 0.5 * shared.lowered


def test_different_profiles_are_told_apart() -> None:
    u = (np.arange(40) + 0.5) / 40
    shared = overlap_of(_noisy(np.exp(-u), 0.05, 1), _noisy(np.exp(u), 0.05, 2))
    assert not shared.may_be_one
    truth = np.minimum(np.exp(-u) / np.exp(-u).sum(), np.exp(u) / np.exp(u).sum()).sum()
    quantity = debiased(shared.samples, shared.lowered, shared.may_be_one).arrays()
    assert quantity["lower"] < truth < quantity["upper"] < 0.9


def test_unknown_thickness_leaves_lengths_unknown_and_flagged() -> None:
    u = (np.arange(40) + 0.5) / 40
    layer = np.tile(u, (20, 1))
    numbers = pair_measures(layer, layer[:, ::-1], np.full(20, np.nan), "", "no_thickness")
    assert np.isnan(float(numbers["separation"].value))
    assert str(numbers["separation"].flags()) == "no_thickness"
    assert float(numbers["overlap"].value) == pytest.approx(0.5, abs=0.01)


def test_substrate_share_is_the_mean_level_over_the_plateau() -> None:
    assert substrate_share(np.array([[1.0, 3.0]]), np.array([20.0]))[0] == pytest.approx(0.1)

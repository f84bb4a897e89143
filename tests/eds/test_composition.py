"""Atomic percent after Cliff and Lorimer."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.composition import atomic_percent


def test_magnesium_fluoride_is_two_to_one() -> None:
    # Equal k-factors: counts as the weights, 24.305 to 2 x 18.998.
    counts = np.array([24.305, 37.997, 50.0])
    found = atomic_percent(("Mg", "F", "V"), counts * 100, counts * 100, {"Mg": 1.0, "F": 1.0}, 0.0)
    assert np.asarray(found.value)[:2] == pytest.approx([100 / 3, 200 / 3], abs=0.01)
    assert found.flags().tolist() == ["", "", "no_k_factor"]
    assert np.isnan(np.asarray(found.value)[2])


def test_errors_are_those_of_drawn_counts() -> None:
    rng = np.random.default_rng(1)
    true = np.array([400.0, 900.0])
    factors = {"Mg": 1.0, "F": 1.5}
    drawn = rng.poisson(true, (4000, 2)).astype(float)
    values = [np.asarray(atomic_percent(("Mg", "F"), one, one, factors, 0.0).value)[0] for one in drawn]
    told = np.asarray(atomic_percent(("Mg", "F"), true, true, factors, 0.0).std)[0]
    assert told == pytest.approx(np.std(values), rel=0.06)
    assert np.asarray(atomic_percent(("Mg", "F"), true, true, factors, 0.1).std)[0] > 2 * told


def test_nothing_counted_is_flagged() -> None:
    found = atomic_percent(("Mg",), np.array([0.0]), np.array([0.0]), {"Mg": 1.0}, 0.0)
    assert found.flags().tolist() == ["few_counts"]

"""Crystal, layer and outside as blurred slabs."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.slabs import Profiles, Slabs, boundary_interval, fit_boundary, levels, slab_shapes

DISTANCE = np.arange(-10.0, 25.0, 0.2)


def test_shares_add_up_and_are_those_of_blurred_boxes() -> None:
    slabs = Slabs(0.0, 0.7, 12.0, 0.7)
    shapes = slab_shapes(DISTANCE, slabs)
    assert shapes.sum(axis=1) == pytest.approx(1.0)
    fine = np.arange(-20.0, 35.0, 0.01) + 0.005
    rising = np.where((fine > 0) & (fine < 12), fine / 12.0, 0.0)
    for number in (40, 55, 100, 112):
        weight = np.exp(-0.5 * ((fine - DISTANCE[number]) / 0.7) ** 2)
        assert shapes[number, 2] == pytest.approx(weight @ rising / weight.sum(), abs=2e-3)


def test_an_open_layer_reaches_to_the_end() -> None:
    shapes = slab_shapes(DISTANCE, Slabs(0.0, 0.7, np.inf, 0.7))
    assert shapes[-1] == pytest.approx([0.0, 0.0, 1.0, 0.0], abs=1e-3)


def profiles(seed: int, counts: float) -> tuple[Profiles, Slabs]:
    true = Slabs(0.3, 0.6, 11.7, 0.9)
    pixels = np.full(DISTANCE.size, 20.0)
    amounts = np.array([[2.0, 0.1, 0.1, 0.0], [0.1, 1.5, 0.9, 0.05]]) * counts
    expected = amounts @ (slab_shapes(DISTANCE, true) * pixels[:, None]).T
    drawn = np.random.default_rng(seed).poisson(expected).astype(float)
    return Profiles(DISTANCE, pixels, drawn, np.ones(2)), true


def test_levels_are_found() -> None:
    told, true = profiles(0, 50.0)
    assert levels(told, true)[0] == pytest.approx([100.0, 5.0, 5.0, 0.0], abs=2.5)


def test_places_are_covered() -> None:
    inside = {"inner": [], "outer": []}
    for seed in range(12):
        told, true = profiles(seed, 0.6)
        slabs = Slabs(0.0, 1.0, 11.0, 1.0)
        for _ in range(2):
            slabs = fit_boundary(told, slabs, "inner", 0.4)
            slabs = fit_boundary(told, slabs, "outer", 0.4)
        for which in ("inner", "outer"):
            found = boundary_interval(told, slabs, which, 0.4).position
            inside[which].append(float(found.lower) <= getattr(true, which) <= float(found.upper))
            assert abs(float(found.value) - getattr(true, which)) < 0.6
    for which, hits in inside.items():
        assert sum(hits) >= 9, (which, sum(hits))

"""Uniformity against shuffled blocks: false alarms as often as promised, patches seen, the excess unbiased."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.counting import Counted
from depthlock.eds.uniformity import Uniformity, measure_uniformity
from depthlock.simulate.lateral import smooth_field

INSIDE = np.zeros((60, 96), dtype=bool)
INSIDE[12:42] = True


def measured(level: float, patches: float, seed: int) -> tuple[Uniformity, float]:
    rng = np.random.default_rng(seed)
    mean = level * np.maximum(1.0 + patches * smooth_field((60, 96), 8.0, rng), 0.0)
    counts = rng.poisson(mean).astype(float)
    zero = np.zeros_like(counts)
    found = measure_uniformity(Counted(counts, counts, zero, zero), INSIDE, shuffles=40, block=1, rng=rng)
    return found, float(mean[INSIDE].var() / mean[INSIDE].mean() ** 2)


@pytest.mark.parametrize("level", [0.1, 0.5, 3.0, 20.0])
def test_an_even_element_is_called_uneven_one_time_in_twenty(level: float) -> None:
    z = np.array([float(measured(level, 0.0, seed)[0].z.value) for seed in range(40)])
    assert abs(z.mean()) < 0.4
    # 40 times 5 % are 2; 8 or more happen one time in 1000.
    assert np.sum(np.abs(z) > 1.96) <= 7


@pytest.mark.parametrize("level", [0.3, 2.0])
def test_patches_are_seen_and_their_size_is_right(level: float) -> None:
    pairs = [measured(level, 0.4, seed) for seed in range(15)]
    assert np.mean([float(one.z.value) > 1.96 for one, _ in pairs]) > 0.9
    excess = np.array([float(one.excess.value) for one, _ in pairs])
    true = np.array([truth for _, truth in pairs])
    # Cells average over a part of the patches.
    assert excess.mean() == pytest.approx(true.mean(), rel=0.15)


def test_a_plain_coefficient_of_variation_would_cry_wolf() -> None:
    found, _ = measured(0.5, 0.0, 1)
    assert abs(float(found.excess.value)) < 0.1, "std/mean of 0.5 counts a pixel is 1.4 by counting alone"


def test_too_little_is_said() -> None:
    zero = np.zeros((60, 96))
    rng = np.random.default_rng(0)
    nothing = measure_uniformity(Counted(zero, zero, zero, zero), INSIDE, shuffles=20, block=1, rng=rng)
    assert nothing.excess.flag == "few_counts"
    thin = np.zeros_like(INSIDE)
    thin[20] = True
    ones = np.ones((60, 96))
    narrow = measure_uniformity(Counted(ones, ones, zero, zero), thin, shuffles=20, block=1, rng=rng)
    assert narrow.z.flag == "few_blocks"

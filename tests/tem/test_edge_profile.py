import numpy as np
import pytest
from scipy.special import ndtr

from depthlock.tem.edge_profile import PRIOR, STRAY, boundary_shift

DEPTH = np.arange(-4, 5, 0.05)


def _brightness(shift, fringe, noise=0.03, columns=60, seed=0):
    at = DEPTH - shift
    wave = fringe * np.exp(-np.abs(at)) * np.cos(np.pi * at**2 / 0.2)
    profile = 0.85 + 0.15 * ndtr(at / 0.15) + wave
    return profile[:, None] + np.random.default_rng(seed).normal(0, noise, (DEPTH.size, columns))


@pytest.mark.parametrize(("shift", "fringe"), [(0.0, 0.0), (0.15, 0.0), (-0.2, 0.05), (0.12, 0.08)])
def test_shift_is_found_with_and_without_a_fringe(shift, fringe):
    errors = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        brightness = _brightness(shift, fringe, seed=seed)
        found = boundary_shift(brightness, DEPTH, np.zeros(60), np.ones(60, bool), (-4, 4), rng)
        errors.append(found.value - shift)
        assert found.std < 0.07
        if fringe:
            assert found.fringe > 0.9
    assert np.abs(np.mean(errors)) < 0.05


def test_no_step_no_shift():
    flat = np.random.default_rng(1).normal(1, 0.05, (DEPTH.size, 60))
    found = boundary_shift(flat, DEPTH, np.zeros(60), np.ones(60, bool), (-4, 4), np.random.default_rng(0))
    assert abs(found.value) < 0.06
    assert found.std > 0.5 * PRIOR


def test_too_thin_a_layer_is_left_alone():
    rng = np.random.default_rng(0)
    found = boundary_shift(_brightness(0.2, 0), DEPTH, np.zeros(60), np.ones(60, bool), (-0.5, 4), rng)
    assert (found.value, found.std) == (0.0, PRIOR)


@pytest.mark.parametrize(("shift", "fringe"), [(0.55, 0.0), (-0.6, 0.08)])
def test_a_stray_path_is_brought_back(shift, fringe):
    rng = np.random.default_rng(0)
    found = boundary_shift(_brightness(shift, fringe), DEPTH, np.zeros(60), np.ones(60, bool), (-4, 4), rng)
    assert abs(found.value - shift) < 0.08
    assert abs(found.value - shift) < 2.5 * found.std


def test_a_step_out_of_reach_is_an_error_bar_and_no_silence():
    rng = np.random.default_rng(0)
    found = boundary_shift(_brightness(1.4, 0), DEPTH, np.zeros(60), np.ones(60, bool), (-4, 4), rng)
    assert (found.value, found.std) == (0.0, STRAY)

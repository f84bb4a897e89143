import numpy as np
import pytest

from depthlock.tofsims.exports import find_pulses, incomplete_ends, invert_dead_time


def exported(pulses, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(50, 1500, size=(5, 1)), size=(5, 80))
    values = -pulses * np.log1p(-counts / pulses)
    # Six digits, as SurfaceLab prints.
    return np.array([[float(f"{value:.6g}") for value in row] for row in values])


@pytest.mark.parametrize("pulses", [64**2, 128**2, 256**2])
def test_the_pulses_are_found(pulses):
    assert find_pulses(exported(pulses)) == pulses


def test_counts_that_were_never_corrected_have_no_pulses():
    assert find_pulses(np.random.default_rng(1).poisson(500, size=(5, 80)).astype(float)) is None
    assert find_pulses(np.random.default_rng(1).uniform(40, 1500, size=(5, 80))) is None


def test_inversion_is_the_inverse():
    counts = np.arange(0.0, 900.0, 50.0)
    assert invert_dead_time(-1000 * np.log1p(-counts / 1000), 1000) == pytest.approx(counts)


def test_an_incomplete_row_is_found():
    table = np.random.default_rng(0).poisson(50, size=(20, 60)).astype(float)
    table[:18, -1] = 0
    assert incomplete_ends(table) == (0, 1)
    assert incomplete_ends(table[:, :-1]) == (0, 0)

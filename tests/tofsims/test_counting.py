import numpy as np
import pytest

from depthlock.tofsims.counting import correct_dead_time, peak_variance


def naive(counts, pulses, dead):
    corrected = []
    for c in range(len(counts)):
        live = pulses - sum(counts[max(c - dead, 0) : c])
        corrected.append(-pulses * np.log(1 - counts[c] / live))
    return corrected


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_naive_formula(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, size=(3, 20))
    pulses = rng.integers(200, 400, size=3)
    dead = int(rng.integers(0, 12))
    result = correct_dead_time(counts, pulses, dead)
    for row in range(3):
        assert result.ions[row] == pytest.approx(naive(list(counts[row]), pulses[row], dead), rel=1e-12)
    assert not result.saturated


def test_golden_values():
    # 300 of 1000 pulses in the first channel, 140 of the 700 that are left in the second.
    result = correct_dead_time(np.array([[300, 140]]), np.array([1000]), dead_channels=5)
    assert result.ions[0] == pytest.approx([-1000 * np.log(0.7), -1000 * np.log(0.8)])
    assert result.variance[0, 0] == pytest.approx(1000 * (np.exp(0.35667494) - 1), rel=1e-6)


def test_a_full_channel_is_told():
    assert correct_dead_time(np.array([[10, 0]]), np.array([10]), 3).saturated


def test_unbiased_with_the_stated_variance_at_thirty_percent_loss():
    rng = np.random.default_rng(3)
    pulses, runs, channels, dead = 400, 3000, 12, 40
    rate = 0.6 * np.exp(-0.5 * ((np.arange(channels) - 5) / 2.0) ** 2)
    rate *= 0.7 / rate.sum()
    # First ion of each pulse only: the dead time outlasts the peak.
    first = rng.random((runs, pulses))
    edges = 1 - np.exp(-np.cumsum(rate))
    counts = np.stack([np.histogram(row, bins=np.concatenate([[0.0], edges]))[0] for row in first])
    result = correct_dead_time(counts, np.full(runs, pulses), dead)
    totals = result.ions.sum(axis=1)
    assert counts.sum(axis=1).mean() < 0.75 * pulses * rate.sum()
    assert totals.mean() == pytest.approx(pulses * rate.sum(), abs=4 * totals.std() / np.sqrt(runs))
    assert totals.var() == pytest.approx(float(peak_variance(np.array([280.0]), np.array([400.0]))[0]), rel=0.09)
    assert result.variance.sum(axis=1).mean() == pytest.approx(totals.var(), rel=0.09)
    # Channels are uncorrelated although the dead time links them.
    assert abs(np.corrcoef(result.ions[:, 4], result.ions[:, 6])[0, 1]) < 0.06


def test_variance_without_known_pulses_is_poisson():
    assert peak_variance(np.array([0.0, 9.0]), np.array([np.nan, np.nan])) == pytest.approx([0.0, 9.0])

"""Voxel correlation on fields whose relation is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from depthlock.fusion.co_occurrence import co_occurrence


def _fields(correlation: float, seed: int, counts: float = 2e4) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)

    def one() -> np.ndarray:
        field = gaussian_filter(random.normal(size=(64, 64)), 3.0, mode="wrap")
        return field / field.std()

    first = [one() for _ in range(4)]
    second = [correlation * field + np.sqrt(1 - correlation**2) * one() for field in first]
    rates = [np.exp(0.35 * np.repeat(np.stack(fields), 8, axis=0)) for fields in (first, second)]
    drawn = [random.poisson(rate * counts / rate.sum()) for rate in rates]
    return drawn[0], drawn[1], random


@pytest.mark.parametrize(("correlation", "sign"), [(1.0, 1), (-0.9, -1)])
def test_related_fields_stand_out(correlation: float, sign: int) -> None:
    first, second, random = _fields(correlation, 1)
    found = co_occurrence(first, second, random)
    assert sign * float(found.z_score.value) > 4.0
    assert sign * float(found.pearson.value) > 0.2
    assert str(found.z_score.flags()) == ""
    manders = float(found.manders_first.value)
    assert (manders > 0.5) == (sign > 0)


def test_score_of_unrelated_fields_scatters_by_one() -> None:
    scores = []
    for seed in range(30):
        first, second, random = _fields(0.0, 100 + seed)
        scores.append(float(co_occurrence(first, second, random).z_score.value))
    assert abs(np.mean(scores)) < 0.6
    assert 0.65 < np.std(scores) < 1.45


def test_common_depth_profile_is_not_taken_for_neighbourhood() -> None:
    random = np.random.default_rng(5)
    ramp = np.linspace(0.2, 2.0, 24)[:, None, None] * np.ones((24, 48, 48))
    first, second = random.poisson(0.5 * ramp), random.poisson(0.5 * ramp)
    found = co_occurrence(first, second, random)
    assert abs(float(found.z_score.value)) < 4.0
    assert float(found.pearson_with_depth.value) > 0.3
    assert abs(float(found.pearson.value)) < 0.1


def test_too_few_counts_are_flagged_not_measured() -> None:
    random = np.random.default_rng(0)
    found = co_occurrence(random.poisson(0.001, (20, 32, 32)), random.poisson(0.1, (20, 32, 32)), random)
    assert np.isnan(float(found.z_score.value))
    assert str(found.z_score.flags()) == "few_counts"

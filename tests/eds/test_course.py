"""The course of a boundary through noisy places."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.course import follow, level_course
from depthlock.simulate.tem_lines import rough_line

ALONG = np.linspace(0.0, 40.0, 401)


def drawn(seed: int, deviation: float, noise: float):
    rng = np.random.default_rng(seed)
    line = 10.0 + rough_line(ALONG, deviation, 5.0, rng)
    at = np.arange(1.25, 40.0, 2.5)
    error = noise * rng.uniform(0.5, 1.5, at.size)
    place = np.interp(at, ALONG, line) + error * rng.standard_normal(at.size)
    return line, at, place, error**2


def test_the_mean_of_a_part_is_covered_where_a_plain_weighted_mean_is_not():
    pulls, plain = [], []
    for seed in range(60):
        line, at, place, variance = drawn(seed, 0.4, 0.08)
        chosen = ALONG > 12.0
        course = follow(at, place, variance, ALONG, chosen, 5.0)
        true = line[chosen].mean()
        pulls.append((course.mean - true) / np.sqrt(course.variance))
        plain.append((np.average(place, weights=1 / variance) - true) * np.sqrt(np.sum(1 / variance)))
        assert np.abs(course.departure - line).mean() < 0.1
    assert 0.8 < np.std(pulls) < 1.25
    assert np.std(plain) > 3.0


def test_the_mean_of_another_piece_is_as_far_as_it_says():
    """`piece_variance` is that of a piece's mean about the endless line's."""
    found = [follow(*drawn(seed, 0.4, 0.05)[1:], ALONG, np.ones(401, dtype=bool), 5.0) for seed in range(40)]
    means = [drawn(seed, 0.4, 0.05)[0].mean() for seed in range(400)]
    told = np.sqrt(np.median([course.piece_variance for course in found]))
    assert told == pytest.approx(np.std(means), rel=0.25)
    assert np.median([course.roughness for course in found]) == pytest.approx(0.4, rel=0.25)


def test_noise_is_not_followed():
    noise = []
    for seed in range(20):
        _, at, place, variance = drawn(seed, 1e-9, 0.3)
        course = follow(at, place, variance, ALONG, np.ones(401, dtype=bool), 5.0)
        noise.append(course.departure.std())
        assert course.variance == pytest.approx(course.common_variance, rel=0.6)
    assert np.median(noise) < 0.06


def test_a_level_course_has_no_departures():
    course = level_course(5, 3.0)
    assert course.departure == pytest.approx(3.0)
    assert (course.mean, course.variance, course.piece_variance) == (3.0, 0.0, 0.0)

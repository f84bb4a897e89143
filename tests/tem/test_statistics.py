import numpy as np
import pytest

from depthlock.tem.statistics import thickness_statistics


def _process(rng, n, length, sd):
    kernel = np.exp(-((np.arange(-40, 41) * 0.5 / length) ** 2))
    line = np.convolve(rng.standard_normal(n + 80), kernel / np.sqrt((kernel**2).sum()), mode="valid")
    return sd * line


def test_statistics_of_known_draws():
    rng = np.random.default_rng(0)
    chords = 12.0 + rng.normal(0, 1.0, (50, 4000))
    found = thickness_statistics([chords], 0.5, [0.0])
    assert found.value == pytest.approx([12.0, 1.0, 12 - 1.645, 12 + 1.645], abs=0.05)
    assert np.all(found.lower < found.value)
    assert np.all(found.upper > found.value)
    assert np.isnan(found.between_images)


def test_pixel_size_error_scales_every_number():
    chords = np.full((50, 100), 10.0) + np.random.default_rng(0).normal(0, 0.5, (1, 100))
    sure, unsure = (thickness_statistics([chords], 0.5, [e]) for e in (0.0, 0.03))
    added = np.sqrt(unsure.std**2 - sure.std**2)
    assert added == pytest.approx(0.03 * sure.value, rel=1e-6)


def test_correlated_positions_count_once():
    rng = np.random.default_rng(3)
    off = []
    for _ in range(60):
        line = 10 + _process(rng, 160, 4.0, 0.6)
        found = thickness_statistics([np.repeat(line[None], 5, axis=0)], 0.5, [0.0])
        off.append((found.value[0] - 10) / found.sampling_std)
    # Counted as independent, 160 positions would make this about 3.5.
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(1.0, abs=0.35)


def test_the_spread_between_images_is_kept_apart():
    rng = np.random.default_rng(1)
    images = [m + rng.normal(0, 0.3, (50, 80)) for m in (9.0, 11.0, 10.0)]
    found = thickness_statistics(images, 0.5, [0.0] * 3)
    assert found.between_images == pytest.approx(1.0, abs=0.1)
    assert found.sampling_std > 0.5
    assert found.std[0] < 0.1

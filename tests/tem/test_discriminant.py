import numpy as np
import pytest

from depthlock.tem.discriminant import discriminate
from depthlock.tem.illumination import gain_over_sides

DEPTH = np.arange(-5, 5, 0.05) + 0.025


def _two_sides(rng, blur=0.0, noise=0.1, columns=60):
    from scipy.special import ndtr

    share = ndtr(DEPTH / blur) if blur else (DEPTH > 0).astype(float)
    first = 1.0 + 0.2 * share[:, None] + rng.normal(0, noise, (DEPTH.size, columns))
    second = 0.5 - 0.1 * share[:, None] + rng.normal(0, noise, (DEPTH.size, columns))
    return np.stack([first, second])


def _seeds(columns):
    inner = np.repeat(((DEPTH > -4) & (DEPTH < -1))[:, None], columns, axis=1)
    return inner, np.repeat(((DEPTH > 1) & (DEPTH < 4))[:, None], columns, axis=1)


def test_ratio_is_a_calibrated_log_likelihood():
    rng = np.random.default_rng(2)
    features = _two_sides(rng)
    found = discriminate(features, *_seeds(60), 0.05, 0.5)
    assert found is not None
    # 20 cells of 0.05 nm: (0.2^2 + 0.1^2) / (0.1^2 / 20) = 10^2
    assert found.separation == pytest.approx(10.0, rel=0.1)
    runs = found.ratio[20:80].reshape(3, 20, 60).sum(axis=1)
    # The ratio of two normal densities of one variance has a mean of half its variance.
    assert runs.mean() == pytest.approx(50, rel=0.15)
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.weights[0] == pytest.approx(0.8, abs=0.08)


def test_ratio_changes_sign_at_the_middle_of_a_blurred_boundary():
    features = _two_sides(np.random.default_rng(3), blur=0.5)
    found = discriminate(features, *_seeds(60), 0.05, 0.5)
    mean = np.cumsum(found.ratio, axis=0).mean(axis=1)
    assert DEPTH[int(np.argmax(mean))] == pytest.approx(0.0, abs=0.1)


def test_a_feature_whose_strength_drifts_is_halved_where_it_is():
    columns = 160
    rng = np.random.default_rng(5)
    strength = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(columns) / 40)
    share = 0.5 * (1 - np.tanh(DEPTH / 0.5))[:, None]
    feature = (share * strength + rng.normal(0, 0.1, (DEPTH.size, columns)))[None]

    def edge(drift):
        found = discriminate(feature, *_seeds(columns), 0.05, 0.5, drift)
        return DEPTH[np.cumsum(found.ratio, axis=0).argmax(axis=0)]

    assert np.std(edge([3.0])) < 0.5 * np.std(edge([8.0]))
    assert np.array_equal(edge([8.0]), edge(None))


def test_sides_without_seeds_have_no_discriminant():
    features = _two_sides(np.random.default_rng(4))
    inner, outer = _seeds(60)
    assert discriminate(features, inner, np.zeros_like(outer), 0.05, 0.5) is None


def test_light_is_found_over_sides_of_different_brightness():
    y, x = np.meshgrid(np.linspace(0, 20, 80), np.linspace(0, 30, 100), indexing="ij")
    truth = 1 + 0.15 * (y - 10) / 10 - 0.1 * (x - 15) / 15 + 0.05 * ((x - 15) / 15) ** 2
    sides = [y < 6, (y > 7) & (y < 12), y > 13]
    brightness = truth * np.select(sides, [0.7, 0.85, 1.0], 0.8)
    brightness = brightness * (1 + np.random.default_rng(0).normal(0, 0.03, y.shape))
    ratio = gain_over_sides(brightness, y, x, sides) / truth
    assert ratio.std() / ratio.mean() < 0.01

import numpy as np
import pytest

from depthlock.tofsims.interface import fit_interface
from depthlock.tofsims.mixing_roughness import delta_response
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.rise import find_rise


def world(rng, plateau=None):
    """A substrate rise by its own numerics: convolution in depth, then layered rates."""
    s, w, length = rng.uniform(0.6, 1.4), rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.6)
    thickness, low, ratio = rng.uniform(6, 15), rng.uniform(0.01, 0.2), rng.uniform(0.4, 2.5)
    scans_to_interface = rng.uniform(60, 300)
    end = thickness / scans_to_interface
    scans = int(scans_to_interface + max(60, 8 * ratio / end))
    z = np.arange(-10.0, 80.0, 0.02)
    source = np.where(z > thickness, 1.0, low)
    kernel = delta_response(np.arange(-10.0, 10.0, 0.02), w, length, s)
    seen = np.convolve(np.pad(source, 500, mode="edge"), kernel / kernel.sum(), "same")[500:-500]

    def curve(scan):
        depth = np.where(scan < scans_to_interface, end * scan, thickness + end / ratio * (scan - scans_to_interface))
        return np.interp(depth, z, seen)

    fine = np.linspace(0, scans, 40001)
    share = (curve(fine) - low) / (1 - low)
    early, half, late = (fine[np.argmax(share > part)] for part in (0.1587, 0.5, 0.8413))
    plateau = 10 ** rng.uniform(0.8, 3.6) if plateau is None else plateau
    time = np.arange(scans, dtype=float)
    return time, plateau * curve(time), half, late - early


def fitted(time, values):
    data = CountData(values, np.ones_like(values), np.zeros_like(values))
    return fit_interface(time, data, np.ones(time.size, dtype=bool))


def test_intervals_hold_the_truth():
    hits = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        time, mean, half, width = world(rng)
        found = fitted(time, rng.poisson(mean).astype(float))
        hits.append((found.time[2] <= half <= found.time[3], found.width[2] <= width <= found.width[3]))
    share = np.mean(hits, axis=0)
    assert share[0] >= 0.87
    assert share[1] >= 0.87


def test_without_noise_time_and_width_are_right():
    time, mean, half, width = world(np.random.default_rng(11), plateau=1e6)
    found = fitted(time, mean)
    assert found.time[0] == pytest.approx(half, abs=0.5)
    assert found.width[0] == pytest.approx(width, rel=0.03)
    assert found.flag == ""


def test_overdispersion_widens_the_interval():
    rng = np.random.default_rng(5)
    time, mean, *_ = world(rng, plateau=500.0)
    plain = fitted(time, rng.poisson(mean).astype(float))
    spread = fitted(time, rng.negative_binomial(mean / 3.0, 0.25).astype(float))
    assert spread.dispersion == pytest.approx(4.0, rel=0.35)
    assert plain.dispersion < 1.3
    assert spread.time[1] > 1.5 * plain.time[1]


def test_a_surface_transient_is_no_interface():
    rng = np.random.default_rng(8)
    time, mean, half, _ = world(rng, plateau=400.0)
    spike = 1500.0 * np.exp(-time / 2.5)
    found = fitted(time, rng.poisson(mean + spike).astype(float))
    assert found.time[2] <= half <= found.time[3]


def test_the_first_of_rise_and_fall_is_taken_and_said():
    rng = np.random.default_rng(2)
    time = np.arange(340.0)
    mean = 20 + 3000 / (1 + np.exp(-(time - 140) / 8)) / (1 + np.exp((time - 205) / 6))
    found = fitted(time, rng.poisson(mean).astype(float))
    assert "fall_after_rise" in found.flag
    assert found.time[0] == pytest.approx(140, abs=2.0)
    assert np.isnan(found.fitted[-1])


@pytest.mark.parametrize("level", [0.0, 3.0, 400.0])
def test_no_rise_is_said(level):
    values = np.random.default_rng(4).poisson(level, 200).astype(float)
    found = fitted(np.arange(200.0), values)
    assert np.isnan(found.time[0])
    assert found.flag == "interface_not_found"


def test_a_falling_signal_has_no_rise():
    values = np.random.default_rng(4).poisson(500 * np.exp(-np.arange(200) / 30)).astype(float)
    assert not find_rise(values, np.sqrt(values + 1)).found

import numpy as np
import pytest
from scipy.special import ndtr

from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.lattice import Reflection
from depthlock.tem.straighten import Axis
from depthlock.tem.watch import (
    CRYSTAL_BIAS,
    NOTHING,
    EdgeCheck,
    Watched,
    watch_boundaries,
    watched_outer_edge,
)
from depthlock.tem.window_maps import window_maps


@pytest.fixture(scope="module")
def scene():
    """The crystal's flat edge at x = 9.12 nm, a layer of 6 nm beyond it."""
    settings = {"pixels": 512, "pixel_nm": 0.042, "orientation_deg": 0.0, "inner_roughness_nm": (0.0, 6.0)}
    image, truth = simulate_image(TemParameters(**settings), 6.0, np.random.default_rng(3))
    values = (image["image"].values / 4000).astype(np.float32)
    angle = np.deg2rad(30.0)
    reflection = Reflection(np.sin(angle) / 0.38, np.cos(angle) / 0.38, 50.0)
    edge = 0.042 * float((truth.label == 2).sum(axis=1).mean())
    return window_maps(values, (0.042, 0.042), [reflection]), edge


def _axis(x):
    y = np.arange(0.5, 21.0, 0.5)
    return Axis(np.column_stack([y, np.full(y.size, x)]), np.tile([0.0, 1.0], (y.size, 1)), 0.5)


@pytest.mark.parametrize("off", [-1.2, -0.5, 0.0, 0.5, 1.2])
def test_a_line_beside_the_crystal_edge_is_told(scene, off):
    maps, edge = scene
    axis = _axis(edge + off)
    nothing = np.full((10, axis.points.shape[0]), np.nan)
    boundaries = (np.zeros(len(axis.points)), np.full(len(axis.points), 6.0))
    found = watch_boundaries(maps, axis, nothing, np.arange(10.0), boundaries, np.ones(len(axis.points), bool))
    assert found.crystal.shift == pytest.approx(CRYSTAL_BIAS - off, abs=0.2)
    assert found.outer is NOTHING
    assert found.doubts() == (("methods_disagree",) if off else ())


def test_crystallinity_is_high_in_the_crystal_only(scene):
    maps, edge = scene
    inside = maps.crystallinity[:, maps.x < edge - 2]
    outside = maps.crystallinity[:, maps.x > edge + 2]
    assert np.quantile(inside, 0.05) > 5 * np.quantile(outside, 0.95)
    assert np.median(outside) < 15


def test_noise_has_no_fringes_to_watch():
    noise = np.random.default_rng(0).poisson(50, (200, 200)).astype(np.float32)
    maps = window_maps(noise, (0.05, 0.05), [])
    assert not maps.fringes.any()
    assert np.median(maps.crystallinity) < 15


@pytest.mark.parametrize(("shift", "noise"), [(0.0, 0.02), (0.3, 0.02), (-0.4, 0.05)])
def test_outer_edge_is_where_the_brightness_steps(shift, noise):
    depth = np.arange(-5, 12, 0.06)
    rng = np.random.default_rng(1)
    inner, outer = np.zeros(60), 6.0 + 0.3 * np.sin(np.arange(60) / 5)
    step = 0.86 + 0.14 * ndtr((depth[:, None] - outer[None] - shift) / 0.3)
    brightness = step + rng.normal(0, noise, step.shape)
    found = watched_outer_edge(brightness, depth, inner, outer, np.ones(60, bool), 0.5)
    assert found.shift == pytest.approx(shift, abs=0.05)
    assert found.std < 0.05
    assert Watched(NOTHING, found).doubts() == (("methods_disagree",) if shift else ())


def test_what_could_not_be_watched_or_is_unsure_raises_no_doubt():
    assert Watched(NOTHING, NOTHING).doubts() == ()
    assert Watched(EdgeCheck(0.9, 0.5), EdgeCheck(0.3, 0.2)).doubts() == ()

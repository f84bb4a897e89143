import numpy as np
import pytest
from scipy import ndimage

from depthlock.tem.field import Field
from depthlock.tem.straighten import smooth_axis

STEP = (0.05, 0.1)
EXTENT = (299 * STEP[0], 199 * STEP[1])
DEPTH = np.arange(-80, 400) * 0.05


def _axis(slope):
    return smooth_axis(np.column_stack([8.0 + slope * np.arange(50) / 50, np.linspace(1, 19, 50)]), 2.0, 0.1, 1)


@pytest.mark.parametrize("slope", [0.0, 3.0, -2.0])
def test_along_a_line_is_what_spline_interpolation_reads(slope):
    values = np.random.default_rng(4).normal(size=(300, 200)).astype(np.float32)
    axis = _axis(slope)
    sampled = Field(values, STEP, EXTENT).along(axis, DEPTH)
    y, x = (axis.points[None, :, i] + DEPTH[:, None] * axis.normals[None, :, i] for i in (0, 1))
    inside = (y >= 0) & (y <= EXTENT[0]) & (x >= 0) & (x <= EXTENT[1])
    assert np.array_equal(np.isfinite(sampled), inside)
    expected = ndimage.map_coordinates(values, [y / STEP[0], x / STEP[1]], order=1, mode="nearest")
    assert np.abs(sampled - expected)[inside].max() < 1e-4


def test_a_normal_that_leaves_the_image_does_not_come_back():
    values = np.ones((300, 200), dtype=np.float32)
    axis = smooth_axis(np.column_stack([np.full(50, 5.0), np.linspace(-6, 10, 50)]), 2.0, 0.1, 1)
    turned = np.array([np.cos(1.0), np.sin(1.0)])
    axis = type(axis)(axis.points, np.broadcast_to(turned, axis.points.shape), axis.spacing)
    sampled = Field(values, STEP, EXTENT).along(axis, DEPTH)
    assert np.isnan(sampled[:, axis.points[:, 1] < 0]).all()
    assert np.isfinite(sampled[80, axis.points[:, 1] > 0]).all()


def test_a_grid_that_ends_before_the_image_goes_on_as_it_ends():
    values = np.arange(10, dtype=np.float32)[:, None] * np.ones((1, 20), np.float32)
    axis = smooth_axis(np.column_stack([np.full(20, 5.0), np.linspace(2, 16, 20)]), 1.0, 0.5, 1)
    sampled = Field(values, (1.0, 1.0), (9.6, 19.5)).along(axis, np.arange(-2, 6) * 0.9)
    assert sampled[:, 5] == pytest.approx(np.minimum(5.0 + np.arange(-2, 6) * 0.9, 9.0))

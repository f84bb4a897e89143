import numpy as np
import pytest

from depthlock.tem.straighten import outward_sign, smooth_axis


def _circle(radius=12.0, centre=(2.0, 15.0)):
    angle = np.linspace(np.deg2rad(30), np.deg2rad(150), 200)
    return np.column_stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)])


@pytest.mark.parametrize("reverse", [False, True])
def test_normals_of_a_circle_point_outwards(reverse):
    points = _circle()[::-1] if reverse else _circle()
    y, x = np.meshgrid(np.arange(120) * 0.25, np.arange(120) * 0.25, indexing="ij")
    mask = np.hypot(y - 2, x - 15) < 12
    axis = smooth_axis(points, 2.0, 0.1, outward_sign(points, mask, (0.25, 0.25)))
    radial = axis.points - np.array([2.0, 15.0])
    radius = np.linalg.norm(radial, axis=1)
    assert radius[20:-20] == pytest.approx(12.0, abs=0.05)
    cosine = np.einsum("ni,ni->n", radial / radius[:, None], axis.normals)
    assert cosine[20:-20].min() > 0.999


def test_a_slanted_line_stays_straight_when_smoothed_and_extended():
    points = np.column_stack([np.linspace(3, 9, 40), np.linspace(2, 22, 40)])
    axis = smooth_axis(points, 5.0, 0.1, 1, extension=1.5)
    slope = np.polyfit(axis.points[:, 1], axis.points[:, 0], 1)
    assert slope[0] == pytest.approx(0.3, abs=1e-6)
    assert np.abs(np.polyval(slope, axis.points[:, 1]) - axis.points[:, 0]).max() < 1e-9
    length = np.hypot(6, 20) + 3.0
    assert axis.arc_length[-1] == pytest.approx(length, abs=0.2)


def test_averaged_axis_lies_at_the_middle_of_its_columns():
    points = np.column_stack([np.zeros(50), np.linspace(0, 10, 50)])
    axis = smooth_axis(points, 1.0, 0.1, 1).averaged(5)
    assert axis.spacing == pytest.approx(0.5)
    assert axis.points[0, 1] == pytest.approx(0.2, abs=1e-6)

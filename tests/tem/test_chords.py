import numpy as np
import pytest

from depthlock.tem.chords import chord_samples
from depthlock.tem.straighten import smooth_axis


def test_rings_have_the_thickness_of_their_radii():
    angle = np.linspace(0.3, 2.8, 400)
    circle = np.column_stack([15 * np.sin(angle), 15 * np.cos(angle)])
    axis = smooth_axis(circle, 2.0, 0.5, -1)
    radius = np.linalg.norm(axis.points, axis=1)
    outward = np.sign(np.einsum("ni,ni->n", axis.points, axis.normals).mean())
    depth = (20.0 - radius) * outward
    chords = chord_samples(axis, np.zeros((1, radius.size)), depth[None], 2.0)[0] * outward
    assert chords[6:-6] == pytest.approx(5.0, abs=0.06)


@pytest.mark.parametrize(("wavelength", "kept"), [(2.0, 0.0), (60.0, 0.95)])
def test_short_ripples_of_the_crystal_edge_do_not_count(wavelength, kept):
    s = np.arange(0, 120, 0.5)
    axis = smooth_axis(np.column_stack([np.zeros(241), np.linspace(0, 120, 241)]), 5.0, 0.5, -1)
    ripple = 0.5 * np.sin(2 * np.pi * s / wavelength + 0.4)
    inner = np.resize(ripple, (1, len(axis.points)))
    chords = chord_samples(axis, inner, np.full(inner.shape, 8.0), 5.0)[0]
    assert chords.mean() == pytest.approx(8.0, abs=0.02)
    assert chords.std() / inner.std() == pytest.approx(kept, abs=0.04)

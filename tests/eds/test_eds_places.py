"""Places of a boundary in stretches."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.places import Pixels, local_places
from depthlock.eds.slabs import Profiles, Slabs, slab_shapes

SLABS = Slabs(0.0, 0.6, 9.0, 0.6)
AMOUNTS = np.array([[40.0, 1.0, 1.0, 0.0], [2.0, 30.0, 30.0, 1.0]])


def pixels(moved: np.ndarray, seed: int) -> tuple[Pixels, Profiles]:
    """Stretches of 3 nm, whose outer boundary is moved by `moved`."""
    rng = np.random.default_rng(seed)
    distance, along = np.meshgrid(np.arange(-6.0, 16.0, 0.4), np.arange(0.1, 3.0 * moved.size, 0.4), indexing="ij")
    own = distance - np.where(distance > 5.0, moved[(along // 3.0).astype(int)], 0.0)
    counts = rng.poisson(AMOUNTS @ slab_shapes(own.ravel(), SLABS).T).astype(float)
    told = Pixels(counts, distance.ravel(), along.ravel())
    sums = counts.reshape(2, *distance.shape).sum(axis=2)
    profiles = Profiles(distance[:, 0], np.full(len(distance), float(distance.shape[1])), sums, np.ones(2))
    return told, profiles


def test_moved_stretches_are_found_to_within_their_errors():
    moved = np.array([0.5, -0.4, 0.0, 0.2, -0.3])
    pulls = []
    for seed in range(8):
        places = local_places(*pixels(moved, seed), SLABS, "outer", 3.0, 0.4)
        assert places.along == pytest.approx([1.5, 4.5, 7.5, 10.5, 13.5])
        assert places.place - 9.0 == pytest.approx(moved, abs=0.2)
        pulls += list((places.place - 9.0 - moved) / np.sqrt(places.variance))
    assert 0.7 < np.std(pulls) < 1.5


def test_the_other_boundary_stays():
    places = local_places(*pixels(np.array([0.5, -0.4, 0.0]), 3), SLABS, "inner", 3.0, 0.4)
    assert places.place == pytest.approx(0.0, abs=0.12)


def test_one_stretch_is_no_course():
    assert local_places(*pixels(np.array([0.3]), 1), SLABS, "outer", 5.0, 0.4) is None

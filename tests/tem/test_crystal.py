import numpy as np
import pytest

from depthlock.tem.crystal import crystal_edges, largest_crystal, stray_fringes
from depthlock.tem.demodulation import BraggMap, ImageSpectrum, bragg_map
from depthlock.tem.lattice import SHORTEST_SPACING, find_reflections
from depthlock.tem.windows import windowed_spectra

STEP = (0.25, 0.25)


def _map(amplitude, floor=1e-5, seed=0):
    rng = np.random.default_rng(seed)
    speckle = rng.exponential(floor, amplitude.shape)
    return BraggMap((amplitude**2 + speckle).astype(np.float32), np.full(amplitude.shape, floor, np.float32), STEP)


def _grid(n=120):
    return np.meshgrid(np.arange(n) * STEP[0], np.arange(n) * STEP[1], indexing="ij")


def test_the_largest_of_two_is_taken_and_its_edge_followed():
    y, x = _grid()
    crystal = largest_crystal(_map(0.05 * ((y < 10) | (np.hypot(y - 22, x - 22) < 2.5))))
    assert crystal is not None
    assert not crystal.mask[88, 88]
    assert crystal.level == pytest.approx(0.05, rel=0.05)
    edges = crystal_edges(crystal)
    assert len(edges) == 1
    assert edges[0][:, 0] == pytest.approx(9.9, abs=0.4)
    assert np.ptp(edges[0][:, 1]) > 28


def test_gaps_in_the_fringes_are_bridged_and_counted():
    y, x = _grid()
    gaps = (np.hypot(y - 7, x - 15) < 2.0) | (np.hypot(y - 15, x - 8) < 1.8)
    crystal = largest_crystal(_map(0.05 * ((y < 15) & ~gaps)))
    assert crystal is not None
    assert crystal.mask[28, 60]
    assert crystal.mask[56, 32]
    assert 0.01 < crystal.patchiness < 0.2


def test_speckle_alone_is_no_crystal():
    assert largest_crystal(_map(np.zeros((120, 120)))) is None


def test_a_crystal_over_the_whole_image_has_no_edge():
    crystal = largest_crystal(_map(np.full((120, 120), 0.05)))
    assert crystal is not None
    assert crystal_edges(crystal) == []


def test_ends_along_the_border_are_cut_off():
    y, x = _grid()
    # The mask leaves the top border free by one cell left of x = 15: the contour turns along the border there.
    crystal = largest_crystal(_map(0.05 * ((x > 15) & (y > 0.6))))
    assert crystal is not None
    edge = crystal_edges(crystal)[0]
    assert edge[:, 1] == pytest.approx(15, abs=1.0)


def _spectra(image, pixel=0.05):
    return windowed_spectra(image.astype(np.float32), (pixel, pixel), limit=1 / SHORTEST_SPACING)


@pytest.mark.parametrize(("rings", "expected"), [(True, (0.6, 1.0)), (False, (0.0, 0.3))])
def test_fringes_of_many_directions_are_strays(rings, expected):
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:400, :400] * 0.05
    phase = np.hypot(y - 10, x - 10) if rings else x * np.cos(0.4) + y * np.sin(0.4)
    fringes = 0.12 * np.cos(2 * np.pi * phase / 0.36) * (x < (30 if rings else 11))
    image = 1 + fringes + rng.normal(0, 0.1, x.shape)
    reflections = find_reflections(_spectra(image))
    crystal = largest_crystal(bragg_map(ImageSpectrum(image.astype(np.float32), (0.05, 0.05)), reflections))
    assert expected[0] <= stray_fringes(crystal, _spectra(image)) <= expected[1]

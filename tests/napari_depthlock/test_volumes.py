"""Volumes keep their ions when they are put on an even depth axis, and say how far they are stretched."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_depthlock.volumes import Volume, component_volumes, even_axis


def test_even_bins_hold_the_same_ions() -> None:
    rng = np.random.default_rng(1)
    edges = np.concatenate([[0.0], np.cumsum(rng.uniform(0.2, 2.0, 40))])
    counts = rng.poisson(5.0, (40, 3, 2)).astype(np.float64)
    even = even_axis(edges, counts, 25)
    np.testing.assert_allclose(even.sum(axis=0), counts.sum(axis=0))


def test_even_bins_share_out_by_overlap() -> None:
    even = even_axis(np.array([0.0, 1.0, 4.0]), np.array([[6.0], [9.0]]), 2)
    np.testing.assert_allclose(even[:, 0], [6.0 + 3.0, 6.0])


def test_bins_that_are_even_already_stay() -> None:
    counts = np.arange(12.0).reshape(6, 2)
    np.testing.assert_allclose(even_axis(np.arange(7.0), counts, 6), counts)


def volume(axis_unit: str, lateral_unit: str) -> Volume:
    counts = np.zeros((40, 20, 20), dtype=np.float32)
    counts[0, 0, 0], counts[1] = 1000.0, 2.0
    return Volume("V-", "substrate", counts, np.arange(40) * 0.5, axis_unit, 5.0, 2.0, lateral_unit)


def test_depth_is_stretched_by_what_is_said() -> None:
    slab = volume("nm", "µm")
    drawn_micrometres = slab.scale[0] * 40
    assert slab.exaggeration == pytest.approx(drawn_micrometres / (40 * 0.5e-3))
    assert slab.scale[1:] == (5.0, 5.0)
    assert slab.translate == (0.0, 2.0, 2.0)


@pytest.mark.parametrize(("axis_unit", "lateral_unit"), [("s", "µm"), ("nm", "pixel")])
def test_without_both_scales_no_ratio_is_claimed(axis_unit: str, lateral_unit: str) -> None:
    assert volume(axis_unit, lateral_unit).exaggeration is None


def test_one_hot_voxel_does_not_set_the_contrast() -> None:
    assert volume("nm", "µm").contrast == (0.0, 2.0)


def test_components_lie_on_the_axis_of_the_ions() -> None:
    counts = np.full((2, 3, 4, 4), 2.0)
    counts[1, :, 0] = -1.0
    components = xr.Dataset(
        {"volume": (("component", "voxel_scan", "voxel_y", "voxel_x"), counts)},
        coords={
            "component": ["component 1", "component 2"],
            "voxel_x": ("voxel_x", np.arange(4) * 3.0 + 1.5, {"units": "micrometer"}),
        },
        attrs={"voxel_steps": [2, 3, 3]},
    )
    profile = xr.Dataset(coords={"sputter_time": ("scan", np.arange(5) * 4.0, {"units": "s"})})
    depth = xr.Dataset({"scan_depth": ("scan", [0.5, 1.5, 2.5, 3.5, 4.5])})
    first, second = component_volumes(components, profile, depth)
    assert (first.ion, first.axis_unit, first.lateral_unit) == ("component 1", "nm", "µm")
    assert (first.pixel, first.corner) == (3.0, 1.5)
    # Groups of two scans, the last of one, from 0 to 5 nm: 32 ions each, redistributed to three even steps.
    assert first.counts.sum() == pytest.approx(counts[0].sum(), rel=1e-5)
    assert first.axis == pytest.approx([5 / 6, 5 / 2, 25 / 6])
    assert second.counts.min() == 0.0

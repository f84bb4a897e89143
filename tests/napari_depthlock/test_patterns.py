"""Layers of diffraction patterns and 4D-STEM scans: where their pictures and rings lie."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("napari")

from napari_depthlock.patterns import diffraction_layers, scan_layers


def test_rings_lie_at_their_scattering_vectors() -> None:
    q, azimuth = np.linspace(2.0, 20.0, 37), np.arange(1.5, 90.0, 3.0)
    texture = xr.Dataset(
        {
            "map_0": (("map_azimuth_0", "map_q_0"), np.ones((30, 37))),
            "reflection_spacing": ("reflection", [2 * np.pi / 5.5, np.nan, 2 * np.pi / 18.0]),
            "texture_share": ("reflection", [0.3, 0.0, 0.7]),
        },
        {"map_q_0": q, "map_azimuth_0": azimuth, "reflection": ["001", "absent", "110"],
         "pattern": ("reflection", [0, 0, 0])},
        attrs={"patterns": 1},
    )  # fmt: skip
    (shown, picture, kind), (lines, rings, other) = diffraction_layers(texture, {"depthlock": {}})
    assert (kind, other) == ("image", "shapes")
    assert shown.shape == (30, 37)
    columns = [picture["translate"][1] + picture["scale"][1] * at for at in (0, 36)]
    assert columns == pytest.approx([2.0, 20.0])
    assert picture["translate"][0] + 29 * picture["scale"][0] < picture["translate"][0], "azimuth 0 lies below"
    assert [float(line[0, 1]) for line in lines] == pytest.approx([5.5, 18.0])
    assert rings["features"] == {"reflection": ["001", "110"], "share": ["0.300", "0.700"]}


def test_scans_lie_side_by_side_in_nanometres() -> None:
    maps: dict[str, xr.Variable] = {}
    for number in (0, 1):
        y, x = f"scan_y_{number}", f"scan_x_{number}"
        for name in ("annular", "crystallinity"):
            maps[f"{name}_{number}"] = xr.Variable((y, x), np.arange(12.0).reshape(3, 4))
        maps[y], maps[x] = xr.Variable(y, 2.0 * np.arange(3)), xr.Variable(x, 2.0 * np.arange(4))
    layers = scan_layers(xr.Dataset(maps, attrs={"scans": 2}), {})
    assert [keywords["name"] for _, keywords, _ in layers] == [
        "annular detector 0", "crystallinity 0", "annular detector 1", "crystallinity 1",
    ]  # fmt: skip
    assert layers[0][1]["scale"] == (2.0, 2.0)
    assert layers[2][1]["translate"][1] > 8.0

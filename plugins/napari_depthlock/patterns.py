"""napari layers of diffraction patterns, regrouped on scattering vector and azimuth, and of 4D-STEM scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

LayerData = tuple[Any, dict[str, Any], str]

SHAPE = 0.6
"""Height of a regrouped pattern over its width: its axes, degrees and 1/nm, have no common scale."""

GAP = 1.1
"""Distance of pictures side by side, in their widths."""

RINGS = "#00c8ff"
"""Colour of the rings."""


def diffraction_layers(texture: xr.Dataset, mark: dict[str, Any]) -> list[LayerData]:
    """The patterns of a sample, log intensity over scattering vector (1/nm) and azimuth, with the named rings marked.

    Parameters
    ----------
    texture : xr.Dataset
        `diffraction_texture` of the sample.
    mark : dict
        The layers' metadata.
    """
    layers: list[LayerData] = []
    offset = 0.0
    for number in range(int(texture.attrs["patterns"])):
        intensity = texture[f"map_{number}"].values
        q, azimuth = texture[f"map_q_{number}"].values, texture[f"map_azimuth_{number}"].values
        step_q, step_azimuth = ((axis[-1] - axis[0]) / (axis.size - 1) for axis in (q, azimuth))
        width = float(q[-1] - q[0])
        high = SHAPE * width / float(azimuth[-1] - azimuth[0])  # what a degree is drawn as
        seen = intensity[np.isfinite(intensity) & (intensity > 0)]
        least = float(np.quantile(seen, 0.02)) if seen.size else 1.0
        shown = np.log10(np.where(intensity > 0, np.maximum(intensity, least), least)).astype(np.float32)
        common = {"axis_labels": ("azimuth", "q"), "metadata": mark, "translate": (0.0, offset)}
        # Azimuth 0, the film's normal, is below, as in the report.
        picture = {
            **common,
            "name": f"pattern {number + 1} (log)",
            "scale": (-step_azimuth * high, step_q),
            "translate": (-azimuth[0] * high, offset + q[0]),
            "contrast_limits": _limits(shown),
            "colormap": "magma",
        }
        layers.append((shown, picture, "image"))
        own = texture.isel(reflection=texture["pattern"].values == number)
        known = np.isfinite(own["reflection_spacing"].values)
        if known.any():
            at = 2.0 * np.pi / own["reflection_spacing"].values[known]
            lines = [np.array([[0.0, place], [-(azimuth[-1] + azimuth[0]) * high, place]]) for place in at]
            names = [str(name).partition(" (pattern")[0] for name in own["reflection"].values[known]]
            shares = [f"{float(share):.3f}" for share in own["texture_share"].values[known]]
            rings = {
                **common,
                "name": f"rings {number + 1}",
                "shape_type": "line",
                "edge_color": RINGS,
                "edge_width": 0.3 * width / 100,
                "features": {"reflection": names, "share": shares},
                "text": {"string": "{reflection}", "color": RINGS, "size": 10, "anchor": "upper_left"},
            }
            layers.append((lines, rings, "shapes"))
        offset += GAP * width
    return layers


def scan_layers(maps: xr.Dataset, mark: dict[str, Any]) -> list[LayerData]:
    """The maps of 4D-STEM scans in nm: annular detector, and crystallinity laid over it; scans side by side."""
    layers: list[LayerData] = []
    offset = 0.0
    for number in range(int(maps.attrs["scans"])):
        axes = [maps[f"scan_{name}_{number}"].values for name in "yx"]
        steps = [float(axis[1] - axis[0]) if axis.size > 1 else 1.0 for axis in axes]
        common = {
            "scale": tuple(steps), "units": ("nanometer",) * 2, "axis_labels": ("y", "x"), "metadata": mark,
            "translate": (float(axes[0][0]), offset + float(axes[1][0])),
        }  # fmt: skip
        dark = maps[f"annular_{number}"].values
        named = {**common, "name": f"annular detector {number}", "contrast_limits": _limits(dark)}
        layers.append((dark, named, "image"))
        crystal = maps[f"crystallinity_{number}"].values
        laid = {"colormap": "magma", "blending": "translucent", "opacity": 0.6, "contrast_limits": _limits(crystal)}
        layers.append((crystal, {**common, **laid, "name": f"crystallinity {number}"}, "image"))
        offset += GAP * axes[1].size * steps[1]
    return layers


def _limits(values: np.ndarray[Any, np.dtype[np.floating[Any]]]) -> tuple[float, float]:
    low, high = (float(limit) for limit in np.nanquantile(values, (0.005, 0.998)))
    return low, max(high, low + 1e-6)

"""napari layers of one sample: its ion volumes, or its TEM images with the segmented layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from depthlock.report.eds_figures import element_colours, shown_elements
from depthlock.report.style import colours
from depthlock.report.tem_figures import HINT_COLOURS, LAYER_COLOUR, given_hints
from depthlock.workflow.results import SessionResults
from napari_depthlock.patterns import diffraction_layers, scan_layers
from napari_depthlock.volumes import Volume, component_volumes, ion_volumes

LayerData = tuple[Any, dict[str, Any], str]

VIEWS = {
    "tofsims": "TOF-SIMS volumes",
    "components": "TOF-SIMS components",
    "tem": "TEM image",
    "stem": "4D-STEM maps",
    "eds": "STEM-EDS maps",
    "diffraction": "diffraction patterns",
}
"""The views of a sample."""

POSITION = "layer_at"
"""The hint that is points, not lines."""

IN_DEPTH = ("tofsims", "components")
"""Views of volumes, which can be seen in 3-D."""

LABEL_COLOURS = {1: "#ffb000", 2: "#00c8ff", None: "transparent", 0: "transparent"}
"""Labels of a segmented image: 0 outside, 1 layer, 2 crystal."""


def available_views(results: SessionResults, sample: str) -> list[str]:
    """The techniques of which a sample has something to look at."""
    stages = {
        "tofsims": "tofsims_profile",
        "components": "tofsims_components",
        "tem": "tem_thickness",
        "stem": "stem_maps",
        "eds": "eds_profile",
        "diffraction": "diffraction_texture",
    }
    found = [view for view, stage in stages.items() if results.path(stage, sample) is not None]
    if "tofsims" in found and results.events(sample) is None:
        found.remove("tofsims")
    components = results.dataset(sample, "tofsims_components") if "components" in found else None
    if components is not None and (components.sizes["component"] == 0 or "tofsims" not in found):
        found.remove("components")
    return found


def sample_layers(results: SessionResults, sample: str, view: str) -> list[LayerData]:
    """Layers of one view of a sample; empty when the stage behind it has not run."""
    if view == "tem":
        thickness = results.dataset(sample, "tem_thickness")
        return [] if thickness is None else tem_layers(thickness, _mark(results, sample, view))
    if view == "eds":
        elements = results.dataset(sample, "eds_profile")
        return [] if elements is None else eds_layers(elements, _mark(results, sample, view))
    if view == "stem":
        maps = results.dataset(sample, "stem_maps")
        return [] if maps is None else scan_layers(maps, _mark(results, sample, view))
    if view == "diffraction":
        texture = results.dataset(sample, "diffraction_texture")
        return [] if texture is None else diffraction_layers(texture, _mark(results, sample, view))
    profile, events = results.dataset(sample, "tofsims_profile"), results.events(sample)
    if profile is None or events is None:
        return []
    depth = results.dataset(sample, "depth_profile")
    if view == "components":
        components = results.dataset(sample, "tofsims_components")
        volumes = [] if components is None else component_volumes(components, profile, depth)
    else:
        volumes = ion_volumes(events, profile, depth)
    return volume_layers(volumes, _mark(results, sample, view))


def _mark(results: SessionResults, sample: str, view: str) -> dict[str, Any]:
    return {"depthlock": {"results": str(results.folder), "sample": sample, "view": view}}


def volume_layers(volumes: list[Volume], mark: dict[str, Any]) -> list[LayerData]:
    """One additive image layer an ion, with depth drawn exaggerated."""
    from napari.utils import Colormap

    palette = colours([volume.ion for volume in volumes], [volume.role for volume in volumes])
    layers: list[LayerData] = []
    for volume in volumes:
        colour = "#c8c8c8" if volume.role == "substrate" else palette[volume.ion]
        unit = "micrometer" if volume.lateral_unit == "µm" else "pixel"
        metadata = {
            **mark,
            "depthlock": {
                **mark["depthlock"],
                "axis": volume.axis,
                "axis_unit": volume.axis_unit,
                "exaggeration": volume.exaggeration,
            },
        }
        keywords = {
            "name": volume.ion,
            "scale": volume.scale,
            "translate": volume.translate,
            "units": (unit,) * 3,
            "axis_labels": ("depth", "y", "x"),
            "contrast_limits": volume.contrast,
            "colormap": Colormap([[0, 0, 0, 1], colour], name=f"depthlock {colour}"),
            "blending": "additive",
            # Many volumes on each other would add up to white.
            "opacity": min(1.0, 3.0 / len(volumes)) ** 2,
            "rendering": "attenuated_mip",
            "attenuation": 0.02,
            "interpolation3d": "linear",
            "metadata": metadata,
        }
        layers.append((volume.counts, keywords, "image"))
    return layers


def tem_layers(thickness: xr.Dataset, mark: dict[str, Any]) -> list[LayerData]:
    """The images of a sample, each with its labels and both boundaries, side by side."""
    layers: list[LayerData] = []
    offset = 0.0
    for image in range(int(thickness.attrs["images"])):
        picture, label = thickness[f"image_{image}"].values, thickness[f"label_{image}"].values
        pixel = _pixel_size(thickness, image)
        common = {
            "scale": (pixel or 1.0,) * 2,
            "units": ("nanometer" if pixel is not None else "pixel",) * 2,
            "axis_labels": ("y", "x"),
            "translate": (0.0, offset),
            "metadata": mark,
        }
        low, high = (float(limit) for limit in np.quantile(picture, (0.005, 0.995)))
        layers.append((picture, {**common, "name": f"TEM {image}", "contrast_limits": (low, high)}, "image"))
        named = {**common, "name": f"layer {image}", "opacity": 0.3, "colormap": _label_colours()}
        layers.append((label.astype(np.uint8), named, "labels"))
        here = thickness.isel(position=np.flatnonzero(thickness["image_index"].values == image))
        for edge, colour in (("inner", "#00c8ff"), ("outer", "#ff3b6b")):
            path = np.stack([here[f"{edge}_y"].values, here[f"{edge}_x"].values], axis=1)
            path = path[np.isfinite(path).all(axis=1)]
            if len(path) > 1:
                line = {**common, "name": f"{edge} boundary {image}", "shape_type": "path", "edge_color": colour}
                layers.append(([path], {**line, "edge_width": 4, "face_color": "transparent"}, "shapes"))
        for name, lines in given_hints(thickness, image).items():
            layers.append(hint_layer(name, image, lines, common))
        offset += picture.shape[1] * (pixel or 1.0) * 1.05
    return layers


def hint_name(name: str, image: int) -> str:
    """Name of the layer with one kind of hint of one image."""
    return f"hint {image}: {name}"


def hint_layer(name: str, image: int, lines: list[Any], placed: dict[str, Any]) -> LayerData:
    """One kind of hint over an image: points for the layer's rough position, lines for strokes; in pixels."""
    named = {**placed, "name": hint_name(name, image)}
    if name == POSITION:
        points = np.asarray(lines, dtype=float).reshape(-1, 2)
        return points, {**named, "face_color": LAYER_COLOUR, "symbol": "cross", "size": 30}, "points"
    style = {"edge_color": HINT_COLOURS[name], "edge_width": 5, "face_color": "transparent", "opacity": 0.8}
    if lines:
        style["shape_type"] = "path"
    paths = [np.asarray(line, dtype=float) for line in lines] or None
    return paths, {**named, **style}, "shapes"


def eds_layers(profile: xr.Dataset, mark: dict[str, Any]) -> list[LayerData]:
    """The element maps of a sample over their dark-field images, with both boundaries; data sets side by side."""
    from napari.utils import Colormap

    layers: list[LayerData] = []
    offset = 0.0
    for number in range(int(profile.attrs["data_sets"])):
        steps = np.atleast_2d(profile.attrs["pixel_size_nm"])[number]
        common = {"units": ("nanometer",) * 2, "axis_labels": ("y", "x"), "translate": (0.0, offset), "metadata": mark}
        placed = {**common, "scale": tuple(float(step) for step in steps)}
        if f"haadf_{number}" in profile:
            picture = profile[f"haadf_{number}"].values
            limits = tuple(float(limit) for limit in np.quantile(picture, (0.005, 0.995)))
            named = {**placed, "name": f"dark field {number}", "contrast_limits": limits, "opacity": 0.5}
            layers.append((picture, named, "image"))
        shown = shown_elements(profile, number)
        for element, colour in element_colours(shown).items():
            counts = np.nan_to_num(profile[f"map_{number}"].sel(element=element).values)
            named = {
                **placed,
                "name": f"{element} {number}",
                "contrast_limits": (0.0, max(float(np.quantile(counts, 0.998)), 1e-6)),
                "colormap": Colormap([[0, 0, 0, 1], colour], name=f"depthlock {colour}"),
                "blending": "additive",
            }
            layers.append((counts, named, "image"))
        for edge, colour in (("inner", "#00c8ff"), ("outer", "#ff3b6b")):
            if f"{edge}_y_{number}" in profile:
                path = np.stack([profile[f"{edge}_{axis}_{number}"].values for axis in "yx"], axis=1)
                line = {**common, "name": f"{edge} boundary {number}", "shape_type": "path", "edge_color": colour}
                width = {"edge_width": float(steps.mean()), "face_color": "transparent"}
                layers.append(([path], {**line, **width}, "shapes"))
        offset += profile.sizes[f"x_{number}"] * float(steps[1]) * 1.05
    return layers


def _label_colours() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict=dict(LABEL_COLOURS))


def _pixel_size(thickness: xr.Dataset, image: int) -> float | None:
    sizes = thickness.attrs.get("pixel_size_nm")
    if sizes is None:
        return None
    known = np.atleast_1d(np.asarray(sizes, dtype=np.float64)).ravel()
    return float(known[min(image, known.size - 1)])

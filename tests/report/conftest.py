"""Small stage results that keep their contracts, drawn in the tests of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.quantity import Quantity, assign

IONS = ["SO2CF3-", "MgF2-", "V-"]
ROLES = ["organic", "inorganic", "substrate"]


def tofsims_profile() -> xr.Dataset:
    time = np.arange(120) * 2.0
    rise = 1 / (1 + np.exp(-(time - 110) / 9))
    counts = np.stack([300 * np.exp(-time / 60), 80 * np.exp(-(((time - 70) / 30) ** 2)) + 1, 20 + 900 * rise])
    nothing = np.full((2, 120), np.nan)
    axis = np.stack([np.linspace(mz - 0.05, mz + 0.05, 60) for mz in (132.9577, 61.9824, 50.9445)])
    peak = 400 * np.exp(-(((axis - axis.mean(axis=1, keepdims=True)) / 0.01) ** 2))
    scans = ("ion", "scan")
    dataset = xr.Dataset(
        {
            "counts": (scans, counts, {"units": "1"}),
            "intensity": (scans, counts, {"units": "1"}),
            "intensity_std": (scans, np.sqrt(counts), {"units": "1"}),
            "response_fit": (scans, np.vstack([nothing, counts[2:]]), {"units": "1"}),
            "used_scans": ("scan", np.ones(120, dtype=np.int8), {"units": "1"}),
            "mass_axis": (("ion", "channel"), axis, {"units": "Da"}),
            "mass_spectrum": (("ion", "channel"), peak, {"units": "1"}),
            "mass_fit": (("ion", "channel"), peak, {"units": "1"}),
        },
        coords={
            "ion": ("ion", IONS, {"units": "1"}),
            "role": ("ion", ROLES, {"units": "1"}),
            "mz": ("ion", [132.9577, 61.9824, 50.9445], {"units": "Da"}),
            "sputter_time": ("scan", time, {"units": "s"}),
        },
    )
    only_substrate = [np.nan, np.nan, 110.0]
    dataset = assign(dataset, "interface_time", ("ion",), Quantity(only_substrate, [np.nan, np.nan, 1.5]), "s")
    dataset = assign(dataset, "interface_width", ("ion",), Quantity([np.nan, np.nan, 30.0], [np.nan, np.nan, 2.0]), "s")
    totals = Quantity(counts.sum(axis=1), np.sqrt(counts.sum(axis=1)), flag=["", "lookalike:NO3-", ""])
    dataset = assign(dataset, "total_counts", ("ion",), totals, "1")
    dataset = assign(dataset, "mass_error", ("ion",), Quantity([1.0, -2.0, 0.5], 3.0), "ppm")
    dataset = assign(dataset, "mass_resolution", ("ion",), Quantity([6000.0, 5000.0, 4500.0], 90.0), "1")
    dataset.attrs["notes"] = ["of the other polarity and left out: Mg+"]
    return check(dataset, "tofsims_profile")


def xps_fit() -> xr.Dataset:
    energy = np.linspace(680, 694, 141)
    shapes = np.stack([np.exp(-(((energy - at) / 1.0) ** 2)) for at in (685.6, 688.8)])
    areas = np.array([[100.0, 900.0], [300.0, 700.0], [500.0, 400.0]])
    curves = areas[:, :, None] * shapes
    background = np.full((3, 141), 200.0)
    data = curves.sum(axis=1) + background
    spectra = ("level", "point")
    dataset = xr.Dataset(
        {
            "counts_per_second": (spectra, data + 3 * np.sin(40 * energy), {"units": "count / s"}),
            "model": (spectra, data, {"units": "count / s"}),
            "background": (spectra, background, {"units": "count / s"}),
            "residual": (spectra, 3 * np.sin(40 * energy) + 0 * data, {"units": "count / s"}),
            "component_curve": (("level", "component", "point"), curves, {"units": "count / s"}),
        },
        coords={
            "etch_time": ("level", [0.0, 60.0, 120.0], {"units": "s"}),
            "component": ("component", ["F 1s/MgF2", "F 1s/CF3"], {"units": "1"}),
            "region": ("component", ["F 1s", "F 1s"], {"units": "1"}),
            "element": ("element", ["F"], {"units": "1"}),
            "region_of_point": ("point", ["F 1s"] * 141, {"units": "1"}),
            "binding_energy": ("point", energy, {"units": "eV"}),
        },
    )
    both = ("level", "component")
    dataset = assign(dataset, "area", both, Quantity(areas, 0.05 * areas), "count * eV / s")
    dataset = assign(dataset, "position", both, Quantity(np.full((3, 2), 685.6), 0.02), "eV")
    dataset = assign(dataset, "fwhm", both, Quantity(np.full((3, 2), 1.66), 0.02), "eV")
    dataset = assign(dataset, "fraction", both, Quantity(areas / areas.sum(axis=1, keepdims=True), 0.02), "1")
    dataset = assign(dataset, "atomic_percent", ("level", "element"), Quantity(np.full((3, 1), 100.0), 1.0), "percent")
    dataset = assign(dataset, "charge_shift", ("level",), Quantity([0.1, 0.2, 0.3], 0.1), "eV")
    return check(dataset, "xps_fit")


def tem_thickness() -> xr.Dataset:
    rng = np.random.default_rng(0)
    rows, columns, pixel = 200, 240, 0.1
    label = np.zeros((rows, columns), dtype=np.int8)
    label[60:] = 1
    label[140:] = 2
    along = np.arange(20, 220, 2.0)
    thick = 8.0 + 0.4 * np.sin(along / 20)
    one = {"units": "1"}
    dataset = xr.Dataset(
        {
            "thickness": ("position", thick, {"units": "nm"}),
            "thickness_std": ("position", np.full(along.size, 0.1), {"units": "nm"}),
            "inner_y": ("position", np.full(along.size, 140.0), {"units": "1"}),
            "inner_x": ("position", along, {"units": "1"}),
            "outer_y": ("position", 140.0 - thick / pixel, {"units": "1"}),
            "outer_x": ("position", along, {"units": "1"}),
            "thickness_sampling_std": ((), 0.1, {"units": "nm"}),
            "image_0": (("y_0", "x_0"), rng.normal(label * 10.0, 5.0).astype(np.float32), {"units": "1"}),
            "label_0": (("y_0", "x_0"), label, {"units": "1"}),
            "crystallinity_0": (("window_y_0", "window_x_0"), 9.0 + 300.0 * (label[20:180:5, 20:220:5] == 2), one),
            "reflection_ky_0": ("reflection_0", [2.63], {"units": "1/nm"}),
            "reflection_kx_0": ("reflection_0", [0.1], {"units": "1/nm"}),
            "reflection_spacing_0": ("reflection_0", [0.38], {"units": "nm"}),
        },
        coords={
            "arc_length": ("position", along * pixel, {"units": "nm"}),
            "image_index": ("position", np.zeros(along.size, dtype=np.int64), {"units": "1"}),
            "statistic": ("statistic", ["mean", "sd", "p05", "p95"], {"units": "1"}),
            "window_y_0": ("window_y_0", np.arange(20, 180, 5) * pixel, {"units": "nm"}),
            "window_x_0": ("window_x_0", np.arange(20, 220, 5) * pixel, {"units": "nm"}),
        },
        attrs={
            "images": 1,
            "pixel_size_nm": [[pixel, pixel]],
            "image_flags": [""],
            "segmentation": ["automatic"],
            "scale_sources": ["file"],
        },
    )
    dataset = assign(dataset, "cei_thickness", ("statistic",), Quantity([8.0, 0.28, 7.6, 8.4], 0.1), "nm")
    dataset = assign(dataset, "lattice_spacing", (), Quantity(0.38, 0.001), "nm")
    return check(dataset, "tem_thickness")


def depth_profile(piled: float) -> xr.Dataset:
    depth = np.linspace(0, 14, 141)
    species = [*IONS, "F 1s/MgF2"]
    signal = np.stack(
        [np.exp(-depth / piled), np.exp(-(((depth - 5) / 3) ** 2)), 1 / (1 + np.exp(8 - depth)), depth / 14]
    )
    both = ("depth", "species")
    layer = np.where(depth[:, None] <= 8, signal.T, np.nan)
    dataset = xr.Dataset(
        {
            "signal": (both, 500 * signal.T, {"units": "1"}),
            "signal_std": (both, 20 * signal.T, {"units": "1"}),
            "layer_signal": (both, 520 * layer, {"units": "1"}),
            "layer_signal_std": (both, 20 * layer, {"units": "1"}),
            "layer_signal_lower": (both, 480 * layer, {"units": "1"}),
            "layer_signal_upper": (both, 560 * layer, {"units": "1"}),
        },
        coords={
            "depth": ("depth", depth, {"units": "nm"}),
            "depth_std": ("depth", 0.02 * depth, {"units": "nm"}),
            "depth_fraction": ("depth", depth / 8, {"units": "1"}),
            "species": ("species", species, {"units": "1"}),
            "technique": ("species", ["tofsims"] * 3 + ["xps"], {"units": "1"}),
            "role": ("species", [*ROLES, "inorganic"], {"units": "1"}),
            "pair": ("pair", ["SO2CF3-,MgF2-"], {"units": "1"}),
            "rated_technique": ("rated_technique", ["tofsims"], {"units": "1"}),
        },
    )
    for name in ("centroid", "substrate_in_layer"):
        for suffix in ("", "_as_measured"):
            units = "nm" if name == "centroid" else "1"
            dataset = assign(dataset, name + suffix, ("species",), Quantity([2.0, 4.5, np.nan, 4.0], 0.3), units)
    for name in ("separation", "overlap", "interlocking"):
        for suffix in ("", "_as_measured"):
            units = "nm" if name == "separation" else "1"
            dataset = assign(dataset, name + suffix, ("pair",), Quantity([0.4], 0.05), units)
    dataset = assign(dataset, "co_occurrence", ("pair",), Quantity([3.0], 1.0), "1")
    dataset = assign(dataset, "sputter_rate", ("rated_technique",), Quantity([0.073], 0.001), "nm/s")
    return check(dataset, "depth_profile")


def row(sample: str, quantity: str, target: str, value: float, flag: str = "") -> dict[str, Any]:
    return {
        "sample": sample, "technique": "depth", "quantity": quantity, "target": target, "level": "", "value": value,
        "std": 0.1, "ci_low": value - 0.2, "ci_high": value + 0.2, "unit": "nm", "flag": flag,
    }  # fmt: skip


def tofsims_components() -> xr.Dataset:
    """Two components: one of the layer, in a patch, and one of the substrate without a formula."""
    one, place = {"units": "1"}, {"units": "micrometer"}
    time, y = np.arange(30) * 4.0, np.arange(8) * 2.0
    profile = np.stack([np.exp(-time / 40.0), 1.0 - np.exp(-time / 40.0)]) * 900.0
    image = np.stack([np.eye(8), np.ones((8, 8))]) * 20.0
    spectrum = np.array([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8]])
    dataset = xr.Dataset(
        {
            "spectrum": (("component", "peak"), spectrum, one),
            "peak_share": (("component", "peak"), spectrum, one),
            "telling_peaks": ("component", ["PO3-", "m/z 98.929, O-"], one),
            "stability": ("component", [1.0, 0.8], one),
            "profile": (("component", "scan"), profile, one),
            "profile_std": (("component", "scan"), np.sqrt(profile), one),
            "map": (("component", "y", "x"), image, one),
            "volume": (("component", "voxel_scan", "voxel_y", "voxel_x"), image[:, np.newaxis], one),
            "principal_spectrum": (("principal", "peak"), spectrum, one),
            "principal_profile": (("principal", "scan"), profile, one),
            "principal_map": (("principal", "y", "x"), image, one),
            "principal_share": ("principal", [0.9, 0.1], one),
        },
        coords={
            "component": ("component", ["component 1", "component 2"], one),
            "mz": ("peak", [78.959, 15.995, 98.929], {"units": "Da"}),
            "candidates": ("peak", ["PO3- +1.0 ppm; SO3- -90.0 ppm", "O- +0.1 ppm", ""], one),
            "sputter_time": ("scan", time, {"units": "s"}),
            "y": ("y", y, place),
            "x": ("x", y, place),
        },
        attrs={"source": "B/profile.h5", "notes": ["2 components unmixed"]},
    )
    ions = Quantity([1e4, 2e4], [100.0, 140.0], flag=["", "unstable_component"])
    dataset = assign(dataset, "component_ions", ("component",), ions, "1")
    dataset = assign(dataset, "component_time", ("component",), Quantity([30.0, 80.0], [1.0, 1.0]), "s")
    return check(dataset, "tofsims_components")


def tofsims_maps() -> xr.Dataset:
    """Three ions on a small raster, without a depth axis."""
    one, place = {"units": "1"}, {"units": "micrometer"}
    counts = np.random.default_rng(0).poisson(5.0, (3, 12, 8, 9)).astype(np.float32)
    dataset = xr.Dataset(
        {
            "map": (("ion", "y", "x"), counts.sum(axis=1), one),
            "section_x": (("ion", "scan", "x"), counts.sum(axis=2), one),
            "section_y": (("ion", "scan", "y"), counts.sum(axis=3), one),
        },
        coords={
            "ion": ("ion", IONS, one),
            "role": ("ion", ROLES, one),
            "sputter_time": ("scan", np.arange(12) * 4.0, {"units": "s"}),
            "y": ("y", np.arange(8) * 2.0, place),
            "x": ("x", np.arange(9) * 2.0, place),
        },
        attrs={"source": "B/profile.h5"},
    )
    return check(dataset, "tofsims_maps")


class SmallResults:
    """Results of two samples, in memory."""

    name = "two samples"
    samples: Sequence[str] = ("B", "L <2>")

    def dataset(self, sample: str, stage: str) -> xr.Dataset | None:
        if stage == "depth_profile":
            return depth_profile(3.0 if sample == "B" else 30.0)
        if sample != "B":
            return None
        stages = {
            "tofsims_profile": tofsims_profile,
            "tofsims_components": tofsims_components,
            "tofsims_maps": tofsims_maps,
            "xps_deconvolve": xps_fit,
            "tem_thickness": tem_thickness,
        }
        return stages[stage]() if stage in stages else None

    def session_dataset(self, stage: str) -> xr.Dataset | None:
        return None

    def summary_rows(self) -> Sequence[Mapping[str, Any]]:
        return [
            row("B", "centroid", "SO2CF3-", 2.0),
            row("L <2>", "centroid", "SO2CF3-", 4.0, "lookalike:SF-;at_bound"),
            row("L <2>", "separation", "SO2CF3-,MgF2-", float("nan"), "no_thickness"),
        ]

    def provenance(self) -> Mapping[str, Any]:
        return {"depthlock": "0.1.0", "raw": {"B/profile.h5": "0" * 64}}


@pytest.fixture(scope="session")
def results() -> SmallResults:
    return SmallResults()

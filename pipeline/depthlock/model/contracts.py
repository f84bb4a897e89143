"""The dataset contracts between stages, and the one function that checks them."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from depthlock.model.errors import ContractError
from depthlock.model.quantity import SIBLINGS
from depthlock.model.units import is_unit


@dataclass(frozen=True)
class Contract:
    """What a dataset between two stages must hold.

    Attributes
    ----------
    dims : tuple of str
        Dims that must be there.
    variables : dict
        Name of a variable or coordinate to its dims.
    quantities : dict
        Name of a quantity (with its siblings) to its dims.
    attributes : tuple of str
        Attributes that must be there.
    """

    dims: tuple[str, ...]
    variables: dict[str, tuple[str, ...]]
    quantities: dict[str, tuple[str, ...]]
    attributes: tuple[str, ...] = ()


CONTRACTS: dict[str, Contract] = {
    "tofsims_events": Contract(
        dims=("bin", "bin_edge", "event", "scan"),
        variables={
            "mass_bin": ("bin",),
            "indptr": ("bin_edge",),
            "pixel_id": ("event",),
            "count": ("event",),
            "sputter_time": ("scan",),
        },
        quantities={},
        attributes=("polarity", "row_shape", "mass_bin_width_ps", "calibration_slope", "calibration_offset"),
    ),
    "tofsims_export": Contract(
        dims=("ion", "scan"),
        variables={"ion": ("ion",), "sputter_time": ("scan",), "intensity": ("ion", "scan")},
        quantities={},
        attributes=("source", "corrected"),
    ),
    "tofsims_volume": Contract(
        dims=("ion", "scan", "y", "x"),
        variables={
            "mz": ("ion",),
            "sputter_time": ("scan",),
            "y": ("y",),
            "x": ("x",),
            "counts": ("ion", "scan", "y", "x"),
            "pulses": ("scan",),
        },
        quantities={},
    ),
    "tofsims_profile": Contract(
        dims=("ion", "scan"),
        variables={
            "ion": ("ion",),
            "role": ("ion",),
            "mz": ("ion",),
            "sputter_time": ("scan",),
            "counts": ("ion", "scan"),
            "intensity": ("ion", "scan"),
            "intensity_std": ("ion", "scan"),
            "response_fit": ("ion", "scan"),
            "used_scans": ("scan",),
        },
        quantities=dict.fromkeys(
            ("interface_time", "interface_width", "total_counts", "mass_error", "mass_resolution"), ("ion",)
        ),
    ),
    "tofsims_components": Contract(
        dims=("component", "peak", "scan", "y", "x"),
        variables={
            "component": ("component",),
            "mz": ("peak",),
            "candidates": ("peak",),
            "sputter_time": ("scan",),
            "spectrum": ("component", "peak"),
            "peak_share": ("component", "peak"),
            "telling_peaks": ("component",),
            "stability": ("component",),
            "profile": ("component", "scan"),
            "profile_std": ("component", "scan"),
            "map": ("component", "y", "x"),
            "volume": ("component", "voxel_scan", "voxel_y", "voxel_x"),
            "principal_spectrum": ("principal", "peak"),
            "principal_profile": ("principal", "scan"),
            "principal_map": ("principal", "y", "x"),
            "principal_share": ("principal",),
        },
        quantities={"component_ions": ("component",), "component_time": ("component",)},
        attributes=("source", "notes"),
    ),
    "tofsims_maps": Contract(
        dims=("ion", "scan", "y", "x"),
        variables={
            "role": ("ion",),
            "sputter_time": ("scan",),
            "y": ("y",),
            "x": ("x",),
            "map": ("ion", "y", "x"),
            "section_x": ("ion", "scan", "x"),
            "section_y": ("ion", "scan", "y"),
        },
        quantities={},
        attributes=("source",),
    ),
    "xps_spectra": Contract(
        dims=("level", "energy"),
        variables={
            "etch_time": ("level",),
            "binding_energy": ("energy",),
            "counts": ("level", "energy"),
            "dwell_time": ("level",),
            "scans": ("level",),
        },
        quantities={},
        attributes=("region", "source", "intensity_kind"),
    ),
    "xps_fit": Contract(
        dims=("level", "component", "point"),
        variables={
            "etch_time": ("level",),
            "component": ("component",),
            "region": ("component",),
            "region_of_point": ("point",),
            "binding_energy": ("point",),
            "counts_per_second": ("level", "point"),
            "model": ("level", "point"),
            "background": ("level", "point"),
            "residual": ("level", "point"),
        },
        quantities={
            "area": ("level", "component"),
            "position": ("level", "component"),
            "fwhm": ("level", "component"),
            "fraction": ("level", "component"),
            "atomic_percent": ("level", "element"),
            "charge_shift": ("level",),
        },
    ),
    "tem_image": Contract(dims=("y", "x"), variables={"image": ("y", "x")}, quantities={}, attributes=("source",)),
    "tem_thickness": Contract(
        dims=("position", "statistic"),
        variables={
            "arc_length": ("position",),
            "image_index": ("position",),
            "thickness": ("position",),
            "thickness_std": ("position",),
            "inner_y": ("position",),
            "inner_x": ("position",),
            "outer_y": ("position",),
            "outer_x": ("position",),
            "thickness_sampling_std": (),
        },
        quantities={"cei_thickness": ("statistic",), "lattice_spacing": ()},
        attributes=("images",),
    ),
    "eds_maps": Contract(
        dims=("element", "y", "x"),
        variables={"element": ("element",), "line": ("element",), "counts": ("element", "y", "x")},
        quantities={},
        attributes=("source",),
    ),
    "eds_spectra": Contract(
        dims=("y", "x", "energy"),
        variables={"energy": ("energy",), "counts": ("y", "x", "energy")},
        quantities={},
        attributes=("source",),
    ),
    "eds_profile": Contract(
        dims=("data_set", "element", "distance"),
        variables={
            "element": ("element",),
            "distance": ("distance",),
            "pixels": ("data_set", "distance"),
            "edge_std": ("data_set",),
            "thickness_sampling_std": (),
            "thickness_sd": (),
        },
        quantities={
            "intensity": ("data_set", "element", "distance"),
            "layer_thickness": (),
            "interface_position": ("element",),
            "interface_width": ("element",),
            "layer_share": ("element",),
            "uniformity": ("element",),
            "uniformity_z": ("element",),
        },
        attributes=("data_sets",),
    ),
    "stem_scan": Contract(
        dims=("scan_y", "scan_x", "ky", "kx"),
        variables={"patterns": ("scan_y", "scan_x", "ky", "kx")},
        quantities={},
        attributes=("source", "scan_step_nm", "detector_step"),
    ),
    "stem_maps": Contract(dims=(), variables={}, quantities={}, attributes=("scans", "sources", "rings_per_nm")),
    "diffraction_pattern": Contract(
        dims=("y", "x"),
        variables={"intensity": ("y", "x")},
        quantities={},
        attributes=("source", "geometry", "reflections"),
    ),
    "diffraction_texture": Contract(
        dims=("reflection", "azimuth"),
        variables={"reflection": ("reflection",), "pattern": ("reflection",), "azimuth": ("azimuth",)},
        quantities={
            "reflection_spacing": ("reflection",),
            "reflection_width": ("reflection",),
            "reflection_counts": ("reflection",),
            "texture_share": ("reflection",),
            "orientation_spread": ("reflection",),
            "orientation_angle": ("reflection",),
            "oriented_share": ("reflection",),
            "ring_intensity": ("reflection", "azimuth"),
        },
        attributes=("patterns", "sources"),
    ),
    "depth_profile": Contract(
        dims=("depth", "species"),
        variables={
            "depth": ("depth",),
            "depth_std": ("depth",),
            "depth_fraction": ("depth",),
            "species": ("species",),
            "technique": ("species",),
            "role": ("species",),
            "signal": ("depth", "species"),
            "signal_std": ("depth", "species"),
        },
        quantities={
            "sputter_rate": ("rated_technique",),
            "centroid": ("species",),
            "centroid_as_measured": ("species",),
            "separation": ("pair",),
            "separation_as_measured": ("pair",),
            "overlap": ("pair",),
            "overlap_as_measured": ("pair",),
            "interlocking": ("pair",),
            "interlocking_as_measured": ("pair",),
            "co_occurrence": ("pair",),
            "substrate_in_layer": ("species",),
            "substrate_in_layer_as_measured": ("species",),
        },
    ),
    "comparison": Contract(dims=("sample",), variables={"sample": ("sample",)}, quantities={}),
}


def check(dataset: xr.Dataset, contract: str) -> xr.Dataset:
    """Return `dataset` if it keeps the contract of that name.

    Raises
    ------
    ContractError
        Naming every variable that is missing, has other dims, or has units that pint cannot parse.
    """
    wanted = CONTRACTS[contract]
    faults = [f"dim '{dim}' is missing" for dim in wanted.dims if dim not in dataset.sizes]
    faults += [f"attribute '{name}' is missing" for name in wanted.attributes if name not in dataset.attrs]
    expected = dict(wanted.variables)
    for name, dims in wanted.quantities.items():
        expected[name] = dims
        expected.update({f"{name}_{suffix}": dims for suffix in SIBLINGS})
    for name, dims in expected.items():
        if name not in dataset.variables:
            faults.append(f"'{name}' is missing")
        elif dataset[name].dims != dims:
            faults.append(f"'{name}' has dims {dataset[name].dims}, expected {dims}")
    for key, variable in dataset.variables.items():
        units = variable.attrs.get("units")
        if units is None or not is_unit(str(units)):
            faults.append(f"'{key}' has units {units!r}, which pint cannot parse")
    if faults:
        raise ContractError(
            f"a dataset does not keep the contract '{contract}': " + "; ".join(faults),
            expected=f"the variables and units of '{contract}' in depthlock.model.contracts",
            where=str(dataset.attrs.get("source", "")),
        )
    return dataset

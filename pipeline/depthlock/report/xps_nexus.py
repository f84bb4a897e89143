"""Our XPS fit as a NeXus file of the application definition NXxps: one entry a level and window, with its fit.

Written with h5py alone: pynxtools-xps converts instruments' files, knows no fit of ours, and would bring hundreds of
megabytes along. Its validator finds nothing amiss but what NXxps asks for and measured files often do not say (work
function, scan mode, the analyser's scheme), which is then left out and named in the entry's attribute ``not_stated``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import depthlock

if TYPE_CHECKING:
    import h5py

DEFINITION_VERSION = "2024.02"
"""Release of the NeXus definitions that the layout follows."""

FUNCTIONS = {
    "pseudo_voigt": "Gaussian-Lorentzian Sum",
    "SGL": "Gaussian-Lorentzian Sum",
    "gl_product": "Gaussian-Lorentzian Product",
    "GL": "Gaussian-Lorentzian Product",
    "voigt": "Voigt",
    "LA": "Asymmetric Lorentzian",
    "LF": "Asymmetric Finite",
    "DS": "Doniach-Sunjic",
}
"""NXxps's name of every line shape."""

ANALYSER = "instrument/electronanalyzer"

REQUIRED = (
    f"{ANALYSER}/work_function",
    f"{ANALYSER}/collectioncolumn/scheme",
    f"{ANALYSER}/energydispersion/scheme",
    f"{ANALYSER}/energydispersion/energy_scan_mode",
    f"{ANALYSER}/electron_detector",
)
"""What NXxps requires and files of spectra often do not say."""

SCAN_MODES = {"FAT": "fixed_analyzer_transmission", "FRR": "fixed_retarding_ratio"}
"""NeXus's names of VAMAS's analyser modes."""


def write_nexus(fit: xr.Dataset, path: Path) -> None:
    """Write a fit as NXxps.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    path : Path
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["creator"] = f"depthlock {depthlock.__version__}"
        windows = list(dict.fromkeys(fit["region_of_point"].values.tolist()))
        for level in range(fit.sizes["level"]):
            for window in windows:
                points = np.flatnonzero(fit["region_of_point"].values == window)
                points = points[np.isfinite(fit["counts_per_second"].values[level, points])]
                if points.size:
                    name = f"level{level}_{window.replace(' ', '_').replace('/', '_')}"
                    _entry(file, name, fit, level, str(window), points)
                    file.attrs.setdefault("default", name)


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _field(parent: h5py.Group, name: str, value: Any, units: str = "") -> None:
    parent[name] = value
    if units:
        parent[name].attrs["units"] = units


def _entry(file: h5py.File, name: str, fit: xr.Dataset, level: int, window: str, points: np.ndarray) -> None:
    """One level of one window: spectrum, energy reference and fit."""
    entry = _group(file, name, "NXentry")
    entry.attrs["default"] = "data"
    _field(entry, "definition", "NXxps")
    entry["definition"].attrs["version"] = DEFINITION_VERSION
    sample = str(fit.attrs.get("sample", "")) or "sample"
    _field(entry, "title", f"{sample}, {window}, level {level}")
    _field(entry, "method", "X-ray photoelectron spectroscopy (XPS)")
    _field(entry, "transitions", window)
    acquired = json.loads(fit.attrs.get("acquired", "[]"))
    if level < len(acquired):
        _field(entry, "start_time", acquired[level])
    _field(_group(entry, "sample", "NXsample"), "name", sample)
    instrument = _group(entry, "instrument", "NXinstrument")
    beam = _group(instrument, "beam_probe", "NXbeam")
    _analyser(instrument, json.loads(fit.attrs.get("analyser", "{}")).get(window, {}))
    entry.attrs["not_stated"] = [name for name in REQUIRED if name not in entry]
    if "photon_energy_eV" in fit.attrs:
        _field(beam, "incident_energy", float(fit.attrs["photon_energy_eV"]), "eV")

    shift = float(fit["charge_shift"].values[level])
    measured = fit["binding_energy"].values[points]
    energy = measured - shift
    data = _group(entry, "data", "NXdata")
    data.attrs["signal"], data.attrs["axes"], data.attrs["energy_indices"] = "data", ["energy"], 0
    _field(data, "data", fit["counts_per_second"].values[level, points], "counts_per_second")
    if "noise" in fit:
        _field(data, "data_errors", fit["noise"].values[level, points], "counts_per_second")
    _energy(data, "energy", energy)
    _energy(data, "energy_measured", measured)
    _series(data, fit, level)

    reference = _group(entry, "energy_referencing", "NXcalibration")
    _field(reference, "physical_quantity", "energy")
    _field(reference, "reference_peak", str(fit.attrs.get("charge_reference", "")))
    _field(reference, "offset", -shift, "eV")
    _field(reference, "calibrated_axis", energy, "eV")
    _fit(entry, fit, level, window, points, energy)


def _analyser(instrument: h5py.Group, stated: Mapping[str, Any]) -> None:
    """The analyser, with what the file says of it."""
    analyser = _group(instrument, "electronanalyzer", "NXelectronanalyzer")
    if "work_function_eV" in stated:
        _field(analyser, "work_function", float(stated["work_function_eV"]), "eV")
    dispersion = _group(analyser, "energydispersion", "NXenergydispersion")
    if "pass_energy_eV" in stated:
        _field(dispersion, "pass_energy", float(stated["pass_energy_eV"]), "eV")
    if stated.get("analyser_mode") in SCAN_MODES:
        _field(dispersion, "energy_scan_mode", SCAN_MODES[stated["analyser_mode"]])


def _energy(data: h5py.Group, name: str, values: np.ndarray) -> None:
    _field(data, name, values, "eV")
    data[name].attrs["type"] = "binding"


def _series(data: h5py.Group, fit: xr.Dataset, level: int) -> None:
    """Etch time of the level, or what else orders the series."""
    seconds = float(fit["etch_time"].values[level])
    if np.isfinite(seconds):
        _field(data, "etch_time", seconds, "s")
    if "series" in fit.coords:
        _field(data, "series", float(fit["series"].values[level]), str(fit["series"].attrs.get("units_as_written", "")))
        data["series"].attrs["long_name"] = str(fit["series"].attrs["long_name"])


def _fit(entry: h5py.Group, fit: xr.Dataset, level: int, window: str, points: np.ndarray, energy: np.ndarray) -> None:
    """NXfit: data, sum, residual, peaks and background."""
    group = _group(entry, "fit", "NXfit")
    _field(group, "label", f"{window}, level {level}")
    data = _group(group, "data", "NXdata")
    data.attrs["signal"], data.attrs["axes"] = "input_dependent", ["input_independent"]
    _field(data, "input_independent", energy, "eV")
    for name, variable in (("input_dependent", "counts_per_second"), ("fit_sum", "model"), ("residual", "residual")):
        _field(data, name, fit[variable].values[level, points], "counts_per_second")
    shapes = json.loads(fit.attrs.get("line_shapes", "{}"))
    curves = fit["component_curve"].transpose("level", "component", "point").values[level]
    inside = [k for k in range(fit.sizes["component"]) if np.any(curves[k, points] != 0)]
    for order, component in enumerate(inside):
        label = str(fit["component"].values[component])
        peak = _group(group, f"peak{order}", "NXpeak")
        _field(peak, "label", label)
        _curve(peak, energy, curves[component, points])
        _field(peak, "total_area", float(fit["area"].values[level, component]), "counts_per_second * eV")
        function = _group(peak, "function", "NXfit_function")
        shape = str(shapes.get(label, "pseudo_voigt"))
        _field(function, "function_type", FUNCTIONS.get(shape.partition("(")[0], shape))
        _field(function, "description", shape)
        parameters = _group(function, "fit_parameters", "NXparameters")
        for name, variable, units in (
            ("area", "area", "counts_per_second * eV"), ("width", "fwhm", "eV"), ("position", "position", "eV")
        ):  # fmt: skip
            _field(parameters, name, float(fit[variable].values[level, component]), units)
            _field(parameters, f"{name}_errors", float(fit[f"{variable}_std"].values[level, component]), units)
            parameters[name].attrs["flag"] = str(fit[f"{variable}_flag"].values[level, component])
            interval = [float(fit[f"{variable}_{end}"].values[level, component]) for end in ("lower", "upper")]
            parameters[name].attrs["interval_95_percent"] = interval
    background = _group(group, "background0", "NXpeak")
    _field(background, "label", str(fit.attrs.get("background", "")))
    _curve(background, energy, fit["background"].values[level, points])
    kind = str(fit.attrs.get("background", ""))
    name = "Shirley" if "shirley" in kind else "Tougaard" if "tougaard" in kind else "Linear"
    _field(_group(background, "function", "NXfit_function"), "function_type", name)
    names = fit["core_level"].values.tolist() if "reduced_chi_square" in fit else []
    if window in names:
        value = float(fit["reduced_chi_square"].values[level, names.index(window)])
        _field(group, "figure_of_merit_reduced_chi_square", value)
        group["figure_of_merit_reduced_chi_square"].attrs["metric"] = "reduced chi-square"


def _curve(peak: h5py.Group, energy: np.ndarray, intensity: np.ndarray) -> None:
    data = _group(peak, "data", "NXdata")
    data.attrs["signal"], data.attrs["axes"] = "intensity", ["position"]
    _field(data, "position", energy, "eV")
    _field(data, "intensity", intensity, "counts_per_second")

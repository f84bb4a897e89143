"""Our XPS fit for other programs: a VAMAS file with CasaXPS's regions and components, and CSV tables.

NeXus is in `depthlock.report.xps_nexus`. CasaXPS has no active background: regions get its nearest one (Tougaard ones
its universal cross section), and areas, positions and widths stand in the components. Its energies are kinetic and in
the calibrated frame; the raw axis stays and a ``Calib`` line states the charge shift.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import depthlock
from depthlock.report.xps_figures import series_axis
from depthlock.report.xps_nexus import write_nexus

AL_K_ALPHA = 1486.6
"""Photon energy (eV) where the files state none; kinetic energies then only serve to hold the binding energies."""

BACKGROUNDS = {
    "active_shirley": "Shirley",
    "static_shirley": "Shirley",
    "tougaard": "U 2 Tougaard",
    "active_tougaard": "U 2 Tougaard",
    "active_shirley_tougaard": "Shirley",
    "linear": "Linear",
    "constant": "Linear",
    "file": "Shirley",
}

_GAUSS_PEAK, _LORENTZ_PEAK = 2.0 * np.sqrt(np.log(2.0) / np.pi), 2.0 / np.pi
_VOIGT_M = 0.839 / 0.4995 / 243.0
"""CasaXPS's m of an LA line per Gaussian over Lorentzian width, as in `depthlock.xps.tabulated`."""


def write_exports(fit: xr.Dataset, folder: Path) -> tuple[Path, ...]:
    """Write all exports of a sample.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    folder : Path
        Made if it is not there.

    Returns
    -------
    tuple of Path
        ``xps_fit.vms``, ``xps_components.csv``, ``xps_curves.csv`` and ``xps_fit.nxs``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[xr.Dataset, Path], None]] = {
        "xps_fit.vms": write_vamas,
        "xps_components.csv": write_components,
        "xps_curves.csv": write_curves,
        "xps_fit.nxs": write_nexus,
    }
    for name, write in writers.items():
        write(fit, folder / name)
    return tuple(folder / name for name in writers)


def write_components(fit: xr.Dataset, path: Path) -> None:
    """One row a level and component: area, position, width, fraction with errors, intervals and flags.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    path : Path
    """
    shapes = json.loads(fit.attrs.get("line_shapes", "{}"))
    names = ("area", "position", "fwhm", "fraction")
    columns = [f"{name}{suffix}" for name in names for suffix in ("", "_std", "_lower", "_upper", "_flag")]
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        units = [f"{name} ({fit[name].attrs['units']})" for name in columns]
        series, series_name = series_axis(fit)
        table.writerow(["level", series_name, "component", "shape", *units])
        values = [fit[name].transpose("level", "component").values for name in columns]
        for level, place in enumerate(series):
            for number, label in enumerate(fit["component"].values):
                row = [_written(column[level, number]) for column in values]
                table.writerow([level, _written(place), label, shapes.get(str(label), ""), *row])


def write_curves(fit: xr.Dataset, path: Path) -> None:
    """One row a level and point: energies, data, model, background and every component.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    path : Path
    """
    names = [name for name in ("counts_per_second", "model", "background", "noise") if name in fit]
    labels = [str(label) for label in fit["component"].values]
    energy, region = fit["binding_energy"].values, fit["region_of_point"].values
    shift = fit["charge_shift"].values
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        head = ["level", "region", "binding_energy_measured (eV)", "binding_energy (eV)"]
        table.writerow([*head, *[f"{name} (count / s)" for name in (*names, *labels)]])
        curves = fit["component_curve"].transpose("level", "point", "component").values
        columns = [fit[name].transpose("level", "point").values for name in names]
        for level in range(fit.sizes["level"]):
            for point in np.flatnonzero(np.isfinite(columns[0][level])):
                row = [_written(column[level, point]) for column in columns]
                parts = [_written(value) for value in curves[level, point]]
                referenced = _written(energy[point] - shift[level])
                table.writerow([level, region[point], _written(energy[point]), referenced, *row, *parts])


def _written(value: Any) -> str:
    """A number with all its digits that mean something; text as it is."""
    return value if isinstance(value, str) else f"{float(value):.9g}"


def write_vamas(fit: xr.Dataset, path: Path) -> None:
    """VAMAS (ISO 14976) with one block a level and window, and CasaXPS's comments.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    path : Path

    Notes
    -----
    Intensities are counts with the transmission divided out, so that areas are in our units; the collection time is
    the exposure that the fit's noise says.
    """
    blocks = [
        block
        for level in range(fit.sizes["level"])
        for window in dict.fromkeys(fit["region_of_point"].values.tolist())
        if (block := _block(fit, level, str(window)))
    ]
    lines = ["VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"]
    lines += ["Not Specified"] * 4
    lines += ["1", f"depthlock {depthlock.__version__}: transmission divided out of the counts"]
    name, unit = ("Etch Time", "s") if "series" not in fit.coords else _series_name(fit)
    lines += ["NORM", "IRREGULAR", "0", "1", name, unit, "0", "0", "0", "0", str(len(blocks))]
    for block in blocks:
        lines += block
    path.write_text("\r\n".join([*lines, "end of experiment", ""]), encoding="utf-8")


def _series_name(fit: xr.Dataset) -> tuple[str, str]:
    """Name and unit of the series variable; VAMAS writes d for none."""
    return str(fit["series"].attrs["long_name"]), str(fit["series"].attrs.get("units_as_written", "")) or "d"


def _block(fit: xr.Dataset, level: int, window: str) -> list[str]:
    """The lines of one block; none when the level was not measured."""
    own = np.flatnonzero(fit["region_of_point"].values == window)
    rate = fit["counts_per_second"].values[level, own]
    own, rate = own[np.isfinite(rate)], rate[np.isfinite(rate)]
    if own.size < 2:
        return []
    energy = fit["binding_energy"].values[own]
    photon = float(fit.attrs.get("photon_energy_eV", np.nan))
    photon = photon if np.isfinite(photon) else AL_K_ALPHA
    seconds = _exposure(fit, level, own, window)
    order = np.argsort(photon - energy)
    kinetic, counts = (photon - energy)[order], (rate * seconds)[order]
    comment = _casa(fit, level, window, photon, (float(energy.min()), float(energy.max())))
    species, _, transition = window.partition(" ")
    etch = float(series_axis(fit)[0][level])
    lines = [window, str(fit.attrs.get("sample", "")) or "sample", "1E37", "1E37", "1E37", "1E37", "1E37", "1E37", "0"]
    lines += [str(len(comment)), *comment, "XPS", f"{etch:.9g}" if np.isfinite(etch) else "1E37"]
    lines += ["Al" if abs(photon - AL_K_ALPHA) < 1.0 else "source", f"{photon:.6f}", "1E37", "1E37", "1E37"]
    lines += ["1E37", "1E37", "FAT", "1E37", "1E37", "1E37", "1E37", "1E37", "1E37", "1E37", "1E37"]
    lines += [species or window, transition or "none", "-1"]
    lines += ["2", "Kinetic Energy", "eV", "Intensity", "counts"]
    lines += ["pulse counting", f"{seconds:.9g}", "1", "0", "1E37", "1E37", "1E37", "0"]
    lines += [str(2 * own.size)]
    for values in (kinetic, counts):
        lines += [f"{values.min():.9g}", f"{values.max():.9g}"]
    for pair in zip(kinetic, counts, strict=True):
        lines += [f"{value:.9g}" for value in pair]
    return lines


def _exposure(fit: xr.Dataset, level: int, own: np.ndarray, window: str) -> float:
    """Seconds that counting took, from noise^2 = scale x model / exposure; 1 where that says nothing."""
    if "noise_scale" not in fit:
        return 1.0
    names = fit["core_level"].values.tolist()
    scale = float(fit["noise_scale"].values[level, names.index(window) if window in names else 0])
    model, noise = fit["model"].values[level, own], fit["noise"].values[level, own]
    seconds = float(np.median(scale * model / np.square(noise)))
    return seconds if np.isfinite(seconds) and seconds > 0 else 1.0


def _casa(fit: xr.Dataset, level: int, window: str, photon: float, ends: tuple[float, float]) -> list[str]:
    """CasaXPS's comment: calibration, region, components."""
    shift = float(fit["charge_shift"].values[level])
    background = BACKGROUNDS.get(str(fit.attrs.get("background", "")), "Shirley")
    loss = (2866.0, -1643.0, 0.0, 0.0) if background == "U 2 Tougaard" else (0.0, 0.0, 0.0, 0.0)
    low, high = (photon - (end - shift) for end in (ends[1], ends[0]))
    numbers = " ".join(f"{value:.8g}" for value in (low, high, 1.0))
    numbers += " 5 0 0 " + " ".join(f"{value:g}" for value in loss)
    components = _components(fit, level, window, photon, (ends[0] - shift, ends[1] - shift))
    return [
        "Casa Info Follows",
        "1",
        f"Calib M = {ends[0]:.6f} A = {ends[0] - shift:.6f} BE ADD",
        "0",
        "1",
        f"CASA region (*{window}*) (*{background}*) {numbers} (*{window}*) 0 0 1",
        str(len(components)),
        *components,
    ]


def _components(fit: xr.Dataset, level: int, window: str, photon: float, ends: tuple[float, float]) -> list[str]:
    """Component lines; a doublet's weaker line is tied to the stronger."""
    shapes = json.loads(fit.attrs.get("line_shapes", "{}"))
    nearest = json.loads(fit.attrs.get("casaxps_shapes", "{}"))
    lines: list[str] = []

    def add(label: str, shape: str, values: tuple[float, float, float], ties: tuple[int, float, float]) -> None:
        area, width, position = values
        parent, ratio, distance = ties
        area_text = f"Area {area:.9g} 1e-020 {10.0 * max(area, 1.0):.9g} {parent} {ratio:.9g}"
        width_text = f"MFWHM {width:.9g} {0.2:g} {3.0 * width:.9g} -1 1"
        place = f"Position {position:.9g} {position - 1.0:.9g} {position + 1.0:.9g} {parent} {distance:.9g}"
        state = label.partition("/")[2]
        lines.append(
            f"CASA comp (*{window} {state}*) (*{shape}*) {area_text} {width_text} {place} "
            f"RSF 1 MASS 0 INDEX -1 (*{window}*) CONST (**) UNCORRECTEDRSF 1"
        )

    for number, label in enumerate(fit["component"].values.tolist()):
        center = float(fit["position"].values[level, number])
        if not ends[0] <= center <= ends[1]:
            continue
        area, width = (float(fit[name].values[level, number]) for name in ("area", "fwhm"))
        shape, factor = casa_shape(shapes.get(label, "pseudo_voigt"), _line_form(fit, "lorentzian_share", number))
        if label in nearest:
            shape, factor = nearest[label], 1.0
        ratio = _line_form(fit, "weak_line_ratio", number)
        position = photon - center
        if np.isnan(ratio):
            add(label, shape, (area, width * factor, position), (-1, 1.0, 1.0))
            continue
        parent, strong = len(lines), area / (1.0 + ratio)
        distance = _line_form(fit, "weak_line_distance", number)
        weak_width = _line_form(fit, "weak_line_fwhm", number) * factor
        add(label, shape, (strong, width * factor, position), (-1, 1.0, 1.0))
        add(label, shape, (area - strong, weak_width, position - distance), (parent, ratio, -distance))
    return lines


def _line_form(fit: xr.Dataset, name: str, number: int) -> float:
    """What a component has besides position and width; NaN where it has no such thing."""
    return float(fit[name].values[number]) if name in fit else float("nan")


def casa_shape(shape: str, mixing: float) -> tuple[str, float]:
    """A line shape as CasaXPS writes it, and its width over our full width at half maximum.

    Parameters
    ----------
    shape : str
        Ours.
    mixing : float
        Fitted Lorentzian share; NaN for shapes that have none (and where a fit of old does not say).

    Returns
    -------
    str, float
        CasaXPS states a sum's mixing as share of the height, a product's width as that of its factors, and a Voigt
        line is its LA with exponents 1.
    """
    if shape in ("pseudo_voigt", "gl_product", "voigt") and np.isnan(mixing):
        return "SGL(30)", 1.0
    if shape == "pseudo_voigt":
        lorentz, gauss = mixing * _LORENTZ_PEAK, (1.0 - mixing) * _GAUSS_PEAK
        return f"SGL({100.0 * lorentz / (lorentz + gauss):.4g})", 1.0
    if shape == "gl_product":
        return f"GL({100.0 * mixing:.4g})", 1.0 / _product_width(mixing)
    if shape == "voigt":
        m = (1.0 - mixing) / max(mixing, 1e-3) / _VOIGT_M
        return f"LA(1,{min(m, 499.0):.4g})", 1.0
    if shape.startswith("GL("):
        return shape, 1.0 / _product_width(float(shape[3:-1]) / 100.0)
    return shape, 1.0


def _product_width(mixing: float) -> float:
    """Full width at half maximum of a Gaussian-Lorentzian product whose factors have unit width."""
    low, high = 0.3, 0.7
    for _ in range(60):
        middle = 0.5 * (low + high)
        value = np.exp(-4.0 * np.log(2.0) * (1.0 - mixing) * middle**2) / (1.0 + 4.0 * mixing * middle**2)
        low, high = (middle, high) if value > 0.5 else (low, middle)
    return 2.0 * low

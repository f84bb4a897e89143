"""From single spectra to the contract ``xps_spectra``: one Dataset a region of a sample, levels in order.

Every XPS reader fills :class:`~depthlock.readers.spectra.Spectrum` objects with what its file says and leaves the rest
to :func:`gather`, so that the series coordinate, counts and rates mean the same whatever the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.series import GIVEN, order_of_levels
from depthlock.readers.spectra import Array, Spectrum, binding_energy, counts_behind, region_of


def summary(spectra: Sequence[Spectrum], source: str | Path) -> list[dict[str, Any]]:
    """Say in plain numbers what a list of spectra holds, one dict a sample and region."""
    known = [replace(item, photon_energy=0.0) if _unknown_binding(item) else item for item in spectra]
    rows: list[dict[str, Any]] = []
    for data in gather(known, source, format_name=""):
        axis = data["binding_energy"].values
        unknown = data.attrs.get("photon_energy_eV") == 0.0
        row: dict[str, Any] = {
            "sample": data.attrs["sample"],
            "region": data.attrs["region"],
            "levels": data.sizes["level"],
            "points": data.sizes["energy"],
        }
        limits = -axis if unknown else axis
        name = "kinetic energy (eV), photon energy unknown" if unknown else "binding energy (eV)"
        row[name] = [round(float(limits.min()), 4), round(float(limits.max()), 4)]
        row["intensity"] = data.attrs["intensity_kind"]
        row["series"] = data.attrs["series_coordinate"]
        etch = data["etch_time"].values
        if np.isfinite(etch).any():
            row["etch time (s)"] = [float(np.nanmin(etch)), float(np.nanmax(etch))]
        if "recorded_shift" in data.coords:
            shifts = data["recorded_shift"].values
            row["shift recorded, not applied (eV)"] = sorted({round(float(shift), 4) for shift in shifts})
        rows.append(row)
    return rows


def _unknown_binding(spectrum: Spectrum) -> bool:
    return spectrum.axis == "kinetic" and not spectrum.photon_energy > 0


def gather(
    spectra: Sequence[Spectrum],
    source: str | Path,
    *,
    format_name: str,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Collect spectra into ``xps_spectra`` Datasets: one a sample, region and energy axis.

    Parameters
    ----------
    spectra
        In the order of the file.
    source
        The file; its name serves as the sample's if the file gives none.
    format_name
        Name of the reader, kept in ``attrs["format"]``.
    etch_times
        Etch time in seconds of every level, in the order of the file, where the file lacks them or is wrong.

    Returns
    -------
    list of xarray.Dataset
        Dims ``level`` and ``energy``; variables ``counts``, ``dwell_time``, ``scans``, and ``transmission`` where
        known; coordinates ``etch_time`` (s; NaN without an etch variable), ``binding_energy`` (eV),
        ``kinetic_energy`` (eV) where it is what was recorded; ``series`` where another variable than the etch time
        (angle, dose, state of charge) tells the levels apart, with its name and unit as written. Levels stand in
        order of the etch time, else of the blocks; ``attrs["series_coordinate"]`` names what orders them.

    Raises
    ------
    ReadError
        If there is no spectrum, or `etch_times` has not one value a level.
    """
    if not spectra:
        raise ReadError("the file holds no XPS spectrum", where=str(source))
    groups: list[list[Spectrum]] = []
    keys: list[tuple[str, str]] = []
    for spectrum in spectra:
        sample = spectrum.sample.strip() or Path(source).stem
        key = (sample, region_of(spectrum))
        for known, group in zip(keys, groups, strict=True):
            if known == key and group[0].technique == spectrum.technique and _same_axis(group[0], spectrum):
                group.append(spectrum)
                break
        else:
            keys.append(key)
            groups.append([spectrum])
    if etch_times is not None:
        groups = [_with_etch_times(group, etch_times, source) for group in groups]
    return [_dataset(group, key, source, format_name) for key, group in zip(keys, groups, strict=True)]


def _same_axis(first: Spectrum, other: Spectrum) -> bool:
    if first.axis != other.axis or first.energy.size != other.energy.size:
        return False
    step = abs(first.energy[1] - first.energy[0]) if first.energy.size > 1 else 1.0
    same_source = not abs(first.photon_energy - other.photon_energy) > 1e-6
    return same_source and bool(np.all(np.abs(first.energy - other.energy) <= 0.01 * step))


def _with_etch_times(group: Sequence[Spectrum], etch_times: Sequence[float], source: str | Path) -> list[Spectrum]:
    if len(etch_times) != len(group):
        raise ReadError(
            f"{len(etch_times)} etch times are given and the region {region_of(group[0])!r} has {len(group)} levels",
            expected="one etch time a level",
            where=str(source),
            hint="give as many etch_times as the file has levels; `depthlock info` shows how many",
        )
    return [
        replace(item, variables={GIVEN: (float(seconds), "s")}) for item, seconds in zip(group, etch_times, strict=True)
    ]


def _intensities(group: Sequence[Spectrum]) -> tuple[Array, str]:
    if not any(spectrum.is_rate for spectrum in group):
        return np.stack([spectrum.intensity for spectrum in group]), "counts"
    rows = [
        counts_behind(spectrum.intensity, spectrum.dwell_time * spectrum.scans)
        if spectrum.is_rate
        else spectrum.intensity
        for spectrum in group
    ]
    if all(row is not None for row in rows):
        return np.stack([row for row in rows if row is not None]), "counts"
    rates = [
        spectrum.intensity if spectrum.is_rate else spectrum.intensity / (spectrum.dwell_time * spectrum.scans)
        for spectrum in group
    ]
    return np.stack(rates), "counts_per_second"


def _dataset(group: list[Spectrum], key: tuple[str, str], source: str | Path, format_name: str) -> xr.Dataset:
    etch, series, remark, varying = order_of_levels([item.variables for item in group])
    if np.isfinite(etch).all():
        order = np.argsort(etch, kind="stable")
        group = [group[index] for index in order]
        etch = etch[order]
        varying = {label: (values[order], unit) for label, (values, unit) in varying.items()}
    first = group[0]
    counts, kind = _intensities(group)
    data = xr.Dataset(
        {
            "counts": (("level", "energy"), counts, {"units": "1" if kind == "counts" else "1/s"}),
            "dwell_time": ("level", np.array([item.dwell_time for item in group]), {"units": "s"}),
            "scans": ("level", np.array([item.scans for item in group]), {"units": "1"}),
        },
        coords={
            "etch_time": ("level", etch + 0.0, {"units": "s", "long_name": "etch time"}),
            "binding_energy": (
                "energy",
                binding_energy(first),
                {"units": "eV", "long_name": "binding energy, not charge referenced"},
            ),
        },
    )
    if first.axis == "kinetic":
        data.coords["kinetic_energy"] = ("energy", first.energy, {"units": "eV", "long_name": "as recorded"})
    data.coords["block"] = ("level", np.array([item.block for item in group], dtype=str), {"units": "1"})
    if any(item.acquired for item in group):
        acquired = np.array([item.acquired for item in group], dtype=str)
        data.coords["acquired"] = ("level", acquired, {"units": "1", "long_name": "start of acquisition"})
    if any(item.energy_shift != 0 for item in group):
        data.coords["recorded_shift"] = (
            "level",
            np.array([item.energy_shift for item in group]),
            {"units": "eV", "long_name": "binding energy shift a former user applied; not applied here"},
        )
    for label, (values, unit) in varying.items():
        name = re.sub(r"\W+", "_", re.sub(r"[\[(].*", "", label)).strip("_").lower()
        if name and name not in data.coords and name != "etch_time":
            attrs = {"units": "1", "long_name": label, "units_as_written": unit}
            data.coords[f"variable_{name}"] = ("level", values, attrs)
    if not np.isfinite(etch).any() and series in varying:
        values, unit = varying[series]
        data.coords["series"] = ("level", values, {"units": "1", "long_name": series, "units_as_written": unit})
    _add_transmission(data, group)
    _add_fitted(data, group)
    data.attrs.update(_attributes(group, key, source, kind, format_name))
    data.attrs["series_coordinate"] = series
    if remark:
        data.attrs["series_remark"] = remark
    return data


def _add_fitted(data: xr.Dataset, group: Sequence[Spectrum]) -> None:
    """Add the curves of a fit that the file holds, if all levels have the same ones."""
    labels = list(group[0].fitted)
    if any(list(item.fitted) != labels for item in group):
        return
    rate = {"units": "1/s", "long_name": "as exported, in counts per second"}
    components = [label for label in labels if label.startswith("component:")]
    for label in labels:
        if label not in components:
            data[label] = (("level", "energy"), np.stack([item.fitted[label] for item in group]), rate)
    if components:
        rows = np.stack([[item.fitted[label] for item in group] for label in components])
        data["expert_components"] = (("expert_component", "level", "energy"), rows, rate)
        names = np.array([label.removeprefix("component:") for label in components], dtype=str)
        data.coords["expert_component"] = ("expert_component", names, {"units": "1"})


def _add_transmission(data: xr.Dataset, group: Sequence[Spectrum]) -> None:
    rows = [item.transmission for item in group if item.transmission is not None]
    if len(rows) != len(group):
        return
    stacked = np.stack(rows)
    attrs = {"units": "1", "long_name": "transmission of the analyser, as in the file; not applied"}
    if np.allclose(stacked, stacked[0], rtol=1e-6, atol=0):
        data["transmission"] = ("energy", stacked[0], attrs)
    else:
        data["transmission"] = (("level", "energy"), stacked, attrs)


def _attributes(
    group: Sequence[Spectrum], key: tuple[str, str], source: str | Path, kind: str, format_name: str
) -> dict[str, Any]:
    first = group[0]
    attrs: dict[str, Any] = {
        "region": key[1],
        "region_as_written": first.region or f"{first.species} {first.transition}".strip(),
        "sample": key[0],
        "technique": first.technique,
        "source": str(source),
        "format": format_name,
        "blocks": [item.block for item in group],
        "intensity_kind": kind,
        "energy_axis": first.axis,
    }
    if np.isfinite(first.photon_energy):
        attrs["photon_energy_eV"] = float(first.photon_energy)
        attrs["photon_energy_source"] = first.photon_energy_source
    if any(item.recorded_fit is not None for item in group):
        # One entry a level; netCDF has no attribute for a tree, so it travels as JSON.
        attrs["casaxps"] = json.dumps([item.recorded_fit for item in group])
    attrs.update(first.extra)
    return attrs

"""The spectra of one sample by region: levels that stand in several files put into one series."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.workflow.jobs import Job

_SAME_ENERGY = 0.01
"""Share of an energy step by which the axes of two files of one region may differ."""


def sample_spectra(datasets: list[xr.Dataset], job: Job) -> dict[str, xr.Dataset]:
    """Return the spectra of one sample by region, named as in the session."""
    wanted = {str(region["name"]) for region in job.options.get("regions", ())}
    regions = gather_regions(datasets, wanted)
    return {
        name: region.assign_attrs(sample=job.sample, sample_in_file=str(region.attrs.get("sample", "")))
        for name, region in regions.items()
    }


def gather_regions(spectra: list[xr.Dataset], wanted: Collection[str]) -> dict[str, xr.Dataset]:
    """Put the levels of one region that stand in several files into one Dataset, in order of the etch time.

    Parameters
    ----------
    spectra : list of xarray.Dataset
        Contract ``xps_spectra``.
    wanted : collection of str
        Regions that will be fitted. Others (surveys, Auger lines) stay as they are, each under a name of its own.

    Raises
    ------
    ReadError
        If the files of a wanted region have no etch times to order them by, or other energies.
    """
    regions: dict[str, list[xr.Dataset]] = {}
    for dataset in spectra:
        name = str(dataset.attrs["region"])
        key, count = name, 1
        while name not in wanted and key in regions:
            count += 1
            key = f"{name} ({count})"
        regions.setdefault(key, []).append(dataset)
    return {region: parts[0] if len(parts) == 1 else _concatenated(region, parts) for region, parts in regions.items()}


def _concatenated(region: str, parts: list[xr.Dataset]) -> xr.Dataset:
    sources = [str(part.attrs.get("source", "")) for part in parts]
    first = parts[0]
    for part, source in zip(parts, sources, strict=True):
        if not (np.isfinite(part["etch_time"].values).all() or "series" in part.coords):
            raise ReadError(
                f"the region {region} stands in {len(parts)} files or blocks, and this one has no etch time",
                expected="an etch time for every level",
                where=source,
                hint="give it in the session: {file: ..., etch_times: [0 s]} or {file: ..., series: {name: ..., "
                "values: [1]}}; or name one 'sample' of the file",
            )
        if not _same_energies(first, part):
            raise ReadError(
                f"the region {region} has other energies here ({_range(part)}) than in {sources[0]} ({_range(first)})",
                expected="one energy axis for all levels of a region",
                where=source,
                hint="export all levels with the same settings, or name one 'sample' or 'region' of the file",
            )
        if part.attrs.get("intensity_kind") != first.attrs.get("intensity_kind"):
            raise ReadError(
                f"the region {region} is in {part.attrs.get('intensity_kind')} here,"
                f" in {first.attrs.get('intensity_kind')} in {sources[0]}",
                expected="the same kind of intensity for all levels of a region",
                where=source,
                hint="export all levels in the same way",
            )
    aligned = [
        part.drop_vars([name for name in part.variables if name not in first.variables]).assign_coords(
            binding_energy=first["binding_energy"]
        )
        for part in parts
    ]
    shared = set.intersection(*({str(name) for name in part.variables} for part in aligned))
    aligned = [part.drop_vars([name for name in part.variables if name not in shared]) for part in aligned]
    joined = xr.concat(aligned, dim="level", data_vars="minimal", coords="minimal", compat="override", join="override")
    order = "etch_time" if np.isfinite(joined["etch_time"].values).all() else "series"
    joined = joined.isel(level=np.argsort(joined[order].values, kind="stable"))
    joined.attrs = {**first.attrs, "source": "; ".join(dict.fromkeys(sources))}
    return joined


def _same_energies(first: xr.Dataset, other: xr.Dataset) -> bool:
    one, two = first["binding_energy"].values, other["binding_energy"].values
    if one.size != two.size:
        return False
    step = abs(float(one[1] - one[0])) if one.size > 1 else 1.0
    return bool(np.all(np.abs(one - two) <= _SAME_ENERGY * step))


def _range(dataset: xr.Dataset) -> str:
    energy = dataset["binding_energy"].values
    return f"{float(energy.min()):g}-{float(energy.max()):g} eV, {energy.size} points"

"""Opening every file of a session before anything runs, so that a wrong file is told in seconds and not after hours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.workflow.files import canonical_json, read_json, write_json
from depthlock.workflow.fingerprint import code_fingerprint
from depthlock.workflow.gathered_regions import sample_spectra
from depthlock.workflow.inputs import open_raw
from depthlock.workflow.jobs import HIDDEN, Job, Plan, RawFile
from depthlock.workflow.raw_files import joined


@dataclass(frozen=True)
class Checked:
    """A raw file that opens.

    Attributes
    ----------
    sample : str
        Sample it belongs to.
    raw : RawFile
        The file.
    holds : str
        What is in it, in a few words.
    """

    sample: str
    raw: RawFile
    holds: str


def check_inputs(plan: Plan, *, remember: bool = False) -> list[Checked]:
    """Open every raw file of a plan.

    Parameters
    ----------
    plan : Plan
        The plan.
    remember : bool
        Whether to pass over jobs that were found good before with the same key, and to note those found good now.

    Returns
    -------
    list of Checked
        One a file that was opened.

    Raises
    ------
    DepthlockError
        That tells everything that is wrong, each with its place.
    """
    memory = plan.results_folder / HIDDEN / "checked.json"
    known = read_json(memory) if remember else None
    good: dict[str, str] = known if isinstance(known, dict) else {}
    fresh: dict[str, str] = {}
    found: list[Checked] = []
    faults: list[DepthlockError] = []
    for job in plan.jobs:
        if not job.raw:
            continue
        mark = _mark(job)
        if good.get(job.name) != mark:
            try:
                found += _check_job(job)
            except DepthlockError as fault:
                faults.append(fault)
                continue
        fresh[job.name] = mark
    if faults:
        raise joined(faults)
    if remember and fresh != good:
        write_json(memory, fresh)
    return found


def _mark(job: Job) -> str:
    return canonical_json([job.key["raw"], code_fingerprint(("depthlock.readers", "depthlock.model"))])


def _check_job(job: Job) -> Iterator[Checked]:
    faults: list[DepthlockError] = []
    found: list[Checked] = []
    spectra: list[xr.Dataset] = []
    for raw in job.raw:
        try:
            if raw.gives == "tofsims_events":
                holds = _describe_events(raw)
            else:
                datasets = open_raw(raw)
                _check_scale(datasets, raw)
                spectra += datasets if raw.technique == "xps" else []
                holds = "; ".join(_what(dataset) for dataset in datasets)
            found.append(Checked(job.sample, raw, holds))
        except DepthlockError as fault:
            faults.append(fault)
    if not faults and spectra:
        sample_spectra(spectra, job)
    if faults:
        raise joined(faults)
    yield from found


def _describe_events(raw: RawFile) -> str:
    """Event files may be larger than memory: their headers and lengths are looked at, not their ions."""
    from depthlock.readers import registry

    try:
        facts: dict[str, Any] = registry.by_name(raw.reader).function("describe")(Path(raw.path))
    except DepthlockError as error:
        place = f"{raw.where}: {error.where or raw.path}"
        raise type(error)(error.found, expected=error.expected, where=place, hint=error.hint) from error
    plain = {key: value for key, value in facts.items() if isinstance(value, str | int | float | bool)}
    return ", ".join(f"{key} {value}" for key, value in list(plain.items())[:5])


def _check_scale(datasets: list[xr.Dataset], raw: RawFile) -> None:
    """Refuse an image that has a scale neither in its file nor in the session: no length can be measured in it."""
    if raw.technique in {"tem", "eds"} and any("pixel_size_nm" not in image.attrs for image in datasets):
        raise SessionError(
            "the image has no scale" if raw.technique == "tem" else "the element maps have no scale",
            expected="the size of a pixel",
            where=f"{raw.where}: {raw.path}",
            hint=f"give it in the session: {{{'maps' if raw.maps else 'file'}: ..., pixel_size: 0.03 nm}}"
            + (", or the length on a burnt-in bar's label: {file: ..., scale_bar: 20 nm}" * (raw.technique == "tem")),
        )


def _what(dataset: xr.Dataset) -> str:
    sizes = dataset.sizes
    if "element" in sizes or {"y", "energy"} <= set(sizes):
        size = dataset.attrs.get("pixel_size_nm")
        scale = f"{float(size[-1]):.4g} nm a pixel" if size is not None else "no scale"
        of = "maps of " + ", ".join(dataset["element"].values.astype(str)) if "element" in sizes else "X-ray spectra"
        return f"{of}, {sizes['y']} x {sizes['x']} pixels, {scale}"
    if "energy" in sizes:
        return f"{dataset.attrs['region']}, {sizes['level']} levels, {sizes['energy']} energies"
    if "reflections" in dataset.attrs:
        named = ", ".join(json.loads(dataset.attrs["reflections"]))
        return f"{sizes['y']} x {sizes['x']} pixels, reflections {named}"
    if "y" in sizes and "scan" not in sizes:
        size = dataset.attrs.get("pixel_size_nm")
        scale = f"{float(size[-1]):.4g} nm a pixel" if size is not None else "no scale"
        return f"{sizes['y']} x {sizes['x']} pixels, {scale}"
    return ", ".join(f"{length} {name}s" for name, length in sizes.items())

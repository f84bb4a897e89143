"""What a stage's function is called with: raw files opened by their readers, and the results of stages before it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthlock.model.errors import DepthlockError, ReadError, WorkflowError
from depthlock.model.session import DiffractionInput, TemInput
from depthlock.workflow.image_inputs import image_as_told, rescaled
from depthlock.workflow.jobs import Job, Plan, RawFile
from depthlock.workflow.stages import Stage, Take

if TYPE_CHECKING:
    import xarray as xr


def arguments_of(stage: Stage, job: Job, plan: Plan) -> dict[str, Any]:
    """Open everything a stage's function takes, by parameter name.

    Raises
    ------
    ReadError
        If a raw file or an earlier result cannot be read.
    """
    return {take.argument: _argument(take, stage, job, plan) for take in stage.takes}


def _argument(take: Take, stage: Stage, job: Job, plan: Plan) -> Any:
    if take.contract == "results":
        from depthlock.workflow.results import SessionResults

        return SessionResults(plan)
    before = [plan.job(name) for name in job.upstream if plan.job(name).stage == take.stage]
    if take.each == "sample":
        return {earlier.sample: _result(take, plan.output(earlier)) for earlier in before}
    if before and take.contract == "tofsims_volume":
        return _volumes(plan, job, before[0])
    if before:
        return _result(take, plan.output(before[0]))
    files = [
        raw for raw in job.raw
        if take.raw and raw.technique == take.raw and (not take.formats or raw.gives in take.formats)
    ]  # fmt: skip
    if not files and take.needed:
        raise WorkflowError(f"the stage {stage.name} has no input for {take.argument!r}", where=str(plan.file))
    if take.contract == "file":
        return Path(files[0].path) if files else None
    datasets = [dataset for raw in files for dataset in open_raw(raw)]
    if take.contract == "xps_spectra":
        from depthlock.workflow.gathered_regions import sample_spectra

        return sample_spectra(datasets, job)
    if take.each == "list":
        return datasets
    return datasets[0] if datasets else None


def _result(take: Take, path: Path) -> Any:
    if take.contract == "tofsims_events":
        from depthlock.readers.event_store import open_events

        return open_events(path)
    if take.contract == "file":
        return path
    from depthlock.workflow import store

    return store.load(path, take.contract)


def _volumes(plan: Plan, job: Job, events_job: Job) -> Any:
    """Volumes of the followed ions, lazily: the windows are those that the profile stage found."""
    from depthlock.readers.event_store import open_events
    from depthlock.tofsims.field_of_view import view_of
    from depthlock.tofsims.mass_drift import drift_of
    from depthlock.tofsims.regions_of_interest import largest_rectangle
    from depthlock.tofsims.volume import ion_volume
    from depthlock.workflow import store

    profiles = [plan.job(name) for name in job.upstream if plan.job(name).stage == "tofsims_profile"]
    if not profiles:
        return None
    profile = store.load(plan.output(profiles[0]), "tofsims_profile")
    events = open_events(plan.output(events_job))
    view, drift = view_of(events, profile), drift_of(profile)
    # Pixels outside hold no ions of any kind: seen beside the others they would look like places that all ions avoid.
    rows, columns = largest_rectangle(view.inside.reshape(view.raster.rows, view.raster.columns))
    return {
        str(ion): ion_volume(events, int(low), int(high), view=view, drift=drift).isel(y=rows, x=columns)
        for ion, low, high in zip(
            profile["ion"].values, profile["bin_low"].values, profile["bin_high"].values, strict=True
        )
        if high > low
    }


def open_raw(raw: RawFile) -> list[xr.Dataset]:
    """Open a raw file with what the session says about it.

    Returns
    -------
    list of xarray.Dataset
        One, or for spectra one a region.

    Raises
    ------
    ReadError
        Saying, beside the file, where the session names it.
    """
    from depthlock.readers import registry

    if raw.maps:
        return [_mapped(raw)]
    reader = registry.by_name(raw.reader)
    known = inspect.signature(reader.function("read")).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    settings = {
        "tem": _IMAGE_SETTINGS, "xps": _SPECTRA_SETTINGS, "eds": _MAP_SETTINGS, "diffraction": _PATTERN_SETTINGS,
        "stem": _SCAN_SETTINGS,
    }  # fmt: skip
    own = settings.get(raw.technique, frozenset())
    passed = {key: value for key, value in raw.settings.items() if key not in own or key in known or takes_all}
    try:
        opened = registry.read(raw.path, reader=reader, **passed)
    except DepthlockError as error:
        place = f"{raw.where}: {error.where or raw.path}" if raw.where else error.where
        raise type(error)(error.found, expected=error.expected, where=place, hint=error.hint) from error
    datasets = list(opened) if isinstance(opened, list | tuple) else [opened]
    if raw.technique == "tem":
        return [image_as_told(image, raw) for image in datasets]
    if raw.technique == "eds":
        return [_with_factors(rescaled(maps, raw), raw) for maps in datasets]
    if raw.technique == "xps" and "series" in raw.settings:
        return [_in_series(region, raw) for region in datasets]
    if raw.technique == "diffraction":
        return [_placed(pattern, raw) for pattern in datasets]
    if raw.technique == "stem":
        return [_stepped(scan, raw) for scan in datasets]
    return datasets


_SPECTRA_SETTINGS = frozenset({"series"})
_IMAGE_SETTINGS = frozenset(TemInput.model_fields) - {"frame"}
_MAP_SETTINGS = frozenset({"pixel_size", "k_factors", "k_factor_std"})


def _in_series(region: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Put the session's series variable on the levels of a region."""
    import numpy as np

    series = raw.settings["series"]
    values = np.asarray(series["values"], dtype=float)
    if values.size != region.sizes["level"]:
        raise ReadError(
            f"the series '{series['name']}' has {values.size} values and {region.attrs['region']} "
            f"{region.sizes['level']} levels",
            expected="one value a level",
            where=f"{raw.where}: {raw.path}" if raw.where else raw.path,
            hint="`depthlock info` shows how many levels a file has",
        )
    named = {"units": "1", "long_name": str(series["name"]), "units_as_written": str(series.get("unit", ""))}
    return region.assign_coords(series=("level", values, named)).assign_attrs(series_coordinate=str(series["name"]))


_PATTERN_SETTINGS = frozenset(DiffractionInput.model_fields)


_SCAN_SETTINGS = frozenset({"scan_step", "detector_step", "centre"})


def _stepped(scan: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Put the session's steps and centre on a 4D-STEM scan, in place of the file's."""
    scan = scan.copy(deep=False)
    for key, attribute in (("scan_step", "scan_step_nm"), ("detector_step", "detector_step")):
        if key in raw.settings:
            scan.attrs[attribute] = [float(raw.settings[key])] * 2
        if attribute not in scan.attrs:
            unit, example = ("nm", "1 nm") if key == "scan_step" else ("1/nm", "0.05 1/nm")
            raise ReadError(
                f"neither file nor session gives the {key.replace('_', ' ')}",
                expected=f"its size in {unit}",
                where=f"{raw.where}: {raw.path}" if raw.where else raw.path,
                hint=f"give it in the session: {{file: ..., {key}: {example}}}",
            )
    if "centre" in raw.settings:
        scan.attrs["centre"] = [float(value) for value in raw.settings["centre"]]
    return scan


def _placed(pattern: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Lay the detector's geometry and the reflections beside a diffraction pattern."""
    from depthlock.readers.diffraction_geometry import placed

    try:
        return placed(pattern, raw.settings, Path(raw.geometry) if raw.geometry else None)
    except ReadError as error:
        place = f"{raw.where}: {error.where}" if raw.where else error.where
        raise ReadError(error.found, expected=error.expected, where=place, hint=error.hint) from error


def _mapped(raw: RawFile) -> xr.Dataset:
    """Element maps of several files, as one data set."""
    from depthlock.readers.eds_maps import read_maps

    files = {element: Path(path) for element, path in raw.maps.items()}
    try:
        maps = read_maps(files, Path(raw.haadf) if raw.haadf else None)
    except ReadError as error:
        place = f"{raw.where}: {error.where}" if raw.where else error.where
        raise ReadError(error.found, expected=error.expected, where=place, hint=error.hint) from error
    return _with_factors(rescaled(maps, raw), raw)


def _with_factors(maps: xr.Dataset, raw: RawFile) -> xr.Dataset:
    """Lay the session's Cliff-Lorimer factors beside maps."""
    factors = raw.settings.get("k_factors")
    if not factors:
        return maps
    return maps.assign_attrs(
        k_factors=json.dumps(factors, sort_keys=True), k_factor_std=float(raw.settings.get("k_factor_std", 0.0))
    )

"""Files of SurfaceLab 7: `.itax` (analysis) and `.itmx` (measurement).

They use the container of the older files, but keep many of their options as Python pickles, whose loading runs
whatever code the file holds: depthlock never does. What stands outside of the pickles is read: mass calibration, mass
intervals and the depth profiles kept with a view of the data. Raw ions are not.

Written after the public package pySPM; not checked on real files.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.iontof_images import Interval, intervals_of
from depthlock.readers.iontof_settings import Setting, block_setting
from depthlock.readers.itstr import COMPRESSED, MARK, Container, Entry, opened
from depthlock.readers.surfacelab import complete_scans, unique_labels

OBJECTS = "CommonDataObjects"
VIEW = f"{OBJECTS}/DataViewCollection/*"
_INTERVALS = f"{OBJECTS}/MeasurementOptions/*/massintervals"
_POINTS = 1 << 20
EXPORT = (
    "in SurfaceLab, export the depth profile as text, or the raw data as .grd with its properties; depthlock reads both"
)


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is an analysis of SurfaceLab 7.

    Raises
    ------
    ReadError
        For any other IONTOF container without data that can be read.
    """
    if not head.startswith(MARK):
        return False
    with opened(path) as file:
        if file.find(f"{VIEW}/dataSource/simsDataCache") is not None:
            return True
        named = [entry.name for _, entry in zip(range(12), file.children(file.root), strict=False)]
    if any(name in {"rawdata", "filterdata"} for name in named):
        return False
    raise ReadError(
        f"this IONTOF container holds neither raw ions nor image stacks (but {', '.join(named) or 'nothing'})",
        expected="an .itm with 'rawdata', an .ita with image stacks, or an .itax with depth profiles",
        where=str(path),
        hint=EXPORT,
    )


def _settings(file: Container) -> dict[str, Setting]:
    folder = file.find(f"{VIEW}/properties")
    found = {
        entry.name: block_setting(file.value(entry))
        for entry in (file.children(folder) if folder is not None else ())
        if entry.kind == 0
    }
    return {name: setting for name, setting in found.items() if setting is not None}


def _stored(file: Container) -> list[tuple[Interval, Entry]]:
    """Mass intervals with a depth profile."""
    pairs = []
    for interval in intervals_of(file, _INTERVALS):
        if interval.serial and "/" not in interval.serial:
            entry = file.find(f"{VIEW}/dataSource/simsDataCache/{interval.serial}/profile")
            if entry is not None:
                pairs.append((interval, entry))
    return pairs


def _profile(file: Container, entry: Entry) -> np.ndarray:
    if entry.kind == COMPRESSED:
        pieces, size = [], 0
        for piece in file.inflated(entry):
            pieces.append(piece)
            size += len(piece)
            if size > 8 * _POINTS:
                raise file.fault(f"'{entry.name}' holds more than {_POINTS} points", entry.at)
        raw = b"".join(pieces)
    else:
        raw = file.value(entry, 8 * _POINTS)
    if len(raw) % 8:
        raise file.fault(f"a depth profile has {len(raw)} bytes", entry.at, "a whole number of f64")
    return np.frombuffer(raw, "<f8")


def read(path: Path) -> xr.Dataset:
    """Read the depth profiles that are kept with the first view of the data.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_export`; see :func:`depthlock.readers.iontof_images.read`.

    Raises
    ------
    ReadError
        When there are no profiles or no sputter time outside of the pickles; the message names the export that works.
    """
    with opened(path) as file:
        settings = _settings(file)
        stored = _stored(file)
        profiles = [_profile(file, entry) for _, entry in stored]
    seconds = settings["Analysis.SputterTime"].number if "Analysis.SputterTime" in settings else math.nan
    lengths = {profile.size for profile in profiles}
    if len(lengths) != 1 or max(lengths) < 2 or not (math.isfinite(seconds) and seconds > 0):
        what = "no sputter time" if len(lengths) == 1 else "no depth profiles of one length"
        raise ReadError(
            f"this file of SurfaceLab 7 holds {what} outside of its Python pickles, which are never opened",
            expected="depth profiles and their sputter time as plain values",
            where=str(path),
            hint=EXPORT,
        )
    intensity = np.array(profiles)
    names = [interval.name for interval, _ in stored]
    kinds = np.array([name.kind for name in names])
    masses = np.array([interval.centre for interval, _ in stored])
    counted = np.isin(kinds, ("ion", "sum", "total"))
    if not np.all(intensity[counted] >= 0) or not np.all(np.isfinite(intensity[counted])):
        raise ReadError("an intensity is negative or no number", expected="counts", where=str(path), hint=EXPORT)
    complete = complete_scans(intensity, counted)
    scans = intensity.shape[1]
    signs = {label[-1] for label, kind in ((name.label, name.kind) for name in names) if kind == "ion"}
    attrs: dict[str, Any] = {
        "source": str(path),
        "corrected": 1,
        "polarity": signs.pop() if len(signs) == 1 else "",
        "smoothed": 0,
        "incomplete_scans": [int(scan) for scan in np.flatnonzero(~complete)],
        "sputter_time_source": "total sputter time, divided evenly",
        "notes": ["sputter times are the total sputter time divided evenly among the scans"],
    }
    variables = {
        "intensity": (("ion", "scan"), intensity, {"units": "1", "long_name": "ions a scan"}),
        "complete": ("scan", complete.astype(np.int8), {"units": "1"}),
    }
    coords = {
        "ion": ("ion", np.array(unique_labels([name.label for name in names], masses)), {"units": "1"}),
        "name": ("ion", np.array([interval.written for interval, _ in stored]), {"units": "1"}),
        "kind": ("ion", kinds, {"units": "1"}),
        "mz": ("ion", masses, {"units": "Da"}),
        "sputter_time": ("scan", np.arange(scans) * seconds / scans, {"units": "s"}),
    }
    return xr.Dataset(variables, coords, attrs)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    with opened(path) as file:
        settings = _settings(file)
        intervals = intervals_of(file, _INTERVALS)
        stored = _stored(file)
    facts: dict[str, Any] = {
        "holds": f"{len(stored)} depth profiles of {len(intervals)} mass intervals; options as Python pickles, "
        "which are never opened",
        "intervals": [f"{one.written or 'without a name'} (m/z {one.centre:.4f})" for one in intervals],
    }
    if "Context.MassScale.SF" in settings and "Context.MassScale.K0" in settings:
        sf, k0 = (settings[f"Context.MassScale.{key}"].number for key in ("SF", "K0"))
        facts["calibration"] = f"m/z = ((channel - {k0:.7g}) / {sf:.7g})^2"
    time = settings.get("Analysis.SputterTime")
    facts["sputter time"] = f"{time.number:g} s in all" if time else "not outside of the pickles"
    facts["notes"] = [f"for single ions, or if profiles are missing: {EXPORT}"]
    return facts

"""The raw files of a sample: which reader opens each, and the content that decides whether anything re-runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.session import EdsInput, Session
from depthlock.model.session_file import LoadedSession, eds_files
from depthlock.workflow.jobs import RawFile, rounded
from depthlock.workflow.manifest import Manifest
from depthlock.workflow.stages import STAGES, Stage, taken_by

TECHNIQUES = ("tofsims", "xps", "tem", "stem", "eds", "diffraction")


def raw_files(
    loaded: LoadedSession, sample: str, manifest: Manifest, stages: tuple[Stage, ...] = STAGES
) -> list[RawFile]:
    """Find the reader of every raw file of a sample, by content.

    Raises
    ------
    DepthlockError
        If a file cannot be opened, is of another technique, or stands twice: data that count double would make the
        errors of all numbers too small. All such files of the sample are told at once.
    """
    found: list[RawFile] = []
    faults: list[DepthlockError] = []
    for technique in TECHNIQUES:
        for keys, entry in _entries(loaded.session, sample, technique):
            try:
                if isinstance(entry, EdsInput) and entry.maps is not None:
                    file = _map_files(loaded, keys[:-1], entry, manifest)
                else:
                    file = _raw_file(loaded, technique, keys, entry, manifest, stages)
                _refuse_twice(file, found)
                found.append(file)
            except DepthlockError as fault:
                faults.append(fault)
    if faults:
        raise joined(faults)
    return found


_PARTS = ("sample", "region", "frame")
"""Settings that name a part of a file, so that one file may stand more than once."""


def _refuse_twice(file: RawFile, before: list[RawFile]) -> None:
    for other in before:
        same = all(file.settings.get(part) == other.settings.get(part) for part in _PARTS)
        if same and (file.technique, file.sha256) == (other.technique, other.sha256):
            raise SessionError(
                f"the same data stand twice under one sample: {Path(file.path).name}"
                + ("" if file.path == other.path else f" has the content of {Path(other.path).name}"),
                expected="every file once, or another part of it named by "
                + " or ".join(f"'{part}'" for part in _PARTS),
                where=file.where,
                hint="remove one of the two, or name another file",
            )


def _entries(session: Session, sample: str, technique: str) -> list[tuple[tuple[str | int, ...], BaseModel]]:
    value = getattr(session.samples[sample], technique)
    if value is None:
        return []
    if isinstance(value, BaseModel):
        return [(("samples", sample, technique, "file"), value)]
    return [(("samples", sample, technique, index, "file"), entry) for index, entry in enumerate(value)]


def _raw_file(
    loaded: LoadedSession,
    technique: str,
    keys: tuple[str | int, ...],
    entry: BaseModel,
    manifest: Manifest,
    stages: tuple[Stage, ...],
) -> RawFile:
    from depthlock.readers import registry

    settings = rounded(entry.model_dump(mode="json", exclude_none=True))
    path = loaded.resolve(settings.pop("file"))
    where = loaded.where(*keys)
    try:
        reader = registry.find(path, technique)
    except DepthlockError as error:
        raise _placed(error, where) from error
    if reader.technique != technique:
        raise SessionError(
            f"the file holds {reader.technique} data: {reader.title}",
            expected=f"a file of {technique} data",
            where=f"{where}: {path}",
            hint=f"put it under '{reader.technique}:', or name another file",
        )
    if not taken_by(technique, reader.gives, stages):
        raise SessionError(
            f"the file is of a kind that no stage takes yet: {reader.title}",
            expected=f"other {technique} data",
            where=f"{where}: {path}",
            hint="export a depth profile, or remove the entry",
        )
    labels = ""
    if "labels" in settings:
        # What counts is the content: a label image that was moved re-runs nothing.
        labels = str(loaded.resolve(settings["labels"]))
        try:
            settings["labels"] = manifest.sha256(Path(labels))
        except DepthlockError as error:
            raise _placed(error, where) from error
    geometry = ""
    if "geometry" in settings:
        geometry = str(loaded.resolve(settings["geometry"]))
        try:
            settings["geometry"] = manifest.sha256(Path(geometry))
        except DepthlockError as error:
            raise _placed(error, where) from error
    if technique == "tofsims":
        settings = {}  # its entries are options of the profile, not of the reader
    sha256 = manifest.sha256(path)
    if reader.beside:
        second = reader.function("beside")(path)
        sha256 = hashlib.sha256(f"{sha256} {manifest.sha256(second)}".encode()).hexdigest()
    return RawFile(
        technique=technique,
        path=str(path),
        reader=reader.name,
        gives=reader.gives,
        sha256=sha256,
        settings=settings,
        where=where,
        labels=labels,
        geometry=geometry,
    )


def _map_files(loaded: LoadedSession, keys: tuple[str | int, ...], entry: EdsInput, manifest: Manifest) -> RawFile:
    """Element maps, a file each, as one data set."""
    paths: dict[tuple[str | int, ...], Path] = {}
    for place, file in eds_files(entry, keys):
        paths[place] = loaded.resolve(file)
    hashes: dict[tuple[str | int, ...], str] = {}
    for place, path in paths.items():
        try:
            hashes[place] = manifest.sha256(path)
        except DepthlockError as error:
            raise _placed(error, loaded.where(*place)) from error
        twice = [other for other in hashes if other != place and hashes[other] == hashes[place]]
        if twice:
            raise SessionError(
                f"the map of {place[-1]} has the content of that of {twice[0][-1]}",
                expected="a map of its own for every element",
                where=f"{loaded.where(*place)}: {path}",
                hint="name the right file, or remove the entry",
            )
    maps = {str(place[-1]): str(path) for place, path in paths.items() if place[-2] == "maps"}
    settings = rounded(entry.model_dump(mode="json", exclude_none=True, exclude={"file", "maps", "haadf"}))
    settings["elements"] = list(maps)
    return RawFile(
        technique="eds",
        path=next(iter(maps.values())),
        reader="eds_maps",
        gives="eds_maps",
        sha256=hashlib.sha256(" ".join(hashes.values()).encode()).hexdigest(),
        settings=settings,
        where=loaded.where(*keys, "maps"),
        maps=maps,
        haadf=str(paths.get((*keys, "haadf"), "")),
    )


def _placed(error: DepthlockError, where: str) -> DepthlockError:
    """Say where in the session the file of a reader's error is named."""
    place = f"{where}: {error.where}" if error.where else where
    return type(error)(error.found, expected=error.expected, where=place, hint=error.hint)


def joined(faults: list[DepthlockError]) -> DepthlockError:
    """Return one error that tells all faults, each with its own place."""
    if len(faults) == 1:
        return faults[0]
    return type(faults[0])("\n".join(fault.message for fault in faults))

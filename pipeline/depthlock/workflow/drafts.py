"""Drafting a session file from a folder of raw files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.session import TAKEN_NAMES
from depthlock.model.session_file import SCHEMA_HEADER
from depthlock.workflow.map_files import MapFiles, element_maps

if TYPE_CHECKING:
    import xarray as xr

    from depthlock.readers.registry import Reader

SCHEMA_FILE = "session.schema.json"

_SCAN_STEPS = {"scan_step": "scan_step_nm", "detector_step": "detector_step"}
"""What a 4D-STEM scan needs, by its key in the session and the attribute that holds what the file tells."""

_NO_SCALE = "give its pixel_size, such as 0.03 nm: the file has none"


@dataclass(frozen=True)
class _Entry:
    """One file under a technique: its YAML value, what is to be said about it, and the spectra in it."""

    file: Path
    value: str
    remark: str = ""
    spectra: tuple[xr.Dataset, ...] = ()


@dataclass
class _Drafted:
    """What was found for one sample, by technique."""

    tofsims: list[_Entry] = field(default_factory=list)
    xps: list[_Entry] = field(default_factory=list)
    tem: list[_Entry] = field(default_factory=list)
    stem: list[_Entry] = field(default_factory=list)
    eds: list[_Entry] = field(default_factory=list)
    diffraction: list[_Entry] = field(default_factory=list)

    @property
    def files(self) -> int:
        """Number of entries."""
        return len(self.tofsims) + len(self.xps) + len(self.pictures)

    @property
    def pictures(self) -> list[_Entry]:
        """Entries of all techniques whose files may leave a question open."""
        return [*self.tem, *self.stem, *self.eds, *self.diffraction]


@dataclass(frozen=True)
class Draft:
    """A drafted session.

    Attributes
    ----------
    text : str
        The session file.
    samples : dict
        Number of files by sample.
    passed_over : dict
        Why a file is not in it, by path relative to the folder.
    """

    text: str
    samples: dict[str, int]
    passed_over: dict[str, str]


def draft_session(folder: Path) -> Draft:
    """Draft a session from the raw files below a folder.

    The files of one sub-folder are one sample; those in the folder itself are one too. A spectrum file that holds
    several samples gives one sample each, and so do spectrum files that cannot be levels of one etch series. Every
    file is opened, so that the draft passes `depthlock check` unless it says what is to be filled in.

    Raises
    ------
    SessionError
        If there is no such folder, or no raw file in it.
    """
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise SessionError(
            "there is no such folder" if not folder.exists() else "this is a file",
            expected="a folder with raw files",
            where=str(folder),
            hint="check the path; 'depthlock info FILE' shows what one file holds",
        )
    samples: dict[str, _Drafted] = {}
    passed_over: dict[str, str] = {}
    seen: dict[tuple[int, str], Path] = {}
    mapped = element_maps(folder)
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not path.is_file() or hidden or relative.parts[0] == "results" or path.name == SCHEMA_FILE:
            continue
        if path.suffix.lower() == ".poni" or any(relative in maps.files for maps in mapped):
            continue
        try:
            _place(samples, folder, relative, seen)
        except DepthlockError as error:
            passed_over[relative.as_posix()] = error.found.splitlines()[0]
    for maps in mapped:
        samples.setdefault(_sample_of(maps.files[0], folder), _Drafted()).eds.append(_map_entry(folder, maps))
    samples = _with_series_apart(samples)
    if not samples:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(passed_over.items())[:3])
        raise SessionError(
            "there is no raw file that depthlock reads" + (f" ({reasons})" if reasons else ""),
            expected="TOF-SIMS, XPS, TEM, 4D-STEM, STEM-EDS or diffraction files",
            where=str(folder),
            hint="'depthlock info FILE' says what a file seems to be",
        )
    counts = {name: own.files for name, own in samples.items()}
    return Draft(_text(_name(folder.name), samples, passed_over), counts, passed_over)


def _place(samples: dict[str, _Drafted], folder: Path, relative: Path, seen: dict[tuple[int, str], Path]) -> None:
    from depthlock.readers import registry
    from depthlock.workflow.stages import taken_by

    path = folder / relative
    reader = registry.find(path)
    if not taken_by(reader.technique, reader.gives):
        raise SessionError(f"{reader.title}: no stage takes such data yet")
    _refuse_copy(path, relative, seen)
    name = _sample_of(relative, folder)
    value = f"{{file: {_quoted(relative.as_posix())}}}"
    facts = reader.function("describe")(path)
    if reader.technique == "tofsims":
        samples.setdefault(name, _Drafted()).tofsims.append(_Entry(relative, value))
    elif reader.technique == "xps":
        _place_spectra(samples, name, path, relative, reader, _samples_inside(facts))
    elif reader.technique == "diffraction":
        samples.setdefault(name, _Drafted()).diffraction.append(_pattern_entry(folder, relative))
    else:
        attributes = reader.function("read")(path).attrs
        own = samples.setdefault(name, _Drafted())
        if reader.technique == "stem":
            missing = [key for key, held in _SCAN_STEPS.items() if held not in attributes]
            own.stem.append(_Entry(relative, value, f"give its {' and '.join(missing)}" if missing else ""))
        else:
            entry = _Entry(relative, value, "" if "pixel_size_nm" in attributes else _NO_SCALE)
            (own.eds if reader.technique == "eds" else own.tem).append(entry)


def _pattern_entry(folder: Path, relative: Path) -> _Entry:
    """A diffraction pattern, with the .poni beside it where there is one; its reflections are for the user to name."""
    beside = sorted((folder / relative).parent.glob("*.poni"))
    question = (
        'name its reflections, such as reflections: {"001": 1.15 nm}, and at grazing incidence the incident_angle'
    )
    if len(beside) == 1:
        geometry = _quoted(beside[0].relative_to(folder).as_posix())
        return _Entry(relative, f"{{file: {_quoted(relative.as_posix())}, geometry: {geometry}}}", question)
    where = "give its geometry, a .poni, or distance, pixel_size, centre and wavelength; and " + question
    return _Entry(relative, f"{{file: {_quoted(relative.as_posix())}}}", where)


def _sample_of(relative: Path, folder: Path) -> str:
    return _name(relative.parts[0] if len(relative.parts) > 1 else folder.name)


def _map_entry(folder: Path, maps: MapFiles) -> _Entry:
    """Element maps as one entry."""
    from depthlock.readers.eds_maps import read_maps

    dark = None if maps.dark_field is None else folder / maps.dark_field
    read = read_maps({element: folder / file for element, file in maps.by_element.items()}, dark)
    files = ", ".join(f"{element}: {_quoted(file.as_posix())}" for element, file in maps.by_element.items())
    beside = "" if maps.dark_field is None else f", haadf: {_quoted(maps.dark_field.as_posix())}"
    remark = "" if "pixel_size_nm" in read.attrs else _NO_SCALE
    return _Entry(maps.files[0], f"{{maps: {{{files}}}{beside}}}", remark)


def _refuse_copy(path: Path, relative: Path, seen: dict[tuple[int, str], Path]) -> None:
    from depthlock.workflow.manifest import file_sha256

    try:
        content = (path.stat().st_size, file_sha256(path))
    except OSError as error:
        raise SessionError(f"it cannot be read: {error.strerror or error}") from error
    if content in seen:
        raise SessionError(f"it has the content of {seen[content].as_posix()}")
    seen[content] = relative


def _place_spectra(
    samples: dict[str, _Drafted], name: str, path: Path, relative: Path, reader: Reader, inside: list[str]
) -> None:
    file = _quoted(relative.as_posix())
    several = len(inside) > 1
    entries: dict[str, _Entry] = {}
    for sample in inside if several else [""]:
        spectra = tuple(reader.function("read")(path, sample=sample) if several else reader.function("read")(path))
        value = f"{{file: {file}, sample: {_quoted(sample)}}}" if several else f"{{file: {file}}}"
        entries[_name(sample) if several else name] = _Entry(relative, value, spectra=spectra)
    for own, entry in entries.items():
        _gather((entry,))  # what cannot be one series by itself is passed over
        samples.setdefault(own, _Drafted()).xps.append(entry)


def _gather(entries: Iterable[_Entry]) -> None:
    """Put spectra together as a run does, to see whether that is possible."""
    from depthlock.chemistry import library
    from depthlock.model.session import DEFAULT_CHEMISTRY
    from depthlock.workflow.gathered_regions import gather_regions

    wanted = {region.name for region in library.load(DEFAULT_CHEMISTRY).regions}
    gather_regions([spectrum for entry in entries for spectrum in entry.spectra], wanted)


def _with_series_apart(samples: dict[str, _Drafted]) -> dict[str, _Drafted]:
    """Give every spectrum file a sample of its own where the files of one folder are no levels of one series."""
    apart: dict[str, _Drafted] = {}
    for own in samples.values():
        try:
            _gather(own.xps)
        except DepthlockError:
            for entry in own.xps:
                alone = _unused(_name(entry.file.stem), {*samples, *apart})
                apart[alone] = _Drafted(xps=[entry])
            own.xps = []
    kept = {name: own for name, own in samples.items() if own.files}
    return {**kept, **apart}


def _unused(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free.lower() in {other.lower() for other in taken}:
        number += 1
        free = f"{name} ({number})"
    return free


def _samples_inside(facts: Any) -> list[str]:
    """Find the sample names that a reader's description lists, however deep they stand."""
    if isinstance(facts, dict):
        own = [facts["sample"]] if isinstance(facts.get("sample"), str) else []
        return list(dict.fromkeys([*own, *(name for value in facts.values() for name in _samples_inside(value))]))
    if isinstance(facts, list):
        return list(dict.fromkeys(name for value in facts for name in _samples_inside(value)))
    return []


def _name(text: str) -> str:
    """Turn any text into a name that a session takes."""
    kept = re.sub(r"[^\w.+() -]", "-", text).strip(" -._")[:80]
    good = re.match(r"[^\W_]", kept) and kept.lower() not in TAKEN_NAMES
    return kept if good else f"sample {kept}".strip()


def _quoted(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(session: str, samples: dict[str, _Drafted], passed_over: dict[str, str]) -> str:
    lines = [
        f"{SCHEMA_HEADER}{SCHEMA_FILE}",
        "# A draft by `depthlock new`: check the samples and their files, then `depthlock check` and `depthlock run`.",
        f"session: {_quoted(session)}",
        "output: results            # relative to this file",
        "chemistry: mg-tfsi-v2o5    # a shipped library, or the path of one",
        "# ions: [SO2CF3-, MgF2-, V-]   # those of the library with a role, unless named here",
        "samples:",
    ]
    for name, own in samples.items():
        lines.append(f"  {_quoted(name)}:")
        for number, entry in enumerate(own.tofsims):
            more = "    # tofsims: " if number else "    tofsims: "
            lines.append(f"{more}{entry.value}" + ("   # a sample has one profile: choose" if number else ""))
        if own.xps:
            lines.append("    xps:")
            lines += [f"      - {entry.value}" for entry in own.xps]
        lines += _scaled_lines("tem", own.tem, own)
        lines += _scaled_lines("stem", own.stem, own)
        lines += _scaled_lines("eds", own.eds, own)
        lines += _scaled_lines("diffraction", own.diffraction, own)
    if passed_over:
        lines.append("# Passed over:")
        lines += [f"#   {name}: {reason}" for name, reason in passed_over.items()]
    return "\n".join(lines) + "\n"


def _scaled_lines(technique: str, entries: list[_Entry], own: _Drafted) -> list[str]:
    """Entries that leave a question open wait for it as comments, unless the sample has nothing else."""
    ready = [entry for entry in own.pictures if not entry.remark]
    waits = bool(own.tofsims or own.xps or ready)
    active = [entry for entry in entries if not (waits and entry.remark)]
    lines = [f"    {technique}:"] if active else []
    lines += [f"      - {entry.value}" + (f"  # {entry.remark}" if entry.remark else "") for entry in active]
    waiting = [entry for entry in entries if entry not in active]
    if waiting and not active:
        lines.append(f"    # {technique}:")
    return lines + [f"      # - {entry.value}  # {entry.remark}" for entry in waiting]

"""Drafting a session file from a folder of raw files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.session_file import SCHEMA_HEADER

SCHEMA_FILE = "session.schema.json"


@dataclass
class _Drafted:
    """What was found for one sample, as YAML values by technique, with remarks."""

    tofsims: list[str] = field(default_factory=list)
    xps: list[str] = field(default_factory=list)
    tem: list[str] = field(default_factory=list)


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
    several samples gives one sample each.

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
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not path.is_file() or hidden or relative.parts[0] == "results" or path.name == SCHEMA_FILE:
            continue
        try:
            _place(samples, folder, relative)
        except DepthlockError as error:
            passed_over[str(relative)] = error.found.splitlines()[0]
    if not samples:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(passed_over.items())[:3])
        raise SessionError(
            "there is no raw file that depthlock reads" + (f" ({reasons})" if reasons else ""),
            expected="TOF-SIMS, XPS or TEM files",
            where=str(folder),
            hint="'depthlock info FILE' says what a file seems to be",
        )
    counts = {name: len(own.tofsims) + len(own.xps) + len(own.tem) for name, own in samples.items()}
    return Draft(_text(_name(folder.name), samples, passed_over), counts, passed_over)


def _place(samples: dict[str, _Drafted], folder: Path, relative: Path) -> None:
    from depthlock.readers import registry

    path = folder / relative
    reader = registry.find(path)
    facts = reader.function("describe")(path)
    name = _name(relative.parts[0] if len(relative.parts) > 1 else folder.name)
    file = _quoted(relative.as_posix())
    if reader.technique == "tofsims":
        samples.setdefault(name, _Drafted()).tofsims.append(f"{{file: {file}}}")
    elif reader.technique == "xps":
        inside = _samples_inside(facts)
        for sample in inside if len(inside) > 1 else [""]:
            own = samples.setdefault(_name(sample) if sample else name, _Drafted())
            own.xps.append(f"{{file: {file}, sample: {_quoted(sample)}}}" if sample else f"{{file: {file}}}")
    elif reader.technique == "tem":
        remark = "" if _has_scale(path, reader) else "  # give its pixel_size, such as 0.03 nm: the file has none"
        samples.setdefault(name, _Drafted()).tem.append(f"{{file: {file}}}{remark}")
    else:
        raise SessionError(f"{reader.title}: no stage takes {reader.technique} data yet")


def _has_scale(path: Path, reader: Any) -> bool:
    return "pixel_size_nm" in reader.function("read")(path).attrs


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
    return kept if re.match(r"[^\W_]", kept) else f"sample {kept}".strip()


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
            lines.append(f"{more}{entry}" + ("   # a sample has one profile: choose" if number else ""))
        for technique in ("xps", "tem"):
            entries: list[str] = getattr(own, technique)
            if entries:
                lines.append(f"    {technique}:")
                lines += [f"      - {entry}" for entry in entries]
    if passed_over:
        lines.append("# Passed over:")
        lines += [f"#   {name}: {reason}" for name, reason in passed_over.items()]
    return "\n".join(lines) + "\n"

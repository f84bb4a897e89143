"""Element maps among the files of a folder: which belong together, by their names and by what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from depthlock.model.errors import DepthlockError
from depthlock.model.xray_lines import line_families

PICTURES = {".tif", ".tiff", ".png"}
"""Suffixes of pictures that may be maps; their names alone say so."""

_MAP_NAME = re.compile(r"^(?P<prefix>|.*[_\s.-])(?P<element>[A-Z][a-z]?)(?P<line>[_\s-]?[KLM](?:[ab]|alpha|beta)?1?)?$")
_MARKS = re.compile(r"eds|edx|map", re.IGNORECASE)
_DARK_FIELD = re.compile(r"haadf|dark|adf", re.IGNORECASE)

LEAST_BY_SYMBOL = 3
"""Elements that must be there where names hold nothing but their symbols: two may be samples called B and C."""


@dataclass(frozen=True)
class MapFiles:
    """Maps of one field.

    Attributes
    ----------
    by_element : dict
        File by element, relative to the folder looked through.
    dark_field : Path or None
        Dark-field image beside them.
    """

    by_element: dict[str, Path]
    dark_field: Path | None

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [*self.by_element.values(), *([self.dark_field] if self.dark_field else [])]


def element_maps(folder: Path) -> list[MapFiles]:
    """Sets of element maps below a folder that can be read together.

    Maps of one set stand in one folder and have names that differ by the element, such as ``eds_F_Ka.tif`` and
    ``eds_C_Ka.tif``, or are HyperSpy's, which say which line they hold.
    """
    from depthlock.readers.eds_maps import read_maps

    groups: dict[tuple[Path, str], dict[str, Path]] = {}
    with_line: set[tuple[Path, str]] = set()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") or part == "results" for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        prefix, element, line = _named_by(path)
        if element in line_families():
            key = (path.parent, prefix)
            groups.setdefault(key, {}).setdefault(element, path)
            with_line |= {key} if line else set()
    found = []
    for (parent, prefix), files in groups.items():
        marked = (parent, prefix) in with_line or _MARKS.search(f"{parent.relative_to(folder)}/{prefix}")
        if len(files) < (2 if marked else LEAST_BY_SYMBOL):
            continue
        dark = next((path for path in sorted(parent.iterdir()) if _is_dark_field(path)), None)
        try:
            read_maps(files, dark)
        except DepthlockError:
            continue
        below = {element: path.relative_to(folder) for element, path in files.items()}
        found.append(MapFiles(below, dark.relative_to(folder) if dark else None))
    return found


def _named_by(path: Path) -> tuple[str, str, bool]:
    """What stands before the element in a map's name, the element, and whether an X-ray line is named."""
    if path.suffix.lower() == ".hspy":
        from depthlock.readers.eds_planes import read_plane

        try:
            element, _, line = read_plane(path).line.partition("_")
        except DepthlockError:
            return "", "", False
        return path.stem.partition(f"_{element}")[0], element, bool(line)
    named = _MAP_NAME.match(path.stem) if path.suffix.lower() in PICTURES else None
    return (named["prefix"], named["element"], bool(named["line"])) if named else ("", "", False)


def _is_dark_field(path: Path) -> bool:
    return path.suffix.lower() in PICTURES and bool(_DARK_FIELD.search(path.stem))

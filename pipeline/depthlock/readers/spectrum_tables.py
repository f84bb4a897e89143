"""Spectra as tables of text: energy and intensity in columns, with or without a heading.

Nothing in such a table says what it is but its heading, if it has one. A heading that names binding or kinetic energy
is believed. Without one the axis is kinetic if the session gives a photon energy, and binding otherwise; a core level
named by the session or the file that cannot lie in the window is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.regions import NOMINAL, normalise_region
from depthlock.readers.spectra import Spectrum, select
from depthlock.readers.text import decode, number, read_text, split_lines

_HEADER_LINES = 30
_BINDING = re.compile(r"binding|\bb\.?e\.?\b", re.IGNORECASE)
_KINETIC = re.compile(r"kinetic|\bk\.?e\.?\b", re.IGNORECASE)
_OTHER = re.compile(
    r"m/z|\bmass\b|channel|wavelength|\bnm\b|theta|degree|\bq\b|potential|voltage|current|raman|1/cm", re.IGNORECASE
)
_RATE = re.compile(r"cps|counts?\s*/\s*s|counts? per s|c/s", re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """How the table is written: index of its first row, separator (None: blanks), column names."""

    first_row: int
    separator: str | None
    names: tuple[str, ...]
    header: str


def _cells(line: str, separator: str | None) -> list[str]:
    cells = line.split(separator) if separator else line.split()
    return [cell.strip().strip('"') for cell in cells]


def _numbers(line: str, separator: str | None) -> list[float] | None:
    cells = _cells(line, separator)
    while cells and not cells[-1]:
        cells.pop()
    values = [number(cell) for cell in cells]
    if len(values) < 2 or any(value is None for value in values):
        return None
    return [value for value in values if value is not None]


def _layout(lines: Sequence[str]) -> _Layout | None:
    for separator in ("\t", ";", ",", None):
        for index, line in enumerate(lines[:_HEADER_LINES]):
            if line.startswith("#") or _numbers(line, separator) is None:
                continue
            following = lines[index : index + 5]
            if len(following) < 5 or any(_numbers(item, separator) is None for item in following):
                break
            above = [item for item in lines[:index] if item.strip()]
            names = tuple(_cells(above[-1].lstrip("# "), separator)) if above else ()
            return _Layout(index, separator, names, "\n".join(above))
    return None


def recognises(_path: Path, head: bytes) -> bool:
    """Whether the text is a table of numbers over an evenly spaced axis that can be an energy."""
    text = decode(head)
    if "\0" in text:
        return False
    lines = split_lines(text)
    if len(head) >= 4096 and len(lines) > 1:
        lines.pop()  # the head may end within a line
    layout = _layout(lines)
    if layout is None or _OTHER.search(layout.header):
        return False
    rows: list[list[float]] = []
    for line in lines[layout.first_row :]:
        row = _numbers(line, layout.separator)
        if row is None:
            break
        rows.append(row)
    names_energy = bool(_BINDING.search(layout.header) or _KINETIC.search(layout.header))
    if len(rows) < 5 or (len(rows[0]) != 2 and not names_energy):
        return False
    axis = np.array([row[0] for row in rows])
    steps = np.diff(axis)
    even = bool(np.all(np.abs(steps - np.median(steps)) <= 0.05 * abs(np.median(steps)) + 1e-9))
    return even and bool(np.median(steps) != 0) and bool(np.all(np.abs(axis) < 2e4)) and abs(np.median(steps)) <= 5.0


def _table(path: Path) -> tuple[_Layout, npt.NDArray[np.float64]]:
    lines = split_lines(read_text(path))
    layout = _layout(lines)
    if layout is None:
        raise ReadError(
            "there is no table of numbers in the first lines",
            expected="two columns: energy and intensity",
            where=f"{path}, line 1",
            hint="export the spectrum as two columns, with a heading such as 'Binding energy (eV),Counts'",
        )
    rows: list[tuple[float, float]] = []
    for index, line in enumerate(lines[layout.first_row :], start=layout.first_row + 1):
        if not line.strip(" \t,;") or line.startswith("#"):
            continue
        row = _numbers(line, layout.separator)
        if row is None:
            raise ReadError(
                f"found {line.strip()[:60]!r}",
                expected="an energy and an intensity",
                where=f"{path}, line {index}",
                hint="the table is damaged or holds more than one spectrum; export each by itself",
            )
        rows.append((row[0], row[1]))
    values = np.array(rows)
    turns = np.flatnonzero(np.diff(values[:, 0]) * (values[1, 0] - values[0, 0]) <= 0)
    if turns.size or not np.isfinite(values).all():
        at = int(turns[0]) + 2 if turns.size else int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) + 1
        raise ReadError(
            f"the axis does not go on in one direction, or a value is missing, at row {at} of the table",
            expected="one spectrum, its energies rising or falling throughout",
            where=f"{path}, line {layout.first_row + at}",
            hint="export each spectrum by itself",
        )
    return layout, values


def _spectrum(path: Path, photon_energy: float | None, region: str | None) -> Spectrum:
    layout, values = _table(path)
    named = layout.names[0] if layout.names else ""
    if _BINDING.search(named) or (_BINDING.search(layout.header) and not _KINETIC.search(layout.header)):
        axis, source = "binding", "heading"
    elif _KINETIC.search(layout.header):
        axis, source = "kinetic", "heading"
    elif photon_energy is not None:
        axis, source = "kinetic", "session gives a photon energy"
    else:
        axis, source = "binding", "assumed: the file does not say"
    label = layout.names[1] if len(layout.names) > 1 and number(layout.names[1]) is None else ""
    intensity = values[:, 1]
    whole = bool(np.all(intensity == np.rint(intensity)))
    name = region or (label if normalise_region(label) != label or label in NOMINAL else path.stem)
    spectrum = Spectrum(
        energy=values[:, 0],
        intensity=intensity,
        axis=axis,
        is_rate=bool(_RATE.search(layout.header)) or not whole,
        region=_region_in(name),
        block=label or path.stem,
        extra={"energy_axis_source": source},
    )
    _check_axis(spectrum, path, photon_energy)
    return spectrum


def _region_in(name: str) -> str:
    """The core level in a name, or nothing: a file name that names none is no region."""
    normalised = normalise_region(name.replace("_", " "))
    known = normalised in NOMINAL or normalised == "survey" or " + " in normalised
    return normalised if known or re.fullmatch(r"[A-Z][a-z]? \d[spdf]", normalised) else ""


def _check_axis(spectrum: Spectrum, path: Path, photon_energy: float | None) -> None:
    nominal = NOMINAL.get(normalise_region(spectrum.region)) if spectrum.region else None
    if nominal is None:
        return
    energy = spectrum.energy
    if spectrum.axis == "kinetic":
        if photon_energy is None:
            return
        energy = photon_energy - energy
    if not energy.min() - 15 <= nominal <= energy.max() + 15:
        raise ReadError(
            f"{spectrum.region} lies near {nominal} eV and the axis, taken as "
            f"{'kinetic at this photon energy' if spectrum.axis == 'kinetic' else 'binding energy'}, "
            f"runs from {energy.min():.1f} to {energy.max():.1f} eV",
            expected=f"binding energies around {nominal} eV",
            where=str(path),
            hint="if the axis is kinetic, give the photon energy in the session: photon_energy: 1486.6"
            if spectrum.axis == "binding"
            else "correct the photon energy or the region's name",
        )


def read(
    path: Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Read a spectrum from a table.

    Parameters
    ----------
    path
        The file.
    sample, photon_energy, region, etch_times
        See :func:`depthlock.readers.spectra.select`. A photon energy says that an unnamed axis is kinetic.

    Returns
    -------
    list of xarray.Dataset
        Contract ``xps_spectra``, one Dataset of one level. Values that are not whole numbers are taken as rates.

    Raises
    ------
    ReadError
        If the table is damaged, or its axis cannot hold the named core level.
    """
    spectrum = _spectrum(path, photon_energy, region)
    chosen = select([spectrum], path, sample=sample, photon_energy=photon_energy, region=region)
    return gather(chosen, path, format_name="spectrum_tables", etch_times=etch_times)


def describe(path: Path) -> dict[str, Any]:
    """Say what a table holds: heading, axis, points."""
    layout, values = _table(path)
    spectrum = _spectrum(path, None, None)
    return {
        "heading": " | ".join(layout.names),
        "columns read": 2,
        "rows": len(values),
        "energy axis": f"{spectrum.axis} ({spectrum.extra['energy_axis_source']})",
        "spectra": summary([spectrum], path),
    }

"""Scienta SES text export (.txt): sections [Region n], [Info n] and [Data n]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.spectra import Spectrum, select
from depthlock.readers.text import decode, number, read_text, split_lines

_SECTION = re.compile(r"^\[([A-Za-z ]+?)\s*(\d*)\]\s*$")


def recognises(_path: Path, head: bytes) -> bool:
    """Whether the file begins with SES's [Info] section."""
    lines = split_lines(decode(head))
    return bool(lines) and lines[0].strip() == "[Info]" and any("Number of Regions=" in line for line in lines[:5])


def _fail(path: Path, line: int, found: str, expected: str) -> ReadError:
    return ReadError(
        found,
        expected=expected,
        where=f"{path}, line {line}",
        hint="the export is damaged or cut off; export it from SES again",
    )


def _spectra(path: Path) -> list[Spectrum]:
    lines = split_lines(read_text(path))
    settings: dict[str, dict[str, str]] = {}
    rows: dict[str, list[list[float]]] = {}
    starts: dict[str, int] = {}
    section, number_of_section = "", ""
    for at, line in enumerate(lines, start=1):
        if match := _SECTION.match(line):
            section, number_of_section = match.group(1).strip(), match.group(2)
            if section == "Data":
                starts[number_of_section] = at
                rows[number_of_section] = []
        elif section == "Data" and line.strip():
            values = [number(cell) for cell in line.split()]
            if len(values) < 2 or any(value is None for value in values):
                raise _fail(path, at, f"found {line.strip()[:60]!r}", "an energy and its intensities")
            rows[number_of_section].append([value for value in values if value is not None])
        elif "=" in line:
            key, _, value = line.partition("=")
            settings.setdefault(number_of_section, {}).setdefault(key.strip(), value.strip())
    announced = number(settings.get("", {}).get("Number of Regions", ""))
    if not rows or (announced is not None and len(rows) != announced):
        raise _fail(path, len(lines), f"the file ends after {len(rows)} regions", f"{announced or 1:.0f} regions")
    return [_spectrum(settings.get(key, {}), rows[key], starts[key], path) for key in rows]


def _spectrum(settings: dict[str, str], rows: list[list[float]], start: int, path: Path) -> Spectrum:
    size = number(settings.get("Dimension 1 size", ""))
    widths = {len(row) for row in rows}
    if size is None or len(rows) != size or len(widths) != 1:
        raise _fail(path, start + len(rows), f"{len(rows)} rows of data", f"{size or 2:.0f} rows of equal length")
    values = np.array(rows)
    axis = settings.get("Dimension 1 name", "")
    step_time = number(settings.get("Step Time", ""))
    scans = number(settings.get("Number of Sweeps", ""))
    return Spectrum(
        energy=values[:, 0],
        # Further columns are slices of the detector (angles, positions): one spectrum is their sum.
        intensity=values[:, 1:].sum(axis=1),
        axis="binding" if "binding" in axis.lower() else "kinetic",
        photon_energy=number(settings.get("Excitation Energy", "")) or np.nan,
        region=settings.get("Region Name", ""),
        sample=settings.get("Sample", ""),
        block=settings.get("Region Name", ""),
        dwell_time=step_time / 1000 if step_time and step_time > 0 else np.nan,
        scans=scans if scans and scans >= 1 else 1.0,
        acquired=f"{settings.get('Date', '')} {settings.get('Time', '')}".strip(),
        extra={"pass_energy_eV": number(settings.get("Pass Energy", "")) or np.nan},
    )


def read(
    path: Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Read a Scienta SES text export.

    Parameters
    ----------
    path
        The file.
    sample, photon_energy, region, etch_times
        See :func:`depthlock.readers.spectra.select`.

    Returns
    -------
    list of xarray.Dataset
        Contract ``xps_spectra``.

    Raises
    ------
    ReadError
        With the line where the export is not as it should be.
    """
    chosen = select(_spectra(path), path, sample=sample, photon_energy=photon_energy, region=region)
    return gather(chosen, path, format_name="scienta_text", etch_times=etch_times)


def describe(path: Path) -> dict[str, Any]:
    """Say what an SES export holds."""
    return {"spectra": summary(_spectra(path), path)}

"""SPECS Prodigy text export (.xy): spectra with their settings in comment lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.spectra import Spectrum, select
from depthlock.readers.text import decode, number, read_text, split_lines

_SETTING = re.compile(r"^#\s{0,3}([A-Za-z][\w ./]*?):\s+(.*?)\s*$")
_CURVE = re.compile(r"^# Cycle: (\d+), Curve: (\d+)(?:, Scan: (\d+))?(?:, Channel: (\d+))?\s*$")


@dataclass
class _Curve:
    """The rows of one cycle and the settings in force when they began."""

    settings: dict[str, str]
    cycle: int
    scan: int
    line: int
    rows: list[tuple[float, float]] = field(default_factory=list)


def recognises(_path: Path, head: bytes) -> bool:
    """Whether the file begins with Prodigy's export settings."""
    text = decode(head)
    return text.startswith("#") and "XY-Serializer Export Settings" in text


def _fail(path: Path, line: int, found: str, expected: str) -> ReadError:
    return ReadError(
        found,
        expected=expected,
        where=f"{path}, line {line}",
        hint="the export is damaged or cut off; export it from Prodigy again",
    )


def _curves(path: Path) -> list[_Curve]:
    settings: dict[str, str] = {}
    curves: list[_Curve] = []
    current: _Curve | None = None
    unmeasured = 0
    lines = split_lines(read_text(path))
    for at, line in enumerate(lines, start=1):
        if match := _CURVE.match(line):
            current = _Curve(dict(settings), int(match.group(1)), int(match.group(3) or 0), at)
            curves.append(current)
        elif line.startswith("#"):
            setting = _SETTING.match(line)
            if setting:
                settings[setting.group(1).strip()] = setting.group(2)
                if setting.group(1).strip() == "Region":
                    current, unmeasured = None, at
        elif line.strip():
            values = [number(cell) for cell in line.split()]
            if current is None or len(values) < 2 or values[0] is None or values[1] is None:
                raise _fail(path, at, f"found {line.strip()[:60]!r}", "an energy and an intensity below '# Cycle:'")
            current.rows.append((values[0], values[1]))
            unmeasured = 0
    if unmeasured:
        raise _fail(path, len(lines), "the file ends", f"values of the region announced in line {unmeasured}")
    for curve in curves:
        announced = number(curve.settings.get("Values/Curve", ""))
        if announced is not None and len(curve.rows) != announced:
            raise _fail(path, curve.line, f"{len(curve.rows)} values in the curve", f"{announced:.0f} values")
    if not any(curve.rows for curve in curves):
        raise _fail(path, 1, "the file holds no curve", "curves below '# Cycle: 0, Curve: 0'")
    return curves


def _spectra(path: Path) -> list[Spectrum]:
    merged: dict[tuple[str, str, int], list[_Curve]] = {}
    for curve in _curves(path):
        key = (curve.settings.get("Group", ""), curve.settings.get("Spectrum ID", ""), curve.cycle)
        merged.setdefault(key, []).append(curve)
    return [_spectrum(curves, path) for curves in merged.values()]


def _spectrum(curves: list[_Curve], path: Path) -> Spectrum:
    settings = curves[0].settings
    tables = [np.array(curve.rows) for curve in curves]
    if any(table.shape != tables[0].shape or not np.array_equal(table[:, 0], tables[0][:, 0]) for table in tables):
        raise _fail(path, curves[-1].line, "the scans of a region have different energies", "equal energies")
    is_rate = "second" in settings.get("Count Rate", "").lower()
    stacked = np.stack([table[:, 1] for table in tables])
    scans = number(settings.get("Number of Scans", ""))
    return Spectrum(
        energy=tables[0][:, 0],
        # Separate scans are one spectrum measured in turns: counts add up, rates average.
        intensity=stacked.mean(axis=0) if is_rate else stacked.sum(axis=0),
        axis="kinetic" if "kinetic" in settings.get("Energy Axis", "").lower() else "binding",
        is_rate=is_rate,
        photon_energy=number(settings.get("Excitation Energy", "")) or np.nan,
        region=settings.get("Region", ""),
        sample=settings.get("Group", ""),
        block=f"{settings.get('Region', '')} cycle {curves[0].cycle}",
        technique=settings.get("Analysis Method", "XPS").split()[0].upper(),
        dwell_time=number(settings.get("Dwell Time", "")) or np.nan,
        scans=scans if scans and scans >= 1 else float(len(curves)),
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
    """Read a SPECS Prodigy .xy export; cycles are levels, separate scans are added up.

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
    return gather(chosen, path, format_name="specs_xy", etch_times=etch_times)


def describe(path: Path) -> dict[str, Any]:
    """Say what a Prodigy export holds."""
    return {"spectra": summary(_spectra(path), path)}

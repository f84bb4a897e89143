"""Text exported by CasaXPS: spectra with the background, components and envelope of the fit.

Two layouts are in use. In the *column* layout (comma or tab) a line holds ``Characteristic Energy eV`` and
``Acquisition Time s``, the next names the columns (``BE_O 1s 6, CPS_O 1s 6, ..., Background_..., Envelope_...``). In
the *block* layout (tab) every spectrum begins with ``Cycle 0:sample:region``, followed by the components' names,
positions, widths, areas and shapes, and a table in counts over kinetic energy beside one in counts per second over
binding energy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.spectra import Spectrum, select
from depthlock.readers.text import decode, number, read_text, split_lines

_CYCLE = re.compile(r"^Cycle\s+(\d+):(.*?):(.*)$")
_HEADING = "Characteristic Energy eV"
_COLUMN = re.compile(r"^(BE|KE)_(.*)$")
_TABLE = re.compile(r"^K\.E\.\t")
_CURVES = {"background": "expert_background", "envelope": "expert_envelope"}


def recognises(_path: Path, head: bytes) -> bool:
    """Whether the first lines hold what only CasaXPS's exports hold."""
    lines = split_lines(decode(head))[:40]
    if not any(line.lstrip().startswith(_HEADING) for line in lines):
        return False
    return any(_CYCLE.match(line) or _COLUMN.match(re.split(r"[,\t]", line)[0]) for line in lines)


def _fail(path: Path, line: int, found: str, expected: str) -> ReadError:
    return ReadError(
        found,
        expected=expected,
        where=f"{path}, line {line}",
        hint="the export is damaged or cut off; export it from CasaXPS again",
    )


def _characteristics(line: str, path: Path, at: int) -> tuple[float, float]:
    """Return photon energy (eV) and acquisition time (s, NaN if not given) of the heading line."""
    cells = [cell.strip() for cell in re.split(r"[,\t]", line)]
    values: dict[str, float] = {}
    for label, text in pairwise(cells):
        value = number(text)
        if label and value is not None:
            values[label] = value
    energy = values.get(_HEADING)
    if energy is None or not energy > 0:
        raise _fail(path, at, f"found {line.strip()[:60]!r}", f"'{_HEADING}' and a positive number")
    return energy, values.get("Acquisition Time s", np.nan)


def _table(
    lines: Sequence[str], start: int, columns: int, path: Path, separator: str
) -> tuple[npt.NDArray[np.float64], int]:
    """Read rows of numbers from line index `start` on; empty cells are NaN. Returns (rows, columns) and the end."""
    rows: list[list[float]] = []
    at = start
    while at < len(lines):
        if not lines[at].strip(" \t,;") or _CYCLE.match(lines[at]):
            break
        cells = lines[at].split(separator)
        row: list[float] = []
        for cell in cells[:columns]:
            value = number(cell) if cell.strip() else np.nan
            if value is None:
                raise _fail(path, at + 1, f"found {cell.strip()[:40]!r}", "a number")
            row.append(value)
        if len(row) < columns:
            raise _fail(path, at + 1, f"{len(row)} columns", f"{columns} columns, as their heading says")
        rows.append(row)
        at += 1
    if len(rows) < 2:
        raise _fail(path, start + 1, f"{len(rows)} rows of numbers below the heading", "a spectrum")
    return np.array(rows), at


def _finite_rows(energy: npt.NDArray[np.float64], signal: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    kept: npt.NDArray[np.bool_] = np.isfinite(energy) & np.isfinite(signal)
    return kept


def _from_columns(lines: Sequence[str], heading: int, path: Path) -> list[Spectrum]:
    photon_energy, seconds = _characteristics(lines[heading], path, heading + 1)
    at = next((k for k in range(heading + 1, min(heading + 6, len(lines))) if lines[k].strip(" ,\t")), len(lines))
    if at == len(lines):
        raise _fail(path, len(lines), "the file ends", "the names of the columns")
    separator = "\t" if "\t" in lines[at] else ","
    names = [name.strip() for name in lines[at].split(separator)]
    starts = [(index, match) for index, name in enumerate(names) if (match := _COLUMN.match(name))]
    if not starts:
        raise _fail(path, at + 1, f"found {lines[at].strip()[:60]!r}", "column names such as BE_O 1s, CPS_O 1s")
    while not names[-1]:
        names.pop()
    values, _ = _table(lines, at + 1, len(names), path, separator)
    spectra: list[Spectrum] = []
    for (begin, match), stop in zip(starts, [*(index for index, _ in starts[1:]), len(names)], strict=True):
        columns = [index for index in range(begin, stop) if names[index]]
        if len(columns) < 2:
            raise _fail(path, at + 1, f"the column {names[begin]!r} stands alone", "an intensity beside it")
        tag = match.group(2)
        kept = _finite_rows(values[:, columns[0]], values[:, columns[1]])
        if kept.sum() < 2:
            raise _fail(path, at + 2, f"the spectrum {tag!r} has {kept.sum()} points", "at least two")
        suffix = f"_{tag}"
        fitted = {_curve_name(names[index].removesuffix(suffix)): values[kept, index] for index in columns[2:]}
        spectra.append(
            Spectrum(
                energy=values[kept, columns[0]],
                axis="binding" if match.group(1) == "BE" else "kinetic",
                intensity=values[kept, columns[1]],
                is_rate=names[columns[1]].upper().startswith("CPS"),
                photon_energy=photon_energy,
                region=re.sub(r"\s+\d+$", "", tag),
                sample=_sample_of(path, tag),
                block=tag,
                dwell_time=seconds if seconds > 0 else np.nan,
                fitted=fitted,
            )
        )
    return spectra


def _sample_of(path: Path, tag: str) -> str:
    """File name without the region that it ends with: ``20240228_Au_O_1s.csv`` is of the sample ``20240228_Au``."""
    region = re.sub(r"\s+\d+$", "", tag)
    pattern = r"[_ -]*".join(re.escape(part) for part in region.split())
    shorter = re.sub(rf"[_ -]+{pattern}$", "", path.stem, flags=re.IGNORECASE)
    return re.sub(r"[_ -]+survey$", "", shorter, flags=re.IGNORECASE) or path.stem


def _curve_name(name: str) -> str:
    plain = name.removesuffix(" CPS").strip()
    return _CURVES.get(plain.lower(), f"component:{plain}")


def _from_blocks(lines: Sequence[str], path: Path) -> list[Spectrum]:
    spectra: list[Spectrum] = []
    at = 0
    while at < len(lines):
        match = _CYCLE.match(lines[at])
        if match is None:
            if lines[at].strip():
                raise _fail(path, at + 1, f"found {lines[at].strip()[:60]!r}", "'Cycle N:sample:region'")
            at += 1
            continue
        spectrum, at = _one_block(lines, at, match, path)
        spectra.append(spectrum)
    return spectra


def _one_block(lines: Sequence[str], start: int, match: re.Match[str], path: Path) -> tuple[Spectrum, int]:
    heading = next((k for k in range(start + 1, min(start + 12, len(lines))) if _TABLE.match(lines[k])), None)
    if heading is None:
        where = min(start + 12, len(lines))
        raise _fail(path, where, "no table follows the spectrum's name", "a line that begins with 'K.E.'")
    about = next((k for k in range(start + 1, heading) if lines[k].strip().startswith(_HEADING)), None)
    if about is None:
        raise _fail(path, start + 2, f"found {lines[start + 1].strip()[:60]!r}", f"'{_HEADING}'")
    photon_energy, seconds = _characteristics(lines[about], path, about + 1)
    names = [name.strip() for name in lines[heading].split("\t")]
    if "B.E." not in names or names.index("B.E.") + 1 >= len(names):
        raise _fail(path, heading + 1, "the table has no columns 'B.E.' and 'CPS'", "both, beside 'K.E.'")
    binding = names.index("B.E.")
    shown = [name for name in names[2:binding] if name and name.lower() not in _CURVES]
    fit = {
        cells[0]: [cell.strip() for cell in cells[2 : 2 + len(shown)]]
        for cells in (line.split("\t") for line in lines[about + 1 : heading])
        if cells[0] in ("Name", "Position", "FWHM", "Area", "Lineshape")
    }
    while not names[-1]:
        names.pop()
    values, end = _table(lines, heading + 1, len(names), path, "\t")
    kept = _finite_rows(values[:, 0], values[:, 1])
    if kept.sum() < 2:
        raise _fail(path, heading + 2, f"the spectrum has {kept.sum()} points", "at least two")
    fitted: dict[str, npt.NDArray[np.float64]] = {}
    for index in range(binding + 2, len(names)):
        if not names[index]:
            continue
        name = _curve_name(names[index])
        while name in fitted:
            name += "'"
        fitted[name] = values[kept, index]
    spectrum = Spectrum(
        energy=values[kept, 0],
        axis="kinetic",
        intensity=values[kept, 1],
        photon_energy=photon_energy,
        region=match.group(3).strip(),
        sample=match.group(2).strip(),
        block=lines[start].strip(),
        dwell_time=seconds if seconds > 0 else np.nan,
        fitted=fitted,
        recorded_fit=fit if shown else None,
    )
    _check_frame(spectrum, values[kept, binding])
    return spectrum, end


def _check_frame(spectrum: Spectrum, binding: npt.NDArray[np.float64]) -> None:
    """The exported binding energies are calibrated and the kinetic ones may be raw: record the difference."""
    shift = float(np.median(binding - (spectrum.photon_energy - spectrum.energy)))
    if np.isfinite(shift) and abs(shift) > 1e-3:
        spectrum.energy_shift = round(shift, 4)


def _spectra(path: Path) -> list[Spectrum]:
    lines = split_lines(read_text(path))
    first = next((index for index, line in enumerate(lines) if line.strip(" ,\t")), len(lines))
    if first < len(lines) and _CYCLE.match(lines[first]):
        return _from_blocks(lines, path)
    heading = next((k for k, line in enumerate(lines[:40]) if line.lstrip().startswith(_HEADING)), None)
    if heading is None:
        raise _fail(path, min(40, len(lines)), "the heading is missing", f"a line that begins with '{_HEADING}'")
    return _from_columns(lines, heading, path)


def read(
    path: Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Read a CasaXPS text export.

    Parameters
    ----------
    path
        The file.
    sample, photon_energy, region, etch_times
        See :func:`depthlock.readers.spectra.select`.

    Returns
    -------
    list of xarray.Dataset
        Contract ``xps_spectra``; where the export holds a fit also ``expert_background`` and ``expert_envelope``
        (level, energy) and ``expert_components`` (expert_component, level, energy), all in counts per second, the
        components on top of the background, as exported.

    Raises
    ------
    ReadError
        With the line where the export is not as it should be.
    """
    chosen = select(_spectra(path), path, sample=sample, photon_energy=photon_energy, region=region)
    return gather(chosen, path, format_name="casaxps_text", etch_times=etch_times)


def describe(path: Path) -> dict[str, Any]:
    """Say what a CasaXPS export holds: spectra, and the curves of the fit."""
    spectra = _spectra(path)
    curves = dict.fromkeys(name.removeprefix("component:") for item in spectra for name in item.fitted)
    return {"spectra": summary(spectra, path), "curves of the fit": list(curves)}

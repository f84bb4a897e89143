"""Text exports of IONTOF SurfaceLab: depth profiles.

Three ``#`` lines (names, m/z, column titles) after any number of remarks, then index, sputter time, dose, fluence and
one column a profile. The intensities are already corrected for dead time: inverting the correction with the number of
primary pulses behind a point gives integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.surfacelab_names import ProfileName, parse_name
from depthlock.readers.text import decode, number, split_lines

FIRST_COLUMNS = ("data point", "sputter time", "dose", "fluence")

_SEPARATORS = ("\t", ";", ",")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
"""Seconds in the units of time that a title may state."""

EXPECTED_COUNTS = 5.0
"""Mean of the five rows before, from which on a zero is impossible by chance (probability exp(-5) a channel)."""

_AGAIN = "export the profile again from SurfaceLab as text"


def recognises(path: Path, head: bytes) -> bool:
    """Whether a text begins like a SurfaceLab depth profile.

    Raises
    ------
    ReadError
        For a table of cluster size and beam current, which SurfaceLab writes too and which is no profile.
    """
    text = decode(head)
    if "\0" in text:
        return False
    if text.startswith("Cluster Size\tCurrent"):
        raise ReadError(
            "this table holds beam current against cluster size of a gas cluster source, no depth profile",
            expected="a SurfaceLab depth profile, spectrum or raw data",
            where=str(path),
            hint="name the depth profile exported from the same measurement",
        )
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "#Data Point #" in text or first.startswith("# Profile Smoothing")


@dataclass(frozen=True)
class _Table:
    names: list[ProfileName]
    written: list[str]
    masses: NDArray[np.float64]
    remarks: list[str]
    rows: NDArray[np.float64]


def _separator(titles: str) -> str:
    """What stands between the column titles: tabs as SurfaceLab writes them, or what a spreadsheet made of them."""
    return max(_SEPARATORS, key=titles.count)


def _lines(path: Path) -> list[str]:
    try:
        return split_lines(decode(path.read_bytes()))
    except OSError as error:
        raise ReadError(f"the file cannot be opened: {error.strerror or error}", where=str(path)) from error


def _table(path: Path) -> _Table:
    lines = _lines(path)
    title_at = next((at for at, line in enumerate(lines) if line.startswith("#Data Point")), None)
    if title_at is None or title_at < 2:
        raise ReadError(
            "the column titles ('#Data Point #', 'Sputter Time (s)') are missing: the file is cut short, or no profile",
            expected="three lines beginning with '#': names, m/z, column titles",
            where=str(path),
            hint=_AGAIN,
        )
    separator = _separator(lines[title_at])
    titles, masses, names = (lines[title_at - back].split(separator) for back in range(3))
    where = f"{path}:{title_at + 1}"
    if len(titles) <= len(FIRST_COLUMNS):
        raise ReadError(
            f"the line of column titles has {len(titles)} columns",
            expected="columns separated by tabs, semicolons or commas: data point, time, dose, fluence, profiles",
            where=where,
            hint=_AGAIN,
        )
    for found, wanted in zip(titles, FIRST_COLUMNS, strict=False):
        if wanted not in found.lower():
            raise ReadError(f"a column is called '{found}'", expected=wanted, where=where, hint=_AGAIN)
    unit = titles[1].partition("(")[2].partition(")")[0].strip()
    if unit not in _SECONDS:
        raise ReadError(f"the sputter time is in '{unit}'", expected=" or ".join(_SECONDS), where=where, hint=_AGAIN)
    if len(titles) != len(names) or len(titles) != len(masses):
        raise ReadError(
            f"the header lines have {len(names)}, {len(masses)} and {len(titles)} columns",
            expected="three lines of equal length",
            where=where,
            hint=_AGAIN,
        )
    columns = [at for at in range(len(FIRST_COLUMNS), len(titles)) if names[at].strip()]
    if not columns:
        raise ReadError(
            "the file names no profiles", expected="names in the first header line", where=where, hint=_AGAIN
        )
    for at in columns:
        if titles[at].strip().lower() != "intensity":
            raise ReadError(
                f"the column '{names[at]}' holds '{titles[at]}'",
                expected="Intensity (counts a point)",
                where=where,
                hint="export intensities, not normalised or scaled values",
            )
    rows = _rows(lines, title_at + 1, separator, len(titles), columns, path)
    rows[:, 1] *= _SECONDS[unit]
    return _Table(
        names=[parse_name(names[at]) for at in columns],
        written=[names[at].strip() for at in columns],
        masses=np.array([_mass(masses[at], f"{path}:{title_at}") for at in columns]),
        remarks=[line.lstrip("# ").strip() for line in lines[: title_at - 2] if line.strip("# \t")],
        rows=rows,
    )


def _mass(text: str, where: str) -> float:
    if text.strip() in {"", "N/A"}:
        return math.nan
    value = number(text)
    if value is None:
        raise ReadError(f"an m/z is '{text}'", expected="a number or N/A", where=where, hint=_AGAIN)
    return value


def _rows(
    lines: list[str], first: int, separator: str, width: int, columns: list[int], path: Path
) -> NDArray[np.float64]:
    """Index, time, dose, fluence and the profiles, one line a row."""
    rows: list[list[float]] = []
    wanted = [*range(len(FIRST_COLUMNS)), *columns]
    for line_number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip():
            continue
        fields = line.split(separator)
        if len(fields) != width:
            raise ReadError(
                f"the row has {len(fields)} of {width} columns: the file is cut short or was edited",
                expected=f"{width} columns",
                where=f"{path}:{line_number}",
                hint=_AGAIN,
            )
        row = [number(fields[at]) for at in wanted]
        if None in row:
            wrong = fields[wanted[row.index(None)]]
            raise ReadError(f"found '{wrong}'", expected="a number", where=f"{path}:{line_number}", hint=_AGAIN)
        rows.append([value for value in row if value is not None])
    if len(rows) < 2:
        raise ReadError(
            f"the profile has {len(rows)} rows: the file is cut short",
            expected="two or more",
            where=str(path),
            hint=_AGAIN,
        )
    values = np.array(rows)
    time = values[:, 1]
    if not np.all(np.isfinite(time)) or np.any(np.diff(time) <= 0):
        wrong_row = first + 2 + int(np.argmax(~(np.diff(time) > 0)))
        raise ReadError(
            "the sputter times do not ascend", expected="ascending times in s", where=f"{path}:{wrong_row}", hint=_AGAIN
        )
    return values


def complete_scans(intensity: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which scans were measured whole; only rows at the end can be incomplete (the measurement was stopped).

    A row is incomplete when a fifth of the profiles that had counts in the five rows before (five each or more) is
    zero in it.
    """
    scans = intensity.shape[1]
    complete = np.ones(scans, dtype=bool)
    for scan in range(scans - 1, 4, -1):
        before = np.nan_to_num(intensity[counted, scan - 5 : scan]).mean(axis=1)
        alive = before >= EXPECTED_COUNTS
        if not np.any(alive) or np.mean(intensity[counted, scan][alive] == 0) < 0.2:
            break
        complete[scan] = False
    return complete


def unique_labels(labels: list[str], masses: NDArray[np.float64]) -> list[str]:
    """Labels made unique by their m/z, and where that does not suffice by their order."""
    repeated = {label for label in labels if labels.count(label) > 1}
    told = [
        f"{label} (m/z {mass:.4f})" if label in repeated and math.isfinite(mass) else label
        for label, mass in zip(labels, masses, strict=True)
    ]
    return [
        f"{label} [{told[:at].count(label) + 1}]" if told.count(label) > 1 else label for at, label in enumerate(told)
    ]


def _polarity(table: _Table) -> str:
    signs = {"+" if ion.rstrip("0123456789").endswith("+") else "-" for name in table.names for ion in name.ions}
    return signs.pop() if len(signs) == 1 else ""


def read(path: Path) -> xr.Dataset:
    """Read a depth profile.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_export`: `intensity` (ion, scan), dead-time corrected counts a point (ratios are without
        unit, and infinite where the file says so); coordinates `ion` (labels without underscores, unique), `name`
        (as written), `kind` (``total``, ``ion``, ``sum``, ``ratio``, ``other``), `mz` in Da (NaN where the file has
        N/A), `sputter_time` in s, `dose` in ions, `fluence` in 1/cm^2; `complete` (scan) is 0 for rows at the end
        that were cut off by the stop of the measurement. Attributes: `corrected` 1, `polarity`, `incomplete_scans`,
        `smoothed`, `remarks`, `source`.

    Raises
    ------
    ReadError
        With file and line.
    """
    table = _table(path)
    intensity = np.ascontiguousarray(table.rows[:, len(FIRST_COLUMNS) :].T)
    kind = np.array([name.kind for name in table.names])
    counted = np.isin(kind, ("ion", "sum", "total"))
    if np.any(intensity[counted] < 0) or not np.all(np.isfinite(intensity[counted])):
        row = int(np.argmax(np.any(~(intensity[counted] >= 0) | ~np.isfinite(intensity[counted]), axis=0)))
        raise ReadError(
            f"an intensity at data point {row + 1} is negative or no number",
            expected="counts, dead-time corrected",
            where=str(path),
            hint=_AGAIN,
        )
    complete = complete_scans(intensity, counted)
    smoothing = next((remark for remark in table.remarks if "smoothing" in remark.lower()), "")
    attrs: dict[str, Any] = {
        "source": str(path),
        "corrected": 1,
        "polarity": _polarity(table),
        "smoothed": int("smoothing" in smoothing.lower() and "disabled" not in smoothing.lower()),
        "incomplete_scans": [int(scan) for scan in np.flatnonzero(~complete)],
        "remarks": table.remarks,
    }
    labels = unique_labels([name.label for name in table.names], table.masses)
    variables = {
        "intensity": (("ion", "scan"), intensity, {"units": "1", "long_name": "counts a point, dead-time corrected"}),
        "complete": ("scan", complete.astype(np.int8), {"units": "1"}),
    }
    coords = {
        "ion": ("ion", np.array(labels), {"units": "1"}),
        "name": ("ion", np.array(table.written), {"units": "1"}),
        "kind": ("ion", kind, {"units": "1"}),
        "mz": ("ion", table.masses, {"units": "Da"}),
        "sputter_time": ("scan", table.rows[:, 1], {"units": "s"}),
        "dose": ("scan", table.rows[:, 2], {"units": "1", "long_name": "primary and sputter ions"}),
        "fluence": ("scan", table.rows[:, 3], {"units": "1/cm**2"}),
    }
    return xr.Dataset(variables, coords, attrs)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    data = read(path)
    time = data["sputter_time"].values
    kinds = data["kind"].values.tolist()
    ions = data["ion"].values[np.isin(kinds, ("ion",))].tolist()
    facts: dict[str, Any] = {
        "polarity": data.attrs["polarity"] or "not in the names",
        "scans": data.sizes["scan"],
        "sputter time": f"{time[0]:g} to {time[-1]:g} s, every {np.median(np.diff(time)):.4g} s",
        "profiles": ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)),
        "dead time": "already corrected",
        "ions": ions,
    }
    notes = []
    if data.attrs["incomplete_scans"]:
        numbers = ", ".join(str(scan + 1) for scan in data.attrs["incomplete_scans"])
        notes.append(f"data point {numbers} is incomplete (zero in profiles with counts): left out of every fit")
    if data.attrs["smoothed"]:
        notes.append("the profiles were smoothed before export: their counting errors are not those of the counts")
    if notes:
        facts["notes"] = notes
    return facts

"""Text exports of IONTOF SurfaceLab: the volume of one ion, rows `x y z counts`, x fastest.

Remark lines begin with ``#``; a name of the ion is looked for in them, then in the file's name. Written after a
description of the format; not checked on real files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.model.ions import Ion
from depthlock.readers.surfacelab_names import parse_name

ROWS_AT_ONCE = 1 << 18
_ROW = re.compile(rb"[ \t]*(\d+)[ \t,;]+(\d+)[ \t,;]+(\d+)[ \t,;]+([\d.eE+-]+)[ \t]*")
_AGAIN = "export the volume again from SurfaceLab as text"
AXIS = 1 << 16
VOXELS = 1 << 32


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 (the registry hands it to every reader)
    """Whether a text begins with three rows of x, y, z and a number, of which x runs."""
    if b"\0" in head:
        return False
    lines = [line for line in head.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    rows = [_ROW.fullmatch(line) for line in lines[:3]]
    if len(rows) < 3 or not all(rows):
        return False
    places = [[int(number) for number in row.groups()[:3]] for row in rows if row is not None]
    first = places[0]
    return max(first) <= 1 and places == [[first[0] + step, *first[1:]] for step in range(3)]


def _remarks(path: Path) -> list[str]:
    remarks: list[str] = []
    with path.open("rb") as stream:
        for line in stream:
            if line.strip() and not line.lstrip().startswith(b"#"):
                break
            remarks.append(line.decode("latin-1").strip(" #\t\r\n"))
    return [remark for remark in remarks if remark]


def _pieces(path: Path) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Number of the first row, and rows of four numbers."""
    import pandas as pd

    at = 0
    try:
        with pd.read_csv(
            path, sep=r"[ \t,;]+" if _has_commas(path) else r"\s+", comment="#", header=None, dtype=np.float64,
            chunksize=ROWS_AT_ONCE, engine="python" if _has_commas(path) else "c", encoding="latin-1",
        ) as table:  # fmt: skip
            for frame in table:
                values = frame.to_numpy(np.float64)
                if values.shape[1] != 4 or not np.all(np.isfinite(values)):
                    row = at + int(np.argmax(~np.isfinite(values).all(axis=1)))
                    raise ReadError(
                        f"row {row + 1} has no four numbers: the file is cut short or was edited",
                        expected="x, y, z, counts",
                        where=str(path),
                        hint=_AGAIN,
                    )
                yield at, values
                at += len(values)
    except (ValueError, pd.errors.ParserError) as error:
        raise ReadError(
            f"a row is no four numbers ({error})", expected="x, y, z, counts", where=str(path), hint=_AGAIN
        ) from error


def _has_commas(path: Path) -> bool:
    with path.open("rb") as stream:
        return bool(re.search(rb"\d[,;]", stream.read(4096)))


def _shape(path: Path) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Number of rows, and the smallest and largest x, y, z."""
    rows = 0
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for at, values in _pieces(path):
        low, high = np.minimum(low, values[:, :3].min(axis=0)), np.maximum(high, values[:, :3].max(axis=0))
        rows = at + len(values)
    if not rows or low.min() < 0 or high.max() > AXIS or not np.array_equal([low, high], np.rint([low, high])):
        raise ReadError(
            f"x, y, z run from {low.tolist()} to {high.tolist()}", expected=f"whole numbers from 0 or 1 to {AXIS}",
            where=str(path), hint=_AGAIN,
        )  # fmt: skip
    first, last = low.astype(np.int64), high.astype(np.int64)
    expected = int(np.prod(last - first + 1))
    if rows != expected or expected > VOXELS:
        nx, ny, nz = (last - first + 1).tolist()
        raise ReadError(
            f"the file has {rows} rows for {nx} x {ny} x {nz} voxels: it is cut short or was edited",
            expected=f"{expected} rows",
            where=str(path),
            hint=_AGAIN,
        )
    return rows, first, last


def read(path: Path) -> xr.Dataset:
    """Read the volume.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_volume` with one ion: `counts` (ion, scan, y, x), `mz` in Da (NaN when the ion's name is not
        a formula). The file has neither times nor pixel sizes: `sputter_time` is NaN, `y` and `x` count pixels, and
        `pulses` is NaN.

    Raises
    ------
    ReadError
        With the row that is missing or out of order.
    """
    rows, first, last = _shape(path)
    nx, ny, nz = (last - first + 1).tolist()
    counts = np.empty(rows, np.float32)
    for at, values in _pieces(path):
        index = np.arange(at, at + len(values))
        expected = np.stack([index % nx, index // nx % ny, index // (nx * ny)], axis=1) + first
        wrong = np.any(values[:, :3] != expected, axis=1)
        if np.any(wrong):
            row = int(np.argmax(wrong))
            raise ReadError(
                f"row {at + row + 1} is ({', '.join(f'{value:g}' for value in values[row, :3])})",
                expected=f"({', '.join(map(str, expected[row]))}): x fastest, then y, then z",
                where=str(path),
                hint=_AGAIN,
            )
        if values[:, 3].min() < 0:
            raise ReadError("a count is negative", expected="counts", where=str(path), hint=_AGAIN)
        counts[at : at + len(values)] = values[:, 3]
    label, mass = _ion(path)
    volume = counts.reshape(1, nz, ny, nx)
    coords = {
        "ion": ("ion", np.array([label]), {"units": "1"}),
        "mz": ("ion", np.array([mass]), {"units": "Da"}),
        "sputter_time": ("scan", np.full(nz, np.nan), {"units": "s"}),
        "y": ("y", np.arange(ny, dtype=np.float64), {"units": "1"}),
        "x": ("x", np.arange(nx, dtype=np.float64), {"units": "1"}),
    }
    variables = {
        "counts": (("ion", "scan", "y", "x"), volume, {"units": "1"}),
        "pulses": ("scan", np.full(nz, np.nan), {"units": "1"}),
    }
    return xr.Dataset(variables, coords, {"source": str(path), "sputter_time_source": "none"})


def _ion(path: Path) -> tuple[str, float]:
    """Label and m/z of the ion that a remark, or a part of the file's name, names."""
    for text in (*_remarks(path), *re.split(r"[\s()\[\]]+", path.stem)):
        for word in (text, *text.split()):
            parsed = parse_name(word)
            if parsed.kind == "ion":
                try:
                    return parsed.label, Ion.parse(parsed.label).mz
                except ValueError:
                    continue
    return path.stem, float("nan")


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    _, first, last = _shape(path)
    nx, ny, nz = (last - first + 1).tolist()
    label, mass = _ion(path)
    return {
        "axes": f"{nz} z x {ny} y x {nx} x",
        "ion": label if np.isnan(mass) else f"{label} (m/z {mass:.4f})",
        "times": "none",
        "notes": ["one ion without times or pixel sizes: for a depth profile, give `scan_time` in the session"],
    }

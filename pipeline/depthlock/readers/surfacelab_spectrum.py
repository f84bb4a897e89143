"""Text exports of IONTOF SurfaceLab: spectra (channel, m/z, counts), which `depthlock info` shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError

ENCODING = "latin-1"
_TITLES = re.compile(r"^Channel\tm/z\tIntensity\s*$", re.MULTILINE)
_AGAIN = "export the spectrum again from SurfaceLab as text"


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 (the registry hands it to every reader)
    """Whether a text begins like a SurfaceLab spectrum."""
    text = head.decode(ENCODING).replace("\r\n", "\n")
    return "\0" not in text and _TITLES.search(text) is not None


def read(path: Path) -> xr.Dataset:
    """Read a spectrum.

    Returns
    -------
    xr.Dataset
        `counts` (channel) with coordinates `flight_channel` (instrument's channel number) and `mz` in Da. Attributes:
        `binning` (channels a point, where stated), `dead_time_corrected` (1, 0, or absent), `source`.

    Raises
    ------
    ReadError
        With file and line.
    """
    try:
        lines = path.read_bytes().decode(ENCODING).splitlines()
    except OSError as error:
        raise ReadError(f"the file cannot be opened: {error.strerror or error}", where=str(path)) from error
    first = next((at for at, line in enumerate(lines) if _TITLES.match(line.rstrip())), None)
    if first is None:
        raise ReadError(
            "the column titles are missing", expected="Channel, m/z, Intensity", where=str(path), hint=_AGAIN
        )
    rows: list[list[float]] = []
    for number, line in enumerate(lines[first + 1 :], start=first + 2):
        if not line.strip():
            continue
        try:
            row = [float(field) for field in line.split("\t")]
        except ValueError:
            row = []
        if len(row) != 3:
            raise ReadError(
                f"found '{line.strip()[:40]}': the file is cut short or was edited",
                expected="three numbers: channel, m/z, counts",
                where=f"{path}:{number}",
                hint=_AGAIN,
            )
        rows.append(row)
    # The last line of an export ends with a line break; without it its number may have lost digits.
    if len(rows) < 2 or not path.read_bytes().endswith(b"\n"):
        raise ReadError(
            f"the spectrum is cut short after {len(rows)} rows", expected="whole rows", where=str(path), hint=_AGAIN
        )
    values = np.array(rows)
    if np.any(np.diff(values[:, 0]) <= 0):
        raise ReadError("the channels do not ascend", expected="ascending channels", where=str(path), hint=_AGAIN)
    attrs: dict[str, Any] = {"source": str(path), **_remarks(lines[:first])}
    return xr.Dataset(
        {"counts": ("channel", values[:, 2], {"units": "1"})},
        {
            "flight_channel": ("channel", values[:, 0].astype(np.int64), {"units": "1"}),
            "mz": ("channel", values[:, 1], {"units": "Da"}),
        },
        attrs,
    )


def _remarks(lines: list[str]) -> dict[str, int]:
    remarks: dict[str, int] = {}
    for line in lines:
        binning = re.search(r"Binning:\s*(\d+)", line)
        if binning:
            remarks["binning"] = int(binning[1])
        corrected = re.search(r"Deadtime Correction:\s*(on|off)", line, re.IGNORECASE)
        if corrected:
            remarks["dead_time_corrected"] = int(corrected[1].lower() == "on")
    return remarks


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``: range, counts, and the strongest peaks."""
    data = read(path)
    counts, mz = data["counts"].values, data["mz"].values
    inner = np.arange(1, counts.size - 1)
    peaks = inner[(counts[1:-1] >= counts[:-2]) & (counts[1:-1] > counts[2:])]
    strongest = sorted(peaks[np.argsort(counts[peaks])[::-1][:10]])
    corrected = data.attrs.get("dead_time_corrected")
    return {
        "points": data.sizes["channel"],
        "m/z": f"{mz[0]:.4f} to {mz[-1]:.4f} Da",
        "counts": f"{counts.sum():.0f}",
        "binning": f"{data.attrs['binning']} channels" if "binning" in data.attrs else "not in the file",
        "dead time": "not in the file" if corrected is None else "already corrected" if corrected else "not corrected",
        "strongest peaks": [f"m/z {mz[at]:.3f}: {counts[at]:.0f}" for at in strongest],
        "notes": ["a spectrum has no depth axis: it cannot be a sample's `tofsims` file"],
    }

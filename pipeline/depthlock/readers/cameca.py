"""Image stacks of Cameca instruments (`.im`): counts by mass, cycle and pixel, through the package ``sims``.

Dynamic SIMS with chosen masses: there is no spectrum, so that assignments cannot be checked, but the counts of each
mass by cycle are a depth profile. ``sims`` (BSD 3-Clause Clear) is an extra of depthlock: ``pip install sims``.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.surfacelab import complete_scans, unique_labels

_TYPES = frozenset({21, 22, 26, 27, 29, 31, 35, 39, 40, 41})


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 (the registry hands it to every reader)
    """Whether a file has a Cameca header: version (at most 10000) and analysis type, in either byte order."""
    if len(head) < 12:
        return False
    return any(
        int.from_bytes(head[4:8], order) in _TYPES
        and 0 < int.from_bytes(head[:4], order) < 10000
        and 12 < int.from_bytes(head[8:12], order) < 1 << 24
        for order in ("little", "big")
    )


def _open(path: Path) -> tuple[dict[str, Any], xr.DataArray]:
    """Header, and counts (species, frame, y, x)."""
    try:
        from sims.sims import SIMSReader
    except ImportError as error:
        raise ReadError(
            "reading Cameca files needs the package 'sims', which is not installed",
            where=str(path),
            hint="pip install sims; or export the depth profiles as text",
        ) from error
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            measured = SIMSReader(stream, filename=str(path))
            measured.peek()
            measured.read_header()
            measured.read_data()
            header, data = dict(measured.header), measured.data
    except Exception as error:  # the library lets through whatever it stumbles over
        first = (str(error).strip().splitlines() or [""])[0]
        raise ReadError(
            f"the Cameca file is damaged or cut short ({type(error).__name__}: {first})",
            expected="a whole file",
            where=str(path),
            hint="copy the file again from the instrument's computer",
        ) from error
    if not isinstance(data, xr.DataArray) or data.dims != ("species", "frame", "y", "x") or not data.size:
        raise ReadError(
            f"the Cameca file holds {header.get('analysis type', 'an unknown analysis')}: no images",
            expected="an image stack (.im)",
            where=str(path),
            hint="export the depth profiles as text",
        )
    return header, data


def read(path: Path) -> xr.Dataset:
    """Read the depth profiles of all masses.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_export`: `intensity` (ion, scan) is the sum over the image, as counted (attribute
        `corrected` 0); `mz` is the nominal mass set. The file has no sputter time: `sputter_time` is the counting
        time of the frames, during which the same beam sputters, or NaN where the file does not say it.

    Raises
    ------
    ReadError
        When ``sims`` is not installed, or the file is damaged or holds no images.
    """
    header, data = _open(path)
    intensity = data.sum(("y", "x")).values.astype(np.float64)
    labels = [str(name).strip() for name in data["species"].values]
    table = _masses(header, len(labels))
    masses = np.array([float(entry.get("mass", np.nan)) for entry in table])
    named = np.array([bool(_isotopes(label)) and mass > 0 for label, mass in zip(labels, masses, strict=True)])
    complete = complete_scans(intensity, named)
    sign = _polarity(header)
    seconds = max((float(entry.get("frame count time", 0.0)) for entry in table), default=0.0)
    notes = ["masses were chosen before the measurement: no spectrum, so assignments cannot be checked"]
    if not sign:
        notes.append("the file does not say the polarity: its masses stand without charge")
    attrs: dict[str, Any] = {
        "source": str(path),
        "corrected": int(all(bool(entry.get("deadtime corrected")) for entry in table)),
        "polarity": sign,
        "smoothed": 0,
        "incomplete_scans": [int(scan) for scan in np.flatnonzero(~complete)],
        "sputter_time_source": "counting time of the frames" if seconds > 0 else "none",
        "notes": notes,
    }
    time = np.arange(intensity.shape[1], dtype=np.float64) * (seconds if seconds > 0 else np.nan)
    kinds = np.where(named & bool(sign), "ion", "other")
    signed = [
        _isotopes(label) + sign if known else label or "signal without a mass"
        for label, known in zip(labels, named, strict=True)
    ]
    variables = {
        "intensity": (("ion", "scan"), intensity, {"units": "1", "long_name": "counts a frame"}),
        "complete": ("scan", complete.astype(np.int8), {"units": "1"}),
    }
    coords = {
        "ion": ("ion", np.array(unique_labels(signed, masses)), {"units": "1"}),
        "name": ("ion", np.array(labels), {"units": "1"}),
        "kind": ("ion", kinds, {"units": "1"}),
        "mz": ("ion", masses, {"units": "Da"}),
        "sputter_time": ("scan", time, {"units": "s"}),
    }
    return xr.Dataset(variables, coords, attrs)


def _masses(header: dict[str, Any], number: int) -> list[dict[str, Any]]:
    table = header.get("MassTable") or {}
    entries = list(table.values()) if isinstance(table, dict) else list(table)
    found = [entry if isinstance(entry, dict) else {} for entry in entries]
    return (found + [{}] * number)[:number]


def _polarity(header: dict[str, Any]) -> str:
    """The polarity by the sample's voltage, where the primary ions agree with it; empty otherwise.

    A sample at -8 kV repels anions into the spectrometer and draws Cs+. The package ``sims`` states the opposite sign.
    """
    voltage = (header.get("SecondaryBeam") or {}).get("E0W")
    source = str((header.get("PrimaryBeam") or {}).get("source", "")).strip()
    if not isinstance(voltage, int | float) or voltage == 0 or source[-1:] not in {"+", "-"}:
        return ""
    sign = "-" if voltage < 0 else "+"
    return sign if sign != source[-1] else ""


_ATOM = re.compile(r"(\d*)([A-Z][a-z]?\d*)")


def _isotopes(label: str) -> str:
    """A label in our spelling, ``12C 14N`` as ``^12C^14N``; empty where it is no list of atoms."""
    atoms = [_ATOM.fullmatch(word) for word in label.split()]
    if not all(atoms):
        return ""
    return "".join(f"^{atom[1]}{atom[2]}" if atom[1] else atom[2] for atom in atoms if atom is not None)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    header, data = _open(path)
    image = header.get("Image") or {}
    raster = image.get("raster")
    profile = read(path)
    return {
        "analysis": str(header.get("analysis type", "not in the file")),
        "axes": f"{data.sizes['frame']} frames x {data.sizes['y']} y x {data.sizes['x']} x",
        "masses": profile["ion"].values.tolist(),
        "counts": int(data.sum()),
        "polarity": profile.attrs["polarity"] or "not in the file",
        "field of view": f"{raster / 1000:g} um"
        if isinstance(raster, int | float) and raster > 0
        else "not in the file",
        "measured": str(header.get("date", "not in the file")),
        "times": profile.attrs["sputter_time_source"],
        "notes": list(profile.attrs["notes"]),
    }

"""PHI MultiPak spectra: single ones (.spe) and sputter profiles (.pro) with their sputter times.

A text header from ``SOFH`` to ``EOFH`` and a line end defines the spectral regions; the arrays behind it are read by
`depthlock.readers.phi_arrays`.
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
from depthlock.readers.phi_arrays import PhiArray, damaged, read_arrays
from depthlock.readers.phi_header import of_tofsims
from depthlock.readers.spectra import Spectrum, photon_energy_of_anode, select
from depthlock.readers.text import number

_START = b"SOFH"
_END = b"EOFH"
_FILE_TYPES = ("SPECTRUM", "DEPTHPRO")
_REGION = re.compile(
    r"^\s*(\d+)\s+\d+\s+(.+?)\s+(-?\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+\s*$"
)


@dataclass(frozen=True)
class SpectralRegion:
    """One ``SpectralRegDef`` line of the header."""

    number: int
    name: str
    points: int
    step: float
    start: float
    dwell_time: float
    pass_energy: float


@dataclass(frozen=True)
class Header:
    """The text header: first value of every key, the spectral regions, and where the binary part begins."""

    fields: dict[str, str]
    regions: dict[int, SpectralRegion]
    end: int


def recognises(path: Path, head: bytes) -> bool:
    """Whether the file begins with a PHI header of the technique XPS.

    Raises
    ------
    ReadError
        If the header is PHI's and of another technique.
    """
    if not head.startswith(_START) or of_tofsims(head):
        return False
    technique = re.search(rb"^Technique:\s*(\S+)", head, re.MULTILINE)
    if technique and technique.group(1).upper() != b"XPS":
        raise ReadError(
            f"it is a PHI file of the technique {technique.group(1).decode('latin-1')}",
            expected="a PHI file of the technique XPS (.spe, .pro)",
            where=str(path),
            hint="export it from PHI's software in one of the formats depthlock reads",
        )
    return True


def parse_header(raw: bytes, path: Path) -> Header:
    """Parse the text header of a .spe or .pro file.

    Raises
    ------
    ReadError
        If the header does not end, or defines no spectral region.
    """
    end = raw.find(_END)
    if not raw.startswith(_START) or end < 0:
        found = "the file ends" if raw.startswith(_START) else f"the file begins with {raw[:8]!r}"
        raise damaged(
            path, min(len(raw), 8) if not raw.startswith(_START) else len(raw), found, "a header SOFH ... EOFH"
        )
    fields: dict[str, str] = {}
    regions: dict[int, SpectralRegion] = {}
    for line in raw[:end].decode("latin-1").splitlines():
        key, separator, value = line.partition(":")
        if not separator:
            continue
        fields.setdefault(key.strip(), value.strip())
        if key.strip() == "SpectralRegDef":
            region = _spectral_region(value)
            if region is None:
                raise damaged(path, raw.find(line.encode("latin-1")), f"found {line[:80]!r}", "a region definition")
            regions[region.number] = region
    if not regions:
        raise damaged(path, end, "the header defines no spectral region", "a line SpectralRegDef")
    after = end + len(_END)
    while after < len(raw) and after < end + 6 and raw[after : after + 1] in (b"\r", b"\n"):
        after += 1
    return Header(fields, regions, after)


def _spectral_region(text: str) -> SpectralRegion | None:
    match = _REGION.match(text)
    if match is None:
        return None
    try:
        step, start, dwell, pass_energy = (float(match.group(index)) for index in (5, 6, 10, 11))
    except ValueError:
        return None
    points = int(match.group(4))
    if points < 2 or step == 0 or not np.isfinite([step, start]).all():
        return None
    return SpectralRegion(int(match.group(1)), match.group(2), points, step, start, dwell, pass_energy)


def _spectra(path: Path) -> tuple[Header, list[Spectrum]]:
    raw = path.read_bytes()
    header = parse_header(raw, path)
    file_type = header.fields.get("FileType", "").upper()
    if file_type not in _FILE_TYPES:
        raise ReadError(
            f"it is a PHI file of the type {file_type or 'unknown'}",
            expected=" or ".join(_FILE_TYPES),
            where=str(path),
            hint="export its spectra from MultiPak (.spe, .pro or VAMAS)",
        )
    arrays = read_arrays(raw, header.end, path)
    times = next((item for item in arrays if item.unit == "s" and "cyc" in item.axes), None)
    spectra: list[Spectrum] = []
    for array in arrays:
        if array.axes[0] != "pnt":
            continue
        spectra.extend(_of_region(array, header, times, path))
    if not spectra:
        raise damaged(path, header.end, "the directory lists no spectrum", "arrays over 'pnt'")
    return header, spectra


def _of_region(array: PhiArray, header: Header, times: PhiArray | None, path: Path) -> list[Spectrum]:
    region = header.regions.get(array.region)
    if region is None or region.points != array.values.shape[1]:
        points = "none" if region is None else f"{region.points} points"
        raise damaged(
            path,
            header.end,
            f"an array of {array.values.shape[1]} points for region {array.region}",
            f"what the text header defines for it: {points}",
        )
    energy = region.start + region.step * np.arange(region.points, dtype=np.float64)
    photon_energy, anode = _x_rays(header)
    levels = array.values.shape[0]
    seconds = _sputter_times(times, array.region, list(header.regions), levels) if array.axes[1] == "cyc" else None
    extra = _extra(header, region)
    return [
        Spectrum(
            energy=energy,
            intensity=array.values[level],
            is_rate=array.unit == "c/s",
            photon_energy=photon_energy,
            region=region.name,
            sample=_sample(header),
            block=f"{region.name} {'cycle' if array.axes[1] == 'cyc' else 'area'} {level + 1}",
            dwell_time=region.dwell_time if region.dwell_time > 0 else np.nan,
            variables={} if seconds is None else {"sputter time": (float(seconds[level]), "s")},
            extra={**extra, "source_label": anode},
        )
        for level in range(levels)
    ]


def _sputter_times(
    times: PhiArray | None, region: int, regions: list[int], levels: int
) -> npt.NDArray[np.float64] | None:
    if times is None or times.values.shape[1] != levels:
        return None
    row = regions.index(region) if region in regions else 0
    seconds: npt.NDArray[np.float64] = times.values[min(row, times.values.shape[0] - 1)] + 0.0
    return seconds


def _x_rays(header: Header) -> tuple[float, str]:
    source = header.fields.get("XraySource", "")
    energy = re.search(r"\d+\.?\d*", source)
    return (float(energy.group()) if energy else photon_energy_of_anode(source)), source


def _sample(header: Header) -> str:
    text = header.fields.get("FileDesc", "")
    listed = re.fullmatch(r"\(\s*\d+\s*,\s*(.*?)\s*\)", text)
    return listed.group(1) if listed else text


def _extra(header: Header, region: SpectralRegion) -> dict[str, Any]:
    extra: dict[str, Any] = {"pass_energy_eV": region.pass_energy}
    names = {
        "AcqFileDate": "acquired_on",
        "InstrumentModel": "instrument",
        "SputterMode": "sputter_mode",
        "GCIBBeam": "gcib_energy",
        "GCIBClusterSize": "gcib_cluster",
        "GCIBRasterSize": "gcib_raster",
        "SputterIon": "sputter_ion",
        "SputterEnergy": "sputter_energy",
    }
    for key, name in names.items():
        if header.fields.get(key):
            extra[name] = header.fields[key]
    work_function = number(header.fields.get("AnalyserWorkFcn", "").removesuffix("eV").strip())
    if work_function is not None:
        extra["work_function_eV"] = work_function
    return extra


def read(
    path: Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Read a PHI .spe or .pro file.

    The rates of the file are turned into the counts they were made from where these are whole numbers; the time of
    the region definition is the whole counting time of a channel, all sweeps together.

    Parameters
    ----------
    path
        The file.
    sample, photon_energy, region, etch_times
        See :func:`depthlock.readers.spectra.select`.

    Returns
    -------
    list of xarray.Dataset
        Contract ``xps_spectra``, one Dataset a region, levels in order of the sputter time.

    Raises
    ------
    ReadError
        With the byte where the file departs from the layout.
    """
    _, spectra = _spectra(path)
    chosen = select(spectra, path, sample=sample, photon_energy=photon_energy, region=region)
    return gather(chosen, path, format_name="phi_spectra", etch_times=etch_times)


def describe(path: Path) -> dict[str, Any]:
    """Say what a PHI file holds: instrument, X-rays, regions, cycles, sputter times."""
    header, spectra = _spectra(path)
    facts: dict[str, Any] = {"type": header.fields.get("FileType", "")}
    for key, name in (
        ("InstrumentModel", "instrument"),
        ("AcqFileDate", "date"),
        ("XraySource", "X-rays"),
        ("SputterMode", "sputter mode"),
        ("GCIBBeam", "cluster gun"),
        ("GCIBClusterSize", "cluster size"),
    ):
        if header.fields.get(key):
            facts[name] = header.fields[key]
    facts["spectra"] = summary(spectra, path)
    return facts

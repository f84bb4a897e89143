"""PHI MultiPak spectra: single ones (.spe) and sputter profiles (.pro) with their sputter times.

Layout read off real files of a VersaProbe 4 (no public description exists): a text header from ``SOFH`` to ``EOFH``
and a line end; then four little-endian u32 (version, entries, bytes of directory, 16), a directory of 96 bytes an
entry, and the arrays, whose offsets count from the header's end. An entry holds, as u32 unless said otherwise: 0 its
number, 3 the spectral region (0: none), 5 to 7 the array's lengths with the first varying fastest, at byte 32 and 40
the names of its axes (``pnt``, ``cyc``, ``reg``, ``sar``), at byte 56 the unit (``c/s``, ``s``, ``c/s * eV``), at byte
72 the type (``f4``), at byte 76 the size and at byte 80 the offset. The array with the unit ``s`` over cycle and
region is the sputter time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.phi_header import of_tofsims
from depthlock.readers.spectra import Spectrum, photon_energy_of_anode, select
from depthlock.readers.text import number

_START = b"SOFH"
_END = b"EOFH"
_ENTRY_BYTES = 96
_TYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u4": "<u4", "i2": "<i2", "u2": "<u2"}
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


@dataclass(frozen=True)
class _Array:
    region: int
    axes: tuple[str, str]
    unit: str
    values: npt.NDArray[np.float64]


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
        raise _damaged(
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
                raise _damaged(path, raw.find(line.encode("latin-1")), f"found {line[:80]!r}", "a region definition")
            regions[region.number] = region
    if not regions:
        raise _damaged(path, end, "the header defines no spectral region", "a line SpectralRegDef")
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


def _damaged(path: Path, offset: int, found: str, expected: str) -> ReadError:
    return ReadError(
        found,
        expected=expected,
        where=f"{path}, byte {offset}",
        hint="the file is damaged or cut off; copy it from the instrument again",
    )


def _arrays(raw: bytes, header: Header, path: Path) -> list[_Array]:
    base = header.end
    if len(raw) < base + 16:
        raise _damaged(path, len(raw), "the file ends after its text header", "the directory of its arrays")
    _, entries, size, offset = struct.unpack_from("<4I", raw, base)
    if entries == 0 or size != entries * _ENTRY_BYTES or offset != 16:
        raise _damaged(
            path,
            base,
            f"a directory of {entries} entries and {size} bytes",
            f"a directory of {_ENTRY_BYTES} bytes an entry",
        )
    if len(raw) < base + offset + size:
        raise _damaged(path, len(raw), "the file ends in the directory of its arrays", f"{entries} entries")
    starts = range(base + offset, base + offset + size, _ENTRY_BYTES)
    return [_array(raw, base, start, path) for start in starts]


def _array(raw: bytes, base: int, entry: int, path: Path) -> _Array:
    region = struct.unpack_from("<I", raw, entry + 12)[0]
    shape = struct.unpack_from("<3I", raw, entry + 20)
    axes = (_word(raw, entry + 32, 4), _word(raw, entry + 40, 4))
    unit = _word(raw, entry + 56, 16)
    kind = _TYPES.get(_word(raw, entry + 72, 4))
    size, offset = struct.unpack_from("<2I", raw, entry + 76)
    if kind is None:
        raise _damaged(path, entry + 72, f"an array of type {_word(raw, entry + 72, 4)!r}", ", ".join(_TYPES))
    points = shape[0] * shape[1] * shape[2]
    if points * np.dtype(kind).itemsize != size or points == 0:
        raise _damaged(path, entry + 20, f"an array of {shape} values in {size} bytes", "sizes that agree")
    if base + offset + size > len(raw):
        raise _damaged(
            path,
            len(raw),
            f"the file ends {base + offset + size - len(raw)} bytes before the end of an array",
            f"{size} bytes from byte {base + offset} on",
        )
    if shape[2] != 1:
        raise ReadError(
            f"the array of region {region} has {shape[2]} areas besides its {shape[1]} cycles",
            expected="one area a file",
            where=f"{path}, byte {entry}",
            hint="export each area by itself from MultiPak; the order of several is not known for certain",
        )
    with np.errstate(invalid="ignore"):
        values = np.frombuffer(raw, kind, points, base + offset).astype(np.float64).reshape(shape[1], shape[0])
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        at = base + offset + first * np.dtype(kind).itemsize
        raise _damaged(path, at, "a value that is no finite number", "an intensity or a time")
    return _Array(region, axes, unit, values)


def _word(raw: bytes, start: int, length: int) -> str:
    return raw[start : start + length].split(b"\0")[0].decode("latin-1").strip()


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
    arrays = _arrays(raw, header, path)
    times = next((item for item in arrays if item.unit == "s" and "cyc" in item.axes), None)
    spectra: list[Spectrum] = []
    for array in arrays:
        if array.axes[0] != "pnt":
            continue
        spectra.extend(_of_region(array, header, times, path))
    if not spectra:
        raise _damaged(path, header.end, "the directory lists no spectrum", "arrays over 'pnt'")
    return header, spectra


def _of_region(array: _Array, header: Header, times: _Array | None, path: Path) -> list[Spectrum]:
    region = header.regions.get(array.region)
    if region is None or region.points != array.values.shape[1]:
        points = "none" if region is None else f"{region.points} points"
        raise _damaged(
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
    times: _Array | None, region: int, regions: list[int], levels: int
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

"""Raw ions exported from IONTOF's SurfaceLab as `.grd`: five u32 an ion (scan, shot, x, y, flight-time channel).

The file has no mark and no header; raster, calibration and polarity stand in the ``.properties.txt`` that is exported
with it. Written after public readers of the format; not checked on real files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.event_memory import in_memory
from depthlock.readers.event_source import EventBlock, EventSource
from depthlock.readers.iontof_raw import facts_to_print, header
from depthlock.readers.iontof_settings import (
    SCANS,
    Facts,
    facts_of_settings,
    properties_beside,
    settings_of_lines,
)
from depthlock.readers.text import decode

WORDS = 5
ION_BYTES = 4 * WORDS
IONS_AT_ONCE = 1 << 18
CHANNELS = 1 << 28
_PROPERTIES = "export the raw data again, with its properties, and keep both files together"


def properties_of(path: Path) -> Path:
    """Find the properties that a raw file cannot be read without.

    Raises
    ------
    ReadError
        When they are missing.
    """
    beside = properties_beside(path)
    if beside is None:
        raise ReadError(
            "the properties of this raw file are missing",
            expected=f"'{path.stem}.properties.txt' in the same folder",
            where=str(path),
            hint=_PROPERTIES,
        )
    return beside


@dataclass(frozen=True)
class GrdFile:
    """What a .grd file and its properties hold, beside the ions.

    Attributes
    ----------
    facts : Facts
    ions : int
    first_scan, scans : int
        Number of the first scan, and how many there are up to the last.
    """

    facts: Facts
    ions: int
    first_scan: int
    scans: int


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file without a mark is a .grd file: by its name, and by numbers that can be ions.

    Raises
    ------
    ReadError
        When the name says .grd, but the properties are missing.
    """
    if path.suffix.lower() != ".grd":
        return False
    words = np.frombuffer(head[: len(head) // ION_BYTES * ION_BYTES], "<u4").reshape(-1, WORDS)
    if not words.size or np.any(words[:, 2:4] >= 1 << 16) or np.any(words[:, 4] >= CHANNELS):
        return False
    if properties_beside(path) is None:
        raise ReadError(
            "the properties of this raw file are missing",
            expected=f"'{path.stem}.properties.txt' in the same folder",
            where=str(path),
            hint=_PROPERTIES,
        )
    return True


def parse(path: Path) -> GrdFile:
    """Read the properties, and go through the ions once for their scans.

    Raises
    ------
    ReadError
        When the properties are missing or incomplete, the file is cut short, or ions lie outside of the raster.
    """
    beside = properties_of(path)
    facts = facts_of_settings(settings_of_lines(decode(beside.read_bytes())), str(beside))
    size = path.stat().st_size
    if size % ION_BYTES:
        raise ReadError(
            f"the file is cut short: {size} bytes are no whole number of ions; the last begins at byte "
            f"{size // ION_BYTES * ION_BYTES}",
            expected=f"{ION_BYTES} bytes an ion",
            where=str(path),
            hint="copy or export the file again",
        )
    low, high = 1 << 32, -1
    nothing = np.empty(0, np.uint32)
    for at, records in _pieces(path):
        first, last = _decoded(records, 0, facts, nothing, nothing, path, at)
        low, high = min(low, first), max(high, last)
    if high < 0 or high - low >= SCANS or (high - low + 1) * facts.nx * facts.ny > 1 << 32:
        raise ReadError(
            f"the scans run from {low} to {high}" if high >= 0 else "the file holds no ions",
            expected=f"at most {SCANS} scans and 2^32 pixels in all",
            where=str(path),
            hint="export the file again",
        )
    return GrdFile(facts, size // ION_BYTES, min(low, 1), high - min(low, 1) + 1)


def _pieces(path: Path, at: int = 0) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Byte, and ions as rows of five words."""
    with path.open("rb") as stream:
        stream.seek(at)
        while raw := stream.read(IONS_AT_ONCE * ION_BYTES):
            yield at, np.frombuffer(raw, "<u4", len(raw) // ION_BYTES * WORDS).reshape(-1, WORDS)
            at += len(raw)


def _decoded(
    records: NDArray[np.uint32],
    first_scan: int,
    facts: Facts,
    flight: NDArray[np.uint32],
    pixel: NDArray[np.uint32],
    path: Path,
    at: int,
) -> tuple[int, int]:
    """Fill in channels and pixels; first and last scan."""
    from depthlock.readers.event_decoding import grd_ions

    wrong, low, high = grd_ions(records, first_scan, facts.nx, facts.ny, CHANNELS, flight, pixel)
    if wrong >= 0:
        _, _, x, y, channel = records[wrong]
        raise ReadError(
            f"an ion lies at ({x}, {y}), channel {channel}",
            expected=f"{facts.nx} x {facts.ny} pixels, as the properties say, and channels below {CHANNELS}",
            where=f"{path}: byte {at + ION_BYTES * wrong}",
            hint=_PROPERTIES,
        )
    return int(low), int(high)


def source(path: Path) -> EventSource:
    """The file for the conversion to an event store; a place is a byte."""
    parsed = parse(path)
    store = header(parsed.facts, parsed.scans, "iontof_grd")
    return EventSource(store, partial(event_blocks, path, parsed), parsed.ions * ION_BYTES)


def event_blocks(path: Path, parsed: GrdFile, first_byte: int = 0) -> Iterator[EventBlock]:
    """The ions from a byte on, some hundred thousand at a time."""
    for at, records in _pieces(path, first_byte):
        flight, pixel = np.empty((2, len(records)), np.uint32)
        _decoded(records, parsed.first_scan, parsed.facts, flight, pixel, path, at)
        yield EventBlock(flight, pixel, place=at + ION_BYTES * len(records))


def notes_of(parsed: GrdFile) -> list[str]:
    """What a user should know about the file."""
    notes = parsed.facts.ion_notes()
    if parsed.facts.scans and parsed.facts.scans != parsed.scans:
        notes.append(f"the properties state {parsed.facts.scans} scans, the ions have {parsed.scans}: theirs are used")
    return notes


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file.

    For one file of a few million ions; the stage `tofsims_events` converts larger ones out of core.
    """
    return in_memory(path, source(path), notes_of(parse(path)))


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    parsed = parse(path)
    return {"ions": parsed.ions} | facts_to_print(parsed.facts, parsed.scans) | {"notes": notes_of(parsed)}

"""Raw ions of IONTOF instruments: `.itm` files.

The folder ``rawdata`` holds, in the order of the measurement, ``   6`` (a scan begins; its number), ``   7`` (next
pixel) and ``  14``: zlib-compressed u32 words. A word 0xC....... is the column of a pixel, 0xD....... its row,
0x4....... its running number (these three always stand together), and every word below 2^28 after them is one ion
of that pixel: its flight time in channels. A pixel's ions may go on in the next block.

Written after the public package pySPM; not checked on real files.
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

from depthlock.readers.event_memory import in_memory
from depthlock.readers.event_source import EventBlock, EventSource, StoreHeader
from depthlock.readers.iontof_settings import SCANS, Facts, facts_of_container
from depthlock.readers.itstr import FOLDERS, MARK, Container, Entry, opened

SCAN, IONS = "   6", "  14"
RAW = "rawdata"
IONS_AT_ONCE = 1 << 18


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is an IONTOF container with raw ions."""
    if not head.startswith(MARK):
        return False
    with opened(path) as file:
        entry = file.find(RAW)
        return entry is not None and entry.kind in FOLDERS


@dataclass(frozen=True)
class RawFile:
    """What an .itm file holds beside its ions.

    Attributes
    ----------
    facts : Facts
    numbers : tuple of int
        Numbers of the scans, as in the file, in the order of the store.
    incomplete : int
        Scans without a single block of ions.
    entries : int
        Children of the folder of raw data.
    """

    facts: Facts
    numbers: tuple[int, ...]
    incomplete: int
    entries: int


def header(facts: Facts, scans: int, source_format: str) -> StoreHeader:
    """Header of an event store of `scans` scans: a depth profile where something was sputtered, else frames."""
    times = facts.times(scans)
    shape = (scans, 1, facts.ny, facts.nx) if times else (scans, facts.ny, facts.nx)
    return StoreHeader(
        row_shape=shape,
        mode="depth_profile" if times else "image_2d",
        polarity=facts.polarity,
        bin_width_ps=facts.channel_ps,
        slope=facts.slope,
        offset=facts.offset,
        source_format=source_format,
        sputter_time_s=times,
        pixel_pitch_um=facts.pixel_pitch_um,
        shots_per_pixel=facts.shots_per_pixel,
    )


def _raw_folder(file: Container) -> Entry:
    entry = file.find(RAW)
    if entry is None:
        raise file.fault("the folder 'rawdata' is missing", 0, "an .itm file with raw ions")
    return entry


def parse(path: Path) -> RawFile:
    """Read everything but the ions.

    Raises
    ------
    ReadError
        With the byte of what is damaged, or the setting that is missing.
    """
    with opened(path) as file:
        facts = facts_of_container(file)
        blocks: dict[int, int] = {}
        scan, entries = None, 0
        for entry in file.children(_raw_folder(file)):
            entries += 1
            if entry.name == SCAN:
                scan = entry.number
                blocks.setdefault(scan, 0)
            elif entry.name == IONS:
                if scan is None:
                    raise file.fault("ions stand before the first scan", entry.at, "a scan's begin before its ions")
                blocks[scan] += 1
        numbers = tuple(sorted(blocks))
        if not numbers or len(numbers) > SCANS or len(numbers) * facts.nx * facts.ny > 1 << 32:
            raise file.fault(
                f"the file has {len(numbers)} scans of {facts.nx} x {facts.ny} pixels",
                _raw_folder(file).at,
                "one scan or more, and at most 2^32 pixels in all",
            )
    return RawFile(facts, numbers, sum(count == 0 for count in blocks.values()), entries)


def source(path: Path) -> EventSource:
    """The file for the conversion to an event store; a place is a child of the folder of raw data."""
    raw = parse(path)
    return EventSource(header(raw.facts, len(raw.numbers), "iontof_itm"), partial(event_blocks, path, raw), raw.entries)


def event_blocks(path: Path, raw: RawFile, first_entry: int = 0) -> Iterator[EventBlock]:
    """The ions, some hundred thousand at a time, from an entry on with which a scan begins.

    Raises
    ------
    ReadError
        With the byte of the block whose words make no sense.
    """
    order = {number: scan for scan, number in enumerate(raw.numbers)}
    with opened(path) as file:
        decoder = _Decoder(raw.facts.nx, raw.facts.ny, file)
        for number, entry in enumerate(file.children(_raw_folder(file))):
            if number < first_entry:
                continue
            if entry.name == SCAN:
                # Here reading can go on: nothing of what was before is needed.
                yield decoder.block(place=number)
                decoder.begin(order[entry.number], entry)
            elif entry.name == IONS:
                for piece in file.inflated(entry):
                    decoder.take(piece, entry)
                    if decoder.held >= IONS_AT_ONCE:
                        yield decoder.block()
                decoder.check_whole(entry)
        decoder.check_ended(_raw_folder(file))
        yield decoder.block(place=raw.entries)


class _Decoder:
    """Turns words into ions, piece by piece; remembers the pixel, and what a piece cut off."""

    def __init__(self, nx: int, ny: int, file: Container) -> None:
        self._nx, self._ny = nx, ny
        self._file = file
        self._first_pixel = 0
        self._state = np.array([0, 0, 0, -1], np.int64)
        self._bytes = b""
        self._flight: list[NDArray[np.uint32]] = []
        self._pixel: list[NDArray[np.uint32]] = []
        self.held = 0

    def begin(self, scan: int, entry: Entry) -> None:
        self.check_ended(entry)
        self._first_pixel = scan * self._nx * self._ny
        self._state[:] = (0, 0, 0, -1)

    def check_whole(self, entry: Entry) -> None:
        if self._bytes:
            raise self._file.fault("the ions are no whole words of four bytes", entry.at)

    def check_ended(self, entry: Entry) -> None:
        if self._state[0]:
            raise self._file.fault("a scan ends within the begin of a pixel", entry.at)

    def take(self, piece: bytes, entry: Entry) -> None:
        from depthlock.readers.event_decoding import ITM_X, ITM_Y, OUTSIDE, SENSELESS, itm_ions

        raw = self._bytes + piece if self._bytes else piece
        whole = len(raw) // 4 * 4
        self._bytes = raw[whole:]
        words = np.frombuffer(raw, "<u4", whole // 4)
        flight, pixel = np.empty((2, words.size), np.uint32)
        ions, fault = itm_ions(words, self._nx, self._ny, self._first_pixel, self._state, flight, pixel)
        if fault == SENSELESS:
            raise self._file.fault(
                "the words of the ions make no sense: a pixel's begin is not column, row, number",
                entry.at,
                "words 0xC, 0xD, 0x4 in this order, then flight times",
            )
        if fault == OUTSIDE:
            raise self._file.fault(
                f"a pixel is ({self._state[ITM_X]}, {self._state[ITM_Y]})",
                entry.at,
                f"columns below {self._nx} and rows below {self._ny}",
            )
        if fault:
            raise self._file.fault("ions stand before the first pixel of their scan", entry.at)
        self._flight.append(flight[:ions])
        self._pixel.append(pixel[:ions])
        self.held += ions

    def block(self, place: int | None = None) -> EventBlock:
        """The ions held, which are forgotten."""
        flight, pixel = (
            pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.uint32), *pieces])
            for pieces in (self._flight, self._pixel)
        )
        self._flight, self._pixel, self.held = [], [], 0
        return EventBlock(flight, pixel, place=place)


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file.

    For one file of a few million ions; the stage `tofsims_events` converts larger ones out of core.
    """
    return in_memory(path, source(path), notes_of(parse(path)))


def notes_of(raw: RawFile) -> list[str]:
    """What a user should know about the file."""
    notes = raw.facts.ion_notes()
    if raw.incomplete:
        notes.append(f"{raw.incomplete} scans hold no ions")
    if raw.facts.scans and raw.facts.scans != len(raw.numbers):
        notes.append(f"the file states {raw.facts.scans} scans and holds {len(raw.numbers)}: what it holds is used")
    return notes


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``; the ions are not gone through."""
    raw = parse(path)
    return facts_to_print(raw.facts, len(raw.numbers)) | {"notes": notes_of(raw)}


def facts_to_print(facts: Facts, scans: int) -> dict[str, Any]:
    """What ``depthlock info`` prints of a measurement."""
    return {
        "axes": f"{scans} scans x {facts.ny} y x {facts.nx} x",
        "polarity": facts.polarity,
        "flight-time channel": f"{facts.channel_ps} ps",
        "calibration": f"m/z = ((channel - {facts.k0:.7g}) / {facts.sf:.7g})^2",
        "shots a pixel": facts.shots_per_pixel or "not in the file",
        "pixel pitch": f"{facts.pixel_pitch_um:g} um" if facts.pixel_pitch_um else "not in the file",
        "sputter time": f"{facts.sputter_time_s:g} s in all" if facts.sputter_time_s else "not in the file",
    }

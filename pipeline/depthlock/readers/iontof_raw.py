"""Raw ions of IONTOF instruments: `.itm` files.

The folder ``rawdata`` holds, in the order of the measurement, ``   6`` (a scan begins; its number), ``   7`` (next
pixel) and ``  14``: zlib-compressed u32 words. A word 0xC....... is the column of a pixel, 0xD....... its row,
0x4....... its running number (these three always stand together), and every word below 2^28 after them is one ion
of that pixel: its flight time in channels. A pixel's ions may go on in the next block.

Written after the public package pySPM; not checked on real files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.readers.event_writer import EventBlock, StoreHeader
from depthlock.readers.iontof_settings import SCANS, Facts, facts_of_container
from depthlock.readers.itstr import FOLDERS, MARK, Container, Entry, opened

SCAN, IONS = "   6", "  14"
RAW = "rawdata"
_X, _Y, _PIXEL = 0xC, 0xD, 0x4
_LOW = np.uint32(0x0FFFFFFF)


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
    """

    facts: Facts
    numbers: tuple[int, ...]
    incomplete: int

    def store_header(self, md5: str = "") -> StoreHeader:
        """The header of the event store made from this file."""
        return header(self.facts, len(self.numbers), "iontof_itm", md5)


def header(facts: Facts, scans: int, source_format: str, md5: str) -> StoreHeader:
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
        source_md5=md5,
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
        scan = None
        for entry in file.children(_raw_folder(file)):
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
    return RawFile(facts, numbers, sum(count == 0 for count in blocks.values()))


def event_blocks(path: Path, raw: RawFile) -> Iterator[EventBlock]:
    """The ions, some hundred thousand at a time.

    Raises
    ------
    ReadError
        With the byte of the block whose words make no sense.
    """
    order = {number: scan for scan, number in enumerate(raw.numbers)}
    decoder = _Decoder(raw.facts.nx, raw.facts.ny)
    with opened(path) as file:
        for entry in file.children(_raw_folder(file)):
            if entry.name == SCAN:
                decoder.begin(order[entry.number], file, entry)
            elif entry.name == IONS:
                for piece in file.inflated(entry):
                    yield decoder.ions(piece, file, entry)
                decoder.check_whole(file, entry)
        decoder.check_ended(file, _raw_folder(file))


class _Decoder:
    """Turns words into ions, piece by piece; remembers the pixel, and words of a pixel's begin that were cut off."""

    def __init__(self, nx: int, ny: int) -> None:
        self._nx, self._ny = nx, ny
        self._scan = 0
        self._pixel = -1
        self._words: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._bytes = b""

    def begin(self, scan: int, file: Container, entry: Entry) -> None:
        self.check_ended(file, entry)
        self._scan, self._pixel = scan, -1

    def check_whole(self, file: Container, entry: Entry) -> None:
        if self._bytes:
            raise file.fault("the ions are no whole words of four bytes", entry.at)

    def check_ended(self, file: Container, entry: Entry) -> None:
        if self._words.size:
            raise file.fault("a scan ends within the begin of a pixel", entry.at)

    def ions(self, piece: bytes, file: Container, entry: Entry) -> EventBlock:
        raw = self._bytes + piece
        whole = len(raw) // 4 * 4
        self._bytes = raw[whole:]
        words = np.frombuffer(raw, "<u4", whole // 4)
        if self._words.size:
            words = np.concatenate([self._words, words])
        top = words >> 28
        begins = np.flatnonzero(top == _X)
        # A pixel's begin that this piece cuts off is kept for the next one.
        cut = int(begins[-1]) if begins.size and begins[-1] + 3 > words.size else words.size
        self._words, words, top = words[cut:].copy(), words[:cut], top[:cut]
        begins = begins[begins < cut]
        marked = np.flatnonzero(top)
        expected = (begins[:, None] + np.arange(3)).ravel()
        kinds = np.tile(np.array([_X, _Y, _PIXEL], top.dtype), begins.size)
        if marked.size != expected.size or not (
            np.array_equal(marked, expected) and np.array_equal(top[marked], kinds)
        ):
            raise file.fault(
                "the words of the ions make no sense: a pixel's begin is not column, row, number",
                entry.at,
                "words 0xC, 0xD, 0x4 in this order, then flight times",
            )
        x, y = words[begins] & _LOW, words[begins + 1] & _LOW
        if begins.size and (int(x.max()) >= self._nx or int(y.max()) >= self._ny):
            raise file.fault(
                f"a pixel is ({int(x.max())}, {int(y.max())})",
                entry.at,
                f"columns below {self._nx} and rows below {self._ny}",
            )
        pixels = np.append(np.int64(self._pixel), y.astype(np.int64) * self._nx + x)
        lengths = np.diff(np.concatenate([[-3], begins, [words.size]])) - 3
        if lengths[0] and self._pixel < 0:
            raise file.fault("ions stand before the first pixel of their scan", entry.at)
        self._pixel = int(pixels[-1])
        ions = words if not begins.size else words[top == 0]
        owner = np.repeat(pixels, lengths)
        return EventBlock(ions, owner + self._scan * self._nx * self._ny)


def file_md5(path: Path) -> str:
    """MD5 of a file, which event stores keep as their origin's."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file.

    For one file of a few million ions; the stage `tofsims_events` converts larger ones out of core.
    """
    raw = parse(path)
    return in_memory(path, event_blocks(path, raw), raw.store_header(), notes_of(raw))


def in_memory(path: Path, blocks: Iterator[EventBlock], store: StoreHeader, notes: list[str]) -> xr.Dataset:
    """Ions as a Dataset in memory, by way of a temporary store."""
    import tempfile

    from depthlock.readers.event_store import open_events
    from depthlock.readers.event_writer import write_events

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "events.h5"
        write_events(target, blocks, store)
        events = open_events(target).load()
    events.attrs["source"] = str(path)
    events.attrs["notes"] = [*events.attrs.get("notes", []), *notes]
    return events


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

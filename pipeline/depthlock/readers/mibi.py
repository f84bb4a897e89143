"""Raw event files of the MIBIscope (multiplexed ion beam imaging, a TOF-SIMS with an O2+ beam): `.bin`.

Layout (little-endian, found with the public reader `mibi-bin-tools` and checked on a real file): bytes 0-5 the
mark ``ADQ V2``, then six u16: pixels in x, pixels in y, triggers a pixel, frames,
time resolution in ps, length of the JSON description; the description, zero-padded; one u64 a pixel and frame, the
byte where its events begin; then, pixel by pixel and trigger by trigger, 8 bytes of which the last u16 counts the
pulses, and 5 bytes a pulse: u16 flight time in units of the resolution, u8 width, u16 height.

A pulse is one ion here; its height is left aside.
"""

from __future__ import annotations

import json
import math
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
from depthlock.readers.event_source import EventBlock, EventSource, StoreHeader

MARK = b"ADQ V2"
_FIXED = 18
_TRIGGER_BYTES = 8
_PULSE_BYTES = 5
PIXELS_AT_ONCE = 4096
_COPY = "copy the file again from the instrument's computer"


@dataclass(frozen=True)
class MibiFile:
    """The fixed part and the description of a file.

    Attributes
    ----------
    nx, ny : int
        Pixels of the raster.
    triggers : int
        Extraction pulses a pixel.
    width_ps : int
        Time resolution.
    gain, offset : float
        t = gain * sqrt(m/z) + offset, t in us.
    field_um : float or None
        Edge length of the field of view.
    description : dict
        The instrument's own JSON.
    starts : ndarray of int64, shape (nx * ny + 1,)
        Byte at which each pixel's events begin, and the end of the file.
    """

    nx: int
    ny: int
    triggers: int
    width_ps: int
    gain: float
    offset: float
    field_um: float | None
    description: dict[str, Any]
    starts: NDArray[np.int64]

    def store_header(self) -> StoreHeader:
        """The header of the event store made from this file; MIBI detects positive ions only."""
        return StoreHeader(
            row_shape=(1, self.ny, self.nx),
            mode="image_2d",
            polarity="+",
            bin_width_ps=self.width_ps,
            slope=1.0 / self.gain,
            offset=-self.offset / self.gain,
            source_format="mibi_bin",
            pixel_pitch_um=self.field_um / self.nx if self.field_um else None,
            shots_per_pixel=self.triggers,
            raw_header=json.dumps(self.description).encode("latin-1", errors="replace"),
        )


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 (the registry hands it to every reader)
    """Whether the bytes begin like a MIBIscope raw file: its mark, a sane raster, and a JSON description."""
    return head.startswith(MARK) and head[_FIXED : _FIXED + 1] == b"{"


def parse(path: Path) -> MibiFile:
    """Read everything but the events.

    Raises
    ------
    ReadError
        When a part is missing or the pixel directory does not lie within the file.
    """
    try:
        with path.open("rb") as stream:
            fixed = stream.read(_FIXED)
            if len(fixed) < _FIXED or not fixed.startswith(MARK):
                raise ReadError("this is no MIBIscope raw file", where=str(path))
            nx, ny, triggers, frames, width_ps, length = (int(n) for n in np.frombuffer(fixed, "<u2", 6, 6))
            text = stream.read(length)
            cells = nx * ny * frames
            directory = stream.read(8 * cells)
    except OSError as error:
        raise ReadError(f"the file cannot be opened: {error.strerror or error}", where=str(path)) from error
    size = path.stat().st_size
    if len(text) < length or len(directory) < 8 * cells:
        raise ReadError(
            f"the file is cut short: it has {size} bytes", expected=f"{nx} x {ny} pixels", where=str(path), hint=_COPY
        )
    if frames != 1 or cells == 0 or triggers == 0 or width_ps == 0:
        raise ReadError(
            f"the file has {frames} frames of {nx} x {ny} pixels, {triggers} triggers, {width_ps} ps",
            expected="one frame; the layout of several is not known",
            where=f"{path}: bytes 6 to 15",
        )
    starts = np.append(np.frombuffer(directory, "<u8"), np.uint64(size)).astype(np.int64)
    if starts[0] != _FIXED + length + 8 * cells or np.any(np.diff(starts) < _TRIGGER_BYTES * triggers):
        raise ReadError(
            f"the pixel directory does not fit the file of {size} bytes: it is damaged or cut short",
            expected=f"events from byte {_FIXED + length + 8 * cells} to the end",
            where=str(path),
            hint=_COPY,
        )
    description, gain, offset = _description(text, path)
    field_um = description.get("fovSizeMicrons")
    known_field = float(field_um) if isinstance(field_um, int | float) and field_um > 0 else None
    return MibiFile(nx, ny, triggers, width_ps, gain, offset, known_field, description, starts)


def _description(text: bytes, path: Path) -> tuple[dict[str, Any], float, float]:
    where = f"{path}: JSON description at byte {_FIXED}"
    try:
        description = json.loads(text.split(b"\0", 1)[0])
        calibration = description["fov"]["fullTiming"]["massCalibration"]
        gain, offset = float(calibration["massGain"]), float(calibration["massOffset"])
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"the description is damaged or has no mass calibration ({error})", where=where, hint=_COPY
        ) from error
    if not (math.isfinite(gain) and math.isfinite(offset) and gain > 0):
        raise ReadError(f"the mass calibration is {gain}, {offset}", expected="a positive massGain", where=where)
    return description, gain, offset


def source(path: Path) -> EventSource:
    """The file for the conversion to an event store; a place is a pixel."""
    layout = parse(path)
    return EventSource(layout.store_header(), partial(event_blocks, path, layout), layout.nx * layout.ny)


def event_blocks(path: Path, layout: MibiFile, first_pixel: int = 0) -> Iterator[EventBlock]:
    """The ions from a pixel on, some thousand pixels at a time.

    Raises
    ------
    ReadError
        When the events of a pixel do not end where those of the next begin.
    """
    data = np.memmap(path, np.uint8, mode="r")
    for first in range(first_pixel, layout.nx * layout.ny, PIXELS_AT_ONCE):
        starts = layout.starts[first : first + PIXELS_AT_ONCE + 1]
        yield _block(data, starts, layout.triggers, first, path)


def _block(data: NDArray[np.uint8], starts: NDArray[np.int64], triggers: int, first: int, path: Path) -> EventBlock:
    from depthlock.readers.event_decoding import mibi_pulses

    events = np.asarray(data[starts[0] : starts[-1]])
    room = events.size // _PULSE_BYTES
    flight, pixel = np.empty(room, np.uint32), np.empty(room, np.uint32)
    ions, wrong = mibi_pulses(events, starts - starts[0], triggers, first, flight, pixel)
    if wrong >= 0:
        raise ReadError(
            f"the events of pixel {wrong} do not end where those of the next begin",
            expected="whole triggers and pulses",
            where=str(path),
            hint=_COPY,
        )
    return EventBlock(flight[:ions], pixel[:ions], place=first + starts.size - 1)


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file.

    For one file of a few million ions; the stage `tofsims_events` converts larger ones out of core.
    """
    return in_memory(path, source(path))


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    layout = parse(path)
    pulse_bytes = int(layout.starts[-1] - layout.starts[0]) - _TRIGGER_BYTES * layout.triggers * layout.nx * layout.ny
    low, high = (max((edge * layout.width_ps * 1e-6 - layout.offset) / layout.gain, 0.0) ** 2 for edge in (0, 65535))
    return {
        "axes": f"1 frame x {layout.ny} y x {layout.nx} x",
        "ions": pulse_bytes // _PULSE_BYTES,
        "polarity": "+",
        "flight-time bin": f"{layout.width_ps} ps",
        "m/z that can be stored": f"{low:.2f} to {high:.0f} Da",
        "shots a pixel": layout.triggers,
        "pixel pitch": f"{layout.field_um / layout.nx:g} um" if layout.field_um else "not in the file",
        "measured": layout.description.get("date", "not in the file"),
        "instrument": layout.description.get("instrumentIdentifier", "not in the file"),
        "times": "none: a single frame, no depth profile",
    }

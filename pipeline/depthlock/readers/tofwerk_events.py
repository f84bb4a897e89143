"""Event lists of Tofwerk's TofDAQ (HDF5), as fibTOF instruments with a time-to-digital converter write them.

``/FullSpectra/EventList`` (writes, segments, pixels) holds a list of flight times a pixel. A write is a slice, a
segment a row and a pixel a column of the image. A flight time counts the clock of the converter,
``SampleInterval / ClockPeriod`` of which make one sample of ``/FullSpectra/MassAxis``; where no ``ClockPeriod`` is
given it counts samples.

Written after the public package rosettasciio; not checked on real files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.event_memory import in_memory
from depthlock.readers.event_source import EventBlock, EventSource, StoreHeader
from depthlock.readers.hdf5_access import HDF5_FAULTS, HDF5_SIGNATURE, attribute, dataset, opened

if TYPE_CHECKING:
    import h5py

EVENTS, MASSES, TIMES = "/FullSpectra/EventList", "/FullSpectra/MassAxis", "/TimingData/BufTimes"
_CHANNEL = re.compile(r"^Ch(\d)Record=1\b", re.MULTILINE)
_COPY = "copy the file again from the instrument's computer"
CALIBRATION_PPM = 50.0
"""Deviation of the file's mass axis from a square of the flight time from which on it is told."""


@dataclass(frozen=True)
class EventLists:
    """What a file says beside its events.

    Attributes
    ----------
    writes, ny, nx : int
    polarity : str
    clock_ps : float
        Unit of the flight times.
    slope, offset : float
        sqrt(m/z) = slope * time + offset, time in units of the clock.
    deviation_ppm : float
        Largest deviation of the file's mass axis from that, above 10 Da.
    extractions : int or None
        Extraction pulses a pixel and write.
    pitch_um : float or None
    times : tuple of float
        Start of each write in s; empty where the file has none.
    """

    writes: int
    ny: int
    nx: int
    polarity: str
    clock_ps: float
    slope: float
    offset: float
    deviation_ppm: float
    extractions: int | None
    pitch_um: float | None
    times: tuple[float, ...]


def recognises(path: Path, head: bytes) -> bool:
    """Whether an HDF5 file was written by TofDAQ and has event lists.

    Raises
    ------
    ReadError
        For an HDF5 file that cannot be opened at all (cut short, damaged).
    """
    if not head.startswith(HDF5_SIGNATURE):
        return False
    with opened(path) as file:
        return attribute(file, "TofDAQ Version", path) is not None and EVENTS in file


def parse(path: Path) -> EventLists:
    """Read everything but the events.

    Raises
    ------
    ReadError
        When a part is missing or contradicts another, or every ion may stand in the lists several times.
    """
    with opened(path) as file:
        shape = dataset(file, EVENTS, path).shape
        if len(shape) != 3 or min(shape) < 1:
            raise ReadError(
                f"the event lists have the shape {shape}", expected="write, segment, pixel", where=f"{path}:{EVENTS}"
            )
        _check_channels(file, path)
        full = file["FullSpectra"]
        sample_s = _number(full, "SampleInterval", path)
        if not sample_s or sample_s <= 0:
            raise ReadError(
                "the file does not say how long a sample is", expected="a positive number of seconds",
                where=f"{path}:/FullSpectra@SampleInterval", hint=_COPY,
            )  # fmt: skip
        clock_s = _number(full, "ClockPeriod", path) or sample_s
        slope, offset, deviation = _calibration(file, path)
        sign = {"positive": "+", "negative": "-"}.get(str(attribute(file, "IonMode", path, "")).strip().lower())
        if sign is None:
            raise ReadError(
                "the file does not say the polarity", expected="positive or negative", where=f"{path}:/@IonMode"
            )
        width_mm = _number(file["FIBParams"], "ViewField", path) if "FIBParams" in file else None
        extractions = _number(file, "NbrWaveforms", path)
        return EventLists(
            shape[0], shape[1], shape[2], sign, clock_s * 1e12, slope * clock_s / sample_s, offset, deviation,
            int(extractions) if extractions else None, 1e3 * width_mm / shape[2] if width_mm else None,
            _times(file, shape[0], path),
        )  # fmt: skip


def _check_channels(file: h5py.File, path: Path) -> None:
    channels = _CHANNEL.findall(str(attribute(file, "Configuration File Contents", path, "")))
    if len(channels) > 1:
        raise ReadError(
            f"the channels {', '.join(channels)} were recorded into one list: an ion may stand in it once a channel, "
            "and such counts have no known error",
            expected="the events of one channel",
            where=f"{path}:/@Configuration File Contents",
            hint="export the events of a single channel from TofDAQ, or depth profiles in counts",
        )


def _number(item: h5py.Group, key: str, path: Path) -> float | None:
    value = attribute(item, key, path)
    value = value[0] if isinstance(value, list) and value else value
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _calibration(file: h5py.File, path: Path) -> tuple[float, float, float]:
    """sqrt(m/z) = slope * sample + offset by the file's mass axis, and the largest deviation from it in ppm."""
    try:
        masses = np.asarray(dataset(file, MASSES, path)[()], np.float64)
    except HDF5_FAULTS as error:
        raise ReadError(f"the mass axis is damaged ({error})", where=f"{path}:{MASSES}", hint=_COPY) from error
    sample = np.flatnonzero(np.isfinite(masses) & (masses > 10.0)) if masses.ndim == 1 else np.empty(0, np.int64)
    if sample.size < 2 or np.any(np.diff(masses[sample]) <= 0):
        raise ReadError(
            "the mass axis does not rise above 10 Da", expected="m/z of each sample", where=f"{path}:{MASSES}"
        )
    slope, offset = np.polyfit(sample, np.sqrt(masses[sample]), 1)
    deviation = 1e6 * np.abs((slope * sample + offset) ** 2 / masses[sample] - 1)
    return float(slope), float(offset), float(deviation.max())


def _times(file: h5py.File, writes: int, path: Path) -> tuple[float, ...]:
    if TIMES not in file:
        return ()
    try:
        stated = np.asarray(dataset(file, TIMES, path)[()], np.float64)
    except HDF5_FAULTS as error:
        raise ReadError(f"the times are damaged ({error})", where=f"{path}:{TIMES}", hint=_COPY) from error
    first = stated.reshape(len(stated), -1)[:writes, 0] if stated.size else np.empty(0)
    usable = first.size == writes and np.all(np.isfinite(first)) and (writes == 1 or np.all(np.diff(first) > 0))
    return tuple((first - first[0]).tolist()) if usable else ()


def source(path: Path) -> EventSource:
    """The file for the conversion to an event store; a place is a write."""
    lists = parse(path)
    # The store counts whole picoseconds: its clock is the nearest, and the calibration is that of the bins.
    width_ps = max(1, round(lists.clock_ps))
    header = StoreHeader(
        row_shape=(lists.writes, 1, lists.ny, lists.nx) if lists.times else (lists.writes, lists.ny, lists.nx),
        mode="depth_profile" if lists.times else "image_2d",
        polarity=lists.polarity,
        bin_width_ps=width_ps,
        slope=lists.slope / (width_ps * 1e-6),
        offset=lists.offset,
        source_format="tofwerk_events",
        sputter_time_s=lists.times,
        pixel_pitch_um=lists.pitch_um,
        shots_per_pixel=lists.extractions,
    )
    return EventSource(header, partial(event_blocks, path, lists), lists.writes)


def event_blocks(path: Path, lists: EventLists, first_write: int = 0) -> Iterator[EventBlock]:
    """The events from a write on, one write at a time.

    Raises
    ------
    ReadError
        When the lists of a write cannot be decoded.
    """
    pixels = lists.ny * lists.nx
    with opened(path) as file:
        events = dataset(file, EVENTS, path)
        for write in range(first_write, lists.writes):
            try:
                rows = np.asarray(events[write]).ravel()
            except HDF5_FAULTS as error:
                raise ReadError(
                    f"the events of write {write} cannot be decoded ({error})", where=f"{path}:{EVENTS}", hint=_COPY
                ) from error
            times: list[NDArray[np.integer]] = [np.asarray(row) for row in rows]
            lengths = np.fromiter((len(row) for row in times), np.int64, len(times))
            flight = np.concatenate([np.empty(0, np.uint16), *times])
            yield EventBlock(flight, write * pixels + np.repeat(np.arange(pixels), lengths), place=write + 1)


def notes_of(lists: EventLists) -> list[str]:
    """What a user should know about the file."""
    notes = []
    if lists.deviation_ppm > CALIBRATION_PPM:
        notes.append(
            f"the file's mass axis differs by up to {lists.deviation_ppm:.0f} ppm from a square of the flight time: "
            "let the calibration be refitted"
        )
    if abs(lists.clock_ps - round(lists.clock_ps)) > 1e-3:
        notes.append(f"the clock of {lists.clock_ps:.4g} ps is kept as {max(1, round(lists.clock_ps))} ps a bin")
    notes.append(
        "times are those of the writes: the beam that images also mills" if lists.times else "the file has no times"
    )
    return notes


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file."""
    return in_memory(path, source(path), notes_of(parse(path)))


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``; the events are not gone through."""
    lists = parse(path)
    return {
        "axes": f"{lists.writes} writes x {lists.ny} y x {lists.nx} x",
        "polarity": lists.polarity,
        "flight-time bin": f"{lists.clock_ps:.4g} ps",
        "calibration": f"sqrt(m/z) = {lists.slope:.7g} * bin {lists.offset:+.7g}",
        "shots a pixel": lists.extractions or "not in the file",
        "pixel pitch": f"{lists.pitch_um:g} um" if lists.pitch_um else "not in the file",
        "notes": notes_of(lists),
    }

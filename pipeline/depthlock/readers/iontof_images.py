"""Image stacks of IONTOF instruments: `.ita` files, counts by mass interval, scan and pixel.

``MassIntervalList/mi[...]`` names the intervals; ``filterdata/TofCorrection/ImageStack/Reduced Data`` holds, as
zlib-compressed u32 images, ``ImageStackScans/Image[interval]/ImageArray.Long[scan]`` or, in later files,
``Images/<serial number of the interval>/ScanData/EDROff/<scan>``. There are no single ions and no full spectrum by
pixel in them: a file gives depth profiles and volumes of its intervals.

Written after the public package pySPM; not checked on real files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.iontof_raw import RAW, facts_to_print
from depthlock.readers.iontof_settings import SCANS, Facts, facts_of_container
from depthlock.readers.itstr import FOLDERS, MARK, Container, Entry, opened
from depthlock.readers.surfacelab import complete_scans, unique_labels
from depthlock.readers.surfacelab_names import ProfileName, parse_name

REDUCED = "filterdata/TofCorrection/ImageStack/Reduced Data"
_ARRAY = "ImageArray.Long"
_INTERVALS = 4096
"""Largest number of mass intervals that is believed."""


@dataclass(frozen=True)
class Interval:
    """A mass interval of the file.

    Attributes
    ----------
    number : int
        Number of its image stack.
    serial : str
        Serial number, by which later files find its images.
    written : str
        Assignment or, where there is none, description.
    lower, centre, upper : float
        m/z.
    """

    number: int
    serial: str
    written: str
    lower: float
    centre: float
    upper: float

    @property
    def name(self) -> ProfileName:
        """What its name means; SurfaceLab's charges are missing where the assignment has none."""
        return parse_name(self.written or f"m/z {self.centre:.4f}")


@dataclass(frozen=True)
class ImageFile:
    """What an .ita file holds: its measurement, and for each interval its scans' images in order."""

    facts: Facts
    intervals: tuple[Interval, ...]
    images: tuple[tuple[Entry, ...], ...]

    @property
    def scans(self) -> int:
        """Number of scans of every interval."""
        return len(self.images[0])


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is an IONTOF container with image stacks and without raw ions."""
    if not head.startswith(MARK):
        return False
    with opened(path) as file:
        return file.find(RAW) is None and file.find(REDUCED) is not None


def parse(path: Path) -> ImageFile:
    """Read everything but the images.

    Raises
    ------
    ReadError
        When a part is missing or damaged, or the intervals differ in their scans.
    """
    with opened(path) as file:
        facts = facts_of_container(file)
        found = [(interval, _images(file, interval)) for interval in intervals_of(file, "MassIntervalList")]
    stacks = [(interval, images) for interval, images in found if images]
    if not stacks:
        raise ReadError(
            "the file holds no images by scan",
            expected="mass intervals with an image a scan",
            where=str(path),
            hint="reconstruct the images in SurfaceLab with 'keep scans', or name the raw .itm file",
        )
    lengths = {len(images) for _, images in stacks}
    if len(lengths) > 1 or max(lengths) > SCANS:
        raise ReadError(
            f"the mass intervals have {', '.join(map(str, sorted(lengths)))} scans",
            expected="the same number of scans for all",
            where=str(path),
            hint="reconstruct the images in SurfaceLab again",
        )
    return ImageFile(facts, tuple(one for one, _ in stacks), tuple(images for _, images in stacks))


def intervals_of(file: Container, folder: str) -> list[Interval]:
    """The mass intervals listed in a folder, in its order.

    Raises
    ------
    ReadError
        When the list is damaged.
    """
    parent = file.find(folder)
    intervals: list[Interval] = []
    for entry in file.children(parent) if parent is not None else ():
        if entry.name != "mi" or entry.kind not in FOLDERS:
            continue
        if len(intervals) >= _INTERVALS:
            raise file.fault(f"there are more than {_INTERVALS} mass intervals", entry.at)
        raw = {child.name: file.value(child) for child in file.children(entry) if child.kind == 0}
        bounds = [_double(raw.get(key, b"")) for key in ("lmass", "cmass", "umass")]
        number = int.from_bytes(raw.get("id", b"")[:4] or entry.number.to_bytes(4, "little"), "little")
        assigned, described = (_text(raw.get(key, b"")) for key in ("assign", "desc"))
        intervals.append(Interval(number, _text(raw.get("SN", b"")), assigned or described, *bounds))
    return intervals


def _double(value: bytes) -> float:
    return float(struct.unpack("<d", value)[0]) if len(value) == 8 else float("nan")


def _text(value: bytes) -> str:
    return value.decode("utf-16-le", errors="replace").strip("\0 ")


def _images(file: Container, interval: Interval) -> tuple[Entry, ...]:
    """The images of an interval in the order of the scans; empty when the file has none."""
    stack = file.find(f"{REDUCED}/ImageStackScans/Image[{interval.number}]")
    if stack is not None:
        entries = [entry for entry in file.children(stack) if entry.name == _ARRAY]
        return tuple(sorted(entries, key=lambda entry: entry.number))
    if not interval.serial or "/" in interval.serial:
        return ()
    stack = file.find(f"{REDUCED}/Images/{interval.serial}/ScanData/EDROff")
    entries = [entry for entry in file.children(stack) if entry.name.isdecimal()] if stack is not None else []
    return tuple(sorted(entries, key=lambda entry: int(entry.name)))


def image(file: Container, entry: Entry, facts: Facts) -> NDArray[np.uint32]:
    """One image, shape (ny, nx), rows as stored."""
    raw = file.inflate(entry, 4 * facts.nx * facts.ny)
    return np.frombuffer(raw, "<u4").reshape(facts.ny, facts.nx)


def image_planes(path: Path, parsed: ImageFile, ion: int) -> Iterator[NDArray[np.uint32]]:
    """The images of one interval, scan by scan."""
    with opened(path) as file:
        for entry in parsed.images[ion]:
            yield image(file, entry, parsed.facts)


def corrected(counts: NDArray[np.float64], pulses: float) -> NDArray[np.float64]:
    """Ions behind counts of a peak narrower than the dead time: ``I = -N ln(1 - C / N)``; infinite where C >= N."""
    share = np.minimum(counts / pulses, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(-pulses * np.log1p(-share), dtype=np.float64)


def read(path: Path) -> xr.Dataset:
    """Read the depth profiles of all mass intervals.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_export`, as :func:`depthlock.readers.surfacelab.read` gives it: `intensity` (ion, scan) is
        the sum over the raster, corrected for dead time with N = pixels x shots where the file says the shots
        (attribute `corrected`; sums of intervals are left as counted). `sputter_time` is the total sputter time
        divided evenly, or NaN (attribute `sputter_time_source` ``none``).

    Raises
    ------
    ReadError
        With the byte of what is damaged.
    """
    parsed = parse(path)
    names = [interval.name for interval in parsed.intervals]
    kinds = np.array([name.kind for name in names])
    counts = np.array([[float(plane.sum(dtype=np.int64)) for plane in image_planes(path, parsed, ion)]
                       for ion in range(len(names))])  # fmt: skip
    pulses = parsed.facts.nx * parsed.facts.ny * (parsed.facts.shots_per_pixel or 0)
    single = kinds == "ion"
    if pulses:
        if np.any(counts[single] >= pulses):
            worst = parsed.intervals[int(np.argmax(np.where(single, counts.max(axis=1), -1)))]
            raise ReadError(
                f"'{worst.written}' counts {counts[single].max():.0f} ions in a scan of {pulses} pulses",
                expected="fewer counts than pulses: the detector counts one ion of a peak a pulse",
                where=str(path),
                hint="name the raw .itm file, or export the depth profile from SurfaceLab as text",
            )
        counts[single] = corrected(counts[single], pulses)
    return _profiles(path, parsed, names, counts, bool(pulses))


def _profiles(
    path: Path, parsed: ImageFile, names: list[ProfileName], intensity: NDArray[np.float64], dead_time: bool
) -> xr.Dataset:
    kinds = np.array([name.kind for name in names])
    masses = np.array([interval.centre for interval in parsed.intervals])
    masses[~np.isin(kinds, ("ion", "other"))] = np.nan
    complete = complete_scans(intensity, np.isin(kinds, ("ion", "sum", "total")))
    times = parsed.facts.times(parsed.scans)
    notes = parsed.facts.time_notes()
    notes.append(
        "corrected for dead time with the pulses of the whole raster: too low where an ion's rate varies over it"
        if dead_time
        else "the file does not say the shots a pixel: not corrected for dead time"
    )
    variables = {
        "intensity": (("ion", "scan"), intensity, {"units": "1", "long_name": "ions a scan"}),
        "complete": ("scan", complete.astype(np.int8), {"units": "1"}),
    }
    coords = {
        "ion": ("ion", np.array(unique_labels([name.label for name in names], masses)), {"units": "1"}),
        "name": ("ion", np.array([interval.written for interval in parsed.intervals]), {"units": "1"}),
        "kind": ("ion", kinds, {"units": "1"}),
        "mz": ("ion", masses, {"units": "Da"}),
        "mz_lower": ("ion", np.array([interval.lower for interval in parsed.intervals]), {"units": "Da"}),
        "mz_upper": ("ion", np.array([interval.upper for interval in parsed.intervals]), {"units": "Da"}),
        "sputter_time": ("scan", np.array(times or [np.nan] * parsed.scans), {"units": "s"}),
    }
    attrs: dict[str, Any] = {
        "source": str(path),
        "corrected": int(dead_time),
        "polarity": parsed.facts.polarity,
        "smoothed": 0,
        "incomplete_scans": [int(scan) for scan in np.flatnonzero(~complete)],
        "sputter_time_source": "total sputter time, divided evenly" if times else "none",
        "notes": notes,
    }
    return xr.Dataset(variables, coords, attrs)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``; the images are not gone through."""
    parsed = parse(path)
    return facts_to_print(parsed.facts, parsed.scans) | {
        "holds": f"images of {len(parsed.intervals)} mass intervals by scan, no single ions",
        "intervals": [
            f"{one.written or 'without a name'} ({one.lower:.4f} to {one.upper:.4f})" for one in parsed.intervals
        ],
        "notes": parsed.facts.time_notes(),
    }

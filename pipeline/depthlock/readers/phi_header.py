"""The ASCII header of ULVAC-PHI nanoTOF files, kept verbatim in `/raw_header` of an event store.

It opens with ``SOFH`` and ends with ``EOFH``; first come lines ``Key: value``, then sections ``[Name]`` of lines
``Key=value``. Keys repeat between sections, and some sections hold the instrument's last settings of things this
measurement did not use (a sputter phase in a spectrum, for instance), so only what belongs to the measurement is
taken from it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_DEAD_TIME = re.compile(r"(?:dead[ _]?time)[ _]*(?:in)?[ _]*\(?(ns|nsec|ps|psec|us|usec)\b", re.IGNORECASE)
_NANOSECONDS = {"ns": 1.0, "nsec": 1.0, "ps": 1e-3, "psec": 1e-3, "us": 1e3, "usec": 1e3}

INTEGER_SHOTS_TOLERANCE = 0.02
"""How far the shots per pixel computed from rate, frame time and raster may lie from an integer, relatively."""


_OF_TOFSIMS = re.compile(rb"^(Technique:\s*[-+]?TofSIMS|Mass/Time:)", re.MULTILINE | re.IGNORECASE)


def of_tofsims(head: bytes) -> bool:
    """Whether the first bytes of a file are such a header, of a TOF-SIMS measurement."""
    return head.startswith(b"SOFH") and _OF_TOFSIMS.search(head) is not None


@dataclass(frozen=True)
class PhiHeader:
    """A parsed header.

    Attributes
    ----------
    top : dict
        The ``Key: value`` lines.
    sections : dict of dict
        The ``Key=value`` lines by section.
    """

    top: dict[str, str] = field(default_factory=dict)
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    def number(self, key: str, section: str = "") -> float | None:
        """The first number of a value, or None when the key is missing or holds none."""
        text = (self.sections.get(section, {}) if section else self.top).get(key, "")
        found = _NUMBER.search(text)
        return float(found[0]) if found else None

    def text(self, key: str, section: str = "") -> str:
        """A value as written; empty when the key is missing."""
        return (self.sections.get(section, {}) if section else self.top).get(key, "")


def parse_header(raw: bytes, encoding: str = "latin-1") -> PhiHeader:
    """Parse the bytes of a header; lines that are no ``Key: value`` or ``Key=value`` are passed over."""
    text = raw.split(b"\0", 1)[0].decode(encoding, errors="replace")
    header = PhiHeader()
    section: dict[str, str] | None = None
    for line in text.splitlines():
        line = line.strip()
        if line == "EOFH":
            break
        if line.startswith("[") and line.endswith("]"):
            section = header.sections.setdefault(line[1:-1], {})
            continue
        key, separator, value = line.partition(":" if section is None else "=")
        if separator:
            (header.top if section is None else section)[key.strip()] = value.strip()
    return header


@dataclass(frozen=True)
class Shots:
    """Primary-ion pulses of one frame."""

    per_frame: float
    per_pixel: int | None


def shots(header: PhiHeader, pixels: int) -> Shots | None:
    """Primary pulses a frame, and a pixel and frame, from pulse rate, frame time and number of pixels.

    Parameters
    ----------
    header : PhiHeader
    pixels : int
        Pixels of the raster (ny * nx).

    Returns
    -------
    Shots or None
        None when the header lacks rate or frame time. `per_pixel` is None when the quotient is no integer to
        within 2 %, which happens when the raster of the header is not the one of the data.
    """
    stated = header.number("ShotsPerPixel")
    if stated and stated >= 1:
        return Shots(stated * pixels, round(stated))
    rate = header.number("AcqPulseRate(kHz)")
    frame_time = header.number("TimePerFrameInS") or header.number("Time per Frame (s)", "Acq Base")
    if not rate or not frame_time or pixels < 1:
        return None
    per_frame = rate * 1e3 * frame_time
    quotient = per_frame / pixels
    whole = round(quotient)
    fits = whole >= 1 and math.isclose(quotient, whole, rel_tol=INTEGER_SHOTS_TOLERANCE)
    return Shots(per_frame, whole if fits else None)


def frame_time_s(header: PhiHeader) -> float | None:
    """Seconds that one analysis frame takes, or None."""
    return header.number("TimePerFrameInS") or header.number("Time per Frame (s)", "Acq Base")


def pixel_pitch_um(header: PhiHeader, ny: int, nx: int) -> tuple[float, float] | None:
    """Pixel pitch (y, x) in um from the scan widths, or None when the header has none."""
    width = header.number("ScanWidthX")
    height = header.number("ScanWidthY") or width
    if not width or not height:
        return None
    return height / ny, width / nx


def dead_time_ns(header: PhiHeader) -> float | None:
    """Detector dead time in ns from any key such as ``DeadTime(ns)``; the nanoTOF II header seen has none."""
    for entries in (header.top, *header.sections.values()):
        for key, value in entries.items():
            unit = _DEAD_TIME.search(key)
            number = _NUMBER.search(value)
            if unit and number and float(number[0]) > 0:
                return float(number[0]) * _NANOSECONDS[unit[1].lower()]
    return None


def sputter_interval_s(header: PhiHeader) -> float | None:
    """Seconds of sputtering between two cycles of a depth profile, or None when the header does not say."""
    if header.text("Sputter Phase Type", "Acq Base") not in {"", "Time"}:
        return None
    seconds = header.number("SputterInterval") or header.number("Sputter Time (s)", "Acq Base")
    return seconds if seconds and seconds > 0 else None

"""What CasaXPS writes into the block comments of a VAMAS file: calibrations, regions and components.

Layout read off real files of CasaXPS 2.3.15 to 2.3.27: the line ``Casa Info Follows``, a count and the processing
lines (``Calib M = 281.17 A = 284.8 BE ADD``), a count and annotations, a count and region lines, a count and component
lines. Only the lines with a known beginning are taken, wherever they stand, because the counts differ by version.

Energies in region and component lines are kinetic and in the calibrated frame, so that
``binding energy = photon energy - position``; the raw axis differs from that frame by the sum of the calibrations,
without those that moved regions or components along (``Calib M = 281.88 A = 284.8 Regions Comps BE ADD``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CALIB = re.compile(rf"^Calib\s+M\s*=\s*({_NUMBER})\s+A\s*=\s*({_NUMBER})(.*)$", re.IGNORECASE)
_REGION = re.compile(r"^CASA region \(\*(.*?)\*\)\s*\(\*(.*?)\*\)\s*(.*)$")
_COMPONENT = re.compile(r"^CASA comp \(\*(.*?)\*\)\s*\(\*(.*?)\*\)\s*(.*)$")
_FIELD = re.compile(rf"(Area|MFWHM|FWHM|Position)\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+(-?\d+)\s+({_NUMBER})")


@dataclass(frozen=True)
class Calibration:
    """One ``Calib`` line: a line measured at `measured` was said to be at `applied` (eV).

    `moved` names what was moved along with the spectrum (``regions``, ``comps``): its energies are then as measured.
    """

    measured: float
    applied: float
    scale: str
    mode: str
    moved: tuple[str, ...] = ()

    @property
    def binding_shift(self) -> float:
        """What to add to the raw binding energy (eV)."""
        difference = self.applied - self.measured
        return -difference if self.scale == "KE" else difference


@dataclass(frozen=True)
class CasaRegion:
    """A quantification region; `start` and `end` are kinetic energies in eV in the calibrated frame."""

    name: str
    background: str
    start: float
    end: float
    rsf: float
    end_points: int
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class Constrained:
    """A component's parameter with limits and link.

    `parent` is the index of the component it is tied to (-1 if free); `tie` is the factor (area, width) or, for a
    position, the offset in eV of kinetic energy.
    """

    value: float
    lower: float
    upper: float
    parent: int
    tie: float


@dataclass(frozen=True)
class CasaComponent:
    """A fitted component; `position` is a kinetic energy in eV in the calibrated frame."""

    name: str
    shape: str
    area: Constrained
    fwhm: Constrained
    position: Constrained
    rsf: float
    region: str


@dataclass(frozen=True)
class CasaInfo:
    """All that CasaXPS left in one block."""

    calibrations: tuple[Calibration, ...] = ()
    regions: tuple[CasaRegion, ...] = ()
    components: tuple[CasaComponent, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def binding_shift(self) -> float:
        """Sum of the calibrations of the binding energy axis (eV)."""
        return sum(calibration.binding_shift for calibration in self.calibrations)


def parse_comment(lines: Sequence[str]) -> CasaInfo:
    """Parse the comment lines of one block; lines that are not CasaXPS's are passed over.

    Returns
    -------
    CasaInfo
        Lines that begin like CasaXPS's but do not parse stand in ``unread``.
    """
    calibrations: list[Calibration] = []
    regions: list[CasaRegion] = []
    components: list[CasaComponent] = []
    unread: list[str] = []
    for line in lines:
        text = line.strip()
        if match := _CALIB.match(text):
            calibrations.append(_calibration(float(match.group(1)), float(match.group(2)), match.group(3).split()))
        elif match := _REGION.match(text):
            region = _region(match.group(1), match.group(2), match.group(3))
            if region is None:
                unread.append(text)
            else:
                regions.append(region)
        elif match := _COMPONENT.match(text):
            component = _component(match.group(1), match.group(2), match.group(3))
            if component is None:
                unread.append(text)
            else:
                components.append(component)
        elif text.startswith(("CASA region", "CASA comp", "Calib ")):
            unread.append(text)
    return CasaInfo(tuple(calibrations), tuple(regions), tuple(components), tuple(unread))


def _calibration(measured: float, applied: float, words: Sequence[str]) -> Calibration:
    upper = [word.upper() for word in words]
    moved = tuple(word.lower() for word in upper if word in ("REGIONS", "COMPS"))
    mode = " ".join(word for word, key in zip(words, upper, strict=True) if key not in ("BE", "KE", "REGIONS", "COMPS"))
    return Calibration(measured, applied, "KE" if "KE" in upper else "BE", mode, moved)


def _region(name: str, background: str, rest: str) -> CasaRegion | None:
    words = rest.split("(*")[0].split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    if len(numbers) < 4:
        return None
    start, end, rsf, averaged, *parameters = numbers
    return CasaRegion(name, background, start, end, rsf, int(averaged), tuple(parameters))


def _component(name: str, shape: str, rest: str) -> CasaComponent | None:
    fields = {
        match.group(1).replace("MFWHM", "FWHM"): Constrained(
            float(match.group(2)),
            float(match.group(3)),
            float(match.group(4)),
            int(match.group(5)),
            float(match.group(6)),
        )
        for match in _FIELD.finditer(rest)
    }
    if set(fields) != {"Area", "FWHM", "Position"}:
        return None
    rsf = re.search(rf"\bRSF\s+({_NUMBER})", rest)
    region = re.search(r"INDEX\s+-?\d+\s+\(\*(.*?)\*\)", rest)
    return CasaComponent(
        name,
        shape,
        fields["Area"],
        fields["FWHM"],
        fields["Position"],
        float(rsf.group(1)) if rsf else float("nan"),
        region.group(1) if region else "",
    )

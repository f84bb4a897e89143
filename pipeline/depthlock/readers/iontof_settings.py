"""What IONTOF files say about a measurement: settings by name, raster, calibration, polarity, sputter times.

The same settings stand as blocks in .itm and .ita files and as lines (name, integer, number, text, separated by
tabulators) in the .properties.txt beside a .grd file.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from depthlock.model.errors import ReadError
from depthlock.model.ions import Ion
from depthlock.readers.itstr import Container

SETTING_FOLDERS = ("propend", "propstart")
CHANNEL_PS = 50
"""Width of a flight-time channel where the file does not say it."""

SPREAD_NS = 0.2
"""Spread of flight times across the field of view from which on it is told; peaks are about 1 ns wide."""

ELEMENTARY_CHARGE, DALTON = 1.602176634e-19, 1.66053906892e-27
RASTERS = 1 << 14
SCANS = 1 << 20
"""Largest raster edge in pixels and number of scans that are believed."""


@dataclass(frozen=True)
class Setting:
    """One setting: every one has an integer, a number and a text, of which one makes sense."""

    integer: int
    number: float
    text: str


@dataclass(frozen=True)
class Facts:
    """A measurement's raster, calibration and times.

    Attributes
    ----------
    nx, ny : int
        Pixels of the raster.
    sf, k0 : float
        m/z = ((channel - k0) / sf)^2.
    polarity : str
        ``"+"`` or ``"-"``.
    channel_ps : int
        Width of a flight-time channel.
    shots_per_pixel : int or None
    pixel_pitch_um : float or None
    sputter_time_s : float or None
        Of the whole measurement; None when nothing was sputtered or the file does not say.
    scans : int or None
        Number of scans as stated.
    primary_spread_ns : float or None
        Difference of the primary ions' flight times to the two sides of the field of view.
    """

    nx: int
    ny: int
    sf: float
    k0: float
    polarity: str
    channel_ps: int = CHANNEL_PS
    shots_per_pixel: int | None = None
    pixel_pitch_um: float | None = None
    sputter_time_s: float | None = None
    scans: int | None = None
    primary_spread_ns: float | None = None

    @property
    def slope(self) -> float:
        """Slope of sqrt(m/z) = slope * t + offset, t in us."""
        return 1e6 / (self.channel_ps * self.sf)

    @property
    def offset(self) -> float:
        """Offset of sqrt(m/z) = slope * t + offset."""
        return -self.k0 / self.sf

    def times(self, scans: int) -> tuple[float, ...]:
        """Sputter time at the start of each scan, evenly spaced; empty when unknown."""
        if not self.sputter_time_s or scans < 1:
            return ()
        return tuple(scan * self.sputter_time_s / scans for scan in range(scans))

    def time_notes(self) -> list[str]:
        """What a user should know about the sputter times."""
        if self.sputter_time_s:
            return ["sputter times are the total sputter time divided evenly among the scans"]
        return ["the file says no sputter time: scans have no times"]

    def ion_notes(self) -> list[str]:
        """What a user should know about the times, where single ions are read."""
        notes = self.time_notes()
        if self.primary_spread_ns and self.primary_spread_ns > SPREAD_NS:
            notes.append(
                f"flight times differ by {self.primary_spread_ns:.2g} ns across the field of view, by the path of the "
                "primary ions; they are given as recorded, and broaden the peaks of the whole raster"
            )
        return notes


def settings_of_container(file: Container) -> dict[str, Setting]:
    """All settings of an .itm or .ita file; those at the end of the measurement where both are given.

    Raises
    ------
    ReadError
        When a setting is damaged.
    """
    found: dict[str, Setting] = {}
    for name in SETTING_FOLDERS:
        folder = file.find(name)
        if folder is None:
            continue
        for entry in file.children(folder):
            if entry.name not in found and entry.kind == 0:
                setting = block_setting(file.value(entry))
                if setting is not None:
                    found[entry.name] = setting
    return found


def block_setting(value: bytes) -> Setting | None:
    """A setting out of a block's value: 16 bytes, length and name, 2 bytes, i64, f64, length and text (UTF-16)."""
    try:
        (name_length,) = struct.unpack_from("<I", value, 16)
        integer, number, length = struct.unpack_from("<2xqdI", value, 20 + name_length)
        text = value[42 + name_length : 42 + name_length + length].decode("utf-16-le")
    except (struct.error, UnicodeDecodeError):
        return None
    return Setting(integer, number, text.rstrip("\0"))


def settings_of_lines(text: str) -> dict[str, Setting]:
    """All settings of a .properties.txt; lines of another form are passed over."""
    found: dict[str, Setting] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.replace("\0", "").split("\t")]
        if len(fields) < 3 or not fields[0]:
            continue
        try:
            found[fields[0]] = Setting(int(float(fields[1])), float(fields[2]), fields[3] if len(fields) > 3 else "")
        except (ValueError, OverflowError):
            continue
    return found


def facts_of_settings(
    settings: Mapping[str, Setting],
    where: str,
    *,
    calibration: tuple[float, float] | None = None,
    raster: tuple[int, int, float | None] | None = None,
    scans: int | None = None,
) -> Facts:
    """Gather what is needed from the settings, with what stands elsewhere in the file taking precedence.

    Parameters
    ----------
    settings : mapping of str to Setting
    where : str
        For messages.
    calibration : tuple of float, optional
        (sf, k0) from elsewhere.
    raster : tuple, optional
        (nx, ny, field of view in x in m or None) from elsewhere.
    scans : int, optional
        From elsewhere.

    Raises
    ------
    ReadError
        Naming the setting that is missing or makes no sense.
    """
    nx, ny, field = raster or _raster(settings)
    sf, k0 = calibration or (
        _number(settings, "Context.MassScale.SF"),
        _number(settings, "Context.MassScale.K0"),
    )
    resolution = _number(settings, "Registration.TimeResolution")
    width = CHANNEL_PS if math.isnan(resolution) else resolution * 1e12
    shots = _integer(settings, "Registration.Raster.ShotsPerPixel")
    sputtered = _number(settings, "Analysis.SputterTime")
    stated = scans or _integer(settings, "Analysis.TotalScans", "Measurement.ScanNumber")
    for what, value, good in (
        ("the raster in pixels (Registration.Raster.Resolution)", (nx, ny), 1 <= nx <= RASTERS and 1 <= ny <= RASTERS),
        ("the mass calibration (sf, k0)", (sf, k0), math.isfinite(sf) and math.isfinite(k0) and sf > 0),
        ("the flight-time channel in ps (Registration.TimeResolution)", width, 1 <= round(width) <= 1e6),
    ):
        if not good:
            raise ReadError(
                f"{what} is {value}", expected="a sensible value", where=where,
                hint="export the measurement again from SurfaceLab, with its properties",
            )  # fmt: skip
    return Facts(
        nx, ny, sf, k0, _polarity(settings, where), round(width),
        shots if shots and 0 < shots < 1 << 16 else None,
        field / nx * 1e6 if field and math.isfinite(field) and 0 < field < 1 else None,
        sputtered if math.isfinite(sputtered) and sputtered > 0 else None,
        stated if stated and 0 < stated <= SCANS else None,
        _primary_spread_ns(settings, field),
    )  # fmt: skip


def _primary_spread_ns(settings: Mapping[str, Setting], field: float | None) -> float | None:
    """``d sin(45 deg) / v``: primary ions that come in at 45 degrees reach one side of the field d earlier."""
    species = settings.get("Instrument.PrimaryGun.Species")
    energy = _number(settings, "Instrument.PrimaryGun.Energy")
    if species is None or not field or not 10.0 < energy < 1e6:
        return None
    charges = max(1, species.text.count("+"))
    try:
        mass = Ion.parse(f"{species.text.strip().rstrip('+')}+").mz
    except ValueError:
        return None
    speed = math.sqrt(2.0 * charges * energy * ELEMENTARY_CHARGE / (mass * DALTON))
    return field * math.sqrt(0.5) / speed * 1e9


def _raster(settings: Mapping[str, Setting]) -> tuple[int, int, float | None]:
    stage = "Registration.Raster.StageRaster.TotalResolution"
    side = _integer(settings, "Registration.Raster.Resolution") or 0
    nx = _integer(settings, f"{stage}.X") or side
    ny = _integer(settings, f"{stage}.Y") or side
    field = _number(settings, "Registration.Raster.FieldOfView")
    # A stage raster is a mosaic of fields of view: the pitch is that of one field.
    return nx, ny, field * nx / side if side and math.isfinite(field) else None


def _integer(settings: Mapping[str, Setting], *names: str) -> int | None:
    return next((settings[name].integer for name in names if name in settings), None)


def _number(settings: Mapping[str, Setting], name: str) -> float:
    return settings[name].number if name in settings else math.nan


def _polarity(settings: Mapping[str, Setting], where: str) -> str:
    setting = settings.get("Instrument.Analyzer_Polarity_Switch")
    word = re.sub(r"[^a-z+-]", "", setting.text.lower()) if setting else ""
    for sign, spellings in (("-", ("negative", "neg", "-")), ("+", ("positive", "pos", "+"))):
        if word in spellings:
            return sign
    raise ReadError(
        f"the polarity (Instrument.Analyzer_Polarity_Switch) is '{setting.text if setting else 'not there'}'",
        expected="Positive or Negative",
        where=where,
        hint="export the measurement again from SurfaceLab, with its properties",
    )


def facts_of_container(file: Container) -> Facts:
    """The facts of an .itm or .ita file."""
    reduced = "filterdata/TofCorrection/Spectrum/Reduced Data/IMassScaleSFK0"
    calibration = None
    for folder in (reduced, "MassScale"):
        both = [_double(file, f"{folder}/{key}") for key in ("sf", "k0")]
        if both[0] is not None and both[1] is not None:
            calibration = (both[0], both[1])
            break
    nx, ny = (_u32(file, f"Meta/SI Image/res_{axis}") for axis in "xy")
    raster = None if not nx or not ny else (nx, ny, _double(file, "Meta/SI Image/fieldofview"))
    scans = _u32(file, "filterdata/TofCorrection/ImageStack/Reduced Data/NumberOfScans")
    settings = settings_of_container(file)
    return facts_of_settings(settings, str(file.path), calibration=calibration, raster=raster, scans=scans)


def _double(file: Container, path: str) -> float | None:
    entry = file.find(path)
    value = file.value(entry) if entry is not None else b""
    return float(struct.unpack("<d", value)[0]) if len(value) == 8 else None


def _u32(file: Container, path: str) -> int | None:
    entry = file.find(path)
    value = file.value(entry) if entry is not None else b""
    return int.from_bytes(value, "little") if len(value) in {4, 8} else None


def properties_beside(path: Path) -> Path | None:
    """The .properties.txt that belongs to an exported raw file: of its name, or the only one in its folder."""
    parts = path.name.split(".")
    for length in range(len(parts), 0, -1):
        beside = path.with_name(".".join([*parts[:length], "properties", "txt"]))
        if beside.is_file():
            return beside
    others = sorted(path.parent.glob("*.properties.txt"))
    return others[0] if len(others) == 1 else None

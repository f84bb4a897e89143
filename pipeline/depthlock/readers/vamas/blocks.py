"""The line structure of a VAMAS file: header and blocks as ISO 14976 orders them.

Field order after ISO 14976:1998 and W. A. Dench, L. B. Hazell, M. P. Seah, Surf. Interface Anal. 13 (1988) 63-122.
Block parameters carry the numbers 1 to 40 of the standard, which the inclusion or exclusion list refers to; a
parameter left out of a later block has the value it had in the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from depthlock.model.errors import ReadError
from depthlock.readers.vamas.lines import MISSING, Lines, short

T = TypeVar("T")

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format"
EXPERIMENT_MODES = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "NORM", "SDP", "SDPSV", "SEM", "NOEXP")
SCAN_MODES = ("REGULAR", "IRREGULAR", "MAPPING")

_SPUTTER_MODES = ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
_ION_TECHNIQUES = ("FABMS", "FABMS energy spec", "ISS", "SIMS", "SIMS energy spec", "SNMS", "SNMS energy spec")
_SPUTTERED_TECHNIQUES = ("AES diff", "AES dir", "EDX", "ELS", "UPS", "XPS", "XRF")


@dataclass(frozen=True)
class Dialect:
    """Which of the lines about the sputtering gun a file has in its depth-profile modes.

    ISO 14976 has both. Some programs leave one or both out; :func:`parse` tries the standard first.
    """

    ion_lines: bool = True
    source_lines: bool = True

    def __str__(self) -> str:
        if self.ion_lines and self.source_lines:
            return "ISO 14976"
        if not self.ion_lines and not self.source_lines:
            return "ISO 14976 without the sputtering gun's lines"
        missing = "source" if self.ion_lines else "ion"
        return f"ISO 14976 without the sputtering {missing}'s lines"


_DIALECTS = (Dialect(), Dialect(False, False), Dialect(True, False), Dialect(False, True))


@dataclass(frozen=True)
class Parameter:
    """A numerical parameter with label and unit, as additional block parameters are written."""

    label: str
    unit: str
    value: float


@dataclass
class Header:
    """What stands before the first block."""

    institution: str = ""
    instrument: str = ""
    operator: str = ""
    experiment: str = ""
    comment: list[str] = field(default_factory=list)
    experiment_mode: str = "NORM"
    scan_mode: str = "REGULAR"
    spectral_regions: int = 0
    variables: list[tuple[str, str]] = field(default_factory=list)
    included: frozenset[int] = frozenset(range(1, 41))
    future_experiment: int = 0
    future_block: int = 0
    block_count: int = 0
    dialect: Dialect = Dialect()
    terminated: bool = True


@dataclass
class Block:
    """One block: a spectrum and its circumstances. Missing numbers are NaN."""

    line: int = 0
    identifier: str = ""
    sample: str = ""
    date: tuple[float, ...] = (np.nan,) * 7
    comment: list[str] = field(default_factory=list)
    technique: str = ""
    map_position: tuple[float, ...] = ()
    variables: list[str] = field(default_factory=list)
    source_label: str = ""
    sputtering_ion: tuple[float, ...] = ()
    source_energy: float = np.nan
    source_strength: float = np.nan
    beam_width: tuple[float, ...] = ()
    field_of_view: tuple[float, ...] = ()
    line_scan: tuple[float, ...] = ()
    source_polar: float = np.nan
    source_azimuth: float = np.nan
    analyser_mode: str = ""
    pass_energy: float = np.nan
    differential_width: float = np.nan
    magnification: float = np.nan
    work_function: float = np.nan
    target_bias: float = np.nan
    analysis_width: tuple[float, ...] = ()
    take_off: tuple[float, ...] = ()
    species: str = ""
    transition: tuple[str, ...] = ("", "")
    abscissa: tuple[str, ...] = ("", "")
    abscissa_start: float = np.nan
    abscissa_step: float = np.nan
    ordinates: list[tuple[str, str]] = field(default_factory=list)
    signal_mode: str = ""
    dwell_time: float = np.nan
    scans: float = np.nan
    time_correction: float = np.nan
    sputtering_source: tuple[float, ...] = ()
    sputtering_mode: str = ""
    sample_tilt: tuple[float, ...] = ()
    sample_rotation: float = np.nan
    parameters: list[Parameter] = field(default_factory=list)
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))


def parse(path: Path, lines: list[str], start: int) -> tuple[Header, list[Block]]:
    """Parse a whole file.

    Parameters
    ----------
    path
        For messages only.
    lines
        All lines of the file.
    start
        Index of the line after the format identifier.

    Raises
    ------
    ReadError
        With the line, what was found and what was expected. Where no dialect fits, the one of the standard speaks.
    """
    errors: list[ReadError] = []
    for dialect in _DIALECTS:
        try:
            header, blocks = _parse_as(Lines(path, lines, start), dialect)
        except ReadError as error:
            errors.append(error)
            continue
        # Another dialect must fit to the very last line: a damaged file may fit one by chance.
        if header.terminated or not errors:
            return header, blocks
    raise errors[0]


def _parse_as(lines: Lines, dialect: Dialect) -> tuple[Header, list[Block]]:
    header = _header(lines)
    header.dialect = dialect
    blocks: list[Block] = []
    for number in range(1, header.block_count + 1):
        try:
            blocks.append(_block(lines, header, blocks[0] if blocks else None))
        except ReadError as error:
            context = f"{error.expected} (in block {number} of {header.block_count})"
            raise ReadError(error.found, expected=context, where=error.where, hint=error.hint) from error
    rest = next((line.strip() for line in lines.lines[lines.at :] if line.strip()), "")
    header.terminated = rest.lower().startswith("end of experiment")
    if rest and not header.terminated:
        lines.at += 1
        raise lines.fail(f"found {short(rest)} after the last block", "'end of experiment'")
    return header, blocks


def _header(lines: Lines) -> Header:
    header = Header(
        institution=lines.text("institution identifier"),
        instrument=lines.text("instrument model identifier"),
        operator=lines.text("operator identifier"),
        experiment=lines.text("experiment identifier"),
    )
    header.comment = lines.texts(lines.whole("number of comment lines", high=1_000_000), "a comment line")
    header.experiment_mode = _one_of(lines, EXPERIMENT_MODES, "experiment mode")
    header.scan_mode = _one_of(lines, SCAN_MODES, "scan mode")
    if header.experiment_mode in ("MAP", "MAPDP", "NORM", "SDP"):
        header.spectral_regions = lines.whole("number of spectral regions")
    if header.experiment_mode in ("MAP", "MAPDP"):
        lines.whole("number of analysis positions")
        lines.whole("number of discrete x coordinates in the full map")
        lines.whole("number of discrete y coordinates in the full map")
    header.variables = lines.pairs(
        lines.whole("number of experimental variables", high=1000), "an experimental variable"
    )
    listed = lines.whole("number of entries in the parameter inclusion or exclusion list", low=-40, high=40)
    numbers = frozenset(lines.whole("number of a block parameter", 1, 40) for _ in range(abs(listed)))
    if listed > 0:
        header.included = numbers
    elif listed < 0:
        header.included = header.included - numbers
    manual = lines.whole("number of manually entered items in a block", high=1000)
    lines.texts(manual, "number of a manually entered block parameter")
    header.future_experiment = lines.whole("number of future upgrade experiment entries", high=100_000)
    header.future_block = lines.whole("number of future upgrade block entries", high=100_000)
    lines.texts(header.future_experiment, "a future upgrade experiment entry")
    header.block_count = lines.whole("number of blocks", high=10_000_000)
    return header


def _one_of(lines: Lines, known: tuple[str, ...], what: str) -> str:
    text = lines.text(what).upper()
    if text not in known:
        raise lines.fail(f"found {short(text)}", f"the {what}: one of {', '.join(known)}")
    return text


def _block(lines: Lines, header: Header, first: Block | None) -> Block:
    start = lines.at
    # A later block begins as a copy of the first: what the inclusion list leaves out keeps the first one's value.
    block = Block() if first is None else replace(first)
    block.line = start + 1
    block.identifier = lines.text("block identifier")
    block.sample = lines.text("sample identifier")
    mode = header.experiment_mode

    def grab(number: int, current: T, parse_it: Callable[[], T]) -> T:
        return parse_it() if first is None or number in header.included else current

    date_parts = ("year", "month", "day", "hours", "minutes", "seconds", "hours in advance of GMT")
    block.date = tuple(
        grab(number, block.date[number - 1], lambda part=part: lines.number(part))  # type: ignore[misc]
        for number, part in enumerate(date_parts, start=1)
    )
    block.comment = grab(
        8,
        block.comment,
        lambda: lines.texts(lines.whole("number of lines in the block comment", high=1_000_000), "a comment line"),
    )
    block.technique = grab(9, block.technique, lambda: lines.text("technique"))
    if mode in ("MAP", "MAPDP"):
        block.map_position = grab(10, block.map_position, lambda: lines.numbers(2, "x or y coordinate"))
    block.variables = grab(
        11, block.variables, lambda: lines.texts(len(header.variables), "value of an experimental variable")
    )
    block.source_label = grab(12, block.source_label, lambda: lines.text("analysis source label"))
    sputtered = mode in _SPUTTER_MODES
    if (sputtered and header.dialect.ion_lines) or block.technique in _ION_TECHNIQUES:
        block.sputtering_ion = grab(
            13, block.sputtering_ion, lambda: lines.numbers(3, "atomic number, atoms or charge of the sputtering ion")
        )
    block.source_energy = grab(14, block.source_energy, lambda: lines.number("analysis source energy"))
    block.source_strength = grab(15, block.source_strength, lambda: lines.number("analysis source strength"))
    block.beam_width = grab(16, block.beam_width, lambda: lines.numbers(2, "analysis source beam width"))
    if mode in ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM"):
        block.field_of_view = grab(17, block.field_of_view, lambda: lines.numbers(2, "field of view"))
    if mode in ("MAPSV", "MAPSVDP", "SEM"):
        block.line_scan = grab(18, block.line_scan, lambda: lines.numbers(6, "line scan coordinate"))
    block.source_polar = grab(19, block.source_polar, lambda: lines.number("source polar angle"))
    block.source_azimuth = grab(20, block.source_azimuth, lambda: lines.number("source azimuth"))
    block.analyser_mode = grab(21, block.analyser_mode, lambda: lines.text("analyser mode"))
    block.pass_energy = grab(22, block.pass_energy, lambda: lines.number("pass energy or retard ratio"))
    if block.technique == "AES diff":
        block.differential_width = grab(23, block.differential_width, lambda: lines.number("differential width"))
    block.magnification = grab(24, block.magnification, lambda: lines.number("magnification of the lens"))
    block.work_function = grab(25, block.work_function, lambda: lines.number("analyser work function"))
    block.target_bias = grab(26, block.target_bias, lambda: lines.number("target bias"))
    block.analysis_width = grab(27, block.analysis_width, lambda: lines.numbers(2, "analysis width"))
    block.take_off = grab(28, block.take_off, lambda: lines.numbers(2, "analyser take-off angle"))
    block.species = grab(29, block.species, lambda: lines.text("species label"))
    block.transition = grab(
        30, block.transition, lambda: (lines.text("transition label"), lines.text("charge of the detected particle"))
    )
    if header.scan_mode == "REGULAR" and (first is None or 31 in header.included):
        block.abscissa = (lines.text("abscissa label"), lines.text("abscissa unit"))
        block.abscissa_start, block.abscissa_step = lines.numbers(2, "abscissa start or increment")
    block.ordinates = grab(
        32,
        block.ordinates,
        lambda: lines.pairs(lines.whole("number of corresponding variables", 1, 1000), "a corresponding variable"),
    )
    block.signal_mode = grab(33, block.signal_mode, lambda: lines.text("signal mode"))
    block.dwell_time = grab(34, block.dwell_time, lambda: lines.number("signal collection time"))
    block.scans = grab(35, block.scans, lambda: lines.number("number of scans"))
    block.time_correction = grab(36, block.time_correction, lambda: lines.number("signal time correction"))
    gun = sputtered and block.technique in _SPUTTERED_TECHNIQUES and header.dialect.source_lines
    if gun and (first is None or 37 in header.included):
        block.sputtering_source = lines.numbers(6, "energy, current, width or angle of the sputtering source")
        block.sputtering_mode = lines.text("sputtering mode")
    block.sample_tilt = grab(38, block.sample_tilt, lambda: lines.numbers(2, "sample normal's tilt"))
    block.sample_rotation = grab(39, block.sample_rotation, lambda: lines.number("sample rotation"))
    block.parameters = grab(40, block.parameters, lambda: _parameters(lines))
    lines.texts(header.future_block, "a future upgrade block entry")
    block.values = _ordinate_values(lines, len(block.ordinates))
    return block


def _parameters(lines: Lines) -> list[Parameter]:
    count = lines.whole("number of additional numerical parameters", high=100_000)
    return [
        Parameter(
            lines.text("label of an additional parameter"),
            lines.text("unit of an additional parameter"),
            lines.number("value of an additional parameter"),
        )
        for _ in range(count)
    ]


def _ordinate_values(lines: Lines, variables: int) -> npt.NDArray[np.float64]:
    """Read the limits and the values; returns an array of shape (variables, points)."""
    count = lines.whole("number of ordinate values", high=2_000_000_000)
    lines.numbers(2 * variables, "smallest or largest ordinate value")
    if count % variables:
        raise lines.fail(
            f"{count} ordinate values", f"a multiple of the {variables} corresponding variables: number of values"
        )
    texts = lines.lines[lines.at : lines.at + count]
    if len(texts) < count:
        raise lines.fail(
            f"the file ends after {len(texts)} of {count} ordinate values",
            f"{count - len(texts)} more ordinate values",
            line=len(lines.lines),
        )
    try:
        values = np.array(texts, dtype=np.float64)
    except ValueError:
        values = np.array([lines.number("an ordinate value") for _ in range(count)])
    else:
        lines.at += count
    values[~np.isfinite(values) | (np.abs(values) >= MISSING)] = np.nan
    return values.reshape(-1, variables).T

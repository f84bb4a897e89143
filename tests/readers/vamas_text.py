"""Build the text of VAMAS files line by line from the standard, for tests only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SPUTTER_MODES = ("MAPDP", "MAPSVDP", "SDP", "SDPSV")


@dataclass
class TestBlock:
    __test__ = False

    values: Sequence[float] = (1.0, 2.0, 3.0, 2.0, 1.0)
    identifier: str = "F 1s"
    sample: str = "A"
    comment: Sequence[str] = ()
    technique: str = "XPS"
    variables: Sequence[str] = ()
    source_energy: str = "1486.6"
    source_label: str = "Al mono"
    work_function: str = "4.5"
    species: str = "F"
    transition: str = "1s"
    label: str = "binding energy"
    start: float = 695.0
    step: float = -0.5
    ordinates: Sequence[tuple[str, str]] = (("counts", "d"),)
    dwell: str = "0.1"
    scans: str = "2"
    parameters: Sequence[tuple[str, str, str]] = ()
    without: Sequence[int] = field(default_factory=tuple)


def block_lines(block: TestBlock, mode: str, scan_mode: str, dialect: tuple[bool, bool]) -> list[str]:
    """All lines of a block, but those of the parameters numbered in `block.without`."""
    numbered: list[tuple[int, list[str]]] = [
        (index, [text]) for index, text in enumerate(["2025", "3", "4", "5", "6", "7", "0"], 1)
    ]
    numbered.append((8, [str(len(block.comment)), *block.comment]))
    numbered.append((9, [block.technique]))
    if mode in ("MAP", "MAPDP"):
        numbered.append((10, ["1", "1"]))
    numbered.append((11, list(block.variables)))
    numbered.append((12, [block.source_label]))
    if (mode in SPUTTER_MODES and dialect[0]) or block.technique == "SIMS":
        numbered.append((13, ["18", "1", "1"]))
    numbered += [(14, [block.source_energy]), (15, ["150"]), (16, ["1E37", "1E37"])]
    if mode in ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM"):
        numbered.append((17, ["1E37", "1E37"]))
    if mode in ("MAPSV", "MAPSVDP", "SEM"):
        numbered.append((18, ["0"] * 6))
    numbered += [(19, ["54.7"]), (20, ["1E37"]), (21, ["FAT"]), (22, ["20"])]
    if block.technique == "AES diff":
        numbered.append((23, ["1"]))
    numbered += [(24, ["1"]), (25, [block.work_function]), (26, ["0"]), (27, ["1E37", "1E37"]), (28, ["0", "0"])]
    numbered += [(29, [block.species]), (30, [block.transition, "-1"])]
    if scan_mode == "REGULAR":
        numbered.append((31, [block.label, "eV", str(block.start), str(block.step)]))
    ordinates = [text for pair in block.ordinates for text in pair]
    numbered.append((32, [str(len(block.ordinates)), *ordinates]))
    numbered += [(33, ["pulse counting"]), (34, [block.dwell]), (35, [block.scans]), (36, ["0"])]
    if mode in SPUTTER_MODES and dialect[1] and block.technique != "SIMS":
        numbered.append((37, ["4000", "1000", "2000", "2000", "45", "90", "Ar+ raster"]))
    numbered += [(38, ["0", "0"]), (39, ["0"])]
    numbered.append((40, [str(len(block.parameters)), *[text for item in block.parameters for text in item]]))
    lines = [block.identifier, block.sample]
    for number, texts in numbered:
        if number not in block.without:
            lines += texts
    limits = ["0", "1"] * len(block.ordinates)
    return [*lines, str(len(block.values)), *limits, *[f"{value:g}" for value in block.values]]


def vamas_text(
    blocks: Sequence[TestBlock],
    *,
    mode: str = "NORM",
    scan_mode: str = "REGULAR",
    variables: Sequence[tuple[str, str]] = (),
    listed: Sequence[int] = (),
    dialect: tuple[bool, bool] = (True, True),
    line_end: str = "\r\n",
) -> str:
    lines = ["VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"]
    lines += ["institute", "instrument", "operator", "experiment", "1", "a comment", mode, scan_mode]
    if mode in ("MAP", "MAPDP", "NORM", "SDP"):
        lines.append("1")
    if mode in ("MAP", "MAPDP"):
        lines += ["1", "1", "1"]
    lines.append(str(len(variables)))
    for label, unit in variables:
        lines += [label, unit]
    sign = -1 if any(number < 0 for number in listed) else 1
    lines += [str(sign * len(listed)), *[str(abs(number)) for number in listed]]
    lines += ["0", "0", "0", str(len(blocks))]
    for block in blocks:
        lines += block_lines(block, mode, scan_mode, dialect)
    return line_end.join([*lines, "end of experiment", ""])

"""VAMAS files (ISO 14976), as standard and as written in the wild."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.gathering import gather, summary
from depthlock.readers.spectra import Spectrum, select
from depthlock.readers.text import decode, split_lines
from depthlock.readers.vamas.blocks import IDENTIFIER, Block, Header, parse
from depthlock.readers.vamas.conversion import NotASpectrumError, spectrum_of

__all__ = ["describe", "parse_file", "read", "recognises"]

_SUFFIXES = (".vms", ".npl", ".vamas")


def recognises(path: Path, head: bytes) -> bool:
    """Whether the first line that is not blank is the format identifier of ISO 14976.

    Raises
    ------
    ReadError
        If the file is named like one and is text, but does not begin so.
    """
    text = decode(head).lstrip()
    if text[: len(IDENTIFIER)].lower() == IDENTIFIER.lower():
        return True
    if path.suffix.lower() in _SUFFIXES and text and "\0" not in text:
        first = text.splitlines()[0].strip()
        what = f"it begins with {first[:60]!r}"
        if first.isdigit():
            what = f"it begins with the line count {first} and comment lines, cut out of a VAMAS header or block"
        raise ReadError(
            f"the file is named like a VAMAS file, but {what}",
            expected=f"'{IDENTIFIER} 1988 May 4' as the first line",
            where=f"{path}, line 1",
            hint="export the whole experiment again as VAMAS (ISO 14976)",
        )
    return False


def parse_file(path: str | Path) -> tuple[Header, list[Block]]:
    """Read a VAMAS file into its header and blocks, whatever their technique.

    Raises
    ------
    ReadError
        With the line where the file departs from ISO 14976, or ends.
    """
    path = Path(path)
    raw = path.read_bytes()
    lines = split_lines(decode(raw))
    start = next((index for index, line in enumerate(lines) if line.strip("\ufeff \t")), len(lines))
    if start == len(lines) or not lines[start].strip("\ufeff \t").lower().startswith(IDENTIFIER.lower()):
        found = repr(lines[start].strip()[:60]) if start < len(lines) else "nothing but blank lines"
        raise ReadError(
            f"found {found}",
            expected=f"'{IDENTIFIER} 1988 May 4' as the first line",
            where=f"{path}, line {start + 1}",
            hint="this is no VAMAS file",
        )
    header, blocks = parse(path, lines, start + 1)
    if not header.terminated and not raw.endswith((b"\n", b"\r")):
        raise ReadError(
            f"the file stops within line {len(lines)}, so that its last number may be cut",
            expected="the line 'end of experiment'",
            where=f"{path}, line {len(lines)}",
            hint="copy or export the file again",
        )
    if not blocks:
        raise ReadError(
            "the header announces 0 blocks",
            expected="at least one block",
            where=str(path),
            hint="the experiment was exported before anything was measured; export it again",
        )
    return header, blocks


def _spectra(header: Header, blocks: list[Block]) -> tuple[list[Spectrum], list[str]]:
    spectra: list[Spectrum] = []
    passed_over: list[str] = []
    for number, block in enumerate(blocks, start=1):
        try:
            spectra.append(spectrum_of(block, header))
        except NotASpectrumError as reason:
            passed_over.append(f"block {number} {block.identifier!r} (line {block.line}): {reason}")
    return spectra, passed_over


def read(
    path: Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
    etch_times: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """Read the XPS and UPS spectra of a VAMAS file.

    Parameters
    ----------
    path
        The file.
    sample, photon_energy, region, etch_times
        See :func:`depthlock.readers.spectra.select`.

    Returns
    -------
    list of xarray.Dataset
        Contract ``xps_spectra``, see :func:`depthlock.readers.gathering.gather`. Blocks that are no XPS spectra are
        named in ``attrs["passed_over"]``.

    Raises
    ------
    ReadError
        If the file is damaged or holds no spectrum with a binding energy.
    """
    header, blocks = parse_file(path)
    spectra, passed_over = _spectra(header, blocks)
    if not spectra:
        raise ReadError(
            "the file holds no XPS spectrum: " + "; ".join(passed_over[:5]),
            expected="blocks of the technique XPS or UPS over a kinetic or binding energy",
            where=str(path),
            hint="`depthlock info` lists what it holds",
        )
    chosen = select(spectra, path, sample=sample, photon_energy=photon_energy, region=region)
    datasets = gather(chosen, path, format_name="vamas", etch_times=etch_times)
    for data in datasets:
        if passed_over:
            data.attrs["passed_over"] = passed_over
        if header.instrument:
            data.attrs["instrument"] = header.instrument
    return datasets


def describe(path: Path) -> dict[str, Any]:
    """Say what a VAMAS file holds: modes, techniques, samples, regions, levels, and what was passed over."""
    header, blocks = parse_file(path)
    spectra, passed_over = _spectra(header, blocks)
    facts: dict[str, Any] = {
        "institution": header.institution,
        "instrument": header.instrument,
        "experiment": header.experiment,
        "experiment mode": header.experiment_mode,
        "scan mode": header.scan_mode,
        "written as": str(header.dialect),
        "blocks": len(blocks),
        "techniques": dict(Counter(block.technique for block in blocks)),
        "experimental variables": [f"{label} [{unit}]" for label, unit in header.variables],
    }
    energies = sorted({block.source_energy for block in blocks if np.isfinite(block.source_energy)})
    facts["source energies (eV)"] = [float(energy) for energy in energies]
    if spectra:
        facts["spectra"] = summary(spectra, path)
    if passed_over:
        facts["passed over"] = passed_over
    return facts

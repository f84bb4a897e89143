"""From VAMAS blocks to spectra: which blocks are XPS, what their numbers mean."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime

import numpy as np

from depthlock.readers.spectra import Spectrum, photon_energy_of_anode
from depthlock.readers.vamas.blocks import Block, Header
from depthlock.readers.vamas.casaxps_comments import parse_comment

TECHNIQUES = ("XPS", "UPS")

_TRANSMISSION = re.compile(r"transmission", re.IGNORECASE)
_RATE = re.compile(
    r"^(counts?\s*/\s*s(ec)?|c/s|cps|counts?\s*(per|\*|·)\s*s(econd|\^?-1)?|s\^?-1|1/s|hz)$", re.IGNORECASE
)
_RATE_LABEL = re.compile(r"counts?\s*per\s*sec|\bcps\b|count\s*rate|counts?\s*/\s*s", re.IGNORECASE)


class NotASpectrumError(Exception):
    """Why a block is passed over."""


def spectrum_of(block: Block, header: Header) -> Spectrum:
    """Turn a block into a spectrum.

    Raises
    ------
    NotASpectrumError
        If the block holds another technique, a map, a time profile or no data.
    """
    if block.technique.upper() not in TECHNIQUES:
        raise NotASpectrumError(f"its technique is {block.technique!r}")
    if header.scan_mode == "MAPPING":
        raise NotASpectrumError("it holds a map, not a spectrum")
    if block.values.shape[1] == 0:
        raise NotASpectrumError("it has no data")
    energy, label, unit, columns = _abscissa(block, header)
    if energy.size < 2:
        raise NotASpectrumError(f"it has {energy.size} point, not a spectrum")
    if unit.strip().lower() not in ("ev", "electron volt", "electron volts", "kev", "", "d", "n"):
        raise NotASpectrumError(f"its axis is {label!r} in {unit!r}, not an energy")
    if unit.strip().lower() == "kev":
        energy = energy * 1e3
    if not np.isfinite(energy).all() or np.any(np.diff(energy) == 0):
        raise NotASpectrumError("its energy axis has missing or repeated values")
    axis = _axis_kind(label)
    intensity, is_rate, transmission = _intensity(block, columns)
    if not np.isfinite(intensity).any():
        raise NotASpectrumError("all its values are missing")
    photon_energy, origin = _photon_energy(block)
    casa = parse_comment(block.comment)
    return Spectrum(
        energy=energy,
        intensity=intensity,
        axis=axis,
        is_rate=is_rate,
        photon_energy=photon_energy,
        photon_energy_source=origin,
        region=block.identifier,
        species=block.species,
        transition=block.transition[0],
        sample=block.sample,
        block=block.identifier,
        technique=block.technique.upper(),
        dwell_time=block.dwell_time if block.dwell_time > 0 else np.nan,
        scans=block.scans if block.scans >= 1 else 1.0,
        transmission=transmission,
        variables=_variables(block, header),
        acquired=_acquired(block),
        energy_shift=casa.binding_shift,
        extra=_extra(block),
        recorded_fit=asdict(casa) if casa.calibrations or casa.regions or casa.components else None,
    )


def _abscissa(block: Block, header: Header) -> tuple[np.ndarray, str, str, list[int]]:
    if header.scan_mode == "REGULAR":
        points = block.values.shape[1]
        energy = block.abscissa_start + block.abscissa_step * np.arange(points)
        return energy, block.abscissa[0], block.abscissa[1], list(range(len(block.ordinates)))
    labels = [label.lower() for label, _ in block.ordinates]
    which = next((index for index, label in enumerate(labels) if "energy" in label), 0)
    label, unit = block.ordinates[which]
    rest = [index for index in range(len(labels)) if index != which]
    return block.values[which].copy(), label, unit, rest


def _axis_kind(label: str) -> str:
    lowered = label.strip().lower()
    if "binding" in lowered or lowered in ("be", "b.e."):
        return "binding"
    if "kinetic" in lowered or lowered in ("ke", "k.e."):
        return "kinetic"
    raise NotASpectrumError(f"its axis is {label!r}; neither a kinetic nor a binding energy")


def _intensity(block: Block, columns: list[int]) -> tuple[np.ndarray, bool, np.ndarray | None]:
    signals = [index for index in columns if not _TRANSMISSION.search(block.ordinates[index][0])]
    if not signals:
        raise NotASpectrumError("it has no intensities")
    label, unit = block.ordinates[signals[0]]
    is_rate = bool(_RATE.match(unit.strip()) or _RATE_LABEL.search(label))
    transmission = next(
        (block.values[index] for index in columns if _TRANSMISSION.search(block.ordinates[index][0])), None
    )
    if transmission is not None and not (np.isfinite(transmission).all() and np.all(transmission > 0)):
        transmission = None
    return block.values[signals[0]].copy(), is_rate, transmission


def _photon_energy(block: Block) -> tuple[float, str]:
    if block.source_energy > 0:
        return block.source_energy, "file"
    named = photon_energy_of_anode(block.source_label)
    return named, f"anode {block.source_label!r}" if np.isfinite(named) else "unknown"


def _variables(block: Block, header: Header) -> dict[str, tuple[float, str]]:
    variables: dict[str, tuple[float, str]] = {}
    for (label, unit), text in zip(header.variables, block.variables, strict=True):
        number = re.match(r"\s*([-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(\S*)", text)
        value = float(number.group(1).replace(",", ".")) if number else np.nan
        if abs(value) >= 1e36:
            value = np.nan
        written = number.group(2) if number else ""
        bare = unit.strip() if unit.strip().lower() not in ("d", "n") else ""
        variables[label] = (value, bare or written)
    for parameter in block.parameters:
        if re.search(r"(etch|sputter)\w*[\s_-]*time", parameter.label, re.IGNORECASE):
            bare = parameter.unit if parameter.unit.lower() not in ("d", "n") else ""
            variables.setdefault(parameter.label, (parameter.value, bare))
    return variables


def _acquired(block: Block) -> str:
    try:
        year, month, day, hours, minutes, seconds = (int(part) for part in block.date[:6])
        # The hours in advance of GMT are rarely true, so the clock of the instrument is kept as it was.
        moment = datetime(year, month, day, hours, minutes, seconds)  # noqa: DTZ001
    except ValueError:
        return ""
    return moment.isoformat()


def _extra(block: Block) -> dict[str, object]:
    extra: dict[str, object] = {}
    numbers = {
        "pass_energy_eV": block.pass_energy if block.analyser_mode.upper() == "FAT" else np.nan,
        "work_function_eV": block.work_function,
        "source_power_W": block.source_strength,
    }
    extra.update({name: float(value) for name, value in numbers.items() if np.isfinite(value)})
    if block.analyser_mode:
        extra["analyser_mode"] = block.analyser_mode.upper()
    if block.source_label:
        extra["source_label"] = block.source_label
    if block.sputtering_source:
        extra["sputtering_energy_eV"] = float(block.sputtering_source[0])
    return extra

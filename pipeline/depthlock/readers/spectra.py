"""A measured spectrum as any XPS file gives it, and what a user may add to it or ask of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from depthlock.model.errors import ReadError
from depthlock.readers.regions import normalise_region

Array = npt.NDArray[np.float64]

#: Photon energies by anode as the instruments state them (eV), only used when a file names the anode and no energy.
ANODES = {"al": 1486.6, "mg": 1253.6, "ag": 2984.3, "cr": 5414.8, "ga": 9251.7}


@dataclass
class Spectrum:
    """One measured spectrum as its file gives it.

    Attributes
    ----------
    energy : (n,) array
        Energies in eV as measured, in the order of the file.
    axis : str
        ``"kinetic"`` or ``"binding"``: what `energy` is.
    intensity : (n,) array
        Counts, or counts per second if `is_rate`.
    dwell_time : float
        Seconds a channel and scan, NaN if unknown.
    variables : dict
        Experimental variables: label to (value, unit), as written.
    energy_shift : float
        What a former user added to the binding energies (eV); recorded only.
    fitted : dict
        Curves of a fit in the file, in counts per second: name to (n,) array.
    recorded_fit : dict or None
        Parameters of a fit in the file, JSON-able.
    """

    energy: Array
    intensity: Array
    axis: str = "binding"
    is_rate: bool = False
    photon_energy: float = np.nan
    photon_energy_source: str = "file"
    region: str = ""
    species: str = ""
    transition: str = ""
    sample: str = ""
    block: str = ""
    technique: str = "XPS"
    dwell_time: float = np.nan
    scans: float = 1.0
    transmission: Array | None = None
    variables: dict[str, tuple[float, str]] = field(default_factory=dict)
    acquired: str = ""
    energy_shift: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    fitted: dict[str, Array] = field(default_factory=dict)
    recorded_fit: dict[str, Any] | None = None


def photon_energy_of_anode(label: str) -> float:
    """Return the photon energy (eV) of an X-ray anode named in `label` such as ``"Al (mono)"``; NaN if none is."""
    word = re.match(r"\s*([A-Za-z]{2})(?![a-z])", label)
    return ANODES.get(word.group(1).lower(), np.nan) if word else np.nan


def counts_behind(rate: Array, live_time: float) -> Array | None:
    """Return the whole counts behind a rate in counts per second, or None if it was not made from counts.

    Parameters
    ----------
    rate : (n,) array
        Counts per second.
    live_time : float
        Seconds each channel was counted in all.
    """
    if not (np.isfinite(live_time) and live_time > 0) or rate.size == 0:
        return None
    counts = rate * live_time
    whole = np.rint(counts)
    # Exports carry six digits, so the deviation from a whole number grows with the value.
    if np.all(np.abs(counts - whole) <= 1e-3 + 5e-6 * np.abs(whole)) and np.any(whole != 0):
        return whole
    return None


def select(
    spectra: Sequence[Spectrum],
    source: str | Path,
    *,
    sample: str | None = None,
    photon_energy: float | None = None,
    region: str | None = None,
) -> list[Spectrum]:
    """Complete spectra with what the user says about the file, and keep those that are asked for.

    Parameters
    ----------
    spectra
        All spectra of the file.
    source
        The file, for messages.
    sample
        Sample identifier inside the file; all samples if None.
    photon_energy
        Photon energy in eV for spectra whose file does not state it, or states another: it takes precedence.
    region
        Core level. If the file has it, only that; if the file has one region under another name or none, its name.

    Raises
    ------
    ReadError
        If there is no such sample or region, or a kinetic axis has no photon energy.
    """
    chosen = list(spectra)
    if sample is not None:
        names = list(dict.fromkeys(item.sample.strip() or Path(source).stem for item in chosen))
        chosen = [item for item in chosen if (item.sample.strip() or Path(source).stem) == sample.strip()]
        if not chosen:
            raise ReadError(
                f"there is no sample {sample!r} in the file",
                expected=f"one of {', '.join(repr(name) for name in names)}",
                where=str(source),
                hint="correct the sample's name, or leave it out where the file holds one sample",
            )
    if photon_energy is not None:
        energy = float(photon_energy)
        chosen = [replace(item, photon_energy=energy, photon_energy_source="session") for item in chosen]
    for item in chosen:
        if item.axis == "kinetic" and not item.photon_energy > 0:
            raise ReadError(
                f"the spectrum {item.block or item.region!r} has a kinetic energy axis and no photon energy",
                expected="the photon energy, to get binding energies",
                where=str(source),
                hint="give it in the session: {file: ..., photon_energy: 1486.6}",
            )
    if region is not None:
        wanted = normalise_region(region)
        names = list(dict.fromkeys(region_of(item) for item in chosen))
        # A window over several levels is named after all of them and answers to each.
        holding = [name for name in names if name == wanted or wanted in name.split(" + ")]
        if holding:
            chosen = [item for item in chosen if region_of(item) in holding]
        elif len(names) == 1:
            chosen = [replace(item, region=region, species="", transition="") for item in chosen]
        else:
            raise ReadError(
                f"there is no region {region!r} in the file",
                expected=f"one of {', '.join(names)}",
                where=str(source),
                hint="correct the region's name",
            )
    return chosen


def region_of(spectrum: Spectrum) -> str:
    """Return the normalised name of the spectrum's region."""
    binding = binding_energy(spectrum)
    return normalise_region(
        spectrum.region,
        species=spectrum.species,
        transition=spectrum.transition,
        limits=(float(np.min(binding)), float(np.max(binding))),
    )


def binding_energy(spectrum: Spectrum) -> Array:
    """Return the binding energies (eV) of the points; NaN where the photon energy is needed and unknown."""
    # Instruments write kinetic energies that already refer to the Fermi level: the work function is never added.
    return spectrum.photon_energy - spectrum.energy if spectrum.axis == "kinetic" else spectrum.energy

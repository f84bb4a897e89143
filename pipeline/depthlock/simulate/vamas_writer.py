"""Write etch series as VAMAS files (ISO 14976): one block a region and level, etch time as experimental variable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

_WORK_FUNCTION = 4.2
"""In the file as instruments write it; it must not be added to binding energies."""


def write_vamas(path: Path, spectra: Sequence[xr.Dataset], kinetic_axis: bool = True) -> None:
    """Write one file with all regions of all levels, in the order they are measured (level by level).

    Parameters
    ----------
    path : Path
        File to write.
    spectra : sequence of Dataset
        Contract `xps_spectra`, with counts.
    kinetic_axis : bool
        The abscissa is the kinetic energy, else the binding energy.
    """
    levels = spectra[0].sizes["level"]
    blocks = [_block(dataset, level, kinetic_axis) for level in range(levels) for dataset in spectra]
    lines = [
        "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4",
        "depthlock simulate",
        "simulated spectrometer",
        "Not Specified",
        "etch series",
        "1",
        "Simulated spectra with known truth, see truth.csv",
        "NORM",
        "REGULAR",
        str(len(spectra)),
        "1",
        "Etch Time",
        "s",
        "0",
        "0",
        "0",
        "0",
        str(len(blocks)),
    ]
    for block in blocks:
        lines.extend(block)
    lines.append("end of experiment")
    path.write_text("\r\n".join(lines) + "\r\n", encoding="ascii", newline="")


def _block(dataset: xr.Dataset, level: int, kinetic_axis: bool) -> list[str]:
    region = str(dataset.attrs["region"])
    single = " + " not in region
    species, transition = region.split(" ", 1) if single else ("", "")
    axis = dataset["kinetic_energy" if kinetic_axis else "binding_energy"].to_numpy()
    counts = dataset["counts"].to_numpy()[level]
    values = [f"{value:.0f}" for value in counts]
    return [
        f"{region} level {level}",
        str(dataset.attrs.get("sample", "sample")),
        *("2025", "1", "15", "12", "0", "0", "0"),
        "1",
        f"level {level} of {dataset.sizes['level']}",
        "XPS",
        f"{float(dataset['etch_time'].to_numpy()[level]):.3f}",
        "Al mono",
        f"{float(dataset.attrs['photon_energy_eV']):.2f}",
        "0",
        "0",
        "0",
        "54.7",
        "0",
        "FAT",
        "55",
        "1E+37",
        f"{_WORK_FUNCTION}",
        "0",
        "0",
        "0",
        "0",
        "0",
        species,
        transition,
        "-1",
        "Kinetic Energy" if kinetic_axis else "Binding Energy",
        "eV",
        f"{axis[0]:.4f}",
        f"{axis[1] - axis[0]:.4f}",
        "1",
        "counts",
        "d",
        "pulse counting",
        f"{float(dataset['dwell_time'].to_numpy()[level]):g}",
        f"{int(dataset['scans'].to_numpy()[level])}",
        "0",
        "0",
        "0",
        "0",
        "0",
        str(len(values)),
        f"{np.min(counts):.0f}",
        f"{np.max(counts):.0f}",
        *values,
    ]

"""From spectra to windows: energies in order, counts per second, and the levels of the sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.xps.shapes import FloatArray

SURVEY_WIDTH_EV = 120.0
"""A window wider than this is a survey; it is not fitted."""

_CORE_LEVEL = re.compile(r"^\s*([A-Z][a-z]?)\s*([1-7][spdfSPDF])\s*(\d(?:/2)?)?\s*$")


def normal_name(name: str) -> str:
    """`F1s`, `F 1S` and `F 1s` are all `F 1s`; anything that is no core level stays as it is."""
    match = _CORE_LEVEL.match(name)
    if match is None:
        return name.strip()
    element, orbital, spin = match.groups()
    return f"{element} {orbital.lower()}{(spin or '').removesuffix('/2')}"


def is_core_level(name: str) -> bool:
    """Whether a name is that of a core level, such as `F 1s`."""
    return _CORE_LEVEL.match(name) is not None


def element_of(region: str) -> str:
    """The element of a core level's name, or the whole name."""
    match = _CORE_LEVEL.match(region)
    return match.group(1) if match else region


@dataclass(frozen=True)
class Window:
    """Cleaned spectra of one block over all levels of the sample.

    Attributes
    ----------
    key, name : str
        Key of the mapping, and normalised region name.
    energy : ndarray (points,)
        Binding energy as measured, ascending, eV.
    rate, exposure : ndarray (levels, points)
        counts/s; seconds (times transmission). Zero in levels not measured.
    measured : ndarray (levels,) of bool
    transmission : bool
        Whether a transmission function was divided out.
    background : ndarray (levels, points) or None
        Background that the file holds, counts/s.
    """

    key: str
    name: str
    energy: FloatArray
    rate: FloatArray
    exposure: FloatArray
    measured: NDArray[np.bool_]
    transmission: bool
    background: FloatArray | None = None


def series_times(spectra: Mapping[str, xr.Dataset]) -> FloatArray:
    """The etch times of a sample: the union over its blocks, ascending, s."""
    times = np.concatenate([np.asarray(block["etch_time"].values, dtype=float) for block in spectra.values()])
    if not np.all(np.isfinite(times)):
        raise MeasurementError(
            "etch times that are not numbers", expected="a finite etch_time for every level", where="XPS spectra"
        )
    ordered = np.unique(times)
    # Instruments round the same etch time differently from region to region.
    keep = np.concatenate([[True], np.diff(ordered) > 1e-6 * max(1.0, float(np.abs(ordered).max()))])
    return np.asarray(ordered[keep])


def level_numbers(block: xr.Dataset, times: FloatArray) -> NDArray[np.intp]:
    """Level of the sample for every level of a block.

    Levels of equal etch time (repeats, or a series without etching) stay apart when the block alone decides them.
    """
    own = np.asarray(block["etch_time"].values, dtype=float)
    return np.asarray(np.abs(own[:, None] - times[None, :]).argmin(axis=1), dtype=np.intp)


def clean_window(key: str, block: xr.Dataset, levels: NDArray[np.intp], count: int) -> Window:
    """Order the energies and turn counts into rates.

    Parameters
    ----------
    key : str
        Name of the block.
    block : xr.Dataset
        `xps_spectra`.
    levels : ndarray of int
        The sample's level for every level of the block.
    count : int
        Levels of the sample.

    Returns
    -------
    Window

    Raises
    ------
    MeasurementError
        When fewer than ten points are usable.
    """
    counts = np.asarray(block["counts"].transpose("level", "energy").values, dtype=float)
    energy = np.asarray(block["binding_energy"].values, dtype=float)
    usable = np.isfinite(energy) & np.all(np.isfinite(counts), axis=0)
    if usable.sum() < 10:
        raise MeasurementError(
            f"{int(usable.sum())} usable points in {key}",
            expected="at least 10 finite points",
            where=f"XPS block {key}",
            hint="leave this block out of the session, or read the file again with `depthlock info`",
        )
    order = np.flatnonzero(usable)[np.argsort(energy[usable], kind="stable")]
    energy, counts = energy[order], counts[:, order]
    time = np.ones(counts.shape[0])
    for name in ("dwell_time", "scans"):
        if name in block:
            factor = np.broadcast_to(np.asarray(block[name].values, dtype=float), time.shape)
            time = time * np.where(np.isfinite(factor) & (factor > 0), factor, 1.0)
    transmission = np.ones((1, energy.size))
    if "transmission" in block:
        # One for all levels, or one a level.
        values = np.atleast_2d(np.asarray(block["transmission"].values, dtype=float))[:, order]
        if np.all(np.isfinite(values)) and np.all(values > 0):
            transmission = values
    exposure = time[:, None] * transmission
    in_counts = str(block.attrs.get("intensity_kind", "counts")) == "counts"
    rate = counts / exposure if in_counts else counts / transmission
    all_rates, all_exposures = np.zeros((count, energy.size)), np.ones((count, energy.size))
    all_rates[levels], all_exposures[levels] = rate, exposure
    measured = np.zeros(count, dtype=bool)
    measured[levels] = True
    name = normal_name(str(block.attrs.get("region", key)))
    background = None
    if "expert_background" in block:
        stated = np.asarray(block["expert_background"].transpose("level", "energy").values, dtype=float)[:, order]
        background = np.zeros_like(all_rates)
        background[levels] = stated / transmission
    corrected = bool(np.any(transmission != 1.0))
    return Window(key, name, energy, all_rates, all_exposures, measured, corrected, background)

"""The spectra of a sample on its levels: core levels that are fitted together, and a survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.xps.shapes import FloatArray
from depthlock.xps.windows import SURVEY_WIDTH_EV, Window, clean_window, level_numbers, series_times

LEVEL_SHARE = 0.1
"""Part of the usual step between etch times by which a survey's may differ from the core levels'."""


@dataclass(frozen=True)
class Series:
    """The windows of a sample.

    Attributes
    ----------
    times : ndarray (levels,)
        Etch times, s.
    windows : list of Window
        Core levels.
    levels : dict of str to ndarray of int
        The sample's level of every level of a block of core levels.
    survey : Window or None
    left_out : list of str
        Surveys that are not used: a sample has one.
    variable : xr.DataArray or None
        What tells the levels apart where it is no etch time, with its name and unit.
    """

    times: FloatArray
    windows: list[Window]
    levels: dict[str, NDArray[np.intp]]
    survey: Window | None
    left_out: list[str]
    variable: xr.DataArray | None


def sort_spectra(spectra: Mapping[str, xr.Dataset], *, surveys_alone: bool) -> Series:
    """Clean windows on the sample's levels.

    Parameters
    ----------
    spectra : mapping of str to xr.Dataset
        `xps_spectra` by region.
    surveys_alone : bool
        Whether a sample may consist of surveys.

    Raises
    ------
    MeasurementError
        When there is nothing to measure.
    """
    if not spectra:
        raise MeasurementError(
            "no spectra", expected="at least one region", where="xps_deconvolve", hint="name XPS files in the session"
        )
    wide = {key: block for key, block in spectra.items() if _width(block) > SURVEY_WIDTH_EV}
    narrow = {key: block for key, block in spectra.items() if key not in wide}
    if not narrow and not surveys_alone:
        raise MeasurementError(
            f"only survey spectra ({', '.join(wide)}), and no table of survey lines",
            expected=f"a core level in a window narrower than {SURVEY_WIDTH_EV:g} eV",
            where="xps_deconvolve",
        )
    times, numbers = _levels(narrow or wide)
    windows = [clean_window(key, block, numbers[key], times.size) for key, block in narrow.items()]
    survey, left_out = None, []
    for key, block in wide.items():
        own = numbers.get(key) if not narrow else _survey_levels(block, times)
        if survey is not None or own is None:
            left_out.append(key)
        else:
            survey = clean_window(key, block, own, times.size)
    return Series(
        times, windows, {key: numbers[key] for key in narrow}, survey, left_out, _variable(narrow or wide, times)
    )


def _variable(blocks: Mapping[str, xr.Dataset], times: FloatArray) -> xr.DataArray | None:
    """The series variable that all blocks with one share, where there is no etch time."""
    if np.isfinite(times).all():
        return None
    stated = [block["series"] for block in blocks.values() if "series" in block.coords]
    first = stated[0] if stated else None
    if first is None or first.size != times.size:
        return None
    agree = all(one.size == first.size and np.allclose(one.values, first.values, equal_nan=True) for one in stated)
    return first if agree else None


def _width(block: xr.Dataset) -> float:
    return float(np.ptp(block["binding_energy"].values))


def _levels(blocks: Mapping[str, xr.Dataset]) -> tuple[FloatArray, dict[str, NDArray[np.intp]]]:
    """Etch times of the sample, and its level of every level of a block."""
    own = [np.asarray(block["etch_time"].values, dtype=float) for block in blocks.values()]
    if all(_same(times, own[0]) for times in own):
        # One series for all: levels of equal etch time (repeats, angles) stay apart.
        return own[0], {key: np.arange(own[0].size) for key in blocks}
    times = series_times(blocks)
    return times, {key: level_numbers(block, times) for key, block in blocks.items()}


def _same(times: FloatArray, others: FloatArray) -> bool:
    return times.shape == others.shape and np.allclose(times, others, rtol=1e-6, equal_nan=True)


def _survey_levels(block: xr.Dataset, times: FloatArray) -> NDArray[np.intp] | None:
    """The sample's level of every level of a survey; None when its etch times are not the core levels'."""
    own = np.asarray(block["etch_time"].values, dtype=float)
    if _same(own, times):
        return np.arange(times.size)
    if not (np.isfinite(own).all() and np.isfinite(times).all()):
        return None
    numbers = level_numbers(block, times)
    step = float(np.median(np.diff(times))) if times.size > 1 else 1.0
    apart = np.abs(times[numbers] - own) > LEVEL_SHARE * step
    return None if apart.any() or np.unique(numbers).size < numbers.size else numbers

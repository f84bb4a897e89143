"""Surveys of a sample: elements over all levels, and atomic percent at every level, as part of `xps_fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from depthlock.model.chemistry import SensitivitySet, SurveyTable
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.xps.quantify import RegionTotal, atomic_percent
from depthlock.xps.shapes import FloatArray
from depthlock.xps.survey import FoundElement, Identification, identify, single_lines
from depthlock.xps.survey_areas import SurveyWindow, choose_window, window_area
from depthlock.xps.survey_peaks import FilteredSurvey, filter_survey
from depthlock.xps.windows import Window

ONE_LEVEL_SIGMA = 15.0
"""Response over noise that an element needs to count when only single levels show it."""

WINDOW_STD = 0.04
"""Relative standard error of an area for what a window of fixed width cuts off or lets in (tails, shake-up)."""

OVERLAP_STD, OVERLAP_FLOOR = 0.2, 0.1
"""Standard error added where another element's line stands in the window, which is cut short there: relative to the
area, and to the largest area of all levels."""

AL_K_ALPHA_EV = 1486.6
"""Photon energy (eV) where the file states none."""

DETECTION_SIGMA = 3.0


@dataclass(frozen=True)
class _Level:
    """A level's spectrum, filtered, with its charge shift (eV)."""

    number: int
    survey: FilteredSurvey
    shift: float


def add_survey(
    result: xr.Dataset,
    window: Window,
    table: SurveyTable,
    sensitivity: SensitivitySet | None,
    photon_energy: float = AL_K_ALPHA_EV,
) -> xr.Dataset:
    """Quantify a survey.

    Parameters
    ----------
    result : xr.Dataset
        `xps_fit`.
    window : Window
        The survey over the sample's levels.
    table : SurveyTable
    sensitivity : SensitivitySet or None
        Its factors go before the table's when it has one for every line used.
    photon_energy : float
        eV.

    Returns
    -------
    xr.Dataset
        Also survey_atomic_percent (level, survey_element) with siblings; survey_line (survey_element), survey_shift
        (level, eV), survey_rate (level, survey_point, counts/s), survey_energy (survey_point, as measured), and the
        lines for a figure: survey_mark_energy, survey_mark_label (survey_mark). Unchanged without elements.
    """
    measured = np.flatnonzero(window.measured)
    mean = filter_survey(window.energy, window.rate[measured].mean(axis=0), window.exposure[measured].sum(axis=0))
    whole = identify(mean, table, photon_energy)
    levels, found = [], {one.element.element: one for one in whole.elements}
    for number in measured:
        survey = filter_survey(window.energy, window.rate[number], window.exposure[number])
        own = identify(survey, table, photon_energy)
        known = [one for one in own.elements if one.element.element in found]
        levels.append(_Level(int(number), survey, own.shift + _offset(known, found) if known else whole.shift))
        for one in own.elements:
            if one.significance >= ONE_LEVEL_SIGMA:
                found.setdefault(one.element.element, one)
    elements = list(found.values())
    ends = (float(mean.energy[0]) - whole.shift, float(mean.energy[-1]) - whole.shift)
    windows = {one.element.element: choose_window(one, elements, ends) for one in elements}
    result = _with_curves(result, window, levels, elements, windows, whole)
    return _with_percent(result, levels, windows, table, sensitivity) if elements else result


def _offset(own: list[FoundElement], common: Mapping[str, FoundElement]) -> float:
    """How much farther than in the mean spectrum a level's lines lie from the table: the rest of its charge shift."""
    return float(np.median([one.offset - common[one.element.element].offset for one in own]))


def _factors(
    windows: Mapping[str, SurveyWindow], table: SurveyTable, sensitivity: SensitivitySet | None
) -> tuple[dict[str, float], str, float]:
    """Factor of every element's line, the set's name, and the relative standard error of its factors."""
    names = {element: f"{element} {window.line.level}" for element, window in windows.items()}
    if sensitivity is not None and all(name in sensitivity.factors for name in names.values()):
        own = {element: sensitivity.factors[name] for element, name in names.items()}
        return own, f"{sensitivity.name}: {sensitivity.source}", sensitivity.relative_std
    return {element: window.line.factor for element, window in windows.items()}, f"{table.name}: {table.source}", 0.0


def _with_percent(
    result: xr.Dataset,
    levels: list[_Level],
    windows: Mapping[str, SurveyWindow],
    table: SurveyTable,
    sensitivity: SensitivitySet | None,
) -> xr.Dataset:
    factors, name, factor_std = _factors(windows, table, sensitivity)
    count = result.sizes["level"]
    totals, flags = [], []
    for element, window in windows.items():
        area, std = np.full(count, np.nan), np.full(count, np.nan)
        for level in levels:
            survey = level.survey
            limits = window.low + level.shift, window.high + level.shift
            area[level.number], std[level.number] = window_area(survey.energy, survey.rate, survey.variance, *limits)
        area, std = area / window.share, std / window.share
        if window.overlapped:
            std = np.hypot(std, OVERLAP_STD * np.abs(area) + OVERLAP_FLOOR * np.nanmax(np.abs(area)))
        absent = np.isfinite(area) & (area < DETECTION_SIGMA * std)
        totals.append(
            RegionTotal(f"{element} {window.line.level}", element, np.maximum(area, 0.0), std, factors[element])
        )
        covered = f"survey_overlap:{window.overlapped.replace(';', ',')}" if window.overlapped else ""
        flags.append([join_flags("not_detected" if gone else "", covered) for gone in absent])
    order, percent = atomic_percent(totals, float(np.hypot(factor_std, WINDOW_STD)))
    own = np.asarray(percent.flag)
    flag = np.array(
        [[join_flags(str(own[level, k]), flags[k][level]) for k in range(len(order))] for level in range(count)]
    )
    result = result.assign_coords(
        survey_element=("survey_element", order, {"units": "1"}),
        survey_line=("survey_element", [total.region for total in totals], {"units": "1"}),
    )
    quantity = Quantity(percent.value, percent.std, percent.lower, percent.upper, flag.astype(np.str_))
    result = assign(result, "survey_atomic_percent", ("level", "survey_element"), quantity, "percent")
    return result.assign_attrs(survey_sensitivity=name)


def _with_curves(
    result: xr.Dataset,
    window: Window,
    levels: list[_Level],
    elements: list[FoundElement],
    windows: Mapping[str, SurveyWindow],
    whole: Identification,
) -> xr.Dataset:
    """The spectra, the shift of every level, and where the lines of the elements found lie on the mean spectrum."""
    shift = np.full(result.sizes["level"], np.nan)
    for level in levels:
        shift[level.number] = level.shift
    rate = np.where(window.measured[:, None], window.rate, np.nan)
    marks: list[tuple[float, str]] = []
    for one in elements:
        for line in one.element.lines:
            energy = single_lines(line)[0][0] + one.offset + whole.shift
            if window.energy[0] <= energy <= window.energy[-1]:
                name = f"{one.element.element} {line.level}"
                marks.append((energy, f"{name} *" if windows[one.element.element].line == line else name))
    return result.assign(
        survey_energy=("survey_point", window.energy, {"units": "eV", "description": "binding energy as measured"}),
        survey_rate=(("level", "survey_point"), rate, {"units": "count / s"}),
        survey_shift=("level", shift, {"units": "eV"}),
        survey_mark_energy=("survey_mark", np.array([energy for energy, _ in marks], dtype=float), {"units": "eV"}),
        survey_mark_label=("survey_mark", np.array([label for _, label in marks], dtype=np.str_), {"units": "1"}),
    ).set_coords("survey_energy")


def empty_fit(times: FloatArray) -> xr.Dataset:
    """`xps_fit` of a sample without core levels: no component and no point."""
    levels = times.size
    result = xr.Dataset(
        coords={
            "etch_time": ("level", times, {"units": "s"}),
            **{
                name: (dim, np.array([], dtype=np.str_), {"units": "1"})
                for name, dim in (("component", "component"), ("region", "component"), ("core_level", "core_level"),
                                  ("region_of_point", "point"), ("element", "element"))
            },
            "binding_energy": ("point", np.zeros(0), {"units": "eV"}),
        }
    )  # fmt: skip
    for name in ("counts_per_second", "model", "background", "residual", "noise"):
        result[name] = (("level", "point"), np.zeros((levels, 0)), {"units": "count / s"})
    nothing = np.zeros((levels, 0))
    empty = Quantity(nothing, nothing, flag=np.zeros((levels, 0), dtype="<U1"))
    for name, unit in (("area", "count * eV / s"), ("fraction", "1"), ("position", "eV"), ("fwhm", "eV")):
        result = assign(result, name, ("level", "component"), empty, unit)
    result = assign(result, "atomic_percent", ("level", "element"), empty, "percent")
    missing = np.full(levels, np.nan)
    shift = Quantity(missing, missing, flag=np.full(levels, "no_core_level"))
    return assign(result, "charge_shift", ("level",), shift, "eV")

"""Fits that an expert left in the file, in our units: CasaXPS's regions and components, or exported curves.

CasaXPS states areas in counts/s eV without its transmission correction and energies as kinetic energies in its
calibrated frame. Here areas and curves are divided by the transmission, as ours are, and energies are those of the raw
axis: binding energy = photon energy - position - sum of the calibrations, of those that did not move regions or
components along with the spectrum.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.line_shapes import parse_shape
from depthlock.xps.background import static_shirley, tougaard
from depthlock.xps.evaluation import line_shape
from depthlock.xps.shapes import FloatArray
from depthlock.xps.tabulated import tabulated_line

_UNIVERSAL = re.compile(r"^u \S+ tougaard$")
"""U 2, U 3, U Poly, U Si and their like: all state the numbers of one cross section."""


@dataclass(frozen=True)
class ExpertLine:
    """A component of an expert's fit.

    Attributes
    ----------
    name, shape : str
        As the file has them; shape is empty for exported curves.
    position, fwhm : float
        eV, on the axis as measured.
    area : float
        counts/s eV, transmission divided out.
    curve : ndarray (points,)
        counts/s without background; NaN where the shape's formula is not known.
    """

    name: str
    shape: str
    position: float
    fwhm: float
    area: float
    curve: FloatArray


@dataclass(frozen=True)
class ExpertFit:
    """An expert's fit of one spectrum.

    Attributes
    ----------
    energy : ndarray (points,)
        Binding energy as measured, ascending, eV.
    lines : tuple of ExpertLine
    background : ndarray (points,)
        counts/s; NaN outside the expert's regions.
    background_kind : str
    whole : float
        Data minus background, integrated over the expert's regions, counts/s eV; NaN without regions.
    """

    energy: FloatArray
    lines: tuple[ExpertLine, ...]
    background: FloatArray
    background_kind: str
    whole: float

    @property
    def envelope(self) -> FloatArray:
        """Background and all components, counts/s; NaN where either is not known."""
        return np.asarray(self.background + np.sum([line.curve for line in self.lines], axis=0))


def has_expert(spectra: xr.Dataset) -> bool:
    """Whether a block of spectra holds a fit."""
    return "expert_components" in spectra or "casaxps" in spectra.attrs


def expert_fits(spectra: xr.Dataset) -> list[ExpertFit | None]:
    """The expert's fit of every level of a block; None where there is none.

    Parameters
    ----------
    spectra : xr.Dataset
        `xps_spectra`, with ``expert_components`` (CasaXPS's text export) or the attribute ``casaxps`` (comments of a
        VAMAS file).

    Returns
    -------
    list of ExpertFit or None
    """
    levels = spectra.sizes["level"]
    if "expert_components" in spectra:
        return [_from_curves(spectra, level) for level in range(levels)]
    recorded = json.loads(spectra.attrs.get("casaxps", "[]"))
    if len(recorded) != levels:
        return [None] * levels
    return [_from_comment(spectra, level, record or {}) for level, record in enumerate(recorded)]


@dataclass(frozen=True)
class _Spectrum:
    """One level: energy ascending, rate with the transmission divided out, and the transmission."""

    energy: FloatArray
    rate: FloatArray
    transmission: FloatArray
    order: np.ndarray


def _spectrum(spectra: xr.Dataset, level: int) -> _Spectrum:
    energy = np.asarray(spectra["binding_energy"].values, dtype=float)
    counts = np.asarray(spectra["counts"].transpose("level", "energy").values[level], dtype=float)
    usable = np.flatnonzero(np.isfinite(energy) & np.isfinite(counts))
    order = usable[np.argsort(energy[usable], kind="stable")]
    time = 1.0
    if str(spectra.attrs.get("intensity_kind", "counts")) == "counts":
        for name in ("dwell_time", "scans"):
            if name in spectra:
                value = float(np.broadcast_to(spectra[name].values, (spectra.sizes["level"],))[level])
                time *= value if np.isfinite(value) and value > 0 else 1.0
    transmission = np.ones(energy.size)
    if "transmission" in spectra:
        stated = np.atleast_2d(np.asarray(spectra["transmission"].values, dtype=float))
        stated = stated[min(level, stated.shape[0] - 1)]
        if np.all(np.isfinite(stated)) and np.all(stated > 0):
            transmission = stated
    return _Spectrum(energy[order], counts[order] / (time * transmission[order]), transmission[order], order)


def _from_curves(spectra: xr.Dataset, level: int) -> ExpertFit | None:
    """Integrate exported components, which CasaXPS draws on top of the background."""
    if "expert_background" not in spectra:
        return None
    one = _spectrum(spectra, level)
    background = np.asarray(spectra["expert_background"].values[level], dtype=float)[one.order] / one.transmission
    rows = spectra["expert_components"].transpose("expert_component", "level", "energy").values[:, level]
    lines = []
    for name, row in zip(spectra["expert_component"].values, rows, strict=True):
        curve = np.asarray(row, dtype=float)[one.order] / one.transmission - background
        if not np.any(curve > 0):
            continue
        apex, width = _apex_and_width(one.energy, curve)
        lines.append(ExpertLine(str(name), "", apex, width, float(np.trapezoid(curve, one.energy)), curve))
    inside = np.abs(one.rate - background) > 1e-6 * np.abs(one.rate)
    whole = float(np.trapezoid(np.where(inside, one.rate - background, 0.0), one.energy))
    return ExpertFit(one.energy, tuple(lines), background, "exported", whole) if lines else None


def _apex_and_width(energy: FloatArray, curve: FloatArray) -> tuple[float, float]:
    """Place of the maximum (parabola through three points) and full width at half maximum."""
    top = int(np.clip(np.argmax(curve), 1, curve.size - 2))
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    step = 0.5 * (energy[top + 1] - energy[top - 1])
    half = 0.5 * (middle - 0.25 * (left - right) * offset)
    edges = []
    for side in (range(top, 0, -1), range(top, curve.size - 1)):
        ahead = -1 if side.step < 0 else 1
        for k in side:
            if curve[k + ahead] < half <= curve[k]:
                share = (curve[k] - half) / (curve[k] - curve[k + ahead])
                edges.append(float(energy[k] + share * (energy[k + ahead] - energy[k])))
                break
    width = edges[1] - edges[0] if len(edges) == 2 else float("nan")
    return float(energy[top] + offset * step), width


def _from_comment(spectra: xr.Dataset, level: int, record: Mapping[str, Any]) -> ExpertFit | None:
    """Rebuild a fit from CasaXPS's region and component lines."""
    regions, components = record.get("regions", ()), record.get("components", ())
    photon = float(spectra.attrs.get("photon_energy_eV", np.nan))
    if not regions or not np.isfinite(photon):
        return None
    one = _spectrum(spectra, level)
    shift = {what: _binding_shift(record.get("calibrations", ()), what) for what in ("regions", "comps")}
    background = np.full(one.energy.size, np.nan)
    kinds, whole = [], 0.0
    for region in _distinct(regions):
        low, high = sorted(photon - float(region[end]) - shift["regions"] for end in ("start", "end"))
        first, last = (int(np.argmin(np.abs(one.energy - end))) for end in (low, high))
        if last - first < 5:
            continue
        inside = slice(first, last + 1)
        background[inside] = _background(region, one, first, last)
        kinds.append(str(region["background"]))
        whole += float(np.trapezoid((one.rate - background)[inside], one.energy[inside]))
    if not kinds:
        return None
    lines = tuple(_line(component, one, photon - shift["comps"]) for component in components)
    return ExpertFit(one.energy, lines, background, ", ".join(dict.fromkeys(kinds)), whole)


def _binding_shift(calibrations: Sequence[Mapping[str, Any]], what: str) -> float:
    """What calibrations add to the raw binding energy of `regions` or `comps` as they are stated, eV."""
    total = 0.0
    for calibration in calibrations:
        difference = float(calibration["applied"]) - float(calibration["measured"])
        if what not in calibration.get("moved", ()):
            total += -difference if calibration["scale"] == "KE" else difference
    return total


def _distinct(regions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Regions without narrower ones of the same name inside a wider one, which CasaXPS keeps but does not show."""
    ends = [sorted((float(region["start"]), float(region["end"]))) for region in regions]
    kept = []
    for number, (region, (low, high)) in enumerate(zip(regions, ends, strict=True)):
        wider = (
            place
            for place, (other, (start, end)) in enumerate(zip(regions, ends, strict=True))
            if place != number
            and other["name"] == region["name"]
            and max(low, start) < min(high, end)
            and (end - start, place) > (high - low, number)
        )
        if next(wider, None) is None:
            kept.append(region)
    return kept


def _background(region: Mapping[str, Any], one: _Spectrum, first: int, last: int) -> FloatArray:
    """The background of a region line between two points; NaN for kinds that are not known, and for offset ends."""
    kind = " ".join(str(region["background"]).split()).lower()
    offsets = [float(number) for number in region["parameters"]][:2]
    if any(offsets):
        # Percentages by which CasaXPS moves the ends; of what, it does not say.
        return np.full(last - first + 1, np.nan)
    # The integer n of a region line: an end's level is the mean of the points up to n // 2 to either side of it.
    reach = int(region["end_points"]) // 2
    low, high = (one.rate[max(end - reach, 0) : end + reach + 1].mean() for end in (first, last))
    ends = (np.array([low]), np.array([high]))
    energy, rate = one.energy[first : last + 1], one.rate[first : last + 1][None]
    if kind == "shirley":
        return np.asarray(static_shirley(energy, rate, ends=ends)[0])
    if _UNIVERSAL.match(kind):
        parameters = [float(number) for number in region["parameters"]][2:6]
        scale, c, d, gap = (parameters + [0.0] * 4)[:4]
        # Both sides are rates over a slowly changing transmission, so that B stays what it is.
        return np.asarray(tougaard(energy, rate, (c, d, gap), scale=scale, ends=ends)[0])
    if kind == "linear":
        return np.asarray(np.interp(energy, energy[[0, -1]], [low, high]))
    return np.full(energy.size, np.nan)


def _line(component: Mapping[str, Any], one: _Spectrum, zero: float) -> ExpertLine:
    """A component line of a comment with its curve; `zero` minus the stated kinetic energy is the raw position."""
    position = zero - float(component["position"]["value"])
    transmission = float(np.interp(position, one.energy, one.transmission))
    area = float(component["area"]["value"]) / transmission
    width = float(component["fwhm"]["value"])
    curve = np.full(one.energy.size, np.nan)
    try:
        form = parse_shape(str(component["shape"]))
    except ValueError:
        form = None
    if form is not None and width > 0:
        if form.kind == "GL":
            # CasaXPS's width of a product is that of either factor.
            width *= tabulated_line(form.name).width
        shape = line_shape(form.name, one.energy - position, np.array([width]), 0.0)
        curve = area * shape.density
    return ExpertLine(str(component["name"]), str(component["shape"]), position, width, area, curve)

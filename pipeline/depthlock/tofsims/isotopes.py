"""The isotope check: an ion's peak must come with the peaks of its other isotopes, in their natural proportion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.ions import ELECTRON_MASS, Ion, Isotopologue
from depthlock.model.quantity import NORMAL_95
from depthlock.tofsims.assembly import IsotopeRatio
from depthlock.tofsims.instrument import Instrument, counting_flags
from depthlock.tofsims.lookalikes import Lookalike
from depthlock.tofsims.overlaps import PeakFit, fit_peak
from depthlock.tofsims.peak_model import fit_region
from depthlock.tofsims.windows import Window, read_window, summed

REFUTED = 4.0
"""Standard deviations by which an isotopologue must be too weak to refute an assignment."""

FRACTIONATION = 0.02
"""Relative error of a natural ratio per unit of mass: sputtering and detector favour light isotopes by some percent."""

_LEAST_RATIO = 2e-3
"""Natural ratio to the followed peak below which an isotopologue is left out."""

_MOST_LINES = 3

_RESOLVED = 0.35
"""Distance in FWHM below which lines of one mass number are one peak."""

_FEWEST_IONS = 25.0
"""Expected ions below which even an empty peak refutes nothing."""

_OWN_COST = 1.0
"""How far-fetched the other lines of the same ion are: hardly."""

_UNRESOLVED = 0.4
"""Share of what lateral structure changed in the dead-time correction that finer structure may still change."""


@dataclass(frozen=True)
class NaturalLine:
    """An isotopologue beside the followed one.

    Attributes
    ----------
    shift : int
        Its mass number minus that of the followed one.
    mz : float
        In Da, the mean of what has this mass number.
    ratio : float
        Its natural intensity over that of the followed one.
    beside : tuple of float
        m/z in Da of weaker lines of the same mass number that stand apart.
    """

    shift: int
    mz: float
    ratio: float
    beside: tuple[float, ...] = ()


def natural_lines(ion: Ion, resolved: float) -> tuple[NaturalLine, ...]:
    """Isotopologues beside an ion's own, by mass; the strongest three above 0.2 % of it.

    Parameters
    ----------
    ion : Ion
        An isotope in its formula says which one is followed, and its element is taken as natural.
    resolved : float
        Distance in Da below which lines of one mass number are one peak. Of those that stand further apart (^13CN- and
        C^15N- do, at R = 5000) the strongest peak is taken, and the others are `beside` it.
    """
    fine = _fine_structure(ion.formula, ion.charge)
    own = min(fine, key=lambda line: abs(line.mz - ion.mz))
    whole = sum(line.fraction for line in fine if abs(line.mz - own.mz) < resolved)
    found = []
    for number in {line.mass_number for line in fine} - {own.mass_number}:
        same = [line for line in fine if line.mass_number == number]
        top = max(same, key=lambda line: line.fraction)
        merged = [line for line in same if abs(line.mz - top.mz) < resolved]
        total = sum(line.fraction for line in merged)
        mz = sum(line.mz * line.fraction for line in merged) / total
        beside = tuple(line.mz for line in same if line not in merged and line.fraction > 0.01 * total)
        found.append(NaturalLine(number - own.mass_number, mz, total / whole, beside))
    strongest = sorted((line for line in found if line.ratio >= _LEAST_RATIO), key=lambda line: -line.ratio)
    return tuple(sorted(strongest[:_MOST_LINES], key=lambda line: line.shift))


@lru_cache(maxsize=1024)
def _fine_structure(formula: str, charge: int) -> tuple[Isotopologue, ...]:
    """Every isotopic composition of a formula, named isotopes taken as natural, above 1e-6 of all."""
    from molmass import ELEMENTS, Formula

    lines = {(0, -charge * ELECTRON_MASS): 1.0}
    for item in Formula(formula.partition("_")[0]).composition().values():
        isotopes = ELEMENTS[re.sub(r"^\d+", "", item.symbol)].isotopes.values()
        for _ in range(int(item.count)):
            grown: dict[tuple[int, float], float] = {}
            for (number, mass), fraction in lines.items():
                for one in isotopes:
                    key = (number + one.massnumber, round(mass + one.mass, 6))
                    grown[key] = grown.get(key, 0.0) + fraction * one.abundance
            lines = {key: fraction for key, fraction in grown.items() if fraction > 1e-7}
    return tuple(
        Isotopologue(number, mass / abs(charge), fraction)
        for (number, mass), fraction in lines.items()
        if fraction > 1e-6
    )


def check_isotopes(
    events: xr.Dataset, instrument: Instrument, used: NDArray[np.bool_], ion: Ion, window: Window, fit: PeakFit
) -> tuple[tuple[IsotopeRatio, ...], str]:
    """Ratios of an ion's other isotopologues to its peak, and whether they refute the assignment.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    instrument : Instrument
    used : ndarray of bool, shape (scan,)
        Scans that count.
    ion : Ion
    window : Window
        Of the ion.
    fit : PeakFit
        Of its peak.

    Returns
    -------
    tuple of IsotopeRatio, str
        The flag is ``isotope_pattern`` when an isotopologue is too weak by more than `REFUTED` standard deviations even
        if all ions at its place were it. Too strong a one refutes nothing: other ions may stand there. Where the ion's
        own peak may hold a look-alike, or the detector was overloaded, nothing is said.
    """
    own_error = _error(fit, window)
    if "not_detected" in fit.flag.split(";") or fit.ions[0] <= 0:
        return (), ""
    ratios, refuted = [], False
    silent = "lookalike" in fit.flag or "overlap" in fit.flag or bool(counting_flags(window, instrument.view.raster))
    per_bin = instrument.around.calibration.scale.relative_per_bin(ion.mz)
    for line in natural_lines(ion, _RESOLVED * fit.fwhm * per_bin * ion.mz):
        expected = line.ratio * float(fit.ions[0])
        if expected < _FEWEST_IONS:
            empty = IsotopeRatio(line.shift, np.nan, np.nan, np.nan, np.nan, "few_counts", line.ratio, np.nan)
            ratios.append(empty)
            continue
        other, beside = _fit_line(events, instrument, used, ion, line)
        tolerance = FRACTIONATION * abs(line.shift) * line.ratio
        ratios.append(_ratio(line, fit, own_error, other, _error(other, beside), tolerance))
        if not (silent or counting_flags(beside, instrument.view.raster)):
            refuted |= _too_weak(line, fit, own_error, other, beside, tolerance)
    return tuple(ratios), "isotope_pattern" if refuted else ""


def _fit_line(
    events: xr.Dataset, instrument: Instrument, used: NDArray[np.bool_], ion: Ion, line: NaturalLine
) -> tuple[PeakFit, Window]:
    around = instrument.around
    other = Ion(f"{ion.label} M{line.shift:+d}", ion.formula, ion.charge, line.mz)
    window = read_window(events, instrument.view, instrument.detector, *fit_region(other, around))
    beside = [Lookalike(f"isotopes of {ion.label} at {mz:.4f}", mz, _OWN_COST) for mz in line.beside]
    return fit_peak(other, window.edges, summed(window, used), around, ion.mz, beside), window


def _error(fit: PeakFit, window: Window) -> float:
    """Standard error of the ions of a fit: counting, shape, neighbours, lateral structure; at least one ion."""
    counted = np.sqrt(max(float(fit.covariance[0, 0]), float(fit.ions[0]), 1.0))
    return float(np.hypot(counted, _UNRESOLVED * window.uneven * fit.ions[0]))


def _ratio(
    line: NaturalLine, fit: PeakFit, own_error: float, other: PeakFit, error: float, tolerance: float
) -> IsotopeRatio:
    main, ions = float(fit.ions[0]), float(other.ions[0])
    value = ions / main
    std = float(np.hypot(error / main, value * own_error / main))
    half = NORMAL_95 * std
    deviation = (value - line.ratio) / float(np.hypot(std, tolerance))
    return IsotopeRatio(line.shift, value, std, max(value - half, 0.0), value + half, other.flag, line.ratio, deviation)


def _too_weak(
    line: NaturalLine, fit: PeakFit, own_error: float, other: PeakFit, window: Window, tolerance: float
) -> bool:
    """Whether all ions within a peak width of the isotopologue's place are too few."""
    place = other.components[0].position
    near = [k for k, one in enumerate(other.components) if abs(one.position - place) < other.fwhm]
    ions = float(other.ions[near].sum())
    counting = max(float(other.covariance[np.ix_(near, near)].sum()), _error(other, window) ** 2, ions)
    main = float(fit.ions[0])
    variance = counting + (line.ratio * own_error) ** 2 + (tolerance * main) ** 2
    return line.ratio * main - ions > REFUTED * float(np.sqrt(variance))

"""The strongest peaks of a spectrum, each with the formulas it could be: by mass, plausibility and isotopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from depthlock.model.errors import MeasurementError
from depthlock.model.ions import Ion
from depthlock.model.options import ProfileOptions
from depthlock.model.quantity import NORMAL_95
from depthlock.tofsims.calibrants import calibrant_ions
from depthlock.tofsims.instrument import Instrument, survey
from depthlock.tofsims.isotopes import FRACTIONATION, REFUTED, natural_lines
from depthlock.tofsims.lookalikes import composition_cost, formulas_near
from depthlock.tofsims.peaks import Peak

_FARTHEST = 4.0
"""Standard errors of the mass within which a formula is a candidate."""

_PLACE_ERROR = 0.03
"""Error of a peak's place beyond counting, in FWHM: neighbours pull it."""

_MOST_ATOMS = 5
"""Most atoms beside hydrogen of a formula that nobody named."""

_MOST_NAMED_ATOMS = 8
_MOST_HYDROGENS = 12
"""The same for formulas of the session's elements and hydrocarbons."""

_MOST_CANDIDATES = 3
_MOST_LOOKED_AT = 40

_FEWEST_IONS = 25.0
"""Expected ions from which an isotopologue is looked at."""

_AREA_ERROR = 0.1
"""Relative error of ions summed about a place without a fit."""

_EXPECTED = 1.5
"""How much less far-fetched an ion is that the session names or nearly every spectrum holds."""

_MERIT = {"supported": -2.0, "refuted": 8.0}


@dataclass(frozen=True)
class IsotopeEvidence:
    """Ions found at the place of an isotopologue, over those of the peak.

    Attributes
    ----------
    shift : int
        Mass number minus that of the peak.
    ratio, natural : float
        Found (all ions there, whatever they are) and at natural abundance.
    verdict : str
        ``supported``: as many as there should be; ``refuted``: too few; ``hidden``: more, so other ions stand there.
    """

    shift: int
    ratio: float
    natural: float
    verdict: str


@dataclass(frozen=True)
class Candidate:
    """A formula that a peak could be.

    Attributes
    ----------
    label : str
    ppm : float
        Measured minus exact m/z.
    sigma : float
        The same over its standard error.
    followed : bool
        Whether the session follows it.
    isotopes : tuple of IsotopeEvidence
    verdict : str
        ``refuted`` if one isotopologue is, else ``supported`` if one is, else ``hidden``; empty without any to look at.
    merit : float
        The lower the likelier: half the squared deviation, how far-fetched the formula is, the isotopes.
    """

    label: str
    ppm: float
    sigma: float
    followed: bool
    isotopes: tuple[IsotopeEvidence, ...]
    verdict: str
    merit: float


@dataclass(frozen=True)
class ListedPeak:
    """A peak of the spectrum.

    Attributes
    ----------
    mz, mz_std : float
        Measured after calibration, in Da.
    ions : float
        In the peak.
    resolution : float
        m/z over FWHM.
    candidates : tuple of Candidate
        The likeliest first, refuted ones only where there are no others; may be empty.
    """

    mz: float
    mz_std: float
    ions: float
    resolution: float
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class PeakList:
    """Peaks of a file, the strongest first, and the flag and residual scatter in ppm of the calibration behind them."""

    peaks: tuple[ListedPeak, ...]
    calibration_flag: str
    scatter_ppm: float


def list_peaks(events: xr.Dataset, options: ProfileOptions, most: int = 40) -> PeakList:
    """The strongest peaks of the whole spectrum with their candidate formulas.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    options : ProfileOptions
        Ions of the session, elements of its chemistry, calibration.
    most : int
        Number of peaks.

    Raises
    ------
    MeasurementError
        When the file holds no spectrum of single ions.
    """
    if "mass_bin" not in events.variables or events.sizes["event"] == 0:
        raise MeasurementError(
            "the file holds no mass spectrum",
            expected="a raw file with single ions",
            where=str(events.attrs.get("source", "")),
            hint="exported profiles hold chosen masses only; name the raw file",
        )
    instrument = survey(events, options)
    calibration = instrument.around.calibration
    strongest = sorted(instrument.around.peaks, key=lambda peak: -peak.counts)[:most]
    peaks = name_peaks(strongest, instrument, options, str(events.attrs["polarity"]))
    return PeakList(peaks, calibration.flag, calibration.scale.scatter * 1e6)


def name_peaks(
    peaks: Sequence[Peak], instrument: Instrument, options: ProfileOptions, polarity: str
) -> tuple[ListedPeak, ...]:
    """The candidate formulas of some peaks of a surveyed spectrum, in their order.

    Parameters
    ----------
    peaks : sequence of Peak
    instrument : Instrument
        The survey.
    options : ProfileOptions
    polarity : str
        ``+`` or ``-``.
    """
    known = calibrant_ions([Ion.parse(entry.ion) for entry in options.ions], polarity)
    labels = frozenset(entry.ion for entry in options.ions)
    return tuple(_listed(peak, instrument, known, labels, 1 if polarity == "+" else -1) for peak in peaks)


def _listed(
    peak: Peak, instrument: Instrument, known: Sequence[Ion], followed: frozenset[str], sign: int
) -> ListedPeak:
    around = instrument.around
    scale = around.calibration.scale
    mz = float(scale.mz(peak.position))
    per_bin = scale.relative_per_bin(mz)
    scale_error = scale.relative_std(mz) * around.calibration.coverage / NORMAL_95
    placed = np.hypot(peak.position_std, _PLACE_ERROR * peak.fwhm) * per_bin
    relative = float(np.hypot(scale_error, placed))
    width = _FARTHEST * relative * mz
    named = frozenset(around.elements).union(*(ion.elements for ion in known if ion.label in followed))
    found = [(ion, composition_cost(ion.elements, named) - _EXPECTED) for ion in known if abs(ion.mz - mz) <= width]
    larger = formulas_near(mz, sign, named | {"C", "H"}, width, _MOST_NAMED_ATOMS, _MOST_HYDROGENS, contaminants=False)
    formulas = formulas_near(mz, sign, named, width, _MOST_ATOMS) + larger
    formulas.sort(key=lambda one: one.cost + 0.5 * ((mz / one.mz - 1.0) / relative) ** 2)
    for one in formulas[:_MOST_LOOKED_AT]:
        ion = Ion.parse(one.label)
        if _can_hold_its_hydrogen(ion) and all(abs(other.mz - one.mz) > 1e-5 for other, _ in found):
            found.append((ion, one.cost))
    # Isotopes are looked up for those that mass and composition leave in the running.
    found.sort(key=lambda pair: pair[1] + 0.5 * ((mz / pair[0].mz - 1.0) / relative) ** 2)
    candidates = [
        _candidate(ion, cost, (mz / ion.mz - 1.0), relative, peak, instrument, ion.label in followed)
        for ion, cost in found[: 4 * _MOST_CANDIDATES]
    ]
    standing = [one for one in candidates if one.verdict != "refuted"] or candidates
    best = tuple(sorted(standing, key=lambda one: one.merit)[:_MOST_CANDIDATES])
    return ListedPeak(mz, relative * mz, peak.counts, 1.0 / (per_bin * peak.fwhm), best)


def _can_hold_its_hydrogen(ion: Ion) -> bool:
    """Whether hydrogen and halogens are not many more than a saturated molecule's; one without any is not asked."""
    atoms = ion.elements
    single = sum(atoms.get(symbol, 0) for symbol in ("H", "F", "Cl", "Br", "I"))
    chain = 2 * sum(atoms.get(symbol, 0) for symbol in ("C", "Si")) + sum(atoms.get(symbol, 0) for symbol in ("N", "P"))
    return atoms.get("H", 0) == 0 or single <= chain + 4


def _candidate(
    ion: Ion, cost: float, off: float, relative: float, peak: Peak, instrument: Instrument, followed: bool
) -> Candidate:
    isotopes = _evidence(ion, peak, instrument)
    verdicts = {one.verdict for one in isotopes}
    verdict = next((name for name in ("refuted", "supported", "hidden") if name in verdicts), "")
    sigma = off / relative
    merit = cost + 0.5 * sigma**2 + _MERIT.get(verdict, 0.0)
    return Candidate(ion.label, off * 1e6, sigma, followed, isotopes, verdict, merit)


def _evidence(ion: Ion, peak: Peak, instrument: Instrument) -> tuple[IsotopeEvidence, ...]:
    """What stands at the places of an ion's isotopologues, by summing and without a fit."""
    around = instrument.around
    evidence = []
    own = around.widths.fwhm(peak.position) * around.calibration.scale.relative_per_bin(ion.mz) * ion.mz
    for line in natural_lines(ion, 0.7 * own):
        expected = line.ratio * peak.counts
        if expected < _FEWEST_IONS:
            continue
        place = float(around.calibration.scale.position(line.mz))
        fwhm = around.widths.fwhm(place)
        edges = np.array([place - 0.8 * fwhm, place + 1.0 * fwhm])
        counted = float(instrument.spectrum.histogram(edges)[0])
        ions = counted / float(around.shape.shares(edges, place, fwhm)[0])
        tolerance = np.hypot(_AREA_ERROR, FRACTIONATION * line.shift) * expected
        error = float(np.hypot(np.sqrt(max(ions, expected)), tolerance))
        verdict = "supported"
        if ions < expected - REFUTED * error:
            verdict = "refuted"
        elif ions > expected + 2.0 * error:
            verdict = "hidden"
        evidence.append(IsotopeEvidence(line.shift, ions / peak.counts, line.ratio, verdict))
    return tuple(evidence)

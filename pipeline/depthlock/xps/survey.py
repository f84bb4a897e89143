"""Elements of a survey spectrum: sets of lines that are all there, at one common charge shift.

An element is found when the line that it would show best is a peak where the table puts it, when its other lines that
should stand out do, and when no element found before explains the peak. The charge shift is the one at which the
elements found explain most of the peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depthlock.model.chemistry import SurveyElement, SurveyLine, SurveyTable
from depthlock.xps.shapes import FloatArray
from depthlock.xps.survey_peaks import FilteredSurvey

RELATIVE_EV = 2.0
"""How far lines of one element may lie from where its best line puts them."""

SHIFT_REACH_EV = 8.0
"""Largest charge shift looked for."""

SHIFT_STEP_EV = 0.5
"""Grid of the charge shift."""

SHIFT_PENALTY = 0.01
"""Share of the peaks' weight that a charge shift of one eV must gain to be believed."""

LEAST_SIGMA = 7.0
"""Least response over noise of an element's best line."""

EXPECTED_SIGMA = 12.0
"""Response over noise from which a further line is expected to be seen."""

LEAST_OF_EXPECTED = 0.25
"""Least share of its expected response that a further line must show; widths and the analyser's transmission differ."""

AUGER_EV = 9.0
"""Half width of an Auger group."""

RESOLVED_EV = 5.5
"""Least splitting of a doublet that a survey shows as two peaks for certain."""

LOSS_EV = 35.0
"""Reach of plasmon losses and shake-up above a strong line."""

LOSS_SHARE = 0.3
"""Largest height of a loss peak over its line."""

LEFT_SHARE = 0.5
"""Share of a peak that must be left, after lines of elements found before, for another element."""

USUAL_SHARE = 0.7
"""How far lines usually lie from the table's energies, as a share of an element's reach."""

RARE_WEIGHT = 0.6
"""What the evidence for an element counts that surfaces seldom hold."""

AUGER_WEIGHT = 0.8
"""What a peak counts that may be an element's Auger group."""

AUGER_SHARE = 0.5
"""Largest height of an Auger group's peak over the element's best line."""

MINOR_EV = 4.0
MINOR_SHARE = 0.4
"""How far from its table energy, and how high against its best line, a minor line may be."""

LONE_SIGMA = 10.0
"""Least response over noise of an element that shows one peak only; a rare one needs two."""

WEIGHT_CAP = 30.0
"""A peak's significance counts at most this much: beyond, it says nothing more about who made it."""


@dataclass(frozen=True)
class FoundElement:
    """An element that was found.

    Attributes
    ----------
    element : SurveyElement
    offset : float
        Its best line's distance from the table's energy after the charge shift, eV.
    amount : float
        Response of its best line over sensitivity factor and share.
    best : SurveyLine
    significance : float
        Response over noise of that line.
    """

    element: SurveyElement
    offset: float
    amount: float
    best: SurveyLine
    significance: float


@dataclass(frozen=True)
class Identification:
    """Elements of a spectrum in the order of their weight, and the charge shift (eV) common to them."""

    elements: tuple[FoundElement, ...]
    shift: float
    explained: float


def single_lines(line: SurveyLine) -> list[tuple[float, float]]:
    """Energies and factors of the peaks that a level makes in a survey; close doublets are one."""
    if line.splitting < RESOLVED_EV:
        return [(line.position, line.factor)]
    share = line.strong_share
    return [(line.position, line.factor * share), (line.position + line.splitting, line.factor * (1.0 - share))]


@dataclass
class _Spectrum:
    """A filtered survey with what found elements explain of it."""

    survey: FilteredSurvey
    photon_energy: float

    def inside(self, energy: float) -> bool:
        low, high = self.survey.energy[0] + 4.0, self.survey.energy[-1] - 4.0
        return bool(low <= energy <= high)

    def best_peak(self, energy: float, reach: float) -> tuple[float, float, float] | None:
        """Energy, response and significance of the strongest peak near an energy; None without one."""
        peaks = self.survey.peaks
        near = peaks[np.abs(self.survey.energy[peaks] - energy) <= reach]
        if near.size == 0:
            return None
        place = int(near[np.argmax(self.survey.response[near])])
        return self.survey.position(place), float(self.survey.response[place]), float(self.survey.ratio[place])

    def largest(self, energy: float, reach: float) -> tuple[float, float]:
        """Largest response near an energy, and its noise."""
        near = np.flatnonzero(np.abs(self.survey.energy - energy) <= reach)
        place = int(near[np.argmax(self.survey.response[near])])
        return float(self.survey.response[place]), float(self.survey.noise[place])


def identify(survey: FilteredSurvey, table: SurveyTable, photon_energy: float) -> Identification:
    """Find the elements of a spectrum.

    Parameters
    ----------
    survey : FilteredSurvey
    table : SurveyTable
    photon_energy : float
        eV; places Auger groups.

    Returns
    -------
    Identification
    """
    spectrum = _Spectrum(survey, photon_energy)
    weight = float(np.minimum(survey.ratio[survey.peaks], WEIGHT_CAP).sum())
    best: Identification | None = None
    for shift in np.arange(-SHIFT_REACH_EV, SHIFT_REACH_EV + 1e-9, SHIFT_STEP_EV):
        found = _greedy(spectrum, table.elements, float(shift))
        merit = found.explained - SHIFT_PENALTY * weight * abs(float(shift))
        if best is None or merit > best.explained:
            best = Identification(found.elements, found.shift, merit)
    if best is None or not best.elements:
        return Identification((), 0.0, 0.0)
    weights = [min(found.significance, WEIGHT_CAP) for found in best.elements]
    moved = float(np.average([found.offset for found in best.elements], weights=weights))
    return _greedy(spectrum, table.elements, best.shift + moved)


@dataclass(frozen=True)
class _Candidate:
    """An element that may be there: what speaks for it in every peak, and what it would explain of it (0 to 1)."""

    evidence: FloatArray
    covers: FloatArray
    found: FoundElement


def _greedy(spectrum: _Spectrum, elements: Sequence[SurveyElement], shift: float) -> Identification:
    """Take the element that explains most, then the one that explains most of the rest, and so on."""
    survey = spectrum.survey
    candidates = [one for element in elements if (one := _candidate(spectrum, element, shift)) is not None]
    weight = np.minimum(survey.ratio[survey.peaks], WEIGHT_CAP)
    left = np.ones(weight.size)
    taken: list[FoundElement] = []
    explained = 0.0
    while candidates:
        gains = [float((one.evidence * left * weight).sum()) for one in candidates]
        order = int(np.argmax(gains))
        one = candidates.pop(order)
        best = one.found.best.position + shift + one.found.offset
        if left[int(np.argmin(np.abs(survey.energy[survey.peaks] - best)))] < LEFT_SHARE:
            continue
        # What is left of its peaks must still speak for it, not only what it shares with others.
        alone = np.count_nonzero((one.evidence > 0.2) & (left > LEFT_SHARE)) < 2
        if alone and (one.found.element.rare or one.found.significance < LONE_SIGMA):
            continue
        taken.append(one.found)
        explained += gains[order]
        left = left * (1.0 - one.covers)
    return Identification(tuple(taken), shift, explained)


def _is_sharp(line: SurveyLine) -> bool:
    """Whether a level makes peaks that a survey shows as such; the others are broadened by Coster-Kronig decay."""
    light = line.position < 600.0 and line.level == "2s"
    return line.level in ("1s", "2p", "3d", "4f") or light


def _candidate(spectrum: _Spectrum, element: SurveyElement, shift: float) -> _Candidate | None:
    """An element as a candidate, when all its lines that should be seen are."""
    lines = [line for line in element.lines if spectrum.inside(line.position + shift)]
    if not lines or not _is_sharp(lines[0]):
        return None
    best = lines[0]
    peak = spectrum.best_peak(best.position + shift, element.reach)
    if peak is None or peak[2] < LEAST_SIGMA:
        return None
    energy, height, ratio = peak
    offset = energy - best.position - shift
    amount = height / single_lines(best)[0][1]
    near_table = float(np.exp(-0.5 * (offset / (USUAL_SHARE * element.reach)) ** 2)) * (
        RARE_WEIGHT if element.rare else 1.0
    )
    survey = spectrum.survey
    places, response = survey.energy[survey.peaks], survey.response[survey.peaks]
    own = np.abs(places - energy) <= float(survey.energy[1] - survey.energy[0])
    evidence = np.where(own, near_table, 0.0)
    covers = np.where(own, 1.0, 0.0)
    for line in lines:
        for position, factor in single_lines(line):
            expected, there = amount * factor, position + shift + offset
            if not spectrum.inside(there):
                continue
            seen, noise = spectrum.largest(there, RELATIVE_EV)
            near = np.abs(places - there) <= RELATIVE_EV
            if _is_sharp(line) and expected > EXPECTED_SIGMA * noise and seen < LEAST_OF_EXPECTED * expected:
                return None
            part = np.where(near, np.minimum(expected / np.maximum(response, 1e-300), 1.0), 0.0)
            evidence = np.maximum(evidence, part * near_table)
            losses = (
                (places > there)
                & (places < there + LOSS_EV)
                & (response < LOSS_SHARE * seen)
                & near.any()
                & _is_sharp(line)
            )
            covers = np.maximum(covers, np.maximum(np.minimum(2.0 * part, 1.0), np.where(losses, 1.0, 0.0)))
    for kinetic in element.auger:
        near = np.abs(places - (spectrum.photon_energy - kinetic + shift)) <= AUGER_EV
        evidence = np.maximum(evidence, np.where(near, AUGER_WEIGHT * near_table, 0.0))
        covers = np.maximum(covers, np.where(near & (response < AUGER_SHARE * height), AUGER_WEIGHT, 0.0))
    for position in element.minor:
        near = (np.abs(places - position - shift - offset) <= MINOR_EV) & (response < MINOR_SHARE * height)
        covers = np.maximum(covers, np.where(near, 1.0, 0.0))
    return _Candidate(evidence, covers, FoundElement(element, offset, amount, best, ratio))

"""Which peaks enter the fit of a stretch of spectrum: formulas, unknown ones, and those that may hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from depthlock.model.ions import Ion
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.lookalikes import Lookalike
from depthlock.tofsims.peak_model import (
    Component,
    PeakModel,
    Surroundings,
    expected_component,
    fit_components,
    prior_errors,
    score_test,
)
from depthlock.tofsims.quasi_poisson import CountData, CountFit

MOST_SUSPECT = 5.6
"""Cost above which no look-alike is suspected without evidence: molecules of more than some four atoms are too many."""

_LARGEST_COST = 8.0

_MOST_COMPONENTS = 6

_RELAXING = 5.0
"""Twice the gain in log-evidence for which the ion's own shape is believed rather than the file's: one ion in ten or so
has one."""

_OWN_PEAK = 0.5
"""Distance in FWHM between a found peak and an ion within which the peak may be the ion's."""

_SEEN = 2.0
"""Standard errors from which a suspect nobody asked for is seen."""

_PULL = 0.15
"""Distance in FWHM by which an unresolved neighbour commonly moves a found peak."""

_EVIDENCE = 12.0
"""Gain in deviance for which one more ion is taken into the fit."""


def at_found_peaks(
    ion: Ion, near: Sequence[Lookalike], edges: FloatArray, total: float, around: Surroundings
) -> tuple[Component, ...]:
    """The simplest formula at each peak that was found beside the ion's."""
    scale = around.calibration.scale
    own = float(scale.position(ion.mz))
    fwhm = around.widths.fwhm(own)
    beside = [
        peak
        for peak in around.peaks
        if edges[0] < peak.position < edges[-1] and abs(peak.position - own) > _OWN_PEAK * fwhm
    ]
    found: dict[str, Component] = {}
    for peak in beside:
        off = [(float(scale.position(one.mz)) - peak.position) / fwhm for one in near]
        merit = [one.cost + 0.5 * (by / _PULL) ** 2 for one, by in zip(near, off, strict=True)]
        if merit and abs(off[int(np.argmin(merit))]) < _OWN_PEAK:
            one = near[int(np.argmin(merit))]
            found[one.label] = expected_component(one.label, one.mz, min(peak.counts, 0.8 * total), around)
    return tuple(found.values())


def grown_from(
    components: tuple[Component, ...],
    near: Sequence[Lookalike],
    edges: FloatArray,
    data: CountData,
    around: Surroundings,
    fwhm: float,
) -> tuple[PeakModel, CountFit]:
    """A fit that began with some components, and took in what the counts ask for."""
    model, fit = fit_components(components, edges, data, around, fwhm)
    for most in (MOST_SUSPECT, _LARGEST_COST):
        # Simple formulas first: one far-fetched ion between two simple ones would fit their sum nearly as well.
        model, fit = _add_formulas(model, fit, data, around, [one for one in near if one.cost < most])
    return model, fit


def unlikeliness(model: PeakModel, fit: CountFit, near: Sequence[Lookalike]) -> float:
    """Deviance, priors, and what the components cost: the lower the likelier."""
    cost = {one.label: one.cost for one in near}
    return fit.objective + sum(_EVIDENCE + 3.0 * cost[one.label] for one in model.components[1:])


def _add_formulas(
    model: PeakModel, fit: CountFit, data: CountData, around: Surroundings, near: Sequence[Lookalike]
) -> tuple[PeakModel, CountFit]:
    """Take formulas into the fit as long as the counts ask for them, the most telling first."""
    scale = around.calibration.scale
    refused: set[str] = set()
    for _ in range(_MOST_COMPONENTS):
        taken = refused | {one.label for one in model.components}
        places = [one.position for one in model.components]
        test = score_test(model, fit, data, around)
        best: tuple[float, Lookalike, float] | None = None
        for one in near:
            position = float(scale.position(one.mz))
            # Two formulas closer than a fifth of the width are one peak: the first, more plausible one stands for both.
            if one.label in taken or min(abs(position - place) for place in places) < 0.2 * model.fwhm:
                continue
            ions, error = test.ask(position)
            gain = (ions / error) ** 2 if ions > 0 else 0.0
            merit = gain / (1.0 + 0.02 * max(one.cost - 3.0, 0.0)) - 3.0 * one.cost
            if gain > _EVIDENCE + 3.0 * one.cost and (best is None or merit > best[0]):
                best = (merit, one, ions)
        if best is None:
            break
        one, ions = best[1], best[2]
        wider = (*model.components, expected_component(one.label, one.mz, ions, around))
        trial_model, trial = fit_components(wider, model.edges, data, around, model.fwhm, fit.parameters)
        if fit.objective - trial.objective > _EVIDENCE:
            model, fit = trial_model, trial
        else:
            refused.add(one.label)
    return model, fit


def add_unknown(model: PeakModel, fit: CountFit, data: CountData, around: Surroundings) -> tuple[PeakModel, CountFit]:
    """Take peaks into the fit that no formula explains."""
    scale = around.calibration.scale
    for _ in range(3):
        test = score_test(model, fit, data, around)
        centres = 0.5 * (model.edges[1:] + model.edges[:-1])[::2]
        gains = []
        for place in centres:
            ions, error = test.ask(float(place))
            # A misfit of the shape is some percent of the peak beside it and no ion of its own.
            beside = float(np.interp(place, 0.5 * (model.edges[1:] + model.edges[:-1]), fit.mean))
            channels = model.fwhm / float(model.edges[1] - model.edges[0])
            gains.append(ions / np.hypot(error, 0.03 * beside * channels) if ions > 0 else 0.0)
        top = int(np.argmax(gains))
        position = float(centres[top])
        if gains[top] < 5.0 or min(abs(position - one.position) for one in model.components) < 0.6 * model.fwhm:
            break
        mz = float(scale.mz(position))
        found = Component(f"m/z {mz:.4f}", position, 0.2 * model.fwhm, test.ask(position)[0])
        trial_model, trial = fit_components(
            (*model.components, found), model.edges, data, around, model.fwhm, fit.parameters
        )
        if fit.objective - trial.objective < _EVIDENCE:
            break
        model, fit = trial_model, trial
    return model, fit


def add_suspects(
    model: PeakModel, fit: CountFit, data: CountData, around: Surroundings, suspects: Sequence[Lookalike]
) -> tuple[PeakModel, CountFit]:
    """Take the most plausible look-alikes that the shape can tell apart into the fit, asked for or not.

    What the counts do not show may still be there; only so does the ion's error hold what they may have taken.
    """
    scale = around.calibration.scale
    added = 0
    for one in suspects:
        places = [part.position for part in model.components]
        if min(abs(float(scale.position(one.mz)) - place) for place in places) < 0.25 * model.fwhm:
            continue
        guess = 0.02 * float(fit.parameters[9]) * model.unit + 1.0
        wider = (*model.components, expected_component(one.label, one.mz, guess, around))
        model, fit = fit_components(wider, model.edges, data, around, model.fwhm, fit.parameters)
        added += 1
        if added == 3:
            break
    return model, fit


def relaxed(
    model: PeakModel, fit: CountFit, data: CountData, around: Surroundings
) -> tuple[PeakModel, CountFit, Surroundings]:
    """The fit with a freer shape and width where the ion's own peak asks for it once all neighbours are in.

    Sputtered metal ions are broader than molecules, and no file has enough strong peaks to know each kind's shape.
    """
    freer = replace(around, widths=replace(around.widths, scatter=5.0 * around.widths.scatter))
    trial_model, trial = fit_components(model.components, model.edges, data, freer, model.fwhm, fit.parameters)
    if _evidence_gain(model, fit, around, trial, freer) > _RELAXING:
        return trial_model, trial, freer
    return model, fit, around


def _evidence_gain(
    model: PeakModel, fit: CountFit, around: Surroundings, trial: CountFit, freer: Surroundings
) -> float:
    """Twice the gain in log-evidence of a trial with wider priors: freedom costs as much as the data leave unused."""
    both = fit.free & trial.free
    block = np.ix_(both, both)
    _, before = np.linalg.slogdet(fit.covariance[block])
    _, after = np.linalg.slogdet(trial.covariance[block])
    narrow, wide = prior_errors(model, around)[both], prior_errors(model, freer)[both]
    finite = np.isfinite(narrow)
    spent = 2.0 * float(np.sum(np.log(wide[finite] / narrow[finite])))
    return fit.objective - trial.objective + float(after - before) - spent


def without_unseen(
    model: PeakModel, fit: CountFit, data: CountData, around: Surroundings, asked_for: int
) -> tuple[list[int], PeakModel, CountFit]:
    """The fit without the suspects that were not seen, and the numbers of the components that stay.

    Amounts cannot be negative, so what is not there would on average still take some ions from the peak beside it, as
    what is there gives it some when left out: the limit is where both are alike. The errors are those of the fit with
    all suspects.
    """
    place = 9 + 2 * np.arange(len(model.components))
    amount, error = fit.parameters[place], np.sqrt(np.diag(fit.covariance)[place])
    stays = [k for k in range(place.size) if k < asked_for or amount[k] > _SEEN * error[k] > 0]
    if len(stays) == place.size:
        return stays, model, fit
    start = np.concatenate([fit.parameters[:8], *(fit.parameters[8 + 2 * k : 10 + 2 * k] for k in stays)])
    components = tuple(model.components[k] for k in stays)
    return stays, *fit_components(components, model.edges, data, around, model.fwhm, start)

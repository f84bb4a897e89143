"""Which ions share a stretch of the spectrum, and how the counts divide among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthlock.model.ions import Ion
from depthlock.model.quantity import join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.lookalikes import Lookalike, composition_cost, lookalikes
from depthlock.tofsims.peak_model import (
    Component,
    PeakModel,
    Surroundings,
    expected_component,
    fit_components,
    released_variance,
    score_test,
)
from depthlock.tofsims.quasi_poisson import CountData, CountFit

SHARE_LIMIT = 0.15
"""A look-alike that may hold more than this part of a peak's ions is flagged."""

DETECTION = 3.0
"""Signal over its error below which an ion is not detected."""

_PLAUSIBLE = 1.6
"""How much more far-fetched than the ion a look-alike may be to be suspected without evidence."""

_LIKELY = 0.6
"""How much more far-fetched than the ion a look-alike may be to be fitted without evidence."""

_NARROWEST = 0.92
"""Width over the expected one below which a sum of peaks is a false one: peaks may be broader than others, not sharper.
"""

_FOOT = 2.0
"""Distance in FWHM up to which the most plausible look-alikes are fitted."""

_MOST_SUSPECT = 5.6
"""Cost above which no look-alike is suspected without evidence: molecules of more than some four atoms are too many."""

_LARGEST_COST = 8.0
_MOST_COMPONENTS = 6

_RELAXING = 6.0
"""Gain in deviance and priors for which the ion's own shape is believed rather than the file's."""

_EVIDENCE = 12.0
"""Gain in deviance for which one more ion is taken into the fit."""


@dataclass(frozen=True)
class PeakFit:
    """The fit about an ion's peak; the first component is the ion.

    Attributes
    ----------
    components : tuple of Component
    shares : ndarray, shape (component, channel)
        Part of each component's ions that fall in each channel.
    ions : ndarray, shape (component,)
        Ions of each, in and beyond the channels.
    covariance : ndarray, shape (component, component)
        Of `ions`, with shape, width and positions free.
    background : ndarray, shape (channel,)
    offset, offset_std : float
        Position of the ion's maximum minus the expected one, in mass bins.
    fwhm, fwhm_std : float
        Of the ion's peak in mass bins.
    fitted : ndarray, shape (channel,)
    excess : float
        Deviance over degrees of freedom.
    flag : str
    """

    components: tuple[Component, ...]
    shares: FloatArray
    ions: FloatArray
    covariance: FloatArray
    background: FloatArray
    offset: float
    offset_std: float
    fwhm: float
    fwhm_std: float
    fitted: FloatArray
    excess: float
    flag: str


def fit_peak(
    ion: Ion,
    edges: FloatArray,
    data: CountData,
    around: Surroundings,
    main_mz: float = 0.0,
    beside: Sequence[Lookalike] = (),
) -> PeakFit:
    """Fit the ion's peak together with everything that overlaps it.

    Parameters
    ----------
    ion : Ion
    edges : ndarray, shape (channel + 1,)
        In mass bins.
    data : CountData
        Ions a channel over all scans.
    around : Surroundings
    main_mz : float
        When the peak is an isotopologue, the m/z in Da of its main one: its isotopologues are no look-alikes.
    beside : sequence of Lookalike
        Those of them that stand apart from the peak, to be fitted with it.

    Returns
    -------
    PeakFit
        With flag ``lookalike:X`` for every plausible ion X that position, shape and counts cannot exclude.

    Notes
    -----
    The fit begins with the ion alone. Formulas near it, then unknown peaks, enter one by one as long as the counts ask
    for them (score test, the far-fetched needing more evidence). What stays outside is tested for how much of it could
    hide.
    """
    scale = around.calibration.scale
    fwhm = around.widths.fwhm(float(scale.position(ion.mz)))
    width_da = fwhm * scale.relative_per_bin(ion.mz) * ion.mz
    near = [_with_parent(one, around) for one in lookalikes(ion, around.elements, 8.0 * width_da)]
    near = [one for one in near if main_mz == 0.0 or abs(one.parent_mz - main_mz) > 1e-4]
    near += beside
    own_cost = composition_cost(ion.elements, frozenset(around.elements) | frozenset(ion.elements))
    limit = min(own_cost + _PLAUSIBLE, _MOST_SUSPECT)
    model, fit = fit_components((expected_component(ion.label, ion.mz, 1.0, around),), edges, data, around, fwhm)
    for most in (_MOST_SUSPECT, _LARGEST_COST):
        # Simple formulas first: one far-fetched ion between two simple ones would fit their sum nearly as well.
        model, fit = _add_formulas(model, fit, data, around, [one for one in near if one.cost < most])
    model, fit = _add_unknown(model, fit, data, around)
    suspects = [one for one in near if abs(one.mz - ion.mz) < 1.3 * width_da and one.cost <= limit]
    # An unseen neighbour at the foot of the peak would broaden the fitted peak, which then takes from nearer ones.
    reach = _FOOT * width_da
    likely = [one for one in near if abs(one.mz - ion.mz) < reach and one.cost <= min(own_cost + _LIKELY, limit)]
    model, fit = _add_suspects(model, fit, data, around, likely)
    model, fit, around = _relaxed(model, fit, data, around)
    found = _finish(model, fit, data, _not_excluded(suspects, model, fit, data, around))
    found.covariance[0, 0] = max(found.covariance[0, 0], released_variance(model, fit, data, around))
    if len(found.components) > 1 and found.fwhm + 3.0 * found.fwhm_std < _NARROWEST * fwhm:
        return replace(found, flag=join_flags(found.flag, "overlap_not_resolved"))
    return found


def _with_parent(one: Lookalike, around: Surroundings) -> Lookalike:
    """Isotopologues are as plausible as the peak of their main isotope says."""
    if one.parent_mz == 0.0:
        return one
    scale = around.calibration.scale
    place = float(scale.position(one.parent_mz))
    reach = 0.5 * around.widths.fwhm(place)
    parents = [peak.counts for peak in around.peaks if abs(peak.position - place) < reach]
    expected = max(parents, default=0.0) * one.abundance
    return replace(one, cost=one.cost - 1.5 if expected > 30.0 else one.cost + 3.0)


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


def _relaxed(
    model: PeakModel, fit: CountFit, data: CountData, around: Surroundings
) -> tuple[PeakModel, CountFit, Surroundings]:
    """The fit with a freer shape and width where the ion's own peak asks for it once all neighbours are in.

    Sputtered metal ions are broader than molecules, and no file has enough strong peaks to know each kind's shape.
    """
    freer = replace(around, widths=replace(around.widths, scatter=5.0 * around.widths.scatter))
    trial_model, trial = fit_components(model.components, model.edges, data, freer, model.fwhm, fit.parameters)
    if fit.objective - trial.objective > _RELAXING:
        return trial_model, trial, freer
    return model, fit, around


def _add_suspects(
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


def _add_unknown(model: PeakModel, fit: CountFit, data: CountData, around: Surroundings) -> tuple[PeakModel, CountFit]:
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


def _not_excluded(
    suspects: Sequence[Lookalike], model: PeakModel, fit: CountFit, data: CountData, around: Surroundings
) -> list[str]:
    """Labels of suspects that may hold more than `SHARE_LIMIT` of the ion's counts."""
    own = float(fit.parameters[9]) * model.unit
    if own <= 0 or not suspects:
        return []
    test = score_test(model, fit, data, around)
    found = []
    for one in suspects:
        position = float(around.calibration.scale.position(one.mz))
        # Where a neighbour is fitted already, its place in the sum is taken, whatever its name.
        if any(abs(position - part.position) < 0.25 * model.fwhm for part in model.components[1:]):
            continue
        ions, error = test.ask(position)
        if max(ions, 0.0) + 1.64 * error > SHARE_LIMIT * own:
            found.append(one.label)
    return found[:3]


def _finish(model: PeakModel, fit: CountFit, data: CountData, suspected: list[str]) -> PeakFit:
    theta = fit.parameters
    number = len(model.components)
    places = 9 + 2 * np.arange(number)
    ions = model.unit * theta[places]
    covariance = model.unit**2 * fit.covariance[np.ix_(places, places)]
    excess = fit.deviance / max(data.values.size - theta.size, 1)
    total_std = float(np.sqrt(covariance[0, 0]))
    flags = [f"lookalike:{label}" for label in suspected]
    if ions[0] < DETECTION * max(total_std, 1.0):
        flags.append("not_detected")
    elif number > 1:
        flags += _inseparable(model, ions, covariance)
    width = model.width(theta)
    return PeakFit(
        components=model.components,
        shares=model.shares(theta),
        ions=ions,
        covariance=covariance,
        background=model.background(theta),
        offset=float(theta[8]) * model.fwhm,
        offset_std=float(np.sqrt(fit.covariance[8, 8])) * model.fwhm,
        fwhm=width,
        fwhm_std=width * float(np.sqrt(fit.covariance[5, 5])),
        fitted=fit.mean,
        excess=excess,
        flag=join_flags(*flags, "poor_peak_fit" if excess > 5.0 and ions[0] < 1e5 else ""),
    )


def _inseparable(model: PeakModel, ions: FloatArray, covariance: FloatArray) -> list[str]:
    """Flags for fitted neighbours whose share of the ion's counts stays uncertain."""
    error = float(np.sqrt(covariance[0, 0]))
    if error < SHARE_LIMIT / 2.0 * ions[0]:
        return []
    flags = []
    for k in range(1, ions.size):
        spread = float(np.sqrt(covariance[k, k]))
        linked = covariance[0, k] < -0.5 * error * spread if spread > 0 else False
        if linked and not model.components[k].label.startswith("m/z"):
            flags.append(f"lookalike:{model.components[k].label}")
        elif linked:
            flags.append("overlap_not_resolved")
    return flags

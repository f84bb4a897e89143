"""Which ions share a stretch of the spectrum, and how the counts divide among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthlock.model.ions import Ion
from depthlock.model.quantity import join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.lookalikes import Lookalike, composition_cost, lookalikes
from depthlock.tofsims.neighbours import (
    MOST_SUSPECT,
    add_suspects,
    add_unknown,
    at_found_peaks,
    grown_from,
    relaxed,
    unlikeliness,
    without_unseen,
)
from depthlock.tofsims.peak_model import (
    Component,
    OwnErrors,
    PeakModel,
    Surroundings,
    expected_component,
    own_errors,
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

_SIMPLE = 4.1
"""Cost up to which they always are, as molecules of two or three atoms beside a metal ion."""

_NARROWEST = 0.92
"""Width over the expected one below which a sum of peaks is a false one: peaks may be broader than others, not sharper.
"""

_FOOT = 4.0
"""Distance in FWHM up to which the most plausible look-alikes are fitted."""


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
    pull : float
        Mass bins by which what overlaps it may pull the maximum that is seen.
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
    pull: float
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
        Those of them that stand apart from the peak: they are fitted with it whether the counts ask for them or not.

    Returns
    -------
    PeakFit
        With flag ``lookalike:X`` for every plausible ion X that position, shape and counts cannot exclude.

    Notes
    -----
    The fit begins with the ion alone. Formulas near it, then unknown peaks, enter one by one as long as the counts ask
    for them (score test, the far-fetched needing more evidence). A second fit begins with the simplest formula at every
    peak found nearby, and the likelier of both stands. What stays outside is tested for how much of it could hide.
    """
    scale = around.calibration.scale
    fwhm = around.widths.fwhm(float(scale.position(ion.mz)))
    width_da = fwhm * scale.relative_per_bin(ion.mz) * ion.mz
    near = [_with_parent(one, around) for one in lookalikes(ion, around.elements, 8.0 * width_da)]
    near = [one for one in near if main_mz == 0.0 or abs(one.parent_mz - main_mz) > 1e-4]
    near += beside
    own_cost = composition_cost(ion.elements, frozenset(around.elements) | frozenset(ion.elements))
    limit = min(own_cost + _PLAUSIBLE, MOST_SUSPECT)
    guess = 0.05 * float(data.values.sum())
    # What is known to be there is in the fit from the start, and stays.
    known = tuple(expected_component(one.label, one.mz, guess, around) for one in beside)
    alone = (expected_component(ion.label, ion.mz, 1.0, around), *known)
    model, fit = grown_from(alone, near, edges, data, around, fwhm)
    others = [one for one in near if one not in beside]
    seen = at_found_peaks(ion, others, edges, float(data.values.sum()), around)
    if seen:
        # Taken one by one, formulas between two peaks may come first and never leave: so begin with the peaks, too.
        other, trial = grown_from((*alone, *seen), near, edges, data, around, fwhm)
        if unlikeliness(other, trial, near) < unlikeliness(model, fit, near):
            model, fit = other, trial
    model, fit = add_unknown(model, fit, data, around)
    suspects = [one for one in near if abs(one.mz - ion.mz) < 1.3 * width_da and one.cost <= limit]
    # An unseen neighbour at the foot of the peak would broaden the fitted peak, which then takes from nearer ones.
    reach = _FOOT * width_da
    most = max(min(own_cost + _LIKELY, limit), _SIMPLE)
    likely = [one for one in near if abs(one.mz - ion.mz) < reach and one.cost <= most]
    asked_for = len(model.components)
    model, fit = add_suspects(model, fit, data, around, likely)
    model, fit, around = relaxed(model, fit, data, around)
    doubts = _not_excluded(suspects, model, fit, data, around)
    errors = own_errors(model, fit, data, around)
    found = _finish(model, fit, data, doubts, errors, *without_unseen(model, fit, data, around, asked_for))
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


def _finish(
    model: PeakModel,
    fit: CountFit,
    data: CountData,
    suspected: list[str],
    errors: OwnErrors,
    stays: list[int],
    seen_model: PeakModel,
    seen: CountFit,
) -> PeakFit:
    """Values of the fit of what is seen, with the errors of the fit of all that may be there."""
    places = 9 + 2 * np.arange(len(model.components))
    covariance = model.unit**2 * fit.covariance[np.ix_(places, places)]
    theta = seen.parameters
    ions = model.unit * theta[9::2]
    excess = seen.deviance / max(data.values.size - theta.size, 1)
    flags = [f"lookalike:{label}" for label in suspected]
    # Either of the two fits may be right.
    covariance[0, 0] = max(covariance[0, 0], errors.ions**2) + (0.5 * (ions[0] - model.unit * fit.parameters[9])) ** 2
    if ions[0] < DETECTION * max(float(np.sqrt(covariance[0, 0])), 1.0):
        flags.append("not_detected")
    elif places.size > 1:
        flags += _inseparable(model, model.unit * fit.parameters[places], covariance)
    width = seen_model.width(theta)
    return PeakFit(
        components=seen_model.components,
        shares=seen_model.shares(theta),
        ions=ions,
        covariance=covariance[np.ix_(stays, stays)],
        background=seen_model.background(theta),
        offset=float(theta[8]) * model.fwhm,
        offset_std=max(float(np.sqrt(fit.covariance[8, 8])) * model.fwhm, errors.offset),
        pull=errors.pull,
        fwhm=width,
        fwhm_std=width * float(np.sqrt(fit.covariance[5, 5])),
        fitted=seen.mean,
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

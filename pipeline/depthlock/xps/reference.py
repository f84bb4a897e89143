"""Which line fixes the energy axis, and the fit of a group in that frame."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from depthlock.model.chemistry import ChargeReference
from depthlock.model.errors import MeasurementError
from depthlock.xps.charge import regauge
from depthlock.xps.diagnostics import needless
from depthlock.xps.errors import covariance, normal_at
from depthlock.xps.fit import ROUGH, GroupFit, refine
from depthlock.xps.model import Shared
from depthlock.xps.shapes import FloatArray
from depthlock.xps.solver import block_slices

REFERENCE_SIGNIFICANCE = 10.0
"""Area over error, all levels together, that a line needs to serve as charge reference."""

HELD_POSITION_STD_EV = 0.15
HELD_WIDTH_STD_EV = 0.15
"""Priors, around the library's values, of position and width of a component that the data do not call for: its area
is then that of a line of known shape, and its upper limit means something."""

Frame = Literal["reference", "raw", "library"]


@dataclass(frozen=True)
class EnergyFrame:
    """How positions are referred.

    Attributes
    ----------
    kind : str
        `reference` (a named line), `raw` (shifts given, or none), `library` (all positions of the library).
    reference : ChargeReference or None
    secondary : bool
        Whether it is not the library's first.
    asked : bool
        Whether the session names it.
    """

    kind: Frame
    reference: ChargeReference | None
    secondary: bool = False
    asked: bool = False

    @property
    def std(self) -> float:
        """Error of the frame itself, eV.

        The library's first reference defines its scale and carries none; another's energy is a value measured on that
        scale, whose error then is common to all positions and shifts.
        """
        return self.reference.std if self.reference is not None and self.secondary else 0.0


def significance(fit: GroupFit) -> dict[str, float]:
    """Area over error of every component, all levels together (root of the summed squares)."""
    errors = covariance(fit)
    result: dict[str, float] = {}
    for block, part, level in zip(fit.blocks, block_slices(fit.blocks), fit.state.level, strict=True):
        areas = slice(part.start, part.start + block.components)
        std = np.sqrt(np.maximum(np.einsum("lii->li", errors.level)[:, areas], 1e-300))
        ratio = np.where(block.measured[:, None], level[:, : block.components] / std, 0.0)
        for label, value in zip(block.labels, np.sqrt((ratio**2).sum(axis=0)), strict=True):
            result[label] = max(result.get(label, 0.0), float(value))
    return result


def choose_frame(
    wanted: str | None, references: Sequence[ChargeReference], strength: dict[str, float], sample: str
) -> EnergyFrame:
    """The frame that the options and the data allow.

    Parameters
    ----------
    wanted : str or None
        `region/component`, `none`, `manual`, or None for the library's order of preference.
    references : sequence of ChargeReference
    strength : dict
        Significance of every component that was fitted.
    sample : str
        For messages.

    Returns
    -------
    EnergyFrame

    Raises
    ------
    MeasurementError
        When a component is asked for that is not there.
    """
    if wanted in ("none", "manual"):
        return EnergyFrame("raw", None)
    if wanted is not None:
        if wanted not in strength:
            near = difflib.get_close_matches(wanted, list(strength), n=1)
            raise MeasurementError(
                f"charge reference '{wanted}' is not among the fitted components",
                expected=f"one of {', '.join(sorted(strength))}, 'none' or 'manual'",
                where=f"{sample}: options.xps_deconvolve.charge_reference",
                hint=f"did you mean '{near[0]}'?" if near else "measure that region, or name another component",
            )
        known = [reference for reference in references if reference.component == wanted]
        if not known:
            raise MeasurementError(
                f"the library gives no reference energy for '{wanted}'",
                expected=f"one of {', '.join(reference.component for reference in references)}",
                where=f"{sample}: options.xps_deconvolve.charge_reference",
                hint="add it to charge_references in a chemistry library of your own",
            )
        return EnergyFrame("reference", known[0], known[0] is not references[0], asked=True)
    for reference in references:
        if strength.get(reference.component, 0.0) >= REFERENCE_SIGNIFICANCE:
            return EnergyFrame("reference", reference, reference is not references[0])
    return EnergyFrame("library", None)


def in_frame(fit: GroupFit, reference: ChargeReference | None) -> GroupFit:
    """Fit once more with the reference line held at its energy; as it is without one, or where it is elsewhere."""
    name = "" if reference is None else f"{reference.component} position"
    if reference is None or name not in fit.shared.names or not np.all(fit.shared.shift_std > 0):
        return fit
    parameter, energy = fit.shared.names.index(name), reference.position
    if fit.shared.links is not None:
        source = fit.shared.links.source(parameter, energy)
        if source is None:
            return fit
        parameter, energy = source
    shared, state = regauge(fit.shared, fit.state, parameter, energy)
    moved = refine(fit.blocks, shared, state, rounds=1, tolerance=ROUGH)
    return replace(moved, rivals=fit.rivals, rough=fit.rough)


def hold_absent(fit: GroupFit) -> tuple[GroupFit, set[str]]:
    """Hold positions and widths of components that the data do not call for near the library's, and fit again.

    Returns
    -------
    GroupFit, set of str
        The fit, and the labels held.
    """
    absent: set[str] = set()
    errors = covariance(fit, normal_at(fit))
    for block, part, level in zip(fit.blocks, block_slices(fit.blocks), fit.state.level, strict=True):
        std = np.sqrt(np.einsum("lii->li", errors.level)[:, part.start : part.start + block.components])
        unneeded = needless(level[:, : block.components], std, block.rate.size)
        absent |= {label for label, drop in zip(block.labels, unneeded, strict=True) if drop}
    shared, start = _tightened(fit.shared, fit.state.shared, absent)
    state = fit.state.copy()
    state.shared = start
    refined = refine(fit.blocks, shared, state)
    return replace(refined, rivals=fit.rivals, rough=fit.rough), absent


def _tightened(shared: Shared, values: FloatArray, absent: set[str]) -> tuple[Shared, FloatArray]:
    std, start = shared.std.copy(), values.copy()
    for number, name in enumerate(shared.names):
        # Names are "F 1s/MgF2 position", "V 2p/V5+ fwhm weak"; a family's width has no component of that name.
        label = name.rsplit(" fwhm", 1)[0] if " fwhm" in name else name.removesuffix(" position")
        if label not in absent or shared.fixed[number]:
            continue
        std[number] = min(std[number], HELD_WIDTH_STD_EV if " fwhm" in name else HELD_POSITION_STD_EV)
        start[number] = shared.mean[number]
    return replace(shared, std=std), start

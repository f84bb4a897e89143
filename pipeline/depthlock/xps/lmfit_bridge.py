"""A fitted region as an `lmfit` model, so that a user can take it from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from depthlock.model.chemistry import Component, Region
from depthlock.model.constraints import Constraint, Reference
from depthlock.model.errors import MeasurementError
from depthlock.xps.shapes import FloatArray, pseudo_voigt_density, shirley_step

if TYPE_CHECKING:
    from lmfit import Model


def prefix_of(name: str) -> str:
    """A component's name as an lmfit prefix: `V5+` becomes `V5p_`, `C-O` `C_O_`."""
    letters = "".join({"+": "p", "=": "d"}.get(letter, letter if letter.isalnum() else "_") for letter in name)
    return f"{letters}_" if letters[:1].isalpha() else f"s{letters}_"


def _straight(x: FloatArray, offset: float, slope: float, centre: float, half: float) -> FloatArray:
    return np.asarray(offset + slope * (x - centre) / half)


def _singlet(x: FloatArray, area: float, position: float, fwhm: float, mixing: float, step: float) -> FloatArray:
    return pseudo_voigt_density(x, area, position, fwhm, mixing) + shirley_step(x, area, position, fwhm, mixing, step)


def _doublet(
    x: FloatArray,
    area: float,
    position: float,
    fwhm: float,
    fwhm_weak: float,
    splitting: float,
    area_ratio: float,
    mixing: float,
    step: float,
) -> FloatArray:
    strong = area / (1.0 + area_ratio)
    weak = area - strong
    return _singlet(x, strong, position, fwhm, mixing, step) + _singlet(
        x, weak, position + splitting, fwhm_weak, mixing, step
    )


def _hints(model: Model, component: Component, first: str) -> None:
    """Start values and bounds from the library; step and mixing follow the region's first component."""
    reach = component.position_range
    hint: dict[str, dict[str, Any]] = {
        "area": {"value": 1.0, "min": 0.0},
        "position": {
            "value": component.position,
            "min": component.position - reach,
            "max": component.position + reach,
        },
        "fwhm": {"value": component.fwhm, "min": component.fwhm_min, "max": component.fwhm_max},
        "mixing": {"value": component.lorentzian, "min": 0.0, "max": 1.0},
        "step": {"value": 0.03, "min": 0.0, "max": 1.0},
    }
    own = str(model.prefix)
    if own != first:
        # These names are made here from the library's; no text of a user becomes an expression.
        hint["mixing"] = {"expr": f"{first}mixing"}
        hint["step"] = {"expr": f"{first}step"}
    if component.splitting is not None:
        free = component.width_ratio_max > 1.0
        hint["splitting"] = {"value": component.splitting, "vary": False}
        hint["area_ratio"] = {"value": component.area_ratio, "vary": False}
        hint["fwhm_weak"] = (
            {
                "value": component.fwhm,
                "min": component.fwhm_min,
                "max": component.fwhm_max * component.width_ratio_max,
            }
            if free
            else {"expr": f"{own}fwhm"}
        )
    for name, values in hint.items():
        model.set_param_hint(name, **values)


def _parameter(reference: Reference, first: str) -> str:
    """Name of the lmfit parameter that a constraint refers to."""
    if reference.kind == "lorentzian":
        return f"{first}mixing"
    # Inside one region sensitivity factors cancel: atoms are areas.
    kind = {"atoms": "area"}.get(reference.kind, reference.kind)
    return f"{prefix_of(reference.label.partition('/')[2])}{kind}"


def _tie(model: Model, constraint: Constraint, first: str) -> None:
    """Tie a parameter as a session does.

    The expression is written here, of numbers and of names made from the library's: no text of a user reaches lmfit.
    """
    if constraint.value is None:
        return  # one level has nothing to share its parameters with
    terms = [f"{factor!r} * {_parameter(reference, first)}" for reference, factor in constraint.value.terms.items()]
    hint = (
        {"expr": " + ".join([*terms, repr(constraint.value.constant)])}
        if terms
        else {"value": constraint.value.constant, "vary": False}
    )
    name = _parameter(constraint.target, first)
    model.param_hints.pop(name, None)
    model.set_param_hint(name, **hint)


def region_model(region: Region, constraints: Sequence[Constraint] = ()) -> Model:
    """A region as an lmfit model: its components with their Shirley steps, and a straight background.

    Parameters
    ----------
    region : Region
        From a chemistry library.
    constraints : sequence of Constraint
        Ties between components of the region, as `depthlock.model.constraints.parse_constraint` reads them.

    Returns
    -------
    lmfit.Model
        Parameters `<prefix>area` (whole doublets), `<prefix>position`, `<prefix>fwhm`, ... with the library's bounds
        as hints; prefixes are those of `prefix_of`; `background_offset` and `background_slope` (counts/s at the
        middle and half the window's width from it). Mixing and step are one for the region.

    Raises
    ------
    MeasurementError
        When a constraint reaches into another region.

    Examples
    --------
    >>> from depthlock.chemistry.library import load
    >>> f_1s = next(region for region in load("mg-tfsi-v2o5").regions if region.name == "F 1s")
    >>> sorted(region_model(f_1s).make_params())[:3]
    ['CF3_area', 'CF3_fwhm', 'CF3_mixing']
    """
    from lmfit import Model

    low, high = region.window
    total = Model(_straight, prefix="background_")
    total.set_param_hint("offset", value=0.0)
    total.set_param_hint("slope", value=0.0)
    total.set_param_hint("centre", value=0.5 * (low + high), vary=False)
    total.set_param_hint("half", value=0.5 * (high - low), vary=False)
    first = prefix_of(region.components[0].name)
    for component in region.components:
        part = Model(_singlet if component.splitting is None else _doublet, prefix=prefix_of(component.name))
        _hints(part, component, first)
        total = total + part
    labels = {region.name} | {f"{region.name}/{component.name}" for component in region.components}
    for constraint in constraints:
        outside = [reference for reference in constraint.references if reference.label not in labels]
        if outside:
            raise MeasurementError(
                f"constraint '{constraint.text}' names {outside[0]}",
                expected=f"components of {region.name}: one lmfit model is one region",
                where="region_model",
                hint="leave it out here; `deconvolve` fits linked regions together",
            )
        _tie(total, constraint, first)
    return total

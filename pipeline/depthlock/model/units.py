"""Quantities with units in session files: `0.03 nm`, `60 ns`, `300 eV`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

if TYPE_CHECKING:
    import pint

_NUMBER_AND_UNIT = re.compile(
    r"^\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>(?:1\s*/)?[^\d\s].*)?$"
)


@lru_cache(maxsize=1)
def registry() -> pint.UnitRegistry[float]:
    """The unit registry of the process, with `Da` and `ppm` as the field writes them."""
    import pint

    units: pint.UnitRegistry[float] = pint.UnitRegistry()
    units.define("CPS = count / second")
    return units


def is_unit(text: str) -> bool:
    """Whether pint can parse `text` as a unit; `"1"` and `""` are dimensionless."""
    import tokenize

    import pint

    if text in {"", "1"}:
        return True
    try:
        registry().parse_units(text)
    except (
        pint.errors.PintError,
        ValueError,
        AttributeError,
        TypeError,
        SyntaxError,
        AssertionError,
        tokenize.TokenError,
    ):
        return False
    return True


def parse_quantity(text: str | float, unit: str) -> float:
    """Turn `"0.03 nm"` into a number in `unit`; a bare number is taken to be in `unit` already.

    Raises
    ------
    ValueError
        When the text is no number with a unit, or the unit is of another dimension. The message says which.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"found {text!r}; expected a number with a unit, such as '1 {unit}'")
    if isinstance(text, int | float):
        return float(text)
    import pint

    found = _NUMBER_AND_UNIT.match(text)
    if found is None:
        raise ValueError(f"found '{text}'; expected a number with a unit, such as '1 {unit}'")
    number, written = float(found["number"]), (found["unit"] or "").strip()
    if not written:
        return number
    if not is_unit(written):
        raise ValueError(f"found '{text}', where '{written}' is no unit; expected a number in {unit}")
    try:
        return float(registry().Quantity(number, written).to(unit).magnitude)
    except pint.errors.DimensionalityError:
        raise ValueError(
            f"found '{text}', whose unit '{written}' does not fit; expected a unit such as '{unit}'"
        ) from None


def measured_in(unit: str, **bounds: Any) -> Any:
    """The pydantic type of a number in `unit` that a session may write with any unit that converts to it.

    Parameters
    ----------
    unit : str
        The unit in which the number is kept.
    **bounds
        `gt`, `ge`, `lt`, `le` in that unit. They keep out slips of the unit and numbers that no computation survives.
    """
    schema = {
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*[-+0-9.eE]+\s*\S*"}],
        "description": f"a number in {unit}, or a number with a unit, such as '1 {unit}'",
    }
    return Annotated[
        float,
        BeforeValidator(lambda value: parse_quantity(value, unit)),
        Field(allow_inf_nan=False, **bounds),
        WithJsonSchema(schema),
    ]


Nanometre = measured_in("nm", gt=0, le=1e6)
SetupLength = measured_in("nm", gt=0, le=1e11)
ReciprocalNanometre = measured_in("1/nm", gt=0, le=1e3)
Micrometre = measured_in("µm", gt=0, le=1e6)
Second = measured_in("s", ge=0, le=1e7)
Nanosecond = measured_in("ns", ge=0, le=1e6)
ElectronVolt = measured_in("eV", ge=-1e5, le=1e5)
PositiveElectronVolt = measured_in("eV", gt=0, le=1e5)
NanometrePerSecond = measured_in("nm/s", gt=0, le=1e3)
Degree = measured_in("degree", ge=-90, le=90)

"""Places in a picture as a session names them: [x, y], x to the right and y down from the upper left corner."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from depthlock.model.units import parse_quantity

_PERCENT = re.compile(r"^\s*(\d+\.?\d*|\.\d+)\s*%\s*$")


def _coordinate(value: Any) -> float | str:
    """A number of pixels as a number; a share of the picture or a length as text in one spelling."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"found {value!r}; expected pixels, or a text such as '40 %' or '12 nm'")
    if isinstance(value, str):
        share = _PERCENT.match(value)
        if share is not None:
            if float(share[1]) > 100:
                raise ValueError(f"found '{value}'; expected 0 % to 100 % of the picture")
            return f"{float(share[1]):g} %"
        words = value.split()
        if len(words) < 2 and not value.strip().endswith(("m", "angstrom", "Å")):
            raise ValueError(f"found '{value}'; expected pixels, or a text such as '40 %' or '12 nm'")
        value = parse_quantity(value, "nm")
        if not 0 <= value <= 1e6:
            raise ValueError(f"found {value:g} nm; expected a place inside the picture")
        return f"{value:.12g} nm"
    if not 0 <= value <= 1e6:
        raise ValueError(f"found {value:g}; expected a pixel inside the picture")
    return float(value)


Coordinate = Annotated[
    float | str,
    BeforeValidator(_coordinate),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\s*[0-9.]+\s*(%|\S*m)\s*$"}],
            "description": "pixels, or a share of the picture such as '40 %', or a length such as '12 nm'",
        }
    ),
]

Place = tuple[Coordinate, Coordinate]
"""[x, y]."""


def in_pixels(
    place: tuple[float | str, float | str], shape: tuple[int, int], pixel: tuple[float, float] | None
) -> tuple[float, float]:
    """Row and column of a place, 0 being the first pixel's centre.

    Parameters
    ----------
    place : tuple
        x and y as `Place` keeps them.
    shape : tuple of int
        Rows and columns of the picture.
    pixel : tuple of float or None
        Pixel size in nm along y and x.

    Raises
    ------
    ValueError
        When a length is given and the picture has no scale, or the place is outside.
    """
    found = []
    for value, count, step in zip(reversed(place), shape, pixel or (None, None), strict=True):
        if isinstance(value, str) and value.endswith("%"):
            at = float(value[:-1]) / 100.0 * (count - 1)
        elif isinstance(value, str):
            if step is None:
                raise ValueError(f"the place {_written(place)} is a length, and the picture has no scale")
            at = float(value.removesuffix("nm")) / step
        else:
            at = float(value)
        if at > count - 0.5:
            raise ValueError(
                f"the place {_written(place)} lies outside of the picture of {shape[1]} x {shape[0]} pixels (x, y)"
            )
        found.append(at)
    return found[0], found[1]


def _written(place: tuple[float | str, float | str]) -> str:
    return "[" + ", ".join(value if isinstance(value, str) else f"{value:g}" for value in place) + "]"

"""Names of XPS line shapes, as chemistry libraries, sessions and CasaXPS write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

FREE_MIXING = ("pseudo_voigt", "voigt", "gl_product")
"""Shapes whose Lorentzian share is fitted, one a region."""

FORMS = {
    "SGL": ("SGL(m)", (1,)),
    "GL": ("GL(m)", (1,)),
    "LA": ("LA(alpha,m) or LA(alpha,beta,m)", (2, 3)),
    "LF": ("LF(alpha,beta,w,m)", (4,)),
    "DS": ("DS(alpha,m)", (2,)),
}
"""Shapes with numbers: how they are written, and how many numbers they take."""

_CALL = re.compile(r"^\s*([A-Z]+)\s*\(([^()]*)\)\s*$")


@dataclass(frozen=True)
class ShapeForm:
    """A parsed shape: its kind, and its numbers (none for shapes with a fitted mixing)."""

    kind: str
    numbers: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The shape in its one normal spelling."""
        if not self.numbers:
            return self.kind
        return f"{self.kind}({','.join(f'{number:g}' for number in self.numbers)})"


def known_forms() -> str:
    """All spellings, for messages."""
    return ", ".join([*FREE_MIXING, *(text for text, _ in FORMS.values())])


def parse_shape(text: str) -> ShapeForm:
    """Parse a shape's name.

    Parameters
    ----------
    text : str
        `pseudo_voigt`, `voigt`, `gl_product`, or one with numbers such as ``LA(1.53,243)``.

    Returns
    -------
    ShapeForm

    Raises
    ------
    ValueError
        When it is none of these, or a number lies outside its range.

    Examples
    --------
    >>> parse_shape("LA(1.530, 243)").name
    'LA(1.53,243)'
    """
    if text.strip() in FREE_MIXING:
        return ShapeForm(text.strip())
    match = _CALL.match(text)
    if match is None or match.group(1) not in FORMS:
        raise ValueError(f"line shape {text!r} is not known; expected one of {known_forms()}")
    kind = match.group(1)
    written, counts = FORMS[kind]
    try:
        numbers = tuple(float(word) for word in match.group(2).split(","))
    except ValueError:
        raise ValueError(f"line shape {text!r} holds something that is no number; expected {written}") from None
    if len(numbers) not in counts:
        raise ValueError(f"line shape {text!r} has {len(numbers)} numbers; expected {written}")
    problem = _out_of_range(kind, numbers)
    if problem:
        raise ValueError(f"line shape {text!r}: {problem}")
    return ShapeForm(kind, numbers)


def _out_of_range(kind: str, numbers: tuple[float, ...]) -> str:
    """What is wrong with the numbers, or nothing."""
    if kind in ("SGL", "GL"):
        return "" if 0.0 <= numbers[0] <= 100.0 else "the Lorentzian percentage lies between 0 and 100"
    if not 0.0 <= numbers[-1] <= 499.0:
        return "the last number, the Gaussian's width, lies between 0 and 499"
    if kind == "DS":
        return "" if 0.0 <= numbers[0] <= 0.45 else "the asymmetry lies between 0 and 0.45"
    exponents = numbers[:-1] if kind == "LA" else numbers[:2]
    # An exponent of a half or less has no area; a damping makes one.
    least = 0.55 if kind == "LA" else 0.2
    if any(not least <= exponent <= 50.0 for exponent in exponents):
        return f"its exponents lie between {least:g} and 50"
    if kind == "LF" and not 1.0 <= numbers[2] <= 499.0:
        return "the damping w lies between 1 and 499"
    return ""

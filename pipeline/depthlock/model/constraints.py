"""Links between the components of XPS core levels, as sessions write them.

A small grammar of its own, read by recursive descent and never evaluated as code::

    statement  := reference "=" expression | "free" reference
    expression := ["+" | "-"] product { ("+" | "-") product }
    product    := factor { ("*" | "/") factor }
    factor     := number | reference | "(" expression ")" | "-" factor
    reference  := kind "(" region/component ")"

with the kinds of `KINDS`. An expression must come out linear in its references: two of them are neither multiplied nor
divided. ``fwhm(F 1s/CF3) = fwhm(F 1s/MgF2)`` ties, ``free fwhm(F 1s/CF3)`` gives every etch level its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NoReturn

from pydantic import AfterValidator

KINDS = {
    "area": "area",
    "atoms": "atoms",
    "position": "position",
    "splitting": "splitting",
    "fwhm": "fwhm",
    "fwhm_weak": "fwhm",
    "lorentzian": "lorentzian",
}
"""Kinds of parameters by what they may be tied to: `atoms` is an area over its core level's sensitivity factor,
`fwhm_weak` the width of a doublet's weaker line, `lorentzian` the Lorentzian share of a region's lines."""

FREEABLE = ("position", "fwhm", "fwhm_weak", "splitting")
"""Kinds that all levels share unless they are set free; areas are every level's own anyway."""

_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_BLANK = re.compile(r"\s*")


@dataclass(frozen=True)
class Reference:
    """A parameter: its kind and `region/component` (or, for `lorentzian`, the region)."""

    kind: str
    label: str
    place: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}({self.label})"

    @property
    def region(self) -> str:
        """The core level."""
        return self.label.partition("/")[0]

    @property
    def slot(self) -> tuple[str, str]:
        """What it stands for: `atoms` and `area` of a component are one parameter."""
        return ("area" if self.kind == "atoms" else self.kind, self.label)


@dataclass(frozen=True)
class Linear:
    """A sum of references with factors, and a constant."""

    terms: Mapping[Reference, float]
    constant: float = 0.0

    def plus(self, other: Linear, factor: float = 1.0) -> Linear:
        """The sum of this and a multiple of another."""
        terms = dict(self.terms)
        for reference, value in other.terms.items():
            terms[reference] = terms.get(reference, 0.0) + factor * value
        return Linear(terms, self.constant + factor * other.constant)

    def times(self, factor: float) -> Linear:
        """A multiple of it."""
        return Linear({}).plus(self, factor)


@dataclass(frozen=True)
class Constraint:
    """A statement: `target` equals `value`, or is free at every level where there is none.

    Attributes
    ----------
    text : str
        As it was written.
    target : Reference
    value : Linear or None
    """

    text: str
    target: Reference
    value: Linear | None

    @property
    def references(self) -> tuple[Reference, ...]:
        """The target and all that it is tied to."""
        return (self.target, *(self.value.terms if self.value is not None else ()))


class _Reader:
    """Recursive descent over one statement."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, problem: str, place: int | None = None) -> NoReturn:
        place = self.at if place is None else place
        raise ValueError(f"constraint '{self.text}', character {place + 1}: {problem}")

    def peek(self) -> str:
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.text[self.at : self.at + 1]

    def take(self, sign: str, expected: str) -> None:
        if self.peek() != sign:
            self.fail(f"found {self.found()}; expected {expected}")
        self.at += 1

    def found(self) -> str:
        return repr(self.text[self.at : self.at + 12]) if self.peek() else "the end"

    def statement(self) -> Constraint:
        self.peek()
        if re.match(r"free\s", self.text[self.at :]):
            self.at += len("free")
            target = self.reference()
            if target.kind not in FREEABLE:
                self.fail(f"{target.kind} cannot be set free; expected one of {', '.join(FREEABLE)}", target.place)
            value = None
        else:
            target = self.reference()
            self.take("=", "'=' and what the parameter equals")
            start = self.at
            value = self.expression()
            self.check(target, value, start)
        if self.peek():
            self.fail(f"found {self.found()}; expected an operator or the end")
        return Constraint(self.text.strip(), target, value)

    def expression(self) -> Linear:
        sign = 1.0
        if self.peek() in ("+", "-"):
            sign = -1.0 if self.peek() == "-" else 1.0
            self.at += 1
        total = self.product().times(sign)
        while self.peek() in ("+", "-"):
            sign = -1.0 if self.peek() == "-" else 1.0
            self.at += 1
            total = total.plus(self.product(), sign)
        return total

    def product(self) -> Linear:
        total = self.factor()
        while self.peek() in ("*", "/"):
            operator, place = self.peek(), self.at
            self.at += 1
            right = self.factor()
            if operator == "/" and right.terms:
                self.fail("a parameter cannot be divided by; expected a number there", place)
            if operator == "/" and right.constant == 0.0:
                self.fail("division by zero", place)
            if total.terms and right.terms:
                self.fail("two parameters are multiplied; expected a number on one side", place)
            if operator == "/":
                total = total.times(1.0 / right.constant)
            else:
                total = total.times(right.constant) if not right.terms else right.times(total.constant)
        return total

    def factor(self) -> Linear:
        sign = self.peek()
        if sign == "-":
            self.at += 1
            return self.factor().times(-1.0)
        if sign == "(":
            self.at += 1
            inner = self.expression()
            self.take(")", "')'")
            return inner
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            return Linear({}, float(number.group()))
        return Linear({self.reference(): 1.0})

    def reference(self) -> Reference:
        self.peek()
        place = self.at
        word = _WORD.match(self.text, place)
        if word is None:
            self.fail(f"found {self.found()}; expected a number or a parameter such as fwhm(F 1s/CF3)")
        kind = word.group()
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, 1, 0.4)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            self.fail(f"'{kind}' is no kind of parameter; expected one of {', '.join(KINDS)}{hint}", place)
        self.at = word.end()
        self.take("(", f"'(' and region/component, as in {kind}(F 1s/CF3)")
        # Names of states hold signs of their own (C=O, V5+, PO(OH)): all up to the closing parenthesis is the name.
        depth, start = 1, self.at
        while depth:
            if self.at == len(self.text):
                self.fail("the parenthesis opened here is not closed; expected ')'", start - 1)
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
        label = " ".join(self.text[start : self.at - 1].split())
        if "/" not in label and kind != "lorentzian":
            self.fail(f"'{label}' names no component; expected region/component, as in F 1s/CF3", start)
        return Reference(kind, label.partition("/")[0] if kind == "lorentzian" else label, start)

    def check(self, target: Reference, value: Linear, start: int) -> None:
        """A tie must mean something: equal kinds, areas in proportion, positions moved as a whole."""
        group = KINDS[target.kind]
        for reference in value.terms:
            if KINDS[reference.kind] != group:
                self.fail(f"{reference} is of another kind than {target}", reference.place)
            if reference == target:
                self.fail(f"{target} is tied to itself", reference.place)
        factors = list(value.terms.values())
        if group in ("area", "atoms") and (value.constant != 0.0 or not factors or min(factors) <= 0.0):
            self.fail("an area is tied to other areas by positive factors, without a number added", start)
        if group == "position" and factors and abs(sum(factors) - 1.0) > 1e-9:
            self.fail(f"the factors of positions add up to {sum(factors):g}; expected 1 (a distance is added)", start)


def parse_constraint(text: str) -> Constraint:
    """Read one statement.

    Raises
    ------
    ValueError
        With the place in the text and what was expected there.

    Examples
    --------
    >>> parse_constraint("position(O 1s/C-O) = position(O 1s/V-O) + 1.8").value.constant
    1.8
    """
    return _Reader(text).statement()


def _checked(text: str) -> str:
    return parse_constraint(text).text


ConstraintText = Annotated[str, AfterValidator(_checked)]
"""A statement that can be read."""


def check_constraints(constraints: Sequence[Constraint], components: Mapping[str, Sequence[str]]) -> None:
    """Check statements against the components that there are, and against one another.

    Parameters
    ----------
    constraints : sequence of Constraint
    components : mapping of str to sequence of str
        States of every core level of the chemistry library.

    Raises
    ------
    ValueError
        When a name is unknown (with the nearest), a parameter is set twice, or ties go in a circle.
    """
    labels = [f"{region}/{state}" for region, states in components.items() for state in states]
    for constraint in constraints:
        for reference in constraint.references:
            known = list(components) if reference.kind == "lorentzian" else labels
            if reference.label not in known:
                near = difflib.get_close_matches(reference.label, known, 1, 0.3)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ValueError(
                    f"constraint '{constraint.text}', character {reference.place + 1}: '{reference.label}' is not in "
                    f"the chemistry library; expected one of {', '.join(known)}{hint}"
                )
    seen: dict[tuple[str, str], Constraint] = {}
    for constraint in constraints:
        first = seen.setdefault(constraint.target.slot, constraint)
        if first is not constraint:
            raise ValueError(f"'{first.text}' and '{constraint.text}' both set {constraint.target}")
    _refuse_circles(constraints)


def _refuse_circles(constraints: Sequence[Constraint]) -> None:
    """Follow every tie to its end."""
    ties = {constraint.target.slot: constraint for constraint in constraints if constraint.value is not None}

    def follow(slot: tuple[str, str], path: tuple[tuple[str, str], ...]) -> None:
        if slot in path:
            circle = " -> ".join(f"{kind}({label})" for kind, label in (*path[path.index(slot) :], slot))
            raise ValueError(f"constraint '{ties[slot].text}': the ties go in a circle, {circle}")
        if slot in ties:
            for reference in ties[slot].references[1:]:
                follow(reference.slot, (*path, slot))

    for slot in ties:
        follow(slot, ())

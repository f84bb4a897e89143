"""The grammar of links between components: what it reads, and what it says where it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlock.model.constraints import Reference, check_constraints, parse_constraint
from depthlock.model.options import DeconvolveOptions

COMPONENTS = {"F 1s": ["CF3", "MgF2"], "O 1s": ["V-O", "C=O", "PO(OH)"], "C 1s": ["CF3"]}


def test_reads_names_with_signs_of_their_own() -> None:
    constraint = parse_constraint("position(O 1s/C=O) = position( O 1s/PO(OH) ) + 2*(1.0 - 0.1)")
    assert constraint.target == Reference("position", "O 1s/C=O")
    assert constraint.value is not None
    assert constraint.value.terms == {Reference("position", "O 1s/PO(OH)"): 1.0}
    assert constraint.value.constant == pytest.approx(1.8)


@given(a=st.floats(0.1, 9), b=st.floats(0.1, 9), c=st.floats(0, 9))
def test_arithmetic_is_that_of_numbers(a: float, b: float, c: float) -> None:
    text = f"fwhm(F 1s/CF3) = ({a!r} * fwhm(F 1s/MgF2) - -{c!r}) / {b!r} + fwhm(F 1s/MgF2) * 2 - .5e0"
    value = parse_constraint(text).value
    assert value is not None
    assert value.terms[Reference("fwhm", "F 1s/MgF2")] == pytest.approx(a / b + 2)
    assert value.constant == pytest.approx(c / b - 0.5)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("fwhm(F 1s/CF3) = fwhm(F 1s/MgF2", 22, "not closed"),
        ("fwhm(F 1s/CF3) fwhm(F 1s/MgF2)", 16, "expected '='"),
        ("width(F 1s/CF3) = 1.8", 1, "no kind of parameter"),
        ("fwmh(F 1s/CF3) = 1.8", 1, "did you mean 'fwhm'"),
        ("fwhm(F 1s/CF3) = 1.8 eV", 22, "expected an operator"),
        ("fwhm(F 1s) = 1.8", 6, "names no component"),
        ("fwhm(F 1s/CF3) = fwhm(F 1s/A) * fwhm(F 1s/B)", 31, "two parameters are multiplied"),
        ("fwhm(F 1s/CF3) = 1 / fwhm(F 1s/A)", 20, "cannot be divided by"),
        ("fwhm(F 1s/CF3) = fwhm(F 1s/A) / (1 - 1)", 31, "division by zero"),
        ("fwhm(F 1s/CF3) = position(F 1s/A)", 27, "another kind"),
        ("fwhm(F 1s/CF3) = fwhm(F 1s/CF3) + 1", 23, "tied to itself"),
        ("area(F 1s/CF3) = area(F 1s/A) - area(F 1s/B)", 17, "positive factors"),
        ("area(F 1s/CF3) = 100", 17, "positive factors"),
        ("position(F 1s/CF3) = 2 * position(F 1s/A)", 21, "add up to 2"),
        ("free area(F 1s/CF3)", 11, "cannot be set free"),
        ("__import__('os')", 1, "no kind of parameter"),
        ("fwhm(F 1s/CF3) = open('/etc/passwd')", 18, "no kind of parameter"),
        ("", 1, "found the end"),
    ],
)
def test_says_where_and_what(text: str, place: int, message: str) -> None:
    with pytest.raises(ValueError, match="constraint") as caught:
        parse_constraint(text)
    assert message in str(caught.value)
    assert f"character {place}:" in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fwhm(F 1s/CF2) = 1.8"], "did you mean 'F 1s/CF3'"),
        (["lorentzian(F 2s) = 0.3"], "did you mean 'F 1s'"),
        (["fwhm(F 1s/CF3) = 1.8", "free fwhm(F 1s/CF3)"], "both set"),
        (["area(F 1s/CF3) = area(F 1s/MgF2)", "atoms(F 1s/CF3) = atoms(C 1s/CF3)"], "both set"),
        (
            ["fwhm(F 1s/CF3) = fwhm(F 1s/MgF2)", "fwhm(F 1s/MgF2) = fwhm(C 1s/CF3)", "fwhm(C 1s/CF3) = fwhm(F 1s/CF3)"],
            "in a circle",
        ),
    ],
)
def test_names_and_circles(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=r"circle|both set|did you mean") as caught:
        check_constraints([parse_constraint(text) for text in texts], COMPONENTS)
    assert message in str(caught.value)


def test_a_chain_is_no_circle() -> None:
    texts = ["fwhm(F 1s/CF3) = fwhm(F 1s/MgF2)", "fwhm(F 1s/MgF2) = fwhm(C 1s/CF3)"]
    check_constraints([parse_constraint(text) for text in texts], COMPONENTS)


def test_options_refuse_what_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="character 16"):
        DeconvolveOptions(constraints=("fwhm(F 1s/CF3) : 1.8",))

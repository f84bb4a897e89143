"""Numbers with units."""

from __future__ import annotations

import pytest

from depthlock.model.units import is_unit, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.03 nm", "nm", 0.03),
        ("30 pm", "nm", 0.03),
        ("3 Å", "nm", 0.3),
        (0.5, "nm", 0.5),
        ("2", "nm", 2.0),
        ("60 ns", "ns", 60.0),
        ("1 min", "s", 60.0),
        ("1.5 keV", "eV", 1500.0),
    ],
)
def test_a_number_is_turned_into_the_unit(text: str | float, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["1 eV", "1 furlongz", "nm nm 3", "", "[1]", "1 nm nm", True, "3 +", "__import__('os')"]
)
def test_what_does_not_fit_is_refused(text: str | bool) -> None:
    with pytest.raises(ValueError, match="found"):
        parse_quantity(text, "nm")


@pytest.mark.parametrize(
    "unit", ["1", "", "s", "nm", "ppm", "percent", "count * eV / s", "CPS * eV", "Da", "µm", "1/nm"]
)
def test_units_of_datasets_parse(unit: str) -> None:
    assert is_unit(unit)


@pytest.mark.parametrize("unit", ["furlongz", "nm nm)", "CPS_eV"])
def test_other_text_is_no_unit(unit: str) -> None:
    assert not is_unit(unit)

"""Characteristic X-ray lines: energies as tables print them, and families that add up."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from depthlock.model.xray_lines import Element, line_families


@pytest.mark.parametrize(
    ("element", "shell", "energy"),
    # X-ray Data Booklet (LBNL 2009), table 1-2.
    [("C", "K", 0.277), ("O", "K", 0.525), ("F", "K", 0.677), ("Mg", "K", 1.254), ("V", "K", 4.950), ("V", "L", 0.511),
     ("Cu", "K", 8.041), ("Sr", "L", 1.807), ("Pt", "L", 9.442), ("Pt", "M", 2.051)],
)  # fmt: skip
def test_energies_are_those_of_the_booklet(element: str, shell: str, energy: float) -> None:
    (family,) = [one for one in line_families()[element] if one.shell == shell]
    assert family.energies[0] == pytest.approx(energy, abs=0.012)
    assert family.label == f"{element} {shell}a"


def test_weights_of_a_family_add_up() -> None:
    families = [family for own in line_families().values() for family in own]
    assert len(families) > 100
    assert all(sum(family.weights) == pytest.approx(1.0) for family in families)
    assert all(0.1 < energy < 30.0 for family in families for energy in family.energies)


def test_an_element_that_is_none_tells_the_nearest() -> None:
    with pytest.raises(ValidationError, match="did you mean 'Mg'"):
        TypeAdapter(Element).validate_python("MG")

"""Ion labels, masses with the electron's, and isotope patterns, against tabulated values."""

from __future__ import annotations

import pytest

from depthlock.model.ions import Ion


@pytest.mark.parametrize(
    ("label", "mz"),
    [
        ("V-", 50.94451),
        ("VO-", 66.93942),
        ("VO2-", 82.93433),
        ("MgF2-", 61.98240),
        ("^25MgF2-", 62.98319),
        ("^26MgF2-", 63.97995),
        ("SO2CF3-", 132.95766),
    ],
)
def test_masses_hold_the_electron(label: str, mz: float) -> None:
    assert Ion.parse(label).mz == pytest.approx(mz, abs=1.5e-5)


def test_a_cation_misses_its_electron() -> None:
    assert Ion.parse("Cs+").mz == pytest.approx(132.905451961 - 0.00054858, abs=1e-6)


def test_two_charges_halve_the_ratio() -> None:
    assert Ion.parse("Ca+2").mz == pytest.approx((39.962590863 - 2 * 0.00054858) / 2, abs=1e-6)


def test_isotope_pattern_of_magnesium_fluoride() -> None:
    lines = {line.mass_number: line for line in Ion.parse("MgF2-").isotopologues()}
    assert lines[63].fraction / lines[62].fraction == pytest.approx(0.127, abs=0.001)
    assert lines[64].fraction / lines[62].fraction == pytest.approx(0.139, abs=0.001)
    assert lines[63].mz == pytest.approx(Ion.parse("^25MgF2-").mz, abs=1e-6)


def test_isotope_pattern_of_the_triflyl_fragment() -> None:
    lines = {line.mass_number: line.fraction for line in Ion.parse("SO2CF3-").isotopologues()}
    assert lines[134] / lines[133] == pytest.approx(0.020, abs=0.001)
    assert lines[135] / lines[133] == pytest.approx(0.049, abs=0.001)


def test_elements_count_isotopes_as_their_element() -> None:
    assert Ion.parse("^118SnI_3-").elements == {"Sn": 1, "I": 3}
    assert Ion.parse("SO2CF3-").elements == {"S": 1, "O": 2, "C": 1, "F": 3}


@pytest.mark.parametrize("label", ["SO2", "Xx-", "^99MgF2-", "", "-", "V--", "Mg F2-"])
def test_what_is_no_ion_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="is no ion"):
        Ion.parse(label)

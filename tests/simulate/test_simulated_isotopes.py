import pytest

from depthlock.model.ions import Ion
from depthlock.simulate.isotopes import anion_lines, monoisotopic_mz
from depthlock.simulate.species import SPECIES


@pytest.mark.parametrize("label", [one.label for one in SPECIES])
def test_masses_agree_with_the_library_that_the_analysis_uses(label):
    assert monoisotopic_mz(label) == pytest.approx(Ion.parse(label).mz, abs=2e-6)


def test_isotope_ratios_of_magnesium_fluoride_and_triflyl():
    magnesium = {round(line.mz): line.share for line in anion_lines("MgF2-")}
    assert magnesium[63] / magnesium[62] == pytest.approx(0.127, abs=0.001)
    assert magnesium[64] / magnesium[62] == pytest.approx(0.139, abs=0.001)
    lines = anion_lines("SO2CF3-")
    by_number = {}
    for line in lines:
        by_number[round(line.mz)] = by_number.get(round(line.mz), 0.0) + line.share
    assert by_number[134] / by_number[133] == pytest.approx(0.020, abs=0.001)
    assert by_number[135] / by_number[133] == pytest.approx(0.049, abs=0.001)
    assert sum(line.share for line in lines) == pytest.approx(1.0, abs=2e-3)


def test_first_line_is_the_one_that_the_label_names():
    for label in ("MgF2-", "Cl-", "V-"):
        assert anion_lines(label)[0].mz == pytest.approx(monoisotopic_mz(label), abs=1e-6)


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(ValueError, match="no anion"):
        anion_lines("MgF2+")
    with pytest.raises(ValueError, match="'Xe'"):
        anion_lines("XeF2-")

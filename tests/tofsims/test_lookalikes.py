import pytest

from depthlock.model.ions import Ion
from depthlock.tofsims.lookalikes import lookalikes

SESSION = ("Mg", "F", "S", "O", "C", "N", "V", "Cs")


@pytest.mark.parametrize(
    ("ion", "other", "offset"),
    [
        ("V-", "SF-", 26.52),
        ("V-", "OCl-", 19.81),
        ("V-", "^34SOH-", 26.65),
        ("V-", "^50VH-", 11.02),
        ("VO-", "SOF-", 26.52),
        ("VO2-", "SO2F-", 26.52),
        ("MgF2-", "NO3-", 5.97),
        ("MgF2-", "NSO-", -11.79),
        ("MgF2-", "C2F2-", 14.96),
        ("^25MgF2-", "CO2F-", 5.59),
        ("^25MgF2-", "PO2-", -19.05),
        ("^25MgF2-", "MgF2H-", 7.0),
        ("^26MgF2-", "SO2-", -17.5),
        ("^26MgF2-", "^25MgF2H-", 11.1),
        ("MgF2-", "^29SiO2H-", -7.7),
        ("SO2CF3-", "VCO2F2-", -26.5),
        ("SO2CF3-", "S2H5O4-", 5.8),
        ("SO2CF3-", "Cs-", -51.7),
    ],
)
def test_the_known_imitators_are_generated(ion, other, offset):
    parsed = Ion.parse(ion)
    exact = Ion.parse(other).mz
    found = [(one.mz - parsed.mz) * 1e3 for one in lookalikes(parsed, SESSION, 0.06) if abs(one.mz - exact) < 1e-5]
    assert found
    assert found[0] == pytest.approx(offset, abs=0.05)


def test_equals_an_exhaustive_search_over_a_small_pool():
    ion = Ion.parse("CO-")
    found = {one.label for one in lookalikes(ion, (), 0.03)}
    # All of m/z 27.99 +- 0.03 within the rules that one would write down by hand.
    assert {"N2-", "Si-", "C2H4-"} - found == {"C2H4-"}
    assert Ion.parse("C2H4-").mz - ion.mz > 0.03
    assert "CO-" not in found


def test_the_plausible_come_first():
    order = [one.label for one in lookalikes(Ion.parse("MgF2-"), SESSION, 0.03)]
    assert order.index("NO3-") < order.index("Na2O-")
    assert order[:2] == ["NO3-", "C2F2-"]


def test_an_isotopologue_names_its_parent():
    one = next(one for one in lookalikes(Ion.parse("SO2-"), SESSION, 0.03) if one.label == "^26MgF2-")
    assert one.parent_mz == pytest.approx(Ion.parse("MgF2-").mz, abs=1e-5)
    assert one.abundance == pytest.approx(0.139, abs=0.001)

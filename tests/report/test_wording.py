"""Numbers and flags as people read them."""

from __future__ import annotations

import pytest

from depthlock.report.style import colours, pretty_ion
from depthlock.report.wording import flag_meaning, headline_rows, shown_number


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.567, "1235"), (0.0123456, "0.01235"), ("", ""), (None, ""), (float("nan"), "")]
)
def test_numbers_have_four_digits(value: float | str | None, shown: str) -> None:
    assert shown_number(value) == shown


def test_a_flag_with_a_detail_is_explained() -> None:
    assert flag_meaning("lookalike:SF-").startswith("cannot be told from SF-")
    assert flag_meaning("at_bound:fwhm") == "a fitted value lies at the limit it was given (fwhm)"
    assert flag_meaning("never_seen") == "never seen"


def test_ions_are_printed_as_chemists_do() -> None:
    assert pretty_ion("SO2CF3-") == "SO$_{2}$CF$_{3}$$^{−}$"
    assert pretty_ion("^25MgF2-") == "$^{25}$MgF$_{2}$$^{−}$"
    assert pretty_ion("SnO_2-") == "SnO$_{2}$$^{−}$"


def test_a_colour_belongs_to_a_role() -> None:
    chosen = colours(["a", "b", "c"], ["organic", "substrate", "organic"])
    assert len(set(chosen.values())) == 3


def test_the_headlines_have_a_cell_a_sample() -> None:
    rows = [
        {"sample": "A", "technique": "tem", "quantity": "cei_thickness", "target": "mean", "value": 8.0, "ci_low": 7.0,
         "ci_high": 9.0, "unit": "nm", "flag": ""},
    ]  # fmt: skip
    (row,) = headline_rows(rows, ["A", "B"])
    assert row["cells"][0]["interval"] == "7 … 9"
    assert row["cells"][1] is None


def test_what_no_sample_holds_is_no_headline() -> None:
    row = {"technique": "depth", "quantity": "centroid", "target": "X", "unit": "nm", "ci_low": "", "ci_high": ""}
    absent = {**row, "sample": "A", "value": "", "flag": "not_detected"}
    found = {**row, "sample": "B", "value": 2.0, "flag": ""}
    assert headline_rows([absent], ["A", "B"]) == []
    assert [cell["value"] for cell in headline_rows([absent, found], ["A", "B"])[0]["cells"]] == ["not measured", "2"]


def test_one_pattern_of_several_is_no_headline() -> None:
    rows = [
        {"sample": "A", "technique": "diffraction", "quantity": "texture_share", "target": target, "value": 0.3,
         "ci_low": 0.2, "ci_high": 0.4, "unit": "1", "flag": ""} for target in ("001", "001 (pattern 1)")
    ]  # fmt: skip
    assert [row["label"] for row in headline_rows(rows, ["A"])] == ["texture share, 001"]

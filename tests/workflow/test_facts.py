"""How `depthlock info` tells facts."""

from __future__ import annotations

from depthlock.workflow.facts import fact_lines

FACTS = {
    "format": "VAMAS",
    "energies": (1486.6, 0.1),
    "regions": [{"region": "F 1s", "levels": 3}, {"region": "O 1s", "levels": 3}],
    "detector": {"dwell_time_s": 0.123456789123},
}


def test_facts_stand_one_a_line_and_nested() -> None:
    assert list(fact_lines(FACTS)) == [
        "format: VAMAS",
        "energies: 1486.6, 0.1",
        "regions:",
        "  - region: F 1s, levels: 3",
        "  - region: O 1s, levels: 3",
        "detector:",
        "  dwell_time_s: 0.12345679",
    ]


def test_long_facts_are_folded_to_the_width() -> None:
    told = list(fact_lines({"elements": ["V", "O", "Mg", "F", "C", "S"] * 10}, width=60))
    lines = told[0].splitlines()
    assert max(len(line) for line in lines) <= 60
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == "elements: " + ", ".join(["V", "O", "Mg", "F", "C", "S"] * 10)

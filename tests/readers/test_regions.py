from __future__ import annotations

import pytest

from depthlock.readers.regions import normalise_region


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("F1s", "F 1s"),
        ("F 1s", "F 1s"),
        ("F 1s Scan", "F 1s"),
        ("f1s_2", "F 1s"),
        ("F1s Scan A level 3", "F 1s"),
        ("1: S 2p", "S 2p"),
        ("Pt4f PE20", "Pt 4f"),
        ("V2p3/2", "V 2p"),
        ("V 2p", "V 2p"),
        ("Sn3d5", "Sn 3d"),
        ("O 1s + V 2p level 4", "O 1s + V 2p"),
        ("O1s/V2p", "O 1s + V 2p"),
        ("V2p3 V2p1", "V 2p"),
        ("Survey", "survey"),
        ("wide", "survey"),
        ("XPS Survey", "survey"),
        ("Su1s", "survey"),
        ("Sur1", "survey"),
        ("O KLL", "O KLL"),
        ("MgKLL", "Mg KLL"),
        ("VB", "valence band"),
        ("my region", "my region"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert normalise_region(written) == name


def test_fields_of_the_format_go_first() -> None:
    assert normalise_region("Block No.1", species="C", transition="1s") == "C 1s"
    assert normalise_region("O 1s", species="Survey", transition="") == "survey"
    assert normalise_region("O 1s", species="", transition="none") == "O 1s"


@pytest.mark.parametrize("written", ["", "None", "7", "Counts per Second", "Block No.1"])
def test_unnamed_windows(written: str) -> None:
    assert normalise_region(written, limits=(0.0, 1200.0)) == "survey"
    assert normalise_region(written, limits=(281.0, 289.04)) == "281.0-289.0 eV"

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.chemistry.library import load, names, survey_lines
from depthlock.model.chemistry import Chemistry
from depthlock.model.errors import SessionError


@pytest.mark.parametrize("name", ["mg-tfsi-v2o5", "li-pf6-oxide", "na-tfsi"])
def test_shipped_libraries_state_their_sources(name: str) -> None:
    chemistry = load(name)
    assert chemistry.name == name
    assert name in names()
    for region in chemistry.regions:
        assert region.source
        assert region.name in chemistry.sensitivity.factors
        for component in region.components:
            assert component.source, f"{region.name}/{component.name}"
            assert region.window[0] < component.position < region.window[1]
    assert all(ion.source for ion in chemistry.ions)
    assert chemistry.charge_references[0].component == "C 1s/C-C"


def region_of(chemistry: Chemistry, name: str):
    return next(region for region in chemistry.regions if region.name == name)


def test_reference_problem() -> None:
    chemistry = load("mg-tfsi-v2o5")
    roles = {ion.ion: ion.role for ion in chemistry.ions if ion.role != "other"}
    assert roles == {"SO2CF3-": "organic", "MgF2-": "inorganic", "V-": "substrate"}
    assert [c.name for c in region_of(chemistry, "F 1s").components if not c.optional] == ["MgF2", "CF3"]
    vanadium = {c.name: c for c in region_of(chemistry, "V 2p").components if not c.optional}
    assert {name: c.position for name, c in vanadium.items()} == {"V5+": 517.4, "V4+": 516.2, "V3+": 514.8}
    assert all(
        c.splitting == pytest.approx(7.4, abs=0.051) and c.area_ratio == 0.5 and c.width_ratio_max > 1
        for c in vanadium.values()
    )
    factors = chemistry.sensitivity.factors
    assert (factors["F 1s"], factors["O 1s"], factors["V 2p"], factors["Mg 1s"]) == (4.43, 2.93, 9.66, 11.18)


def test_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(SessionError, match="did you mean 'mg-tfsi-v2o5'"):
        load("mg-tfsi-v205")


def test_missing_file() -> None:
    with pytest.raises(SessionError, match="no such file"):
        load("somewhere/mine.yaml")


def copy_of(tmp_path: Path, old: str, new: str) -> Path:
    import depthlock.chemistry

    text = (Path(depthlock.chemistry.__file__).parent / "na-tfsi.yaml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def test_own_library_by_path(tmp_path: Path) -> None:
    chemistry = load(copy_of(tmp_path, "name: na-tfsi", "name: mine"))
    assert chemistry.name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("regions:", "region:", "did you mean 'regions'"),
        ("position: 685.0,", "position: much,", r"regions\[0\]\.components\[0\]\.position"),
        ("component: F 1s/CF3", "component: F 1s/CF4", "did you mean 'F 1s/CF3'"),
        ("name: CF3, position: 688.7", "name: fluoride, position: 688.7", "stands twice"),
        ("elements: [H,", "elements: ]H,", r"mine\.yaml:\d+: while parsing"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SessionError, match=message):
        load(copy_of(tmp_path, old, new))


def test_binary_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SessionError, match="is not UTF-8 text"):
        load(file)


def test_every_state_of_the_reference_problem_is_at_hand() -> None:
    chemistry = load("mg-tfsi-v2o5")
    labels = {f"{region.name}/{state.name}" for region in chemistry.regions for state in region.components}
    wanted = {f"V 2p/{state}" for state in ("V5+", "V4+", "V3+", "V0")}
    wanted |= {
        "F 1s/MgF2",
        "F 1s/CF3",
        "F 1s/CF2",
        "C 1s/CF2",
        "C 1s/CF3",
        "O 1s/V-O",
        "O 1s/C-O",
        "O 1s/C=O",
        "O 1s/SO2",
    }
    wanted |= {"S 2p/SO2CF3", "N 1s/TFSI", "Mg 1s/Mg2+", "Mg 2s/Mg2+", "Mg 2p/Mg2+"}
    assert wanted <= labels


def test_survey_lines_agree_with_the_libraries_factors() -> None:
    factors = load("mg-tfsi-v2o5").sensitivity.factors
    table = survey_lines()
    lines = {f"{entry.element} {line.level}": line for entry in table.elements for line in entry.lines}
    shared = [name for name in factors if name in lines]
    assert len(shared) >= 10
    for name in shared:
        assert lines[name].factor == pytest.approx(factors[name], rel=0.01), name
    assert lines["Sn 3d"].strong_share == pytest.approx(14.80 / 25.05, abs=0.01)
    assert "survey_lines" not in names()

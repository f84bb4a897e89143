"""CasaXPS text exports and the comments CasaXPS leaves in VAMAS files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry
from depthlock.readers.vamas import parse_file
from depthlock.readers.vamas.casaxps_comments import parse_comment

TFSI = Path("xps/tfsi_casaxps")
FEO = Path("xps/casaxps_vamas/FeO_analyzed_lineshapes_cols.txt")
COLUMNS = """,,,,
,,,,
Characteristic Energy eV,1486.6,Acquisition Time s,2.5,
BE_F 1s 7,CPS_F 1s 7,F 1s_1_F 1s 7,Background_F 1s 7,Envelope_F 1s 7
690.0,100,101,99,102
689.9,104,103,99,104
689.8,108,105,99,106
"""
BLOCKS = """Cycle 0:A:F1s
\tCharacteristic Energy eV\t1.4866e+003\tAcquisition Time s\t2.0
Name\t\tMgF2\t
Position\t\t685.5\t
FWHM\t\t1.5\t
Area\t\t100\t
Lineshape\t\tGL(30)\t
K.E.\tCounts\tMgF2\tBackground\tEnvelope\t\tB.E.\tCPS\tMgF2\tBackground CPS\tEnvelope CPS
796.6\t200\t202\t198\t204\t\t691.0\t100\t101\t99\t102
796.7\t208\t206\t198\t208\t\t690.9\t104\t103\t99\t104

Cycle 1:A:F1s
\tCharacteristic Energy eV\t1.4866e+003\tAcquisition Time s\t2.0
K.E.\tCounts\t\tB.E.\tCPS
796.6\t300\t\t691.0\t150
796.7\t308\t\t690.9\t154
"""


def test_column_layout(tmp_path: Path) -> None:
    path = tmp_path / "Au_F_1s.csv"
    path.write_text(COLUMNS)
    (data,) = registry.read(path)
    check(data, "xps_spectra")
    assert (data.attrs["sample"], data.attrs["region"]) == ("Au", "F 1s")
    np.testing.assert_array_equal(data["counts"], [[250, 260, 270]])
    np.testing.assert_array_equal(data["expert_background"], [[99, 99, 99]])
    np.testing.assert_array_equal(data["expert_envelope"], [[102, 104, 106]])
    np.testing.assert_array_equal(data["expert_components"], [[[101, 103, 105]]])
    assert list(data["expert_component"].values) == ["F 1s_1"]


def test_block_layout(tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_text(BLOCKS)
    (data,) = registry.read(path)
    check(data, "xps_spectra")
    np.testing.assert_array_equal(data["counts"], [[200, 208], [300, 308]])
    # The calibrated axis of the export lies 1.0 eV above photon energy minus kinetic energy.
    np.testing.assert_allclose(data["binding_energy"], [690.0, 689.9])
    np.testing.assert_allclose(data["recorded_shift"], [1.0, 1.0])
    assert "expert_background" not in data  # the second level has no fit
    first, second = json.loads(data.attrs["casaxps"])
    assert (first["Name"], first["Position"], first["Lineshape"]) == (["MgF2"], ["685.5"], ["GL(30)"])
    assert second is None


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("689.9,104,103", "689.9,1o4,103", "found '1o4'", 6),
        ("689.8,108,105,99,106\n", "689.8,108", "2 columns", 7),
        ("1486.6", "none", "Characteristic Energy", 3),
        ("690.0,100,101,99,102\n689.9,104,103,99,104\n", "", "1 rows", 5),
    ],
)
def test_damaged_columns(tmp_path: Path, old: str, new: str, message: str, line: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(COLUMNS.replace(old, new))
    with pytest.raises(ReadError, match=message) as caught:
        registry.read(path)
    assert caught.value.where.endswith(f"line {line}")


@pytest.mark.parametrize("cut", [20, 60, 100, 200, 330])
def test_cut_blocks(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text(BLOCKS[:cut])
    with pytest.raises(ReadError):
        registry.read(path)


@pytest.mark.parametrize(
    ("name", "region", "points", "components", "kind"),
    [
        ("20240228_Au_MPPipTFSIIol3_F_1s.csv", "F 1s", 97, 2, "counts"),
        ("20240228_Au_MPPipTFSIIol3_O_1s.csv", "O 1s", 97, 1, "counts"),
        ("20240228_Au_Nadep_from_MPPipTFSI4AMSIol3_O_1s.csv", "O 1s", 97, 2, "counts"),
        ("20240228_Au_MPPipTFSIIol3_S_2p.csv", "S 2p", 129, 4, "counts"),
        ("20240228_Au_MPPipTFSIIol3_survey.csv", "survey", 3501, 0, "counts_per_second"),
    ],
)
def test_tfsi_exports(real_data: Path, name: str, region: str, points: int, components: int, kind: str) -> None:
    (data,) = registry.read(real_data / TFSI / name)
    check(data, "xps_spectra")
    assert data.attrs["region"] == region
    assert data.attrs["sample"] in ("20240228_Au_MPPipTFSIIol3", "20240228_Au_Nadep_from_MPPipTFSI4AMSIol3")
    assert data.sizes["energy"] == points
    assert data.sizes.get("expert_component", 0) == components
    assert data.attrs["intensity_kind"] == kind


@pytest.mark.parametrize(
    ("name", "expert"),
    [
        ("20240228_Au_MPPipTFSIIol3_F_1s.csv", {688.842: 11633, 685.713: 529}),
        ("20240228_Au_MPPipTFSIIol3_O_1s.csv", {532.719: 11590}),
        ("20240228_Au_Nadep_from_MPPipTFSI4AMSIol3_O_1s.csv", {531.900: 8480, 533.644: 1393}),
    ],
)
def test_areas_of_the_experts_curves(real_data: Path, name: str, expert: dict[float, float]) -> None:
    (data,) = registry.read(real_data / TFSI / name)
    step = abs(float(data["binding_energy"][1] - data["binding_energy"][0]))
    curves = data["expert_components"].values[:, 0] - data["expert_background"].values[0]
    found = {float(data["binding_energy"][curve.argmax()]): curve.sum() * step for curve in curves}
    for (position, area), (at, value) in zip(sorted(expert.items()), sorted(found.items()), strict=True):
        assert at == pytest.approx(position, abs=step)
        # The exported window cuts the tails of the curves.
        assert value == pytest.approx(area, rel=0.05)


def test_feo_envelope_is_background_and_components(real_data: Path) -> None:
    (data,) = registry.read(real_data / FEO)
    background = data["expert_background"].values[0]
    components = data["expert_components"].values[:, 0]
    envelope = background + (components - background).sum(axis=0)
    assert components.shape == (4, 1121)
    np.testing.assert_allclose(data["expert_envelope"].values[0], envelope, atol=0.01)
    (fit,) = json.loads(data.attrs["casaxps"])
    assert fit["Lineshape"] == ["LF(0.54,10,80,100,6)", "SGL(30)"] * 2
    assert fit["Position"] == ["709.05", "716.00", "722.13", "729.89"]


def test_export_agrees_with_the_vamas_file(real_data: Path) -> None:
    (text,) = registry.read(real_data / FEO)
    (vamas,) = registry.read(real_data / FEO.parent / "FeO_analyzed.vms")
    np.testing.assert_allclose(text["binding_energy"], vamas["binding_energy"], atol=1e-3)
    np.testing.assert_allclose(text["counts"], vamas["counts"], rtol=1e-5)


def test_several_spectra_in_one_export(real_data: Path) -> None:
    datasets = registry.read(real_data / "xps/formats/vms_txt_export.txt")
    found = [(data.attrs["sample"], data.attrs["region"], data.sizes["energy"]) for data in datasets]
    assert found == [("Ni", "survey", 1201), ("Ni", "Ni 2p", 501), ("NiO", "survey", 1201), ("NiO", "Ni 2p", 501)]


def test_comments_of_feo(real_data: Path) -> None:
    _, blocks = parse_file(real_data / "xps/casaxps_vamas/FeO_analyzed.vms")
    info = parse_comment(blocks[0].comment)
    assert info.unread == ()
    (region,) = info.regions
    assert (region.background, region.end_points) == ("U 3 Tougaard", 2)
    assert region.parameters[2:6] == (335.44588, 551, 436, 3)
    assert [component.shape for component in info.components] == ["LF(0.54,10,80,100,6)", "SGL(30)"] * 2
    first = info.components[0]
    assert first.area.value == 63507.374
    assert blocks[0].source_energy - first.position.value == pytest.approx(709.05, abs=0.01)
    assert first.rsf == 16.42


COMPONENT = (
    "CASA comp (*Mo 3d*) (*LA(1.53,243)*) Area 153.57981 1e-020 2327991 0 0.66666667 "
    "MFWHM 0.76 0.65 1.25 -1 1 Position 1254.08 0 0 0 -3.14 "
    "RSF 10.804667 MASS 95.9219 INDEX -1 (*Mo 3d*) CONST (**) UNCORRECTEDRSF 9.5"
)


def test_constraints_and_calibrations() -> None:
    info = parse_comment(
        [
            "Casa Info Follows",
            "Calib M = 281.1700 A = 284.8 BE ADD",
            "Calib M = 1202.0 A = 1201.5 KE ADD",
            COMPONENT,
            "CASA comp (*broken*) (*GL(30)*) Area one two",
            "an operator's own words",
        ]
    )
    assert info.binding_shift == pytest.approx(3.63 + 0.5)
    (component,) = info.components
    assert (component.area.parent, component.area.tie) == (0, 0.66666667)
    assert (component.position.parent, component.position.tie) == (0, -3.14)
    assert component.region == "Mo 3d"
    assert info.unread == ("CASA comp (*broken*) (*GL(30)*) Area one two",)

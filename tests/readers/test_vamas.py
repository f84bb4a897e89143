"""VAMAS as the standard has it and as it is written in the wild."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from vamas_text import TestBlock, vamas_text

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry, vamas

XPS = "xps"


def written(folder: Path, text: str, name: str = "made.vms") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def one(path: Path, **settings: object) -> object:
    datasets = registry.read(path, **settings)
    assert len(datasets) == 1
    return check(datasets[0], "xps_spectra")


def test_regular_spectrum(tmp_path: Path) -> None:
    data = one(written(tmp_path, vamas_text([TestBlock()])))
    assert data.attrs["region"] == "F 1s"
    assert data.attrs["sample"] == "A"
    np.testing.assert_allclose(data["binding_energy"], [695.0, 694.5, 694.0, 693.5, 693.0])
    np.testing.assert_array_equal(data["counts"], [[1, 2, 3, 2, 1]])
    assert data["dwell_time"].item() == 0.1
    assert data["scans"].item() == 2
    assert data.attrs["intensity_kind"] == "counts"
    assert data["acquired"].item() == "2025-03-04T05:06:07"
    assert np.isnan(data["etch_time"].item())


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("start", ["", "\r\n\r\n", "\n \n", "\ufeff"])
def test_blank_lines_and_line_ends(tmp_path: Path, start: str, line_end: str) -> None:
    data = one(written(tmp_path, start + vamas_text([TestBlock()], line_end=line_end), "x.npl"))
    assert data["counts"].sum() == 9


@pytest.mark.parametrize("work_function", ["4.5", "-4.5", "1E37"])
def test_work_function_is_never_added(tmp_path: Path, work_function: str) -> None:
    block = TestBlock(label="Kinetic Energy", start=791.6, step=0.5, work_function=work_function)
    data = one(written(tmp_path, vamas_text([block])))
    np.testing.assert_allclose(data["binding_energy"], [695.0, 694.5, 694.0, 693.5, 693.0])
    np.testing.assert_allclose(data["kinetic_energy"], [791.6, 792.1, 792.6, 793.1, 793.6])


@pytest.mark.parametrize("mode", ["NORM", "MAP", "MAPDP", "MAPSV", "MAPSVDP", "SDP", "SDPSV", "SEM", "NOEXP"])
def test_every_experiment_mode(tmp_path: Path, mode: str) -> None:
    path = written(tmp_path, vamas_text([TestBlock(), TestBlock(identifier="O 1s", species="O")], mode=mode))
    datasets = registry.read(path)
    assert [data.attrs["region"] for data in datasets] == ["F 1s", "O 1s"]
    header, blocks = vamas.parse_file(path)
    assert str(header.dialect) == "ISO 14976"
    if mode in ("MAPDP", "MAPSVDP", "SDP", "SDPSV"):
        assert blocks[0].sputtering_ion == (18, 1, 1)
        assert blocks[1].sputtering_source == (4000, 1000, 2000, 2000, 45, 90)
        assert datasets[0].attrs["sputtering_energy_eV"] == 4000


@pytest.mark.parametrize("dialect", [(False, False), (True, False), (False, True)])
def test_sputtered_modes_without_the_guns_lines(tmp_path: Path, dialect: tuple[bool, bool]) -> None:
    values = np.arange(100.0) + 3
    text = vamas_text([TestBlock(values=values)] * 3, mode="SDP", dialect=dialect)
    path = written(tmp_path, text)
    data = one(path)
    assert data.sizes["level"] == 3
    np.testing.assert_array_equal(data["counts"][2], values)
    assert "without" in registry.describe(path)["written as"]


@pytest.mark.parametrize("mode", ["NORM", "SDP"])
def test_etch_series_in_order_of_time(tmp_path: Path, mode: str) -> None:
    blocks = [
        TestBlock(values=np.full(5, level), identifier=f"F 1s Scan level {level}", variables=(text, "ignored"))
        for level, text in ((0, "0"), (2, " 120.0 "), (1, "60"))
    ]
    path = written(tmp_path, vamas_text(blocks, mode=mode, variables=[("Etch Time", "s"), ("Position", "d")]))
    data = one(path)
    np.testing.assert_array_equal(data["etch_time"], [0, 60, 120])
    np.testing.assert_array_equal(data["counts"][:, 0], [0, 1, 2])
    assert data.attrs["series_coordinate"] == "Etch Time"


@pytest.mark.parametrize(
    ("label", "unit", "texts", "seconds", "remark"),
    [
        ("Etch Time", "s", ("0", "30"), (0, 30), ""),
        ("Sputter time", "min", ("0", "0.5"), (0, 30), ""),
        ("EtchTime [min]", "n", ("0", "0.5"), (0, 30), ""),
        ("Etch Time", "d", ("0 s", "30 s"), (0, 30), ""),
        ("sputtering_time", "d", ("0", "30"), (0, 30), "seconds assumed"),
        ("Exp Variable", "d", ("0", "30"), (0, 30), "not named as an etch time"),
        ("Exp Variable", "d", ("0", "1"), (np.nan, np.nan), ""),
        ("Sputterzeit / min", "d", ("0", "0.5"), (0, 30), ""),
        ("Etch", "s", ("0", "30"), (0, 30), ""),
        ("Etch", "d", ("0", "30"), (np.nan, np.nan), ""),
        ("Etch time", "cycles", ("0", "30"), (np.nan, np.nan), ""),
        ("Time", "s", ("0", "30"), (np.nan, np.nan), ""),
        ("Exp Variable", "degree", ("0", "30"), (np.nan, np.nan), ""),
        ("Exp Variable", "d", ("30", "0"), (np.nan, np.nan), ""),
        ("Etch Time", "s", ("30", "30"), (30, 30), "same etch time"),
        ("Etch Level", "d", ("0", "30"), (np.nan, np.nan), ""),
        ("Angle", "degree", ("0", "30"), (np.nan, np.nan), ""),
    ],
)
def test_which_variable_is_the_etch_time(
    tmp_path: Path, label: str, unit: str, texts: tuple[str, ...], seconds: tuple[float, ...], remark: str
) -> None:
    blocks = [TestBlock(variables=(text,)) for text in texts]
    data = one(written(tmp_path, vamas_text(blocks, variables=[(label, unit)])))
    np.testing.assert_array_equal(data["etch_time"], seconds)
    assert remark in data.attrs.get("series_remark", "")
    if not remark:
        assert "series_remark" not in data.attrs


def test_missing_etch_time_is_not_a_number(tmp_path: Path) -> None:
    blocks = [TestBlock(variables=(text,)) for text in ("0", "1E37", "60")]
    data = one(written(tmp_path, vamas_text(blocks, variables=[("Etch Time", "s")])))
    np.testing.assert_array_equal(data["etch_time"], [0, np.nan, 60])


def test_block_order_without_a_variable(tmp_path: Path) -> None:
    data = one(written(tmp_path, vamas_text([TestBlock()] * 4)))
    assert data.sizes["level"] == 4
    assert np.isnan(data["etch_time"]).all()
    assert data.attrs["series_coordinate"] == "block order"


def test_etch_times_from_the_session(tmp_path: Path) -> None:
    path = written(tmp_path, vamas_text([TestBlock()] * 3))
    data = one(path, etch_times=[0, 20, 40])
    np.testing.assert_array_equal(data["etch_time"], [0, 20, 40])
    with pytest.raises(ReadError, match=r"2 etch times.*3 levels"):
        registry.read(path, etch_times=[0, 20])


def test_several_samples(tmp_path: Path) -> None:
    path = written(tmp_path, vamas_text([TestBlock(sample="A"), TestBlock(sample="B"), TestBlock(sample="B")]))
    assert [(d.attrs["sample"], d.sizes["level"]) for d in registry.read(path)] == [("A", 1), ("B", 2)]
    assert one(path, sample="B").sizes["level"] == 2
    with pytest.raises(ReadError, match="no sample 'C'"):
        registry.read(path, sample="C")


def test_region_is_chosen_or_named(tmp_path: Path) -> None:
    nameless = {"species": "", "transition": ""}
    blocks = [TestBlock(), TestBlock(identifier="O1s/V2p", start=540.0, **nameless)]
    path = written(tmp_path, vamas_text(blocks))
    assert one(path, region="V 2p").attrs["region"] == "O 1s + V 2p"
    assert one(path, region="F1s").attrs["region"] == "F 1s"
    with pytest.raises(ReadError, match=r"no region 'S 2p'(.|\n)*F 1s, O 1s \+ V 2p"):
        registry.read(path, region="S 2p")
    path = written(tmp_path, vamas_text([TestBlock(identifier="7", **nameless)]))
    assert one(path).attrs["region"] == "693.0-695.0 eV"
    assert one(path, region="F1s").attrs["region"] == "F 1s"


def test_other_energies_are_another_dataset(tmp_path: Path) -> None:
    path = written(tmp_path, vamas_text([TestBlock(), TestBlock(start=696.0), TestBlock()]))
    datasets = registry.read(path)
    assert [data.sizes["level"] for data in datasets] == [2, 1]
    assert [float(data["binding_energy"][0]) for data in datasets] == [695.0, 696.0]


def test_inclusion_list_takes_the_rest_from_the_first_block(tmp_path: Path) -> None:
    kept = (11, 29, 30)
    without = tuple(number for number in range(1, 41) if number not in kept)
    blocks = [
        TestBlock(variables=("0",), dwell="0.25"),
        TestBlock(variables=("30",), species="O", dwell="9", without=without),
    ]
    datasets = registry.read(written(tmp_path, vamas_text(blocks, variables=[("Etch Time", "s")], listed=kept)))
    assert [data.attrs["region"] for data in datasets] == ["F 1s", "O 1s"]
    assert datasets[1]["dwell_time"].item() == 0.25
    assert datasets[1]["etch_time"].item() == 30


def test_exclusion_list(tmp_path: Path) -> None:
    excluded = (1, 2, 3, 31, 35)
    blocks = [TestBlock(scans="7"), TestBlock(scans="1", start=1.0, without=excluded)]
    data = one(written(tmp_path, vamas_text(blocks, listed=[-number for number in excluded])))
    np.testing.assert_array_equal(data["scans"], [7, 7])


def test_irregular_with_transmission_and_missing_values(tmp_path: Path) -> None:
    block = TestBlock(
        ordinates=[("Kinetic Energy", "eV"), ("Intensity", "d"), ("Transmission", "d")],
        values=[791.6, 5, 2.0, 792.0, 1e37, 2.1, 793.0, 7, 2.2],
    )
    data = one(written(tmp_path, vamas_text([block], scan_mode="IRREGULAR")))
    np.testing.assert_allclose(data["binding_energy"], [695.0, 694.6, 693.6])
    np.testing.assert_array_equal(data["counts"], [[5, np.nan, 7]])
    np.testing.assert_allclose(data["transmission"], [2.0, 2.1, 2.2])


def test_rates_become_the_counts_they_were_made_from(tmp_path: Path) -> None:
    counts = np.array([10.0, 11, 12, 29, 7])
    data = one(written(tmp_path, vamas_text([TestBlock(values=counts / 0.2, ordinates=[("Intensity", "c/s")])])))
    np.testing.assert_allclose(data["counts"], [counts])
    assert data.attrs["intensity_kind"] == "counts"
    rates = np.array([10.01, 11.02, 12.03, 13.04, 7.07])
    data = one(written(tmp_path, vamas_text([TestBlock(values=rates, ordinates=[("Counts per second", "d")])])))
    np.testing.assert_allclose(data["counts"], [rates])
    assert data.attrs["intensity_kind"] == "counts_per_second"
    assert data["counts"].attrs["units"] == "1/s"


def test_photon_energy_from_the_anode_or_the_session(tmp_path: Path) -> None:
    kinetic = {"label": "kinetic energy", "start": 558.6, "step": 0.5, "source_energy": "1E37"}
    path = written(tmp_path, vamas_text([TestBlock(source_label="Mg", **kinetic)]))
    assert one(path)["binding_energy"][0].item() == pytest.approx(695.0)
    path = written(tmp_path, vamas_text([TestBlock(source_label="synchrotron", **kinetic)]))
    with pytest.raises(ReadError, match=r"(?s)no photon energy.*photon_energy: 1486\.6"):
        registry.read(path)
    assert one(path, photon_energy=1253.6)["binding_energy"][0].item() == pytest.approx(695.0)
    assert "photon energy unknown" in str(registry.describe(path))


def test_other_techniques_are_passed_over_by_name(tmp_path: Path) -> None:
    blocks = [TestBlock(), TestBlock(technique="AES diff", identifier="Auger"), TestBlock(values=())]
    data = one(written(tmp_path, vamas_text(blocks)))
    assert len(data.attrs["passed_over"]) == 2
    assert "'AES diff'" in data.attrs["passed_over"][0]
    assert "no data" in data.attrs["passed_over"][1]
    path = written(tmp_path, vamas_text([TestBlock(technique="SIMS")]))
    with pytest.raises(ReadError, match=r"holds no XPS spectrum.*'SIMS'"):
        registry.read(path)
    assert registry.describe(path)["techniques"] == {"SIMS": 1}


def test_calibration_is_recorded_and_not_applied(tmp_path: Path) -> None:
    comment = ["Casa Info Follows", "2", "Calib M = 281.17 A = 284.8 BE ADD", "Calib M = 285.0 A = 284.9 BE ADD", "0"]
    data = one(written(tmp_path, vamas_text([TestBlock(comment=comment)])))
    assert data["binding_energy"][0].item() == 695.0
    assert data["recorded_shift"].item() == pytest.approx(3.53)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (1, r"line 1\b"),
        (5, "number of comment lines"),
        (15, "number of blocks"),
        (16, "block identifier.*in block 1 of 2"),
        (45, r"in block 1 of 2"),
        (90, r"in block 2 of 2"),
    ],
)
def test_cut_file_names_line_and_what_is_missing(tmp_path: Path, cut: int, message: str) -> None:
    lines = vamas_text([TestBlock(), TestBlock()]).split("\r\n")
    path = written(tmp_path, "\r\n".join(lines[:cut]) + "\r\n")
    with pytest.raises(ReadError, match=message) as caught:
        registry.read(path)
    assert f"line {cut}" in caught.value.where


def test_cut_depth_profile_is_told_by_the_standard(tmp_path: Path) -> None:
    lines = vamas_text([TestBlock(values=np.arange(50.0))] * 3, mode="SDP").split("\r\n")
    for cut in range(20, len(lines) - 2, 7):
        path = written(tmp_path, "\r\n".join(lines[:cut]) + "\r\n")
        with pytest.raises(ReadError) as caught:
            registry.read(path)
        assert caught.value.where.endswith(f"line {cut}")


def test_simulated_series(tmp_path: Path) -> None:
    from depthlock.simulate.layer import LayerParameters
    from depthlock.simulate.vamas_writer import write_vamas
    from depthlock.simulate.xps import XpsParameters, simulate_spectra

    truth, _ = simulate_spectra(XpsParameters(), LayerParameters(), np.random.default_rng(5), sample="B")
    for kinetic in (True, False):
        path = tmp_path / f"{kinetic}.vms"
        write_vamas(path, truth, kinetic_axis=kinetic)
        datasets = registry.read(path)
        assert [data.attrs["region"] for data in datasets] == [data.attrs["region"] for data in truth]
        for data, true in zip(datasets, truth, strict=True):
            check(data, "xps_spectra")
            np.testing.assert_allclose(data["etch_time"], true["etch_time"], atol=5e-4)
            np.testing.assert_allclose(data["binding_energy"], true["binding_energy"], atol=1e-2)
            np.testing.assert_array_equal(data["counts"], true["counts"])
            np.testing.assert_allclose(data["dwell_time"] * data["scans"], true["dwell_time"] * true["scans"])


def test_cut_within_the_last_number(tmp_path: Path) -> None:
    text = vamas_text([TestBlock(values=[1, 2, 3, 4, 12345])]).removesuffix("45\r\nend of experiment\r\n")
    with pytest.raises(ReadError, match="last number may be cut"):
        registry.read(written(tmp_path, text))


def test_word_in_place_of_a_number(tmp_path: Path) -> None:
    lines = vamas_text([TestBlock()]).split("\r\n")
    at = lines.index("1486.6")
    lines[at] = "Al K-alpha"
    with pytest.raises(ReadError, match="found 'Al K-alpha'") as caught:
        registry.read(written(tmp_path, "\r\n".join(lines)))
    assert caught.value.where.endswith(f"line {at + 1}")
    assert "analysis source energy" in caught.value.expected


def test_no_blocks(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="announces 0 blocks"):
        registry.read(written(tmp_path, vamas_text([])))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kratos.vms", "line count 39"),
        ("phi.vms", "line count 252"),
        ("casa_header.vms", "line count 1"),
        ("aes_staib.vms", "'AES diff'"),
    ],
)
def test_real_files_that_are_refused(real_data: Path, name: str, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        registry.read(real_data / XPS / "formats" / name)


REAL = {
    "angle_series/ARXPS.vms": (3, 5),
    "casaxps_vamas/FeO_analyzed.vms": (1, 1),
    "casaxps_vamas/assigned.vms": (54, 1),
    "formats/0-150W.vms": (5, 1),
    "formats/Mutlipak_vms.npl": (5, 1),
    "formats/fer_2.vms": (5, 1),
    "formats/fer_casaxps.vms": (3, 1),
    "formats/irregular.vms": (1, 1),
    "formats/regular.vms": (1, 1),
    "formats/single_sample.vms": (9, 1),
    "formats/survey.vms": (1, 1),
    "kherve/Pt4f.vms": (1, 1),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_open(real_data: Path, name: str) -> None:
    datasets = registry.read(real_data / XPS / name)
    count, levels = REAL[name]
    assert len(datasets) == count
    assert datasets[0].sizes["level"] == levels
    for data in datasets:
        check(data, "xps_spectra")
        assert np.isfinite(data["counts"]).all()
        assert data["binding_energy"].min() > -25
    facts = registry.describe(real_data / XPS / name)
    assert json.loads(json.dumps(facts)) == facts


def test_every_real_vamas_file_is_accounted_for(real_data: Path) -> None:
    found = {
        str(path.relative_to(real_data / XPS))
        for suffix in ("*.vms", "*.npl")
        for path in (real_data / XPS).rglob(suffix)
    }
    refused = {f"formats/{name}.vms" for name in ("kratos", "phi", "casa_header", "aes_staib")}
    assert found == set(REAL) | refused


def test_assigned_samples_and_shifts(real_data: Path) -> None:
    datasets = registry.read(real_data / XPS / "casaxps_vamas" / "assigned.vms")
    shifts = {data.attrs["sample"]: data["recorded_shift"].item() for data in datasets}
    assert len(shifts) == 6
    assert min(shifts.values()) == pytest.approx(3.4433, abs=1e-6)
    assert max(shifts.values()) == pytest.approx(4.2237, abs=1e-6)
    molybdenum = next(data for data in datasets if data.attrs["region"] == "Mo 3d")
    (fit,) = json.loads(molybdenum.attrs["casaxps"])
    main = fit["components"][2]
    assert (main["name"], main["shape"]) == ("Mo 3d MoS2 1T", "LA(1.53,243)")
    binding = molybdenum.attrs["photon_energy_eV"] - main["position"]["value"]
    assert binding == pytest.approx(228.80, abs=0.01)
    # The strongest line of the raw spectrum, moved by the recorded shift, is where the fitted component is.
    raw = molybdenum["binding_energy"].values[int(np.argmax(molybdenum["counts"].values[0]))]
    assert raw + molybdenum["recorded_shift"].item() == pytest.approx(binding, abs=0.2)


def test_angle_series_is_ordered_by_its_angle(real_data: Path) -> None:
    data = registry.read(real_data / XPS / "angle_series" / "ARXPS.vms", region="Al2p")[0]
    assert data.attrs["series_coordinate"] == "Angle"
    assert data["variable_angle"].size == 5
    assert len(np.unique(data["variable_angle"])) == 5

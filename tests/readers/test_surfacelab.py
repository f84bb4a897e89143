"""SurfaceLab depth profiles: every real file, and what their names and last rows mean."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.ions import Ion
from depthlock.readers import registry, surfacelab
from depthlock.readers.surfacelab_names import ProfileName, parse_name

FOLDER = "tofsims/surfacelab_profiles"
ELECTRODE = "I241209h_D_FACSPI-dev_4f-3nA_neg-D-electrode1 - NF.txt"
SHAPES = {
    "I231020y_I_SAM-DIR-CH_01s_neg-1 - NF.txt": (132, 801),
    "I231114t_A_MAPI_1f-LC_neg-12 - NF.txt": (121, 83),
    "I231114zf_A_MAPI_1f-LC_pos-12 - NF.txt": (106, 83),
    "I231115u_D_MeO-2PACz_5f_neg-C2 - NF.txt": (132, 70),
    "I231115x_E_PbI2-MeO-2PACz_1f_neg-C1 - NF.txt": (132, 342),
    ELECTRODE: (132, 342),
    "I241209m_A_MAPI_1f-1nA_pos-B4 - NF.txt": (106, 165),
    "I241209s_B_FACSPI_1f-1nA_pos-B4 - NF.txt": (106, 165),
    "I241209zi_D_FACSPI-dev_1f-3nA_neg-C2 - NF.txt": (132, 342),
    "I241211i_C_MAPI-dev_4f-3nA_neg-B-electrode2 - NF.txt": (132, 342),
    "I241211zd_I_MAPI-Au-peel_1f-1nA_neg-D-peeled2 - NF.txt": (132, 329),
    "I241213n_M_PCBM-ref_1f-3nA_neg-B4 - NF.txt": (132, 342),
}


@pytest.fixture(scope="module", params=SHAPES)
def profile(request: pytest.FixtureRequest, real_data: Path) -> xr.Dataset:
    return check(registry.read(real_data / FOLDER / request.param), "tofsims_export")


def test_shape_and_polarity(profile: xr.Dataset) -> None:
    name = Path(profile.attrs["source"]).name
    assert (profile.sizes["ion"], profile.sizes["scan"]) == SHAPES[name]
    assert profile.attrs["polarity"] == ("+" if "_pos" in name else "-")
    assert profile.attrs["corrected"] == 1
    assert profile.attrs["smoothed"] == 0
    assert len(set(profile["ion"].values.tolist())) == profile.sizes["ion"]


def test_only_the_last_row_is_incomplete(profile: xr.Dataset) -> None:
    assert profile.attrs["incomplete_scans"] == [profile.sizes["scan"] - 1]
    assert int(profile["complete"].sum()) == profile.sizes["scan"] - 1


def test_sums_are_the_sums_of_their_ions(profile: xr.Dataset) -> None:
    single = dict(zip(profile["name"].values, profile["intensity"].values, strict=True))
    by_label = {name.replace("_", ""): values for name, values in single.items()}
    for name, kind in zip(profile["name"].values, profile["kind"].values, strict=True):
        ions = parse_name(name).ions
        if kind == "sum" and all(ion in by_label for ion in ions):
            expected = np.sum([by_label[ion] for ion in ions], axis=0)
            assert np.allclose(single[name], expected, rtol=1e-5), name


def test_ion_labels_are_formulas_of_the_right_mass(profile: xr.Dataset) -> None:
    ions = profile["kind"].values == "ion"
    for label, mz in zip(profile["ion"].values[ions], profile["mz"].values[ions], strict=True):
        ion = Ion.parse(label.split(" (")[0])
        # SurfaceLab states the measured centre, which lies up to some tenths off for clusters of many isotopes.
        assert ion.mz == pytest.approx(mz, abs=0.5), label


def test_values_of_one_file(real_data: Path) -> None:
    data = surfacelab.read(real_data / FOLDER / ELECTRODE)
    ion = data["intensity"].sel(ion="^118SnO2-")
    assert float(ion[0]) == 1732.83
    assert float(data["mz"].sel(ion="^118SnO2-")) == 149.8894
    assert float(data["sputter_time"][1]) == 5.8668
    plateau = data["intensity"].sel(ion="SnO2-").where((data.sputter_time > 900) & (data.sputter_time < 1100))
    assert float(plateau.mean()) == pytest.approx(3040, rel=0.02)
    # SnO_2-: 122 of the 132 profiles are zero in the last row.
    assert int((data["intensity"][:, -1] == 0).sum()) >= 110
    ratio = data["intensity"].sel(ion="(^118SnI3- + SnI3-) / (^206PbI3- + ^207PbI3- + PbI3-)")
    assert np.isinf(ratio[2])


@pytest.mark.parametrize(
    ("written", "label", "kind"),
    [
        ("^118SnI_3-", "^118SnI3-", "ion"),
        ("Ag_3+", "Ag3+", "ion"),
        ("^206PbI_3-, ^207PbI_3-PbI_3-", "^206PbI3- + ^207PbI3- + PbI3-", "sum"),
        ("CN- / ( InO- )", "CN- / InO-", "ratio"),
        ("1 / ( CH_3NH_3I_2- / ( CN- ) )", "1 / (CH3NH3I2- / CN-)", "ratio"),
        ("total", "total", "total"),
        ("Pb^206PbI_3", "Pb^206PbI_3", "other"),
        ("my peak", "my peak", "other"),
    ],
)
def test_names(written: str, label: str, kind: str) -> None:
    parsed = parse_name(written)
    assert (parsed.label, parsed.kind) == (label, kind)
    assert (len(parsed.ions) > 0) == (kind in {"ion", "sum"})
    assert isinstance(parsed, ProfileName)


def test_the_beam_current_table_is_refused_with_its_reason(real_data: Path) -> None:
    with pytest.raises(ReadError, match="cluster source, no depth profile"):
        registry.find(real_data / FOLDER / "241209_Ar500-20keV_Range-1-1350.txt")


SMALL = (
    "# Profile Smoothing is Enabled\n#\t\t\t\ttotal\tO-\tO-\t\n#\t\t\t\tN/A\t15.99\t15.97\t\n"
    "#Data Point #\tSputter Time (s)\tDose (ions)\tFluence (ions/cm^2)\tIntensity\tIntensity\tIntensity\t\n"
    "1\t0\t1\t1\t9\t4\t5\t\n2\t1\t2\t2\t9\t4\t5\t\n"
)


def read_text(tmp_path: Path, text: str) -> xr.Dataset:
    path = tmp_path / "p.txt"
    path.write_text(text)
    return surfacelab.read(path)


def test_repeated_names_are_told_apart(tmp_path: Path) -> None:
    data = read_text(tmp_path, SMALL)
    assert data["ion"].values.tolist() == ["total", "O- (m/z 15.9900)", "O- (m/z 15.9700)"]
    assert data.attrs["smoothed"] == 1


def test_decimal_commas(tmp_path: Path) -> None:
    data = read_text(tmp_path, SMALL.replace("\n2\t1\t", "\n2\t1,25\t").replace("15.99", "15,99"))
    assert data["sputter_time"].values.tolist() == [0.0, 1.25]
    assert float(data["mz"][1]) == 15.99


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("\t4\t5\t\n2", "\t4\n2", "p.txt:5"),
        ("\t4\t5\t\n2", "\tfour\t5\t\n2", "p.txt:5"),
        ("\n2\t1\t", "\n2\t0\t", "p.txt:6"),
        ("\t4\t5\t\n2", "\t-4\t5\t\n2", "p.txt"),
        ("15.99", "fifteen", "p.txt:3"),
        ("Intensity\tIntensity\t\n", "Intensity\tNormalised\t\n", "p.txt:4"),
        ("Sputter Time (s)", "Depth (nm)", "p.txt:4"),
        ("2\t1\t2\t2\t9\t4\t5\t\n", "", "p.txt"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, old: str, new: str, place: str) -> None:
    assert old in SMALL
    with pytest.raises(ReadError) as caught:
        read_text(tmp_path, SMALL.replace(old, new, 1))
    assert caught.value.where.endswith(place)


def test_describe(real_data: Path) -> None:
    facts = surfacelab.describe(real_data / FOLDER / ELECTRODE)
    assert facts["profiles"] == "1 total, 10 sum, 112 ion, 9 ratio"
    assert facts["sputter time"] == "0 to 2000.58 s, every 5.867 s"
    assert "342 is incomplete" in facts["notes"][0]


_AS_SAVED = {
    "semicolons": lambda text: text.replace("\t", ";").encode("latin-1"),
    "commas for points": lambda text: re.sub(r"(?<=\d)\.(?=\d)", ",", text).encode("latin-1"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-8 with mark": lambda text: text.encode("utf-8-sig"),
    "CR": lambda text: text.replace("\r\n", "\n").replace("\n", "\r").encode("latin-1"),
}


@pytest.mark.parametrize("saved", _AS_SAVED)
def test_what_a_spreadsheet_saved_again_reads_the_same(saved: str, real_data: Path, tmp_path: Path) -> None:
    original = real_data / FOLDER / "I231114zf_A_MAPI_1f-LC_pos-12 - NF.txt"
    path = tmp_path / "profile.txt"
    path.write_bytes(_AS_SAVED[saved](original.read_bytes().decode("latin-1")))
    again, first = registry.read(path), registry.read(original)
    np.testing.assert_array_equal(again["intensity"].values, first["intensity"].values)
    np.testing.assert_array_equal(again["sputter_time"].values, first["sputter_time"].values)
    assert again["ion"].values.tolist() == first["ion"].values.tolist()


def test_times_in_minutes_become_seconds(real_data: Path, tmp_path: Path) -> None:
    original = real_data / FOLDER / "I231114zf_A_MAPI_1f-LC_pos-12 - NF.txt"
    text = original.read_bytes().decode("latin-1")
    path = tmp_path / "profile.txt"
    path.write_bytes(text.replace("Sputter Time (s)", "Sputter Time (min)").encode("latin-1"))
    assert registry.read(path)["sputter_time"].values == pytest.approx(
        60.0 * registry.read(original)["sputter_time"].values
    )
    path.write_bytes(text.replace("Sputter Time (s)", "Sputter Time (scans)").encode("latin-1"))
    with pytest.raises(ReadError, match="the sputter time is in 'scans'"):
        registry.read(path)


def test_columns_apart_by_blanks_are_refused_by_their_titles(real_data: Path, tmp_path: Path) -> None:
    original = real_data / FOLDER / "I231114zf_A_MAPI_1f-LC_pos-12 - NF.txt"
    path = tmp_path / "profile.txt"
    path.write_bytes(original.read_bytes().replace(b"\t", b"  "))
    with pytest.raises(ReadError, match="column titles has 1 columns"):
        registry.read(path)

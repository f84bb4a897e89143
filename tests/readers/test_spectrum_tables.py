"""Tables of two columns, and the text exports of SPECS and Scienta."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry

ENERGY = np.round(538.0 - 0.1 * np.arange(100), 4)
COUNTS = 100 + np.arange(100) % 7


def table(separator: str = ",", heading: str = "", energy: np.ndarray = ENERGY) -> str:
    rows = [f"{one:g}{separator}{two:d}" for one, two in zip(energy, COUNTS, strict=True)]
    return "\n".join([*([heading] if heading else []), *rows, ""])


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "  "])
@pytest.mark.parametrize("heading", ["", "Binding energy (eV)/x/counts", "# BE counts"])
def test_separators_and_headings(tmp_path: Path, separator: str, heading: str) -> None:
    path = tmp_path / "O1s.txt"
    path.write_text(table(separator, heading.replace("/x/", separator)))
    (data,) = registry.read(path)
    check(data, "xps_spectra")
    assert data.attrs["region"] == "O 1s"
    np.testing.assert_allclose(data["binding_energy"], ENERGY)
    np.testing.assert_array_equal(data["counts"][0], COUNTS)
    assert data.attrs["energy_axis_source"] == ("heading" if heading else "assumed: the file does not say")


def test_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "O1s.csv"
    path.write_text(table(";").replace(".", ","))
    np.testing.assert_allclose(registry.read(path)[0]["binding_energy"], ENERGY)


def test_photon_energy_makes_an_unnamed_axis_kinetic(tmp_path: Path) -> None:
    path = tmp_path / "scan_17.csv"
    path.write_text(table(energy=730 - ENERGY))
    (data,) = registry.read(path, photon_energy=730.0, region="O 1s", etch_times=[30])
    np.testing.assert_allclose(data["binding_energy"], ENERGY)
    np.testing.assert_allclose(data["kinetic_energy"], 730 - ENERGY)
    assert data["etch_time"].item() == 30
    with pytest.raises(ReadError, match=r"O 1s lies near 531 eV.*192\.0 to 201\.9(.|\n)*photon_energy"):
        registry.read(path, region="O 1s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("537.5,1o0\n", "found '537.5,1o0'"),
        ("537.5\n", "found '537.5'"),
        ("539,100\n", "one direction"),
        ("nan,100\n", "one direction|missing"),
    ],
)
def test_damaged_row(tmp_path: Path, text: str, message: str) -> None:
    lines = table().splitlines(keepends=True)
    lines[50] = text
    path = tmp_path / "O1s.csv"
    path.write_text("".join(lines))
    with pytest.raises(ReadError, match=message) as caught:
        registry.read(path, reader="spectrum_tables")
    assert caught.value.where.endswith("line 51")


@pytest.mark.parametrize(
    "heading", ["Mass (m/z),counts", "2 theta,counts", "Wavelength (nm),counts", "Potential (V),current"]
)
def test_other_tables_are_not_spectra(tmp_path: Path, heading: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table(heading=heading))
    with pytest.raises(ReadError, match="no reader knows this file"):
        registry.find(path)


def test_uneven_axis_is_not_a_spectrum(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table(energy=ENERGY + np.sin(np.arange(100))))
    with pytest.raises(ReadError, match="no reader knows this file"):
        registry.find(path)


def test_real_time_series(real_data: Path) -> None:
    paths = sorted((real_data / "xps/time_series_o1s").glob("*_dsp.csv"))
    assert len(paths) == 16
    totals = []
    for path in paths:
        (data,) = registry.read(path, photon_energy=730.0, region="O 1s")
        assert data.attrs["region"] == "O 1s"
        assert 524 < data["binding_energy"].min() < 526
        assert 535 < data["binding_energy"].max() < 539
        totals.append(float(data["counts"].mean()))
    # The scan ...0015 was an anomaly of a tenth of the counts.
    assert int(np.argmin(totals)) == 2
    assert totals[2] < 0.2 * np.median(totals)


def test_real_pet(real_data: Path) -> None:
    (data,) = registry.read(real_data / "xps/formats/PET_C1s.csv")
    assert (data.attrs["region"], data.sizes["energy"]) == ("C 1s", 401)
    assert data.attrs["energy_axis_source"] == "heading"
    assert data["binding_energy"].values[np.argmax(data["counts"].values[0])] == pytest.approx(284.7, abs=0.3)


def test_real_specs_xy(real_data: Path) -> None:
    survey, iron = registry.read(real_data / "xps/formats/MgFe2O4_small.xy")
    check(survey, "xps_spectra")
    assert (survey.attrs["region"], survey.sizes["energy"]) == ("survey", 1351)
    assert (iron.attrs["region"], iron.sizes["energy"]) == ("Fe 2p", 56)
    assert survey["counts"].values[0, 0] == 15598.679
    assert survey.attrs["intensity_kind"] == "counts_per_second"
    assert iron["dwell_time"].item() == 0.3
    assert survey.attrs["photon_energy_eV"] == 1486.61


def test_specs_xy_cut_off(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.xy"
    path.write_bytes((real_data / "xps/formats/MgFe2O4_small.xy").read_bytes()[:10_000])
    with pytest.raises(ReadError, match=r"values in the curve(.|\n)*1351 values"):
        registry.read(path)


@pytest.mark.parametrize(
    ("name", "region", "points", "ends"),
    [("Ag_0001.txt", "Ag 3d", 361, (382, 364)), ("Cu-HHTP_0001.txt", "survey", 1221, (600, -10))],
)
def test_real_scienta(real_data: Path, name: str, region: str, points: int, ends: tuple[float, float]) -> None:
    (data,) = registry.read(real_data / "xps/formats" / name)
    check(data, "xps_spectra")
    assert (data.attrs["region"], data.sizes["energy"]) == (region, points)
    np.testing.assert_allclose(data["binding_energy"][[0, -1]], ends)
    assert data["dwell_time"].item() == pytest.approx(0.203)


def test_scienta_cut_off(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes((real_data / "xps/formats/Ag_0001.txt").read_bytes()[:8980])
    with pytest.raises(ReadError, match=r"rows of data(.|\n)*361 rows|an energy and its intensities"):
        registry.read(path)

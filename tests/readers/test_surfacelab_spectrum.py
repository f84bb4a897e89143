"""SurfaceLab spectra, which `depthlock info` shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry

FOLDER = "tofsims/surfacelab_spectra"


@pytest.mark.parametrize(
    ("name", "points", "counts"),
    [("N_Ru-Rh_Bi1_2.txt", 6994, 35018334), ("P_Ru-Ir_Bi3_4.txt", 7130, 17478074)],
)
def test_real_spectra(real_data: Path, name: str, points: int, counts: int) -> None:
    data = registry.read(real_data / FOLDER / name)
    assert data.sizes["channel"] == points
    assert int(data["counts"].sum()) == counts
    assert data.attrs["dead_time_corrected"] == 1
    assert data.attrs["binning"] == 200
    assert data["mz"].attrs["units"] == "Da"


def test_describe_names_the_strong_peaks(real_data: Path) -> None:
    facts = registry.describe(real_data / FOLDER / "N_Ru-Rh_Bi1_2.txt")
    assert facts["gives"] == "tofsims_spectrum"
    assert any(peak.startswith("m/z 35.004") for peak in facts["strongest peaks"])


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_cut_short(real_data: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "s.txt"
    path.write_bytes((real_data / FOLDER / "N_Ru-Rh_Bi1_2.txt").read_bytes()[:-cut])
    with pytest.raises(ReadError, match="cut short"):
        registry.read(path)

"""PHI .pro and .spe against a real GCIB profile of SnO2 on silicon, and against damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import phi_spectra, registry

PROFILE = Path("xps/phi_depth_series/SnO2_10nm_1.pro")
SINGLE = Path("xps/phi_depth_series/SnO2_10nm.spe")


def small_profile(cycles: int = 3, points: int = 5, *, technique: str = "XPS", kind: str = "DEPTHPRO") -> bytes:
    """A profile of one region as the real files lay it out; the value is 100 * cycle + point, over 0.5 s."""
    lines = [
        "SOFH",
        f"Technique: {technique}",
        f"FileType: {kind}",
        "FileDesc: (1, made)",
        "XraySource: Al 1486.6 mono",
    ]
    lines += [
        f"SpectralRegDef: 1 1 F1s 9 {points} -0.5000 695.0000 693.0000 694.0 693.5 0.500000 55.00 AREA",
        "EOFH",
        "",
    ]
    values = (100.0 * np.arange(cycles)[:, None] + np.arange(points)).astype("<f4") / np.float32(0.5)
    times = (30.0 * np.arange(cycles)).astype("<f4")
    first = 16 + 2 * 96

    def entry(
        number: int, region: int, shape: tuple[int, int], axes: tuple[bytes, bytes], unit: bytes, at: int
    ) -> bytes:
        size = 4 * shape[0] * shape[1]
        raw = struct.pack("<8I", number, 1, 1, region, 1, shape[0], shape[1], 1)
        raw += axes[0].ljust(8, b"\0") + axes[1].ljust(16, b"\0") + unit.ljust(16, b"\0") + b"f4\0\0"
        return (raw + struct.pack("<2I", size, at)).ljust(96, b"\0")

    directory = entry(1, 1, (points, cycles), (b"pnt", b"cyc"), b"c/s", first)
    directory += entry(2, 0, (cycles, 1), (b"cyc", b"reg"), b"s", first + values.nbytes)
    head = "\r\n".join(lines).encode() + struct.pack("<4I", 1, 2, 2 * 96, 16)
    return head + directory + values.tobytes() + times.tobytes()


def test_small_profile(tmp_path: Path) -> None:
    path = tmp_path / "made.pro"
    path.write_bytes(small_profile())
    (data,) = registry.read(path)
    check(data, "xps_spectra")
    assert data.attrs["region"] == "F 1s"
    assert data.attrs["sample"] == "made"
    np.testing.assert_array_equal(data["etch_time"], [0, 30, 60])
    np.testing.assert_allclose(data["binding_energy"], [695, 694.5, 694, 693.5, 693])
    np.testing.assert_array_equal(data["counts"], 100 * np.arange(3)[:, None] + np.arange(5))
    np.testing.assert_array_equal(data["dwell_time"], 0.5)


def test_every_truncation_is_a_read_error(tmp_path: Path) -> None:
    whole = small_profile()
    path = tmp_path / "made.pro"
    for length in range(5, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError) as caught:
            registry.read(path)
        assert str(path) in caught.value.where


@pytest.mark.parametrize(
    ("technique", "kind", "message"),
    [("SIMS", "DEPTHPRO", "of the technique SIMS"), ("XPS", "MAP", "of the type MAP")],
)
def test_other_phi_files(tmp_path: Path, technique: str, kind: str, message: str) -> None:
    path = tmp_path / "made.pro"
    path.write_bytes(small_profile(technique=technique, kind=kind))
    with pytest.raises(ReadError, match=message):
        registry.read(path)


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    raw = bytearray(small_profile())
    raw[-12 - 20 : -12 - 16] = struct.pack("<f", np.nan)
    path = tmp_path / "made.pro"
    path.write_bytes(raw)
    with pytest.raises(ReadError, match="no finite number") as caught:
        registry.read(path)
    assert caught.value.where.endswith(f"byte {len(raw) - 32}")


def test_header_and_directory_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "made.pro"
    path.write_bytes(small_profile().replace(b"F1s 9 5 -0.5", b"F1s 9 6 -0.5"))
    with pytest.raises(ReadError, match=r"5 points for region 1(.|\n)*6 points"):
        registry.read(path)


def test_real_profile(real_data: Path) -> None:
    datasets = registry.read(real_data / PROFILE)
    assert [data.attrs["region"] for data in datasets] == ["survey", "C 1s", "Si 2p", "Sn 3d"]
    assert [data.attrs["region_as_written"] for data in datasets] == ["Su1s", "C1s", "Si2p", "Sn3d5"]
    for data in datasets:
        check(data, "xps_spectra")
        assert data.sizes["level"] == 21
        np.testing.assert_allclose(data["etch_time"], np.arange(21) * 30.0)
        assert data.attrs["series_coordinate"] == "sputter time"
        assert data.attrs["intensity_kind"] == "counts"
        assert data.attrs["photon_energy_eV"] == 1486.6
        assert data.attrs["gcib_energy"] == "10.000 kV"
    assert datasets[0].sizes["energy"] == 1751
    carbon = datasets[1]
    np.testing.assert_allclose(carbon["binding_energy"][[0, 100]], [298, 278])
    np.testing.assert_array_equal(carbon["counts"][0, :3], [2660, 2658, 2660])
    np.testing.assert_array_equal(carbon["dwell_time"], 0.8)
    # Counting noise: second differences of true counts scatter as 6 times their mean.
    differences = np.diff(datasets[2]["counts"].values, n=2, axis=1)
    ratio = float(np.median(differences**2) / 0.4549 / 6 / datasets[2]["counts"].values.mean())
    assert 0.8 < ratio < 1.4


def test_tin_gives_way_to_silicon(real_data: Path) -> None:
    by_region = {data.attrs["region"]: data for data in registry.read(real_data / PROFILE)}

    def amount(region: str, low: float, high: float, factor: float) -> np.ndarray:
        """Area over a straight line between the window's ends, over the Scofield factor."""
        data = by_region[region]
        inside = (data["binding_energy"].values >= low) & (data["binding_energy"].values <= high)
        rates = data["counts"].values[:, inside] / data["dwell_time"].values[:, None]
        line = np.linspace(rates[:, :5].mean(axis=1), rates[:, -5:].mean(axis=1), rates.shape[1], axis=1)
        return (rates - line).sum(axis=1) / factor

    tin = amount("Sn 3d", 483, 490.5, 14.80)
    silicon = amount("Si 2p", 97, 108, 0.817)
    carbon = amount("C 1s", 280, 292, 1.0)
    percent = 100 * np.stack([carbon, silicon, tin]) / (carbon + silicon + tin)
    # Careful areas give 6/46.5/48 at level 14 and 5/65/30 at level 20.
    np.testing.assert_allclose(percent[:, 14], [6, 46.5, 48], atol=4)
    np.testing.assert_allclose(percent[:, 20], [5, 65, 30], atol=4)
    assert np.all(tin[:13] > silicon[:13])
    assert np.all(tin[16:] < silicon[16:])


def test_real_single_spectrum(real_data: Path) -> None:
    (data,) = registry.read(real_data / SINGLE)
    assert data.attrs["region"] == "survey"
    assert dict(data.sizes) == {"level": 1, "energy": 1751}
    assert np.isnan(data["etch_time"]).all()
    assert data.attrs["series_coordinate"] == "none"
    np.testing.assert_allclose(data["counts"][0, 0].item(), 54866.668 * 0.12, rtol=1e-4)


def test_header_parser_is_one_for_both(real_data: Path) -> None:
    for name, end, regions in ((PROFILE, 7795, 4), (SINGLE, 5866, 1)):
        raw = (real_data / name).read_bytes()
        header = phi_spectra.parse_header(raw, real_data / name)
        assert (header.end, len(header.regions)) == (end, regions)
        assert header.fields["InstrumentModel"] == "VersaProbe 4"


def test_describe(real_data: Path) -> None:
    facts = registry.describe(real_data / PROFILE)
    assert facts["format"].startswith("PHI")
    assert facts["spectra"][3]["etch time (s)"] == [0.0, 600.0]
    assert facts["spectra"][3]["binding energy (eV)"] == [480.0, 500.0]


@pytest.mark.parametrize("length", [100, 7790, 7800, 8000, 8400, 90_000, 180_900, 181_594])
def test_real_profile_cut_off(real_data: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.pro"
    path.write_bytes((real_data / PROFILE).read_bytes()[:length])
    with pytest.raises(ReadError) as caught:
        registry.read(path)
    assert f"byte {length}" in caught.value.where

"""Spectrum images: real Bruker files, files written by HyperSpy's writer, damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import eds_spectra, registry


@pytest.mark.parametrize(
    ("name", "shape", "pixel", "elements"),
    [
        ("P45_the_default_job.bcf", (75, 100, 2048), 8736.8, 0),
        ("openncem_L2083_0deg.bcf", (256, 256, 2048), 13.081, 15),
    ],
)
def test_bruker_files(real_data: Path, name: str, shape: tuple[int, ...], pixel: float, elements: int) -> None:
    path = real_data / "eds" / name
    dataset = check(registry.read(path), "eds_spectra")
    assert dataset["counts"].shape == shape
    assert dataset["counts"].chunks is not None, "spectra stay lazy"
    assert dataset.attrs["pixel_size_nm"] == pytest.approx([pixel, pixel], rel=1e-4)
    assert len(dataset.attrs["elements"]) == elements
    assert dataset["haadf"].shape == shape[:2]
    total = dataset["counts"].sum(("y", "x")).compute()
    # Oxygen at 0.525 keV is a line of both samples.
    assert float(total.sel(energy=0.525, method="nearest")) > 5 * float(total.sel(energy=0.62, method="nearest"))
    assert registry.describe(path)["pixels"] == f"{shape[0]} x {shape[1]} (y, x)"


def write_hspy(path: Path, counts: np.ndarray, units: str = "keV", length: str = "nm") -> Path:
    from rsciio import hspy

    axes: list[dict[str, Any]] = [
        {"name": "height", "size": counts.shape[0], "scale": 0.5, "offset": 0.0, "units": length, "navigate": True},
        {"name": "width", "size": counts.shape[-2], "scale": 0.5, "offset": 0.0, "units": length, "navigate": True},
        {"name": "Energy", "size": counts.shape[-1], "scale": 0.01, "offset": -0.2, "units": units, "navigate": False},
    ]
    axes = axes[-counts.ndim :]
    for number, axis in enumerate(axes):
        axis.update(index_in_array=number, is_binned=False, _type="UniformDataAxis")
    metadata = {
        "General": {"title": "map"},
        "Signal": {"signal_type": "EDS_TEM"},
        "Sample": {"elements": ["F", "V"]},
        "Acquisition_instrument": {
            "TEM": {"beam_energy": 200.0, "Detector": {"EDS": {"energy_resolution_MnKa": 133.0}}}
        },
    }
    empty: dict[str, Any] = {
        key: {} for key in ("original_metadata", "models", "tmp_parameters", "learning_results", "package_info")
    }
    told = {"attributes": {"_lazy": False, "ragged": False}, "package": "", "package_version": ""}
    signal = {"data": counts, "axes": axes, "metadata": metadata, **empty, **told}
    hspy.file_writer(str(path), signal)
    return path


def test_hyperspy_files(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).poisson(0.3, (12, 9, 40)).astype(np.uint16)
    path = write_hspy(tmp_path / "map.hspy", counts)
    assert registry.find(path).name == "eds_spectra"
    dataset = check(registry.read(path), "eds_spectra")
    np.testing.assert_array_equal(dataset["counts"].values, counts)
    assert dataset.attrs["pixel_size_nm"] == [0.5, 0.5]
    assert dataset.attrs["resolution_keV"] == pytest.approx(0.133)
    assert dataset["energy"].values[:2] == pytest.approx([-0.2, -0.19])


def test_no_scale_is_no_scale(tmp_path: Path) -> None:
    counts = np.ones((5, 5, 40), dtype=np.uint8)
    dataset = registry.read(write_hspy(tmp_path / "map.hspy", counts, length=""))
    assert "pixel_size_nm" not in dataset.attrs
    assert "no scale" in dataset.attrs["notes"][0]


def test_a_cube_without_energies_is_no_spectrum_image(tmp_path: Path) -> None:
    path = write_hspy(tmp_path / "map.hspy", np.ones((5, 5, 40), dtype=np.uint8), units="nm")
    with pytest.raises(ReadError):
        registry.find(path)


def test_a_line_scan_is_told(tmp_path: Path) -> None:
    path = write_hspy(tmp_path / "scan.hspy", np.ones((6, 40), dtype=np.uint8))
    assert registry.find(path).name == "eds_spectra"
    with pytest.raises(ReadError, match="line scan"):
        registry.read(path)


def test_a_large_bruker_map_is_summed_and_says_so(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = real_data / "eds" / "P45_the_default_job.bcf"
    whole = registry.read(path)
    monkeypatch.setattr(eds_spectra, "MOST_BYTES", whole["counts"].nbytes // 3)
    summed = registry.read(path)
    assert summed["counts"].shape[:2] == (38, 50)
    assert summed.attrs["pixel_size_nm"] == pytest.approx([2.0 * size for size in whole.attrs["pixel_size_nm"]])
    assert float(summed["counts"].astype(float).sum()) == float(whole["counts"].astype(float).sum())
    assert any("2 x 2 pixels are summed" in note for note in summed.attrs["notes"])


def survives(path: Path) -> bool:
    try:
        dataset = registry.read(path)
        registry.describe(path)
        np.asarray(dataset["counts"].data[:1])
    except ReadError as error:
        refusal = error
    else:
        return True
    assert refusal.hint
    assert str(path) in refusal.where
    return False


def test_a_bruker_file_cut_anywhere_is_refused(real_data: Path, tmp_path: Path) -> None:
    whole = (real_data / "eds" / "P45_the_default_job.bcf").read_bytes()
    path = tmp_path / "cut.bcf"
    chance = random.Random(1)
    for length in [9, 0x130, 0x14C, 5000, *(chance.randrange(400, len(whole)) for _ in range(10)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError, match="cut short") as caught:
            registry.read(path)
        assert caught.value.hint


def test_a_bruker_file_with_a_broken_table_is_refused(real_data: Path, tmp_path: Path) -> None:
    whole = (real_data / "eds" / "P45_the_default_job.bcf").read_bytes()
    path = tmp_path / "changed.bcf"
    chance = random.Random(2)
    table = 4 * 4096 + 0x138
    places = [*range(0x124, 0x14C, 4), *range(table, table + 3 * 0x200, 37)]
    for at in places:
        damaged = bytearray(whole)
        damaged[at : at + 4] = bytes(chance.randrange(256) for _ in range(4))
        path.write_bytes(damaged)
        survives(path)


def test_noise_named_bcf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.bcf"
    path.write_bytes(b"AAMVHFSS" + random.Random(3).randbytes(4000))
    assert not survives(path)

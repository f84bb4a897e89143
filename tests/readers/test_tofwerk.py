"""TofDAQ files: described in full, their analog signals given as such."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry

NAME = "tofsims/tofwerk/tofwerk_au_50nm.h5"


def test_described_and_read(real_data: Path) -> None:
    facts = registry.describe(real_data / NAME)
    assert facts["axes"] == "1 writes x 1 segments x 200 buffers"
    assert facts["peaks"] == 315
    assert facts["calibration"] == "i = p1*m^p3 + p2"
    assert "214 writes and holds 1" in facts["notes"][1]
    assert "no counted ions" in facts["notes"][0]
    data = registry.read(real_data / NAME)
    with h5py.File(real_data / NAME) as file:
        expected = file["PeakData/PeakData"][:].astype(float).sum(axis=(0, 1, 2))
    assert np.allclose(data["signal"].values[:, 0], expected, rtol=1e-12)
    gold = int(np.argmin(np.abs(data["mz"].values - 196.966)))
    assert data["ion"].values[gold] == "[197Au]+"
    assert data.attrs["polarity"] == "+"


def test_made_of_several_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    signals = np.random.default_rng(0).random((3, 2, 4, 2)).astype("f4")
    table = np.array([(b"V-", 50.94, 50.9, 51.0), (b"F-", 19.0, 18.9, 19.1)], [
        ("label", "S64"), ("mass", "f4"), ("lower integration limit", "f4"), ("upper integration limit", "f4"),
    ])  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["TofDAQ Version"] = 1.99
        file.attrs["IonMode"] = "negative"
        file["PeakData/PeakData"] = signals
        file["PeakData/PeakTable"] = table
        file["TimingData/BufTimes"] = np.arange(12.0).reshape(3, 4)
    data = registry.read(path)
    assert np.allclose(data["signal"], signals.astype(float).sum(axis=(1, 2)).T)
    assert data["time"].values.tolist() == [0.0, 4.0, 8.0]
    assert data["ion"].values.tolist() == ["V-", "F-"]
    with h5py.File(path, "a") as file:
        del file["PeakData/PeakTable"]
    with pytest.raises(ReadError, match="no peak signals"):
        registry.read(path)

"""MIBIscope raw files against a pulse-by-pulse reading."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import mibi, registry

NAME = "tofsims/mibi/fov-1-scan-1.bin"


def plain(raw: bytes) -> np.ndarray:
    """Pixel and flight time of every pulse, one after the other."""
    nx, ny, triggers, _, _, length = struct.unpack("<6H", raw[6:18])
    at = 18 + length + 8 * nx * ny
    pulses = []
    for pixel in range(nx * ny):
        for _ in range(triggers):
            (number,) = struct.unpack_from("<H", raw, at + 6)
            at += 8
            for _ in range(number):
                pulses.append((struct.unpack_from("<H", raw, at)[0], pixel))
                at += 5
    assert at == len(raw)
    return np.array(sorted(pulses))


def test_all_pulses(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mibi, "PIXELS_AT_ONCE", 100)
    events = check(mibi.read(real_data / NAME), "tofsims_events")
    expected = plain((real_data / NAME).read_bytes())
    assert len(expected) == 45493
    bins = np.repeat(events["mass_bin"].values, np.diff(events["indptr"].values))
    pairs = np.repeat(np.stack([bins, events["pixel_id"].values], axis=1), events["count"].values, axis=0)
    assert np.array_equal(pairs, expected)


def test_what_the_description_says(real_data: Path) -> None:
    layout = mibi.parse(real_data / NAME)
    header = layout.store_header()
    assert header.row_shape == (1, 32, 32)
    assert header.shots_per_pixel == 50
    assert header.pixel_pitch_um == pytest.approx(200 / 32)
    # The file's own calibration points: 88.905848 at bin 7264, 175.9426 at bin 12383, of 0.5 ns.
    for mass, time_bin in ((88.905848, 7264), (175.9426, 12383)):
        assert (header.slope * time_bin * 0.5e-3 + header.offset) ** 2 == pytest.approx(mass, rel=2e-5)
    assert registry.describe(real_data / NAME)["ions"] == 45493


def test_a_lost_byte_is_noticed(real_data: Path, tmp_path: Path) -> None:
    raw = (real_data / NAME).read_bytes()
    path = tmp_path / "x.bin"
    path.write_bytes(raw[:300_000] + raw[300_001:])
    with pytest.raises(ReadError, match=r"events of pixel \d+ do not end"):
        mibi.read(path)

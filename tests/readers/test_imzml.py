"""imzML: ions on the instrument's own grid; what contradicts itself is told or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyimzml.ImzMLWriter import ImzMLWriter

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.options import EventsOptions
from depthlock.readers import registry
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_conversion import convert_to_events

SF, K0 = 36000.0, 150.0


def write(path: Path, counts: np.ndarray, channels: np.ndarray, **kwargs: object) -> None:
    """A file of counts (z, y, x, channel)."""
    masses = ((channels - K0) / SF) ** 2
    settings_ = {"mode": "processed", "polarity": "negative", "spec_type": "profile"} | kwargs
    with ImzMLWriter(str(path.with_suffix("")), **settings_) as writer:
        for z, y, x in np.ndindex(counts.shape[:3]):
            filled = counts[z, y, x] > 0
            if filled.any():
                writer.addSpectrum(masses[filled], counts[z, y, x][filled].astype(float), (x + 1, y + 1, z + 1))


@pytest.fixture
def counted() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    channels = np.unique(rng.integers(40_000, 400_000, 300))
    channels = np.unique(np.concatenate([channels, channels[:150] + 1]))
    return rng.poisson(0.5, (2, 3, 4, channels.size)), channels


def test_ions_and_masses_come_back(tmp_path: Path, counted: tuple[np.ndarray, np.ndarray]) -> None:
    counts, channels = counted
    path = tmp_path / "x.imzML"
    write(path, counts, channels)
    convert_to_events(path, tmp_path / "events.h5", EventsOptions())
    assert validate_events(tmp_path / "events.h5").ions == counts.sum()
    events = check(registry.read(path), "tofsims_events")
    assert events.attrs["row_shape"] == [2, 3, 4]
    assert events.attrs["polarity"] == "-"
    # The grid found is the channels' own: neighbours differ by one bin, and masses agree to a twentieth of a bin.
    assert np.array_equal(np.diff(events["mass_bin"]), np.diff(channels[counts.any(axis=(0, 1, 2))]))
    time_us = events["mass_bin"].values * events.attrs["mass_bin_width_ps"] * 1e-6
    roots = events.attrs["calibration_slope"] * time_us + events.attrs["calibration_offset"]
    assert np.allclose(roots, (channels[counts.any(axis=(0, 1, 2))] - K0) / SF, atol=0.05 / SF)
    rows = np.repeat(np.arange(events.sizes["bin"]), np.diff(events["indptr"].values))
    cube = np.zeros((24, channels.size), int)
    cube[events["pixel_id"].values, rows] = events["count"].values
    assert np.array_equal(cube, counts.reshape(24, -1))
    facts = registry.describe(path)
    assert "sqrt(Da) apart" in facts["m/z values"]
    assert "not been checked" in facts["caution"]


@pytest.mark.parametrize(
    ("kwargs", "scale", "message"),
    [
        ({"polarity": None}, 1.0, "does not say the polarity"),
        ({"spec_type": "centroid"}, 1.0, "peak lists"),
        ({}, 0.37, "no whole numbers of ions"),
    ],
)
def test_what_is_no_event_file(
    tmp_path: Path, counted: tuple[np.ndarray, np.ndarray], kwargs: dict[str, object], scale: float, message: str
) -> None:
    counts, channels = counted
    path = tmp_path / "x.imzML"
    write(path, counts * scale, channels, **kwargs)
    with pytest.raises(ReadError, match=message):
        registry.read(path)


def test_damage(tmp_path: Path, counted: tuple[np.ndarray, np.ndarray]) -> None:
    counts, channels = counted
    path = tmp_path / "x.imzML"
    write(path, counts, channels)
    text, binary = path.read_bytes(), path.with_suffix(".ibd").read_bytes()
    for share in (0.0, 0.3, 0.99):
        path.with_suffix(".ibd").write_bytes(binary[: int(share * len(binary))])
        with pytest.raises(ReadError, match="end at byte") as caught:
            registry.read(path)
        assert ".ibd: byte" in caught.value.where
    path.with_suffix(".ibd").write_bytes(binary)
    for share in (0.2, 0.6, 0.98):
        path.write_bytes(text[: int(share * len(text))])
        with pytest.raises(ReadError, match="damaged or cut short"):
            registry.read(path)
    path.write_bytes(text)
    path.with_suffix(".ibd").unlink()
    with pytest.raises(ReadError, match="binary part of the image is missing"):
        registry.read(path)


def test_pixel_sizes_that_contradict(real_data: Path) -> None:
    facts = registry.describe(real_data / "tofsims/imzml/iontof_sparse.imzML")
    assert facts["pixel pitch"] == "not known"
    assert any("4.40625 um a pixel" in note and "+17.5 %" in note for note in facts["notes"])
    assert facts["spectra"] == 6
    events = registry.read(real_data / "tofsims/imzml/iontof_sparse.imzML")
    assert int(events["count"].sum()) == sum(150 * k for k in range(1, 7))
    with pytest.raises(ReadError, match="peak lists"):
        registry.read(real_data / "tofsims/imzml/test.imzML")
    assert registry.describe(real_data / "tofsims/imzml/test.imzML")["axes"] == "1 z x 2 y x 2 x"

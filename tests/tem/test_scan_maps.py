"""Maps of 4D-STEM scans: crystal, amorphous layer and vacuum are told apart, from every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError, ReadError
from depthlock.model.options import ScanOptions
from depthlock.readers import registry
from depthlock.tem.scan_maps import map_scans

STEP = 0.1
"""1/nm a detector pixel."""

ROWS, COLUMNS, SIDE = 5, 12, 80


@pytest.fixture(scope="module")
def counts() -> NDArray[np.uint8]:
    """Crystal (0.38 nm) in four columns, amorphous layer in four, vacuum in four; the beam off the middle."""
    ky, kx = np.indices((SIDE, SIDE)) - np.array([39.4, 41.0])[:, None, None]
    radius = np.hypot(ky, kx)
    beam = 200 * np.exp(-0.5 * (radius / 2.5) ** 2)
    crystal, layer, vacuum = (
        beam + 0.3,
        0.9 * beam + 1.5 * np.exp(-0.5 * ((radius * STEP - 2.8) / 0.8) ** 2),
        beam + 0.02,
    )
    for sign in (1, -1):
        place = sign / 0.38 / STEP * np.array([0.6, 0.8])
        crystal = crystal + 15 * np.exp(-0.5 * ((ky - place[0]) ** 2 + (kx - place[1]) ** 2) / 1.5**2)
    world = np.stack([crystal] * 4 + [layer] * 4 + [vacuum] * 4)
    drawn = np.random.default_rng(3).poisson(np.broadcast_to(world, (ROWS, *world.shape)))
    return np.minimum(drawn, 255).astype(np.uint8)


def written(path: Path, counts: NDArray[np.uint8]) -> Path:
    """The scan in the format of the path's suffix; Merlin's by hand, as no library writes it."""
    if path.suffix == ".mib":
        with path.open("wb") as stream:
            for number, pattern in enumerate(counts.reshape(-1, SIDE, SIDE)):
                millisecond = number + 5 * (number // COLUMNS)
                head = (
                    f"MQ1,{number + 1:06d},00384,01,{SIDE:04d},{SIDE:04d},U16,   1x1,01,"
                    f"2020-01-01T00:00:{millisecond / 1000:09.6f}Z,1000000ns,12,"
                )
                # The reader turns Merlin's pictures upside down.
                stream.write(head.ljust(384, "\0").encode() + pattern[::-1].astype(">u2").tobytes())
        return path
    from hyperspy.signals import Signal2D

    units = ("nm", "nm", "cm", "cm") if path.suffix == ".blo" else ("nm", "nm", "1/nm", "1/nm")
    signal = Signal2D(counts)
    for axis, scale, unit in zip(signal.axes_manager._axes, (2.0, 2.0, STEP, STEP), units, strict=True):
        axis.scale, axis.units = scale, unit
    signal.save(str(path))
    return path


@pytest.mark.parametrize("suffix", [".blo", ".mib", ".hspy"])
def test_every_format_gives_the_same_maps(tmp_path: Path, counts: NDArray[np.uint8], suffix: str) -> None:
    path = written(tmp_path / f"scan{suffix}", counts)
    assert registry.find(path, "stem").name == "stem_scans"
    scan = registry.read(path, reader="stem_scans", scan_shape=(ROWS, COLUMNS))
    assert scan["patterns"].chunks is not None
    assert np.array_equal(scan["patterns"].values, counts)
    if suffix == ".hspy":
        assert scan.attrs["detector_step"] == pytest.approx([STEP, STEP])
    if suffix != ".mib":
        assert scan.attrs["scan_step_nm"] == pytest.approx([2.0, 2.0])
    scan = check(scan.assign_attrs(scan_step_nm=[2.0, 2.0], detector_step=[STEP, STEP]), "stem_scan")
    maps = check(map_scans([scan], ScanOptions(longest_spacing=0.6)), "stem_maps")
    crystal, layer, vacuum = (maps["crystallinity_0"].values[:, at : at + 4] for at in (0, 4, 8))
    assert crystal.min() > 1.5 * layer.max()
    assert crystal.min() > 1.5 * vacuum.max()
    bright = maps["annular_0"].values
    assert bright[:, 4:8].min() > bright[:, 8:].max()
    ky, kx = maps["ky_0"].values, maps["kx_0"].values
    inside = np.hypot(ky[:, None], kx[None, :])
    ring = (inside > 1 / 0.6) & (inside < min(-kx[0], kx[-1], -ky[0], ky[-1]))
    assert bright[2, 6] == pytest.approx(counts[2, 6][ring].sum(), rel=0.03)
    assert maps["pattern_0"].values == pytest.approx(counts.mean(axis=(0, 1)), rel=1e-5)
    assert maps["scan_x_0"].values[-1] == pytest.approx(22.0)


def test_a_detector_that_sees_no_ring_is_told(counts: NDArray[np.uint8]) -> None:
    import xarray as xr

    scan = xr.Dataset({"patterns": (("scan_y", "scan_x", "ky", "kx"), counts)},
                      attrs={"source": "a", "scan_step_nm": [1.0, 1.0], "detector_step": [0.01, 0.01]})  # fmt: skip
    with pytest.raises(MeasurementError, match="reaches 0"):
        map_scans([scan], ScanOptions())


def test_a_wrong_shape_of_the_scan_is_told(tmp_path: Path, counts: NDArray[np.uint8]) -> None:
    path = written(tmp_path / "scan.blo", counts)
    with pytest.raises(ReadError, match="5 rows and 12 columns"):
        registry.read(path, reader="stem_scans", scan_shape=(12, 5))


def test_a_real_blockfile_opens(real_data: Path) -> None:
    path = real_data / "tem" / "readers" / "test1.blo"
    assert registry.describe(path)["scan"] == "3 x 2 places (y, x)"
    scan = registry.read(path).assign_attrs(detector_step=[0.05, 0.05])
    maps = map_scans([scan], ScanOptions(longest_spacing=1.0))
    assert maps["crystallinity_0"].shape == (3, 2)
    assert np.all(maps["crystallinity_0"] > 1.5)

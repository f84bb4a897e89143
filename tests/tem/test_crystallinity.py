import numpy as np
import pytest

from depthlock.model.errors import MeasurementError
from depthlock.tem.crystallinity import (
    crystallinity_map,
    polar_spectra,
    ring_contrast,
    scan_diffraction,
    virtual_annulus,
    windowed_diffraction,
)

PIXEL = (0.04, 0.05)


@pytest.fixture(scope="module")
def half_crystal():
    """Counted electrons: fringes of 0.38 nm left of x = 6 nm, nothing periodic right of it."""
    y, x = np.meshgrid(np.arange(250) * PIXEL[0], np.arange(240) * PIXEL[1], indexing="ij")
    fringes = 0.15 * np.cos(2 * np.pi / 0.38 * (0.6 * y + 0.8 * x)) * (x < 6.0)
    return np.random.default_rng(0).poisson(40 * (1 + fringes)).astype(np.float32)


@pytest.fixture(scope="module")
def signal(half_crystal):
    return windowed_diffraction(half_crystal, PIXEL)


def test_spectra_are_lazy_and_calibrated(signal):
    assert signal._lazy
    navigation, axes = signal.axes_manager.navigation_axes, signal.axes_manager.signal_axes
    assert [axis.units for axis in (*navigation, *axes)] == ["nm", "nm", "1/nm", "1/nm"]
    assert [axis.scale for axis in navigation] == pytest.approx([0.5, 0.48])
    assert navigation[0].offset == pytest.approx(1.875, abs=0.05)
    for axis in axes:
        assert abs(axis.axis).min() < 1e-9
        assert abs(axis.axis).max() <= 4.5
    pattern = signal.inav[0, 0].data.compute()
    assert pattern == pytest.approx(pattern[::-1, ::-1], rel=1e-4)
    kx, ky = (axis.axis for axis in axes)
    row, column = np.unravel_index(int(pattern.argmax()), pattern.shape)
    assert np.hypot(ky[row], kx[column]) == pytest.approx(1 / 0.38, abs=0.2)


def test_counted_electrons_without_structure_have_the_level_one():
    flat = np.random.default_rng(2).poisson(30, (200, 200))
    power = windowed_diffraction(flat, PIXEL).data.compute()
    assert power[..., 20:, :].mean() == pytest.approx(1.0, abs=0.06)


def test_crystallinity_falls_at_the_edge(signal):
    found = crystallinity_map(signal)
    assert found.dims == ("y", "x")
    assert found["x"].attrs["units"] == "nm"
    along = found.mean("y")
    assert float(along.sel(x=slice(None, 4)).min()) > 200
    assert float(along.sel(x=slice(8, None)).max()) < 20
    half = np.sqrt(along)
    half = (half - float(half[-1])) / float(half[0] - half[-1])
    edge = float(np.interp(-0.5, -half.values, along["x"].values))
    assert edge == pytest.approx(6.0, abs=0.3)


def test_half_a_plane_gives_the_same_contrast_as_the_whole(signal):
    patterns = signal.data[:, :5].compute()
    kx, ky = (axis.axis for axis in signal.axes_manager.signal_axes)
    half = ring_contrast(patterns[..., kx.size // 2 :], ky, kx[kx.size // 2 :])
    assert float(np.median(half / ring_contrast(patterns, ky, kx))) == pytest.approx(1.0, abs=0.1)


def test_virtual_annulus_lights_up_where_the_fringes_are(signal):
    bright = virtual_annulus(signal, 2.3, 3.0)
    assert bright.shape == signal.data.shape[:2]
    assert float(bright[:, 0].mean() / bright[:, -1].mean()) > 5
    dark = virtual_annulus(signal, 3.3, 4.2)
    assert float(dark[:, 0].mean() / dark[:, -1].mean()) == pytest.approx(1.0, abs=0.15)


def test_polar_spectra_show_the_azimuth(signal):
    polar = polar_spectra(signal, radii=12, azimuths=36)
    pattern = np.asarray(polar.inav[0, 0].data)
    assert pattern.shape == (12, 36)
    radius, azimuth = np.unravel_index(int(pattern.argmax()), pattern.shape)
    axes = polar.axes_manager.signal_axes
    at = next(axis.axis for axis in axes if axis.size == 12)[radius]
    assert at == pytest.approx(1 / 0.38, abs=0.3)
    # +g and -g are half a turn apart.
    assert pattern[radius, (azimuth + 18) % 36] == pytest.approx(pattern.max(), rel=0.3)


def test_a_measured_scan_goes_through_the_same_functions(real_data):
    from rsciio.blockfile import file_reader

    read = file_reader(real_data / "tem" / "readers" / "test1.blo", lazy=True)[0]
    scan = scan_diffraction(read["data"], (12.8, 12.8), (0.05, 0.05))
    assert scan._lazy
    assert scan.calibration.center == pytest.approx([73.2, 72.0], abs=0.2)
    inside, whole = virtual_annulus(scan, 0.0, 0.5), virtual_annulus(scan, 0.0, 20.0)
    assert inside.shape == (3, 2)
    total = np.asarray(read["data"]).sum(axis=(2, 3), dtype=float)
    assert whole.values == pytest.approx(total, rel=1e-6)
    assert 0.05 < float((inside / whole).mean()) < 0.6
    assert np.all(crystallinity_map(scan, k_range=(0.6, 3.0)) > 1.5)


def test_a_single_image_is_no_scan():
    with pytest.raises(MeasurementError, match="2 dimensions"):
        scan_diffraction(np.ones((5, 5)), (1.0, 1.0), (0.1, 0.1))

import numpy as np
import pytest
from scipy import ndimage

from depthlock.tem.demodulation import ImageSpectrum, bragg_map, coherent_amplitude, control_frequencies
from depthlock.tem.lattice import Reflection

PIXEL = (0.04, 0.05)
KY, KX = 0.9, 2.4


def _grid(shape):
    return np.meshgrid(np.arange(shape[0]) * PIXEL[0], np.arange(shape[1]) * PIXEL[1], indexing="ij")


def _half_crystal(shape=(240, 260), noise=0.02):
    y, x = _grid(shape)
    rng = np.random.default_rng(3)
    fringes = 0.1 * np.cos(2 * np.pi * (KY * y + KX * x) + 0.3)
    return (1 + np.where(y < 5.0, fringes, 0) + rng.normal(0, noise, shape)).astype(np.float32)


@pytest.mark.parametrize(("ky", "kx"), [(KY, KX), (KY, 0.1), (-1.7, 0.02)])
def test_amplitude_is_that_of_the_direct_formula(ky, kx):
    y, x = _grid((240, 260))
    image = (1 + 0.1 * np.cos(2 * np.pi * (ky * y + kx * x) + 0.3)).astype(np.float32)
    spectrum = ImageSpectrum(image, PIXEL)
    band = spectrum.demodulate(ky, kx, 0.6)
    carried = (image - spectrum.background.rows(y[:, 0], x[0])) * np.exp(-2j * np.pi * (ky * y + kx * x))
    sigma = [0.6 / p for p in PIXEL]
    direct = sum(
        unit * ndimage.gaussian_filter(part, sigma, mode="constant", truncate=5)
        / ndimage.gaussian_filter(np.ones_like(part), sigma, mode="constant", truncate=5)
        for unit, part in ((1, carried.real), (1j, carried.imag))
    )  # fmt: skip
    rows = np.arange(band.amplitude.shape[0]) * band.step[0] / PIXEL[0]
    columns = np.arange(band.amplitude.shape[1]) * band.step[1] / PIXEL[1]
    at = np.meshgrid(rows, columns, indexing="ij")
    expected = [ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in (direct.real, direct.imag)]
    assert np.abs(band.amplitude - (expected[0] + 1j * expected[1])).max() < 2e-3
    assert np.abs(np.abs(band.amplitude[4:-4, 4:-4]) - 0.05).max() < 4e-3


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_coherent_amplitude_halves_at_the_edge_whatever_the_noise(noise):
    spectrum = ImageSpectrum(_half_crystal(shape=(240, 600), noise=noise), PIXEL)
    values, step = coherent_amplitude(spectrum, [Reflection(KY, KX, 50.0)])
    along = values[:, 5:-5].mean(axis=1)
    depth = np.arange(along.size) * step[0]
    assert along[depth < 3.5].mean() == pytest.approx(0.05, rel=0.08)
    assert abs(along[(depth > 6.5) & (depth < 8.5)].mean()) < 0.003
    assert np.interp(-0.025, -along, depth) == pytest.approx(5.0, abs=0.06)


def test_coherent_amplitude_weighs_reflections_by_their_strength_and_follows_their_phase():
    y, x = _grid((240, 260))
    image = 1 + 0.08 * np.cos(2 * np.pi * (KY * y + KX * x) + 0.01 * y**2) + 0.06 * np.cos(2 * np.pi * 2.9 * y + 2.0)
    spectrum = ImageSpectrum(image.astype(np.float32), PIXEL)
    both, _ = coherent_amplitude(spectrum, [Reflection(KY, KX, 50.0), Reflection(2.9, 0.0, 30.0)])
    assert both[5:-5, 5:-5] == pytest.approx(0.05, rel=0.06)


def test_bragg_power_is_that_of_the_fringes_and_the_floor_that_of_the_noise():
    found = bragg_map(ImageSpectrum(_half_crystal(noise=0.3), PIXEL), [Reflection(KY, KX, 50.0)])
    depth = np.arange(len(found.power)) * found.step[0]
    excess = (found.power - found.floor)[:, 5:-5].mean(axis=1)
    assert excess[depth < 3.5].mean() == pytest.approx(0.05**2, rel=0.15)
    assert abs(excess[depth > 7.0].mean()) < 0.1 * 0.05**2


def test_lattice_is_removed_and_brightness_kept():
    spectrum = ImageSpectrum(_half_crystal(noise=0.0), PIXEL)
    rest = spectrum.brightness([Reflection(KY, KX, 50.0)]).values
    assert rest[20:90, 20:-20].std() < 0.01
    assert rest[20:90].mean() == pytest.approx(1.0, abs=1e-3)


def test_brightness_on_a_coarser_grid_is_the_image_there():
    y, x = _grid((240, 260))
    image = (1 + 0.2 * np.sin(2 * np.pi * 0.4 * y) + 0.1 * np.cos(2 * np.pi * 0.9 * x)).astype(np.float32)
    field = ImageSpectrum(image, PIXEL).brightness([], limit=4.0)
    assert 0.1 < min(field.step) <= max(field.step) <= 0.125
    at_y, at_x = (np.arange(n) * h for n, h in zip(field.values.shape, field.step, strict=True))
    assert at_y[-1] <= field.extent[0] < at_y[-1] + field.step[0]
    expected = 1 + 0.2 * np.sin(2 * np.pi * 0.4 * at_y)[:, None] + 0.1 * np.cos(2 * np.pi * 0.9 * at_x)[None]
    inner = (slice(10, -10), slice(10, -10))
    assert np.abs(field.values - expected)[inner].max() < 5e-3


def test_texture_takes_only_its_band():
    y, x = _grid((240, 260))
    image = (1 + 0.1 * np.cos(2 * np.pi * 1.2 * y) + 0.1 * np.cos(2 * np.pi * 4.0 * x)).astype(np.float32)
    spectrum = ImageSpectrum(image, PIXEL)

    def inner(low, high):
        field = spectrum.texture([], low, high)
        rows, columns = (round(2.0 / h) for h in field.step)
        return field.values[rows:-rows, columns:-columns]

    assert inner(0.8, 1.8).mean() == pytest.approx(0.005, rel=0.1)
    assert inner(3.0, 5.0).mean() == pytest.approx(0.005, rel=0.1)
    assert inner(1.9, 3.0).mean() < 3e-5


def test_controls_keep_off_other_reflections():
    first = Reflection(0.0, 2.5, 50.0)
    turn = np.deg2rad(35)
    second = Reflection(2.5 * np.sin(turn), 2.5 * np.cos(turn), 50.0)
    for ky, kx in control_frequencies(first, [first, second]):
        assert np.hypot(ky, kx) == pytest.approx(2.5)
        assert min(np.hypot(ky - r.ky, kx - r.kx) for r in (first, second)) > 0.3

import numpy as np
import pytest

from depthlock.tem.demodulation import ImageSpectrum
from depthlock.tem.fringes import local_fringes
from depthlock.tem.lattice import SHORTEST_SPACING, find_reflections
from depthlock.tem.spacing import fit_reflection
from depthlock.tem.windows import windowed_spectra

PIXEL = (0.04, 0.04)


def _spectra(image, pixel):
    return windowed_spectra(image, pixel, limit=1 / SHORTEST_SPACING)


def _fringes(spacing, degrees, shape=(400, 400), pixel=PIXEL, amplitude=0.1):
    y, x = np.meshgrid(np.arange(shape[0]) * pixel[0], np.arange(shape[1]) * pixel[1], indexing="ij")
    turn = np.deg2rad(degrees)
    return amplitude * np.cos(2 * np.pi / spacing * (np.sin(turn) * y + np.cos(turn) * x))


def _noisy(image, dose_per_pixel, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.poisson(image * dose_per_pixel) / dose_per_pixel).astype(np.float32)


def test_two_reflections_are_found_without_a_hint():
    image = _noisy(1 + _fringes(0.38, 20) + _fringes(0.25, 95, amplitude=0.06), 20)
    found = find_reflections(_spectra(image, PIXEL))
    assert len(found) == 2
    spacings = sorted(r.spacing for r in found)
    assert spacings == pytest.approx([0.25, 0.38], rel=0.03)
    strongest = min(found, key=lambda r: abs(r.spacing - 0.38))
    assert strongest.angle == pytest.approx(20, abs=2)


@pytest.mark.parametrize("pixel", [(0.04, 0.04), (0.03, 0.05)])
def test_spacing_is_fitted_to_a_part_in_a_thousand(pixel):
    image = _noisy(1 + _fringes(0.3817, 67, pixel=pixel), 10)
    reflection = find_reflections(_spectra(image, pixel))[0]
    spectrum = ImageSpectrum(image, pixel)
    fit = fit_reflection(spectrum, reflection, np.ones((20, 20), dtype=bool), (0.8, 1.0))
    assert fit.spacing == pytest.approx(0.3817, rel=1e-3)
    assert abs(fit.spacing - 0.3817) < 4 * fit.spacing_std + 2e-4
    assert fit.amplitude == pytest.approx(0.05, rel=0.1)
    assert abs(fit.reflection.angle - 67) < 4 * fit.angle_std + 0.01
    assert fit.angle_std < 0.1


def test_a_strained_crystal_has_a_map_of_its_spacing():
    """Fringes whose frequency grows by 4 % across the image; a tile of 4 nm sees its own."""
    x = np.arange(600)[None, :] * 0.04 + np.zeros((400, 1))
    frequency = (1 + 0.04 * (x / 24 - 0.5)) / 0.38
    phase = (x + 0.04 * (x**2 / 48 - 0.5 * x)) / 0.38
    image = _noisy(1 + 0.1 * np.cos(2 * np.pi * phase), 20)
    reflection = find_reflections(_spectra(image, PIXEL))[0]
    fit = fit_reflection(ImageSpectrum(image, PIXEL), reflection, np.ones((20, 20), dtype=bool), (0.8, 1.2))
    centres = (np.arange(fit.local.shape[1]) + 0.5) * fit.tile[1]
    inside = (centres > 2) & (centres < 22)
    expected = np.interp(centres, x[0], 1 / frequency[0])
    away = fit.local[:4, inside] - expected[inside]
    assert np.abs(away).max() < 4 * fit.local_std
    assert fit.local_std < 0.004
    assert np.ptp(np.nanmean(fit.local, axis=0)[inside]) > 0.006


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_reflection(seed):
    noise = np.random.default_rng(seed).poisson(20, (512, 512)).astype(np.float32)
    spectra = _spectra(noise, PIXEL)
    assert find_reflections(spectra) == []
    assert local_fringes(spectra) is None


def test_pixels_too_coarse_show_no_lattice():
    noise = np.random.default_rng(0).poisson(20, (256, 256)).astype(np.float32)
    assert find_reflections(_spectra(noise, (3.0, 3.0))) == []

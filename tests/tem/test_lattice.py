import numpy as np
import pytest

from depthlock.tem.demodulation import ImageSpectrum
from depthlock.tem.lattice import SHORTEST_SPACING, find_reflections, local_fringes
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


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_reflection(seed):
    noise = np.random.default_rng(seed).poisson(20, (512, 512)).astype(np.float32)
    spectra = _spectra(noise, PIXEL)
    assert find_reflections(spectra) == []
    assert local_fringes(spectra) is None


def test_pixels_too_coarse_show_no_lattice():
    noise = np.random.default_rng(0).poisson(20, (256, 256)).astype(np.float32)
    assert find_reflections(_spectra(noise, (3.0, 3.0))) == []


def test_curved_fringes_have_a_spacing_but_no_direction():
    y, x = np.meshgrid(np.arange(500) * 0.05, np.arange(500) * 0.05, indexing="ij")
    rings = 1 + 0.1 * np.cos(2 * np.pi / 0.36 * np.hypot(y - 12.5, x - 12.5))
    fringes = local_fringes(_spectra(_noisy(rings, 30), (0.05, 0.05)))
    assert fringes is not None
    assert fringes.spacing == pytest.approx(0.36, rel=0.03)

import numpy as np
import pytest

from depthlock.tem.windows import WindowGrid, rings, windowed_spectra


def test_power_of_white_noise_is_its_variance():
    noise = np.random.default_rng(1).normal(0, 2.0, (300, 300)).astype(np.float32)
    spectra = windowed_spectra(noise, (0.04, 0.04), limit=7.5)
    assert spectra.power[:, :, 5:, 5:].mean() == pytest.approx(4.0, rel=0.05)
    assert spectra.y[0] == pytest.approx(1.9, abs=0.05)


def test_the_mean_is_the_local_brightness_and_not_in_the_power():
    image = np.full((200, 260), 7.0, dtype=np.float32)
    grid = WindowGrid.lay((200, 260), (0.05, 0.04), 3.8, 0.5, 4.5)
    power, mean = grid.block_power(*grid.cut(image, slice(2, 4)))
    assert mean == pytest.approx(7.0)
    assert power.max() < 1e-6
    assert power.shape == (2, grid.columns.size, *(axis.size for axis in grid.frequencies))


def test_power_is_that_of_one_window_at_a_time():
    image = np.random.default_rng(2).normal(3.0, 1.0, (240, 420)).astype(np.float32)
    grid = WindowGrid.lay((240, 420), (0.05, 0.04), 3.8, 0.5, 4.5)
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in grid.size))
    ky, kx = grid.frequencies
    for block in grid.blocks:
        power, mean = grid.block_power(*grid.cut(image, block))
        for row, column in ((0, 0), (-1, 3), (-1, -1)):
            y, x = grid.rows[block][row], grid.columns[column]
            tile = image[y : y + grid.size[0], x : x + grid.size[1]]
            level = np.average(tile, weights=taper)
            whole = np.fft.fftshift(np.fft.rfft2((tile - level) * taper), axes=0)
            kept = np.fft.fftshift(np.fft.fftfreq(grid.size[0], grid.pixel[0]))
            expected = np.abs(whole[np.isin(kept, ky), : kx.size]) ** 2 / (taper**2).sum()
            assert mean[row, column] == pytest.approx(level)
            assert power[row, column] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_power_over_its_ring_has_a_median_of_one():
    noise = np.random.default_rng(3).normal(0, 2.0, (300, 300)).astype(np.float32)
    spectra = windowed_spectra(noise, (0.04, 0.04), limit=7.5)
    radius = np.hypot(spectra.ky[:, None], spectra.kx[None, :])
    ring = np.abs(radius - 4.0) < 0.01 + 0.5 * (spectra.kx[1] - spectra.kx[0])
    assert spectra.relative.shape == spectra.power.shape
    assert np.median(spectra.relative[..., ring]) == pytest.approx(1.0, abs=0.05)
    largest = np.unravel_index(int(spectra.power[0, 0].argmax()), radius.shape)
    members = rings(spectra.ky, spectra.kx, float(spectra.kx[1] - spectra.kx[0]))
    mine = next(m for m in members if np.ravel_multi_index(largest, radius.shape) in m)
    floor = np.median(spectra.power[0, 0].ravel()[mine])
    assert spectra.relative[0, 0][largest] == pytest.approx(spectra.power[0, 0][largest] / floor)

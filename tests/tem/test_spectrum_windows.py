import numpy as np
import pytest

from depthlock.tem.windows import WindowGrid, windowed_spectra


def test_power_of_white_noise_is_its_variance():
    noise = np.random.default_rng(1).normal(0, 2.0, (300, 300)).astype(np.float32)
    spectra = windowed_spectra(noise, (0.04, 0.04), limit=7.5)
    assert spectra.power[:, :, 5:, 5:].mean() == pytest.approx(4.0, rel=0.05)
    assert spectra.y[0] == pytest.approx(1.9, abs=0.05)


def test_the_mean_is_the_local_brightness_and_not_in_the_power():
    image = np.full((200, 260), 7.0, dtype=np.float32)
    grid = WindowGrid.lay((200, 260), (0.05, 0.04), 3.8, 0.5, 4.5)
    power, mean = grid.row_power(image[: grid.size[0]])
    assert mean == pytest.approx(7.0)
    assert power.max() < 1e-6
    assert power.shape == (grid.columns.size, *(axis.size for axis in grid.frequencies))

import numpy as np
import pytest
from scipy import ndimage

from depthlock.tem.background import BLUR, Background

PIXEL = (0.04, 0.05)


def test_background_is_close_to_the_gaussian_mean():
    y, x = np.meshgrid(np.arange(301) * PIXEL[0], np.arange(263) * PIXEL[1], indexing="ij")
    image = (1 + 0.3 * np.tanh((y - 6.0) / 0.3) + 0.02 * x).astype(np.float32)
    found = Background.of(image, PIXEL).rows(y[:, 0], x[0])
    expected = ndimage.gaussian_filter(image, [BLUR / p for p in PIXEL], mode="nearest")
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 0.01


def test_places_between_and_beyond_the_blocks():
    background = Background(np.array([[0.0, 2.0], [4.0, 6.0]], np.float32), np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    found = background.rows(np.array([0.0, 1.5, 9.0]), np.array([-1.0, 1.0, 4.0]))
    assert found == pytest.approx(np.array([[0.0, 0.5, 2.0], [2.0, 2.5, 4.0], [4.0, 4.5, 6.0]]))

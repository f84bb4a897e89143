import numpy as np
from skimage.draw import polygon

from depthlock.tem.crystal import Crystal
from depthlock.tem.labels import CRYSTAL, LAYER, label_image

PIXEL = (0.05, 0.04)
OUTWARD = np.array([1.0, 0.2])


def test_the_layer_is_what_lies_between_its_lines():
    along = np.linspace(-1.0, 15.0, 60)
    inner = np.column_stack([4.0 + np.sin(along / 2), along])
    lines = {name: inner + shift * OUTWARD for name, shift in (("deep", -3), ("inner", 0), ("outer", 4.03))}
    lines["far"] = inner + 7.0 * OUTWARD
    found = label_image((250, 300), PIXEL, None, lines)
    ring = np.concatenate([lines["inner"], lines["outer"][::-1]]) / PIXEL
    expected = np.zeros((250, 300), dtype=bool)
    expected[polygon(ring[:, 0], ring[:, 1], expected.shape)] = True
    assert np.mean((found == LAYER) != expected) < 1e-4
    assert found[5, 150] == 0
    assert found[np.abs(np.arange(250) * PIXEL[0] - 3.0).argmin(), 150] == CRYSTAL


def test_the_crystal_reaches_as_far_as_its_mask_without_lines():
    mask = np.zeros((25, 30), dtype=bool)
    mask[:10] = True
    found = label_image((250, 300), PIXEL, Crystal(mask, (0.5, 0.4), 1.0, 0.0), None)
    assert np.mean(found == CRYSTAL) == 0.38

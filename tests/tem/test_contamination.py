import numpy as np
import pytest

from depthlock.model.errors import MeasurementError
from depthlock.tem.contamination import amorphous_over_lattice


def _dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def _lattice(size=256, period=6.0, turn=0.0):
    y, x = np.mgrid[:size, :size]
    azimuths = np.deg2rad(np.array([10.0, 70.0, 130.0]) + turn)
    return sum(np.cos(2 * np.pi / period * (np.cos(t) * x + np.sin(t) * y)) for t in azimuths)


def _patchy(seed=0):
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    mask = np.hypot(y - 80, x - 60) < 45
    grains = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 1.5)
    image = _lattice() + rng.normal(0, 0.3, (256, 256)) + 2.0 * mask * grains / grains.std()
    return image, mask


def test_a_patch_over_a_lattice_is_found():
    image, mask = _patchy()
    found = amorphous_over_lattice(image)
    assert found.flag == ""
    assert _dice(found.mask, mask) > 0.88
    assert np.median(found.texture[mask]) > 0.7
    assert np.median(found.texture[~mask]) == pytest.approx(0.0, abs=0.15)


def test_neither_brightness_nor_gain_matter():
    image, _ = _patchy()
    y = np.linspace(0, 1, 256)[:, None]
    np.testing.assert_array_equal(amorphous_over_lattice(50 + 7 * image).mask, amorphous_over_lattice(image).mask)
    assert _dice(amorphous_over_lattice(image + 3 * y).mask, amorphous_over_lattice(image).mask) > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_lattice_has_none(seed):
    image = _lattice() + np.random.default_rng(seed).normal(0, 0.5, (256, 256))
    found = amorphous_over_lattice(image)
    assert not found.mask.any()
    assert found.flag == "no_contrast"


def test_a_small_grain_turned_against_the_rest_is_no_contamination():
    from scipy import ndimage

    rng = np.random.default_rng(3)
    y, x = np.mgrid[:256, :256]
    patch = np.hypot(y - 180, x - 180) < 25
    grains = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 1.5)
    image = np.where(x + y < 100, _lattice(turn=17), _lattice()) + rng.normal(0, 0.7, (256, 256))
    mask = amorphous_over_lattice(image + 2.0 * patch * grains / grains.std()).mask
    assert not mask[x + y < 110].any()
    assert _dice(mask, patch) > 0.9


def test_a_faint_patch_beside_a_strong_one_keeps_its_size():
    from scipy import ndimage

    rng = np.random.default_rng(4)
    y, x = np.mgrid[:256, :256]
    strong, faint = np.hypot(y - 70, x - 70) < 35, np.hypot(y - 180, x - 180) < 35
    grains = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 1.5)
    image = _lattice() + rng.normal(0, 0.3, (256, 256)) + (4.0 * strong + 1.0 * faint) * grains / grains.std()
    mask = amorphous_over_lattice(image).mask
    assert _dice(mask & (y + x > 250), faint) > 0.85
    assert _dice(mask & (y + x < 250), strong) > 0.85


def test_no_image_no_mask():
    with pytest.raises(MeasurementError, match="without contrast"):
        amorphous_over_lattice(np.zeros((100, 100)))


def test_expert_masks_of_graphene(real_data):
    from PIL import Image

    labels = sorted((real_data / "tem" / "labelled_amorphous").glob("*_LABEL.png"))
    assert len(labels) == 66
    scores = []
    for path in labels:
        with Image.open(path) as drawn, Image.open(path.with_name(path.name.replace("_LABEL", ""))) as picture:
            mask = np.asarray(drawn) > 0
            scores.append(_dice(amorphous_over_lattice(np.asarray(picture)).mask, mask))
    # Otsu on the same variance has a 10th percentile of 0.6.
    assert np.mean(scores) > 0.90
    assert np.median(scores) > 0.92
    assert np.quantile(scores, 0.1) > 0.80

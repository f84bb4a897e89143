"""Hand-corrected label images in the formats that people save them in."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from depthlock.model.errors import ReadError
from depthlock.readers.label_images import read_labels

LABELS = np.repeat(np.array([0, 1, 2], dtype=np.uint8), 4)[None].repeat(10, axis=0)


def _write(folder, name, values):
    path = folder / name
    if name.endswith("npy"):
        np.save(path, values)
    elif name.endswith("tif"):
        tifffile.imwrite(path, values)
    else:
        Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("name", ["labels.npy", "labels.tif", "labels.png"])
def test_every_format_gives_the_same_labels(tmp_path, name):
    found = read_labels(_write(tmp_path, name, LABELS), (10, 12))
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, LABELS)


def test_a_grey_picture_in_colour_and_one_with_a_palette_are_understood(tmp_path):
    coloured = _write(tmp_path, "colour.png", np.stack([LABELS] * 3, axis=-1))
    np.testing.assert_array_equal(read_labels(coloured, (10, 12)), LABELS)
    picture = Image.fromarray(LABELS, mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png", (10, 12)), LABELS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (LABELS[:9], "9 x 12 pixels"),
        (LABELS * 100, "values 0, 100, 200"),
        (LABELS * 0.5, "values 0, 0.5, 1"),
        (np.minimum(LABELS, 1), "no pixel of the crystal"),
        (np.where(LABELS == 1, 0, LABELS), "no pixel of the layer"),
    ],
)
def test_wrong_labels_are_refused(tmp_path, values, message):
    with pytest.raises(ReadError, match=message) as caught:
        read_labels(_write(tmp_path, "labels.npy", values), (10, 12))
    assert "labels.npy" in caught.value.where


def test_damaged_and_foreign_files_are_refused(tmp_path):
    whole = _write(tmp_path, "labels.png", LABELS).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("labels")
    for name in ("cut.png", "text.png", "missing.png"):
        with pytest.raises(ReadError, match="label image"):
            read_labels(tmp_path / name, (10, 12))

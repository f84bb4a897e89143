"""Microscope images: every real file opens with its scale, or is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import images, registry

SIZES: dict[str, tuple[tuple[int, int], int, float | None]] = {
    # name: (y, x), frames, nm a pixel
    "readers/64x64x5_TEM_preview_1.ser": ((64, 64), 5, 6.281834),
    "readers/CameraCetaImaging.emd": ((512, 512), 1, 3.138837),
    "readers/HAADFscan.mrc": ((16, 16), 1, 5.679131),
    "readers/fei_example_tem_stack.emd": ((3, 3), 2, 0.008172883),
    "readers/multi_signal.dm3": ((512, 512), 1, 0.01775158),
    "readers/olympus_SIS.tif": ((101, 112), 1, 0.02392792),
    "readers/openncem_16_STOimage_1.ser": ((1024, 1024), 1, 0.01001270),
    "readers/openncem_Acquisition_18.emd": ((1024, 1024), 1, 0.01224652),
    "readers/test_STEM_image.dm3": ((68, 68), 1, 0.2485380),
    "readers/test_loading_image_saved_with_imageJ_stack.tif": ((68, 68), 2, 168.6747),
    "fringes/soot_ExampleImage.tif": ((512, 512), 1, None),
}


@pytest.mark.parametrize("name", SIZES)
def test_real_images(real_data: Path, name: str) -> None:
    data = check(registry.read(real_data / "tem" / name), "tem_image")
    shape, frames, size = SIZES[name]
    assert data["image"].shape == shape
    assert data["image"].dtype == np.float32
    assert data.attrs["frames"] == frames
    if size is None:
        assert data.attrs["scale_source"] == "none"
        assert "pixel_size_nm" not in data.attrs
        assert data["x"].attrs["units"] == "1"
    else:
        assert data.attrs["scale_source"] == "file"
        assert data.attrs["pixel_size_nm"] == pytest.approx([size, size], rel=1e-6)
        assert data["x"].attrs["units"] == "nm"
        assert float(data["x"][2] - data["x"][0]) == pytest.approx(2 * size, rel=1e-6)


def test_all_labelled_images_open(real_data: Path) -> None:
    files = sorted((real_data / "tem/labelled_amorphous").glob("*.png"))
    assert len(files) == 132
    for path in files:
        data = images.read(path)
        assert data["image"].shape == (256, 256)
        assert data.attrs["scale_source"] == "none"
        assert data.attrs["bits"] == 8


@pytest.mark.parametrize(
    ("name", "reason"),
    [("test_diffraction_pattern.dm3", r"diffraction pattern \(axes in 1/nm\)"), ("test1.blo", "scan of diffraction")],
)
def test_no_images_of_the_specimen(real_data: Path, name: str, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        registry.read(real_data / "tem/readers" / name, reader=registry.find(real_data / "tem/readers" / name, "tem"))
    with pytest.raises(ReadError, match=reason):
        images.describe(real_data / "tem/readers" / name)


def test_frames_are_chosen(real_data: Path) -> None:
    path = real_data / "tem/readers/64x64x5_TEM_preview_1.ser"
    first, last = images.read(path), images.read(path, frame=4)
    assert first.attrs["frame"] == 0
    assert any("5 frames" in note for note in first.attrs["notes"])
    assert not np.array_equal(first["image"], last["image"])
    with pytest.raises(ReadError, match="no frame 5") as caught:
        images.read(path, frame=5)
    assert caught.value.expected == "0 to 4"


def test_content_decides_not_the_suffix(real_data: Path, tmp_path: Path) -> None:
    for name in ("64x64x5_TEM_preview_1.ser", "test_STEM_image.dm3", "HAADFscan.mrc", "CameraCetaImaging.emd"):
        path = tmp_path / f"{name}.dat"
        path.write_bytes((real_data / "tem/readers" / name).read_bytes())
        assert registry.find(path).name == "images"
        expected = images.read(real_data / "tem/readers" / name)
        assert np.array_equal(images.read(path)["image"], expected["image"])


def test_describe(real_data: Path) -> None:
    facts = registry.describe(real_data / "tem/readers/multi_signal.dm3")
    assert facts["pixel size"] == "0.017752 nm"
    assert facts["notes"] == ["Plot: a line of numbers, not an image"]
    assert "give `pixel_size`" in registry.describe(real_data / "tem/fringes/soot_ExampleImage.tif")["pixel size"]


RAMP = np.arange(600, dtype=np.uint16).reshape(20, 30)


def test_printing_resolutions_are_no_scale(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for unit in ("INCH", "CENTIMETER"):
        tifffile.imwrite(path, RAMP, resolution=(72.0, 72.0), resolutionunit=unit)
        data = images.read(path)
        assert data.attrs["scale_source"] == "none"
        assert np.array_equal(data["image"], RAMP)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("nm", 1.0), ("micron", 1e3), ("um", 1e3), ("\\u00B5m", 1e3), ("\\u00b5m", 1e3), ("\\u00C5", 0.1), ("mm", 1e6)],
)
def test_scales_of_imagej(tmp_path: Path, unit: str, factor: float) -> None:
    path = tmp_path / "x.tif"
    # 160 pixels a unit along x, 80 along y; frames keep the scale too.
    for stack in (RAMP, np.stack([RAMP, RAMP])):
        tifffile.imwrite(path, stack, imagej=True, resolution=(160.0, 80.0), metadata={"unit": unit})
        data = images.read(path)
        assert data.attrs["scale_source"] == "file"
        assert data.attrs["pixel_size_nm"] == pytest.approx([factor / 80, factor / 160], rel=1e-6)


@pytest.mark.parametrize(
    ("unit", "resolution", "tag"),
    [
        ("nm", (72.0, 72.0), "INCH"),
        ("nm", (28.0, 28.0), "CENTIMETER"),
        ("nm", (1e7, 1e7), "NONE"),
        ("micron", (1e-4, 1e-4), "NONE"),
        ("inch", (72.0, 72.0), "NONE"),
        ("pixel", (1.0, 1.0), "NONE"),
        ("nm", (0.0, 0.0), "NONE"),
    ],
)
def test_no_scales_of_imagej(tmp_path: Path, unit: str, resolution: tuple[float, float], tag: str) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, RAMP, imagej=True, resolution=resolution, resolutionunit=tag, metadata={"unit": unit})
    assert images.read(path).attrs["scale_source"] == "none"


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[:4, :, 0] = 200
    colours[4:, :, 1] = 100
    expected = np.where(np.arange(8)[:, None] < 4, 0.299 * 200, 0.587 * 100) * np.ones((1, 8))
    Image.fromarray(colours).save(tmp_path / "x.png")
    tifffile.imwrite(tmp_path / "x.tif", colours, photometric="rgb")
    for name in ("x.png", "x.tif"):
        data = images.read(tmp_path / name)
        assert np.allclose(data["image"], expected)
        assert data.attrs["colour"] == 1


def test_png_depths(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    deep = (RAMP * 100).astype(np.uint16)
    Image.fromarray(deep).save(path)
    assert np.array_equal(images.read(path)["image"], deep)
    Image.fromarray((RAMP % 256).astype(np.uint8)).convert("P").save(path)
    assert images.read(path)["image"].shape == (20, 30)
    Image.fromarray((RAMP % 256).astype(np.uint8)).save(tmp_path / "x.jpg", quality=95)
    assert np.abs(images.read(tmp_path / "x.jpg")["image"] - RAMP % 256).mean() < 10


def test_saturation_is_told(tmp_path: Path) -> None:
    clipped = np.minimum(RAMP, 255).astype(np.uint8)
    Image.fromarray(clipped).save(tmp_path / "x.png")
    assert images.read(tmp_path / "x.png").attrs["saturated_fraction"] == pytest.approx(345 / 600)


def test_flat_images_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(ReadError, match="flat"):
        images.read(tmp_path / "x.png")


def mrc(path: Path, cell: float) -> None:
    header = np.zeros(256, "<i4")
    header[:4] = 30, 20, 1, 6
    header[7:10] = 30, 20, 1
    header[10:13] = np.array([30 * cell, 20 * cell, cell], "<f4").view("<i4")
    header[52] = int.from_bytes(b"MAP ", "little")
    path.write_bytes(header.tobytes() + RAMP.astype("<u2").tobytes())


def test_mrc_scales(tmp_path: Path) -> None:
    path = tmp_path / "x.mrc"
    mrc(path, 0.5)
    data = images.read(path)
    assert data.attrs["pixel_size_nm"] == pytest.approx([0.05, 0.05])
    assert np.array_equal(data["image"], RAMP)
    # A cell of 0, or of exactly 1 A a voxel, is what writers leave that know no scale.
    for unset in (0.0, 1.0):
        mrc(path, unset)
        assert images.read(path).attrs["scale_source"] == "none"


def test_an_opaque_picture_is_not_saturated(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(20, 200, (40, 50), dtype=np.uint8)
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    data = images.read(tmp_path / "opaque.png")
    assert data.attrs["saturated_fraction"] == 0.0
    np.testing.assert_allclose(data["image"], grey, atol=1e-3)

"""Burnt-in scale bars drawn into simulated images, and the one of a real picture."""

import io

import numpy as np
import pytest
import xarray as xr
from PIL import Image, ImageDraw, ImageFont

from depthlock.model.errors import ReadError
from depthlock.readers import images
from depthlock.readers.overlays import scaled_by_bar
from depthlock.readers.scale_bar import find_scale_bars
from depthlock.simulate.tem import TemParameters, simulate_image

BANNER = 60


@pytest.fixture(scope="module")
def picture():
    """A dark crystal at the left, a bright outside at the right; 8 bit."""
    parameters = TemParameters(pixels=400, pixel_nm=0.045, orientation_deg=5.0)
    image, _ = simulate_image(parameters, 5.0, np.random.default_rng(4))
    low, high = np.quantile(image["image"].values, (0.002, 0.998))
    return np.clip((image["image"].values - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def _drawn(picture, left, *, length=83, height=6, grey=255, outline=False, ticks=False, banner=None):
    """The picture with a bar at row 360 (or in a banner below) and a label above it."""
    rows, columns = picture.shape
    image = Image.new("L", (columns, rows + (BANNER if banner is not None else 0)), banner)
    image.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(image)
    top = 360 if banner is None else rows + 40
    if banner is not None:
        draw.text((10, rows + 20), "200 kV   x400k", fill=grey, font=ImageFont.load_default(14))
    if outline:
        draw.rectangle((left - 1, top - 1, left + length, top + height), fill=255 - grey)
    draw.rectangle((left, top, left + length - 1, top + height - 1), fill=grey)
    for at in (left, left + length - 2) if ticks else ():
        draw.rectangle((at, top - 6, at + 1, top + height + 5), fill=grey)
    text = {"stroke_width": 1, "stroke_fill": 255 - grey} if outline else {}
    draw.text((left + 10, top - 24), "5 nm", fill=grey, font=ImageFont.load_default(16), **text)
    return np.asarray(image)


def _jpeg(picture, quality):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def _scaled(picture, factor):
    size = [round(n * factor) for n in picture.shape[::-1]]
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _dataset(picture, **attrs):
    values = picture.astype(np.float32)
    return xr.Dataset({"image": (("y", "x"), values, {"units": "1"})}, attrs={"source": "drawn.tif", **attrs})


CASES = {
    "white on the crystal": ({"left": 20}, 1.0, None),
    "black on the crystal": ({"left": 20, "grey": 0}, 1.0, None),
    "white on the outside": ({"left": 290}, 1.0, None),
    "black and outlined": ({"left": 290, "grey": 0, "outline": True}, 1.0, None),
    "thin with ticks": ({"left": 150, "height": 2, "ticks": True}, 1.0, None),
    "JPEG": ({"left": 20}, 1.0, 75),
    "made smaller": ({"left": 290, "grey": 0}, 0.71, None),
    "made larger": ({"left": 20, "outline": True}, 1.33, None),
    "in a black banner": ({"left": 290, "banner": 0}, 1.0, None),
    "in a white banner, JPEG": ({"left": 290, "grey": 0, "banner": 255}, 1.0, 80),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bar_gives_its_length(picture, case):
    how, factor, quality = CASES[case]
    drawn = _scaled(_drawn(picture, **how), factor)
    if quality:
        drawn = _jpeg(drawn, quality)
    result = scaled_by_bar(_dataset(drawn), 5.0)
    left, right, top, bottom = result.attrs["scale_bar_px"]
    assert right - left == pytest.approx(83 * factor, abs=0.6 + 2 * how.get("ticks", False))
    assert left == pytest.approx(how["left"] * factor, abs=0.6 + how.get("ticks", False))
    assert bottom - top + 1 == pytest.approx(how.get("height", 6) * factor, abs=2)
    size, error = result.attrs["pixel_size_nm"][0], result.attrs["pixel_size_std"]
    assert abs(size - 5.0 / (83 * factor)) < 2 * error * size
    assert 0.003 < error < 0.025


def test_lengths_hold_within_their_errors(picture):
    apart = []
    for number in range(24):
        factor = 0.6 + 0.035 * number
        drawn = _scaled(_drawn(picture, 20 + 11 * number % 270, length=70 + number), factor)
        result = scaled_by_bar(_dataset(drawn), 5.0)
        left, right, *_ = result.attrs["scale_bar_px"]
        apart.append((right - left) / ((70 + number) * factor) - 1)
        assert abs(apart[-1]) < 2.5 * result.attrs["pixel_size_std"]
    # ends between pixels: better than a whole pixel of 80
    assert np.std(apart) < 0.006


def test_bar_label_and_banner_are_left_out(picture):
    bare = scaled_by_bar(_dataset(_drawn(picture, 150)), 5.0)
    over = bare["drawn_over"].values
    changed = _drawn(picture, 150) != picture
    assert np.all(over[changed])
    assert over.sum() < 5000
    assert bare.sizes["y"] == 400
    banner = scaled_by_bar(_dataset(_drawn(picture, 150, banner=0)), 5.0)
    assert banner.sizes["y"] == 400
    assert banner.attrs["banner_rows"] == BANNER
    assert not np.any(banner["drawn_over"].values[:-8])


def test_a_picture_without_a_bar_says_so(picture):
    assert find_scale_bars(picture.astype(np.float32)) == []
    with pytest.raises(ReadError, match="no burnt-in scale bar") as caught:
        scaled_by_bar(_dataset(picture), 5.0)
    assert "pixel_size" in str(caught.value)


def test_two_bars_are_listed_and_a_place_decides(picture):
    twice = _drawn(picture, 20).copy()
    twice[100:170] = _drawn(picture, 250, length=60)[310:380]
    with pytest.raises(ReadError, match="2 things") as caught:
        scaled_by_bar(_dataset(twice), 5.0)
    assert "60.0 px long at x 250 to 310, y 150 to 155" in str(caught.value)
    chosen = scaled_by_bar(_dataset(twice), 5.0, near=(360.0, 60.0))
    assert chosen.attrs["scale_bar_px"][0] == pytest.approx(20, abs=0.1)


def test_a_frame_and_a_line_across_are_no_bars(picture):
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((100, 100, 220, 180), outline=255, width=2)
    draw.line((0, 300, 399, 300), fill=0, width=3)
    assert find_scale_bars(np.asarray(image, dtype=np.float32)) == []


def test_a_bar_that_disagrees_with_the_file_is_flagged(picture):
    drawn = _drawn(picture, 20)
    right = scaled_by_bar(_dataset(drawn, pixel_size_nm=[0.0602, 0.0602]), 5.0)
    assert right.attrs["scale_flag"] == ""
    wrong = scaled_by_bar(_dataset(drawn, pixel_size_nm=[0.045, 0.045]), 5.0)
    assert wrong.attrs["scale_flag"] == "scale_bar_disagrees"
    assert wrong.attrs["pixel_size_nm_in_file"] == [0.045, 0.045]


def test_the_bar_of_a_real_picture(real_data):
    result = scaled_by_bar(images.read(real_data / "tem" / "fringes" / "soot_ExampleImage.tif"), 5.0)
    assert result.attrs["pixel_size_nm"] == pytest.approx([5 / 89, 5 / 89], rel=1e-6)
    assert 0.005 < result.attrs["pixel_size_std"] < 0.015
    over = result["drawn_over"].values
    assert np.all(over[490:496, 16:105])
    assert np.all(over[476:484, 20:25])  # the 5 of the label
    assert over.sum() < 3500


def test_real_images_without_a_bar_have_none(real_data):
    for name in ("multi_signal.dm3", "openncem_16_STOimage_1.ser", "CameraCetaImaging.emd"):
        assert find_scale_bars(images.read(real_data / "tem" / "readers" / name)["image"].values) == []

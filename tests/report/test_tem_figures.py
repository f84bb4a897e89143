"""TEM figures: what is drawn is what the dataset says, also where no layer was measured."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from depthlock.model.options import ThicknessOptions
from depthlock.report import tem_crystal_figure, tem_figures
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.thickness import measure_thickness


@lru_cache(maxsize=1)
def measured() -> xr.Dataset:
    """A layer on a crystal, and an image of noise."""
    rng = np.random.default_rng(7)
    image, _ = simulate_image(TemParameters(pixels=512, pixel_nm=0.05, orientation_deg=70.0), 6.0, rng)
    noise = image.copy(deep=True)
    noise["image"].values[:] = rng.poisson(100, noise["image"].shape)
    return measure_thickness([image, noise], ThicknessOptions(bootstrap=60))


def layer_of(figure: Figure) -> PolyCollection:
    (layer,) = (part for axes in figure.axes for part in axes.collections if isinstance(part, PolyCollection))
    return layer


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_the_layer_is_coloured_by_the_thickness_along_it() -> None:
    found = measured()
    layer = layer_of(tem_figures.draw_image(found, 0, "A"))
    thickness = found["thickness"].values
    np.testing.assert_allclose(layer.get_clim(), (thickness.min(), thickness.max()))
    # The first two positions are neighbours: their piece has the mean of both, and a corner at each boundary.
    values = layer.get_array()
    assert values is not None
    assert values[0] == pytest.approx(thickness[:2].mean())
    corners = layer.get_paths()[0].vertices
    np.testing.assert_allclose(corners[0], (found["inner_x"][0], found["inner_y"][0]))
    np.testing.assert_allclose(corners[3], (found["outer_x"][0], found["outer_y"][0]))


def test_a_gap_in_the_interface_is_not_filled() -> None:
    found = measured()
    count = found.sizes["position"]
    whole = layer_of(tem_figures.draw_image(found, 0, "A"))
    holed = found.isel(position=np.r_[0:10, 16:count])
    assert len(whole.get_paths()) == count - 1
    assert len(layer_of(tem_figures.draw_image(holed, 0, "A")).get_paths()) == count - 6 - 2


def test_boundaries_scale_bar_and_numbers_are_there() -> None:
    found = measured()
    figure = tem_figures.draw_image(found, 0, "A")
    lines = next(axes for axes in figure.axes if len(axes.lines) == 4)
    np.testing.assert_allclose(lines.lines[2].get_ydata(), found["inner_y"])
    np.testing.assert_allclose(lines.lines[3].get_ydata(), found["outer_y"])
    (bar,) = (text.get_text() for text in lines.texts)
    width = float(np.ptp(lines.lines[0].get_xdata())) * 0.05
    assert bar == f"{width:g} nm"
    mean = found["cei_thickness"].sel(statistic="mean").item()
    assert f"mean  {mean:.2f} nm" in texts(figure)
    assert "flag: images_left_out" in texts(figure)
    histogram = next(axes for axes in figure.axes if axes.get_xlabel().startswith("thickness"))
    drawn = [float(line.get_xdata()[0]) for line in histogram.lines]
    np.testing.assert_allclose(drawn, found["cei_thickness"].sel(statistic=["mean", "p05", "p95"]))


def test_an_image_without_a_layer_gives_the_image_and_the_reason() -> None:
    figure = tem_figures.draw_image(measured(), 1, "A")
    assert len(figure.axes) == 2
    assert figure.axes[0].images
    assert "no_crystal: no crystal with lattice fringes was found" in texts(figure)
    assert not any(axes.collections for axes in figure.axes)
    assert "no layer was measured" in tem_figures.image_caption(measured(), 1)


def test_captions_say_segmentation_and_scale() -> None:
    found = measured().copy()
    found.attrs["segmentation"] = ["hand-corrected labels mine.tif", "automatic"]
    found.attrs["scale_sources"] = ["session", "lattice of 0.38 nm"]
    assert tem_figures.image_caption(found, 0).endswith(
        "Segmentation: hand-corrected labels mine.tif. Scale: 0.05 nm a pixel, from the session."
    )
    assert tem_figures.image_caption(found, 1).endswith("Scale: 0.05 nm a pixel, lattice of 0.38 nm.")


def test_the_reflections_are_marked_where_the_spectrum_has_them() -> None:
    found = measured()
    figure = tem_crystal_figure.draw_crystal(found, 0, "A")
    spectrum, crystallinity = figure.axes[:2]
    circles = [patch for patch in spectrum.patches if isinstance(patch, Circle)]
    assert len(circles) == 2 * found.sizes["reflection_0"] > 0
    power, (left, right, bottom, top) = np.asarray(spectrum.images[0].get_array()), spectrum.images[0].get_extent()
    for circle in circles:
        x, y = circle.get_center()
        column = int((x - left) / (right - left) * power.shape[1])
        row = int((y - top) / (bottom - top) * power.shape[0])
        assert power[row - 2 : row + 3, column - 2 : column + 3].max() > 30 * np.median(power)
    spacings = {f"{spacing:.4f} nm" for spacing in found["reflection_spacing_0"].values}
    assert {text.get_text() for text in spectrum.texts} == spacings
    assert any(abs(float(spacing[:6]) / 0.38 - 1) < 0.005 for spacing in spacings)
    assert len(crystallinity.lines) == 4, "both boundaries, and the two lines of the bar"
    np.testing.assert_array_equal(crystallinity.images[1].get_array(), found["crystallinity_0"])


def test_without_a_crystal_nothing_is_marked() -> None:
    found = measured()
    figure = tem_crystal_figure.draw_crystal(found, 1, "A")
    assert found.sizes["reflection_1"] == 0
    assert not figure.axes[0].patches
    assert "no reflections" in tem_crystal_figure.crystal_caption(found, 1)
    assert tem_crystal_figure.has_crystal_maps(found, 1)


def test_results_of_a_version_without_reflections_say_so() -> None:
    found = measured()
    old = found.drop_vars([str(name) for name in found.variables if str(name).startswith("reflection_")])
    figure = tem_crystal_figure.draw_crystal(old, 0, "A")
    assert figure.axes[0].images
    assert not figure.axes[0].patches
    assert "run the session again" in tem_crystal_figure.crystal_caption(old, 0)


def test_a_wave_stands_at_its_frequency_in_the_mean_spectrum() -> None:
    rows, columns = np.mgrid[:96, :150]
    wave = np.cos(2 * np.pi * (rows * 5 + columns * 11) / 64).astype(np.float32)
    power = tem_crystal_figure.power_spectrum(wave, tile=64)
    assert power.shape == (64, 64)
    peaks = {tuple(int(i) for i in at) for at in np.argwhere(power > 0.9 * power.max())}
    assert peaks == {(37, 43), (27, 21)}


@pytest.mark.parametrize("image", [0, 1])
def test_every_figure_can_be_written(image: int) -> None:
    for draw in (tem_figures.draw_image, tem_crystal_figure.draw_crystal):
        target = io.BytesIO()
        draw(measured(), image, "A").savefig(target, format="png", dpi=50)
        assert target.tell() > 5000


def test_the_bar_that_gave_the_scale_is_marked_at_its_ends() -> None:
    found = measured().copy()
    found.attrs["scale_bars_px"] = [[100.0, 180.0, 400, 405], []]
    found.attrs["scale_sources"] = ["burnt-in bar of 4 nm, 80.0 ± 0.5 px", "file"]
    lines = tem_figures.draw_image(found, 0, "A").axes[0].lines
    ends = {float(np.asarray(line.get_xdata())[0]) for line in lines if line.get_color() == tem_figures.BAR_COLOUR}
    assert ends == {99.5, 179.5}
    caption = tem_figures.image_caption(found, 0)
    assert caption.endswith("burnt-in bar of 4 nm, 80.0 ± 0.5 px (its ends in green).")
    # One in a banner was cut off: a bar is drawn instead.
    found.attrs["scale_bars_px"] = [[100.0, 180.0, 530, 535], []]
    assert "nm" in texts(tem_figures.draw_image(found, 0, "A"))
    assert "green" not in tem_figures.image_caption(found, 0)


def test_hints_are_drawn_where_they_were_given() -> None:
    found = measured().copy()
    found.attrs["hints"] = ['{"layer_at": [[256, 250]], "crystal": [[[20, 30], [40, 50]]]}', ""]
    found.attrs["segmentation"] = ["automatic, guided by rough position and strokes in crystal", "automatic"]
    lines = tem_figures.draw_image(found, 0, "A").axes[0].lines
    drawn = {tuple(map(float, np.concatenate(line.get_xydata()))) for line in lines if line.get_linestyle() == ":"}
    assert drawn == {(250.0, 256.0), (30.0, 20.0, 50.0, 40.0)}
    assert "guided by rough position and strokes in crystal (dotted:" in tem_figures.image_caption(found, 0)
    assert "dotted" not in tem_figures.image_caption(found, 1)

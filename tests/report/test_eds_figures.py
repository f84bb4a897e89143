"""STEM-EDS figures: what is shown of simulated maps."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import pytest
import xarray as xr

from depthlock.eds.profile import measure_profile
from depthlock.model.options import EdsOptions
from depthlock.report import eds_figures
from depthlock.simulate.eds import EdsParameters, simulate_maps, simulate_spectra
from napari_depthlock.layers import eds_layers


@lru_cache(maxsize=1)
def profile() -> xr.Dataset:
    rng = np.random.default_rng(1)
    small = EdsParameters(rows=60, columns=60, thickness_nm=8.0)
    parts = [simulate_maps(small, rng)[0], simulate_spectra(small, rng)[0]]
    return measure_profile(parts, EdsOptions(elements=("C", "O", "F", "Mg", "V", "N"), substrate=("V",), shuffles=20))


@pytest.mark.parametrize("number", [0, 1])
def test_every_figure_is_drawn(number: int) -> None:
    figures = [eds_figures.draw_maps(profile(), number, "A"), eds_figures.draw_profile(profile(), number, "A")]
    if number == 1:
        figures.append(eds_figures.draw_spectrum(profile(), number, "A"))
    for figure in figures:
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=50)
        assert target.tell() > 5000


def test_only_what_is_there_gets_a_map() -> None:
    assert eds_figures.shown_elements(profile(), 0) == ["F", "C", "Mg", "O", "V"]
    assert "N" not in eds_figures.shown_elements(profile(), 1)
    figure = eds_figures.draw_maps(profile(), 0, "A")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "F + C + Mg + O + V"
    assert sum(bool(axes.images) for axes in figure.axes) == 6
    assert any(text.get_text().endswith(" nm") for text in figure.axes[0].texts), "a scale bar"
    assert len(figure.axes[0].lines) == 4, "both boundaries, and the two lines of the bar"


def test_a_colour_belongs_to_an_element() -> None:
    assert eds_figures.element_colours(["F", "Xx"])["F"] == eds_figures.element_colours(["Zz", "F"])["F"]
    assert len(set(eds_figures.element_colours(["Pt", "Cu", "Ga"]).values())) == 3


def test_layers_of_the_viewer_lie_on_each_other() -> None:
    layers = eds_layers(profile(), {})
    first = [keywords for _, keywords, _ in layers if keywords["name"].endswith(" 0")]
    assert [keywords["name"] for keywords in first][:3] == ["dark field 0", "F 0", "C 0"]
    assert {keywords["translate"] for keywords in first} == {(0.0, 0.0)}
    (path,), keywords, kind = next(layer for layer in layers if layer[1]["name"] == "inner boundary 0")
    assert kind == "shapes"
    assert "scale" not in keywords, "its points are in nanometres"
    assert 0 < path.mean() < 24

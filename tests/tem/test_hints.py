"""Hints help where the automatic segmentation fails, and are told where the image contradicts them."""

import json

import numpy as np
import pytest
import xarray as xr

from depthlock.model.options import ThicknessOptions
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.crystal import nearer_to_others
from depthlock.tem.demodulation import BraggMap
from depthlock.tem.hints import Hints, hinted_edges, stroke_masks
from depthlock.tem.thickness import measure_thickness

OPTIONS = ThicknessOptions(bootstrap=60)
PIXEL = 0.042


def _image(seed, thickness=6.0, **changes):
    settings = {"pixels": 512, "pixel_nm": PIXEL, "outer_roughness_nm": (0.4, 3.0), "orientation_deg": 0.0} | changes
    return simulate_image(TemParameters(**settings), thickness, np.random.default_rng(seed))


def _measured(image, **hints):
    told = image.assign_attrs(hints=json.dumps(hints)) if hints else image
    return measure_thickness([told], OPTIONS)


def _mean(result):
    return float(result["cei_thickness"].sel(statistic="mean"))


def _flags(result):
    return str(result["cei_thickness_flag"].values[0]).split(";")


def _strokes(middle, step=6.0, rows=(100, 400), pixel=PIXEL):
    """One upright line in each class, `step` nm from the layer's middle; the crystal is at the left."""
    at = {"crystal": middle - step / pixel, "layer": middle, "outside": middle + step / pixel}
    return {name: [[[rows[0], x], [rows[1], x]]] for name, x in at.items()}


@pytest.fixture(scope="module")
def two_crystals():
    """A crystal with a layer at the left, and a stronger one with a thinner layer at the right."""
    left, truth_left = _image(1, orientation_deg=4.0, offset_nm=-1.0)
    right, truth_right = _image(
        2, 3.5, orientation_deg=177.0, offset_nm=4.0, lattice_nm=0.31, second_nm=0.22, fringe_contrast=0.14,
        patchiness=0.1,
    )  # fmt: skip
    values = np.concatenate([left["image"].values, right["image"].values], axis=1)
    image = xr.Dataset({"image": (("y", "x"), values, {"units": "1"})}, attrs=left.attrs)
    return image, truth_left.statistics()["mean"], truth_right.statistics()["mean"]


LEFT, RIGHT = 255.5 - 1.0 / PIXEL, 767.5 - 4.0 / PIXEL
"""Columns in the middle of both layers."""


def test_a_strip_ends_before_the_layer_of_a_crystal_across(two_crystals):
    image, _, right = two_crystals
    assert _mean(_measured(image)) == pytest.approx(right, rel=0.02)


@pytest.mark.parametrize("how", [{"layer_at": [[250.0, LEFT]]}, {"crystal": _strokes(LEFT)["crystal"]}])
def test_a_hint_chooses_the_crystal_to_measure_at(two_crystals, how):
    image, left, _ = two_crystals
    result = _measured(image, **how)
    assert _mean(result) == pytest.approx(left, rel=0.02)
    assert "hinted" in _flags(result)
    assert "hint_contradicted" not in _flags(result)
    assert float(result["lattice_spacing"]) == pytest.approx(0.38, rel=5e-3)


def test_strokes_in_the_wrong_classes_are_told(two_crystals):
    image, _, _ = two_crystals
    strokes = _strokes(LEFT)
    swapped = _measured(image, crystal=strokes["outside"], layer=strokes["layer"], outside=strokes["crystal"])
    assert "hint_contradicted" in _flags(swapped)
    in_vacuum = _measured(image, layer_at=[[250.0, LEFT + 9 / PIXEL]])
    assert np.isnan(_mean(in_vacuum)) or "hint_contradicted" in _flags(in_vacuum)


def test_strokes_that_disagree_with_the_image_do_not_move_the_boundaries():
    image, truth = _image(3)
    expected = truth.statistics()["mean"]
    wrong = _strokes(255.5, step=6.0)
    wrong["layer"] = [[[100, 255.5 + 2.0 / PIXEL], [400, 255.5 + 6.0 / PIXEL]]]
    result = _measured(image, **wrong)
    assert "hint_contradicted" in _flags(result)
    assert _mean(result) == pytest.approx(expected, rel=0.15)
    right = _measured(image, **_strokes(255.5))
    assert _flags(right) == ["hinted"]
    assert _mean(right) == pytest.approx(expected, rel=0.02)


def test_strokes_find_a_crystal_in_a_small_field():
    settings = {"pixel_nm": 0.02, "orientation_deg": 30.0, "offset_nm": 1.0}
    image, truth = _image(7, 4.0, pixels=448, **settings)
    assert np.isnan(_mean(_measured(image)))
    middle = 223.5
    towards = np.array([np.sin(np.pi / 6), np.cos(np.pi / 6)]) / 0.02
    along = np.array([towards[1], -towards[0]])
    strokes = {
        name: [[list(middle + (1.0 + off) * towards + u * along) for u in (-2.5, 2.5)]]
        for name, off in (("crystal", -3.5), ("layer", 0.0), ("outside", 3.0))
    }
    result = _measured(image, **strokes)
    assert _mean(result) == pytest.approx(truth.statistics()["mean"], rel=0.03)
    assert "hinted" in _flags(result)


def test_strokes_stand_in_for_fringes_that_cannot_be_seen():
    image, truth = _image(5, fringe_contrast=0.004, dose_e_per_a2=150.0)
    assert np.isnan(_mean(_measured(image)))
    result = _measured(image, **_strokes(255.5))
    assert _mean(result) == pytest.approx(truth.statistics()["mean"], rel=0.02)
    assert {"hinted", "no_fringes"} <= set(_flags(result))
    assert np.isnan(float(result["lattice_spacing"]))
    assert result.attrs["segmentation"] == ["automatic, guided by strokes in outside, layer, crystal"]
    assert json.loads(result.attrs["hints"][0]) == _strokes(255.5)


def test_noise_has_no_layer_whatever_the_strokes():
    noise = np.random.default_rng(0).poisson(100, (512, 512)).astype(np.float32)
    image = xr.Dataset(
        {"image": (("y", "x"), noise, {"units": "1"})}, attrs={"source": "noise", "pixel_size_nm": [PIXEL, PIXEL]}
    )
    for hints in (_strokes(255.5), {"layer_at": [[256.0, 256.0]]}):
        result = _measured(image, **hints)
        assert np.isnan(_mean(result))
        assert "hinted" in _flags(result)


def test_a_stroke_is_a_nanometre_wide_and_ends_where_it_was_drawn():
    hints = Hints.read('{"layer": [[[10, 20], [10, 70]]]}', (0.1, 0.1))
    crystal, layer, outside = stroke_masks(hints, (40, 100), (0.1, 0.1))
    assert not crystal.any()
    assert not outside.any()
    rows, columns = np.nonzero(layer)
    assert (rows.min(), rows.max()) == (5, 15)
    assert (columns.min(), columns.max()) == (15, 75)


def test_a_rough_line_cuts_the_edge_to_its_own_reach():
    edge = np.column_stack([np.linspace(0, 30, 61), np.full(61, 5.0)])
    other = edge + np.array([0.0, 10.0])
    hints = Hints(np.array([[10.0, 8.0], [20.0, 7.0]]), {})
    (part,) = hinted_edges([other, edge], hints)
    np.testing.assert_allclose(part[[0, -1]], [[10.0, 5.0], [20.0, 5.0]])
    point = Hints(np.array([[10.0, 8.0]]), {})
    (whole,) = hinted_edges([other, edge], point)
    assert len(whole) == 61


def test_an_image_without_nearer_to_others_has_none():
    from depthlock.tem.crystal import Crystal
    from depthlock.tem.windows import windowed_spectra

    y, x = np.meshgrid(np.arange(512) * PIXEL, np.arange(512) * PIXEL, indexing="ij")
    draw = np.random.default_rng(0)
    values = draw.poisson(200 * (1 + 0.2 * np.cos(2 * np.pi * 2.6 * y) * (x < 8.0))).astype(np.float32)
    mask = np.arange(512)[None, ::4] * PIXEL < np.full((128, 1), 8.0)
    crystal = Crystal(mask, (4 * PIXEL, 4 * PIXEL), 1.0, 0.0)
    spectra = windowed_spectra(values, (PIXEL, PIXEL), limit=7.0)
    assert not nearer_to_others(crystal, spectra).any()
    values += draw.poisson(200 * (1 + 0.2 * np.cos(2 * np.pi * 3.0 * x)) * (x > 15.0))
    others = nearer_to_others(crystal, windowed_spectra(values, (PIXEL, PIXEL), limit=7.0))
    at = np.arange(128) * 4 * PIXEL
    # Half way between 8 and 15 nm, as well as windows of 3.8 nm tell.
    assert others[64][at > 13.0].all()
    assert not others[64][at < 10.0].any()


def test_a_map_of_nothing_has_no_power():
    assert not BraggMap.nothing((3, 4), (0.1, 0.1)).power.any()

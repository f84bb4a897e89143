"""Thickness and its error."""

import numpy as np
import pytest
from layer_world import tem_dataset

from depthlock.fusion.depth_scale import layer_thickness, sputter_rate
from depthlock.model.options import DepthOptions


def test_tem_error_is_that_of_the_sample() -> None:
    # sd 1.0 of the chords and 0.4 of the mean: about six independent positions behind the error
    thickness = layer_thickness(tem_dataset(12.0, 0.1, 0.4), DepthOptions())
    assert (thickness.value, thickness.std) == (12.0, 0.4)
    assert thickness.freedom == pytest.approx(1.0 / 0.15, rel=0.01)
    drawn = thickness.samples(40000, np.random.default_rng(0))
    assert np.median(drawn) == pytest.approx(12.0, abs=0.02)
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert high - low == pytest.approx(2 * 2.39 * 0.4, rel=0.04)


def test_many_positions_leave_a_normal_error() -> None:
    drawn = layer_thickness(tem_dataset(12.0, 0.1, 0.12), DepthOptions()).samples(40000, np.random.default_rng(0))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert high - low == pytest.approx(2 * 1.96 * 0.12, rel=0.05)


def test_options_go_before_the_tem() -> None:
    thickness = layer_thickness(tem_dataset(12.0, 0.3, 0.4), DepthOptions(thickness=9.0, thickness_std=0.2))
    assert (thickness.value, thickness.std, thickness.flag) == (9.0, 0.2, "")
    assert layer_thickness(None, DepthOptions(thickness=9.0)).flag == "thickness_std_assumed"


@pytest.mark.parametrize("tem", [None, tem_dataset(np.nan, np.nan, np.nan)])
def test_no_thickness_is_never_invented(tem: object) -> None:
    thickness = layer_thickness(tem, DepthOptions())  # type: ignore[arg-type]
    assert not thickness.known
    assert thickness.flag == "no_thickness"
    assert np.isnan(thickness.samples(5, np.random.default_rng(0))).all()


def test_rate_propagates_both_errors() -> None:
    random = np.random.default_rng(1)
    rate = sputter_rate(10 + 0.5 * random.normal(size=20000), 200 + 6 * random.normal(size=20000), "").arrays()
    assert rate[""] == pytest.approx(0.05, rel=0.01)
    assert rate["std"] == pytest.approx(0.05 * np.hypot(0.05, 0.03), rel=0.05)

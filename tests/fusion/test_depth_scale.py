"""Thickness and its error."""

import numpy as np
import pytest
from layer_world import tem_dataset

from depthlock.fusion.depth_response import INTERFACE, PARAMETERS, RATE_RATIO
from depthlock.fusion.depth_scale import layer_thickness, sputter_rate, substrate_rate
from depthlock.fusion.forward_fit import InterfaceFit
from depthlock.fusion.posterior import Surroundings
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


@pytest.mark.parametrize(("spread", "known"), [(0.1, True), (0.6, False)])
def test_a_rate_that_only_the_prior_knows_is_not_told(spread: float, known: bool) -> None:
    random = np.random.default_rng(0)
    rows = np.zeros((4000, PARAMETERS))
    rows[:, INTERFACE] = np.log(200.0)
    rows[:, RATE_RATIO] = np.log(0.5) + spread * random.standard_normal(4000)
    nothing = np.zeros((4000, 1))
    around = Surroundings(np.ones(4000), np.ones(4000), np.zeros(4000))
    fit = InterfaceFit(rows, nothing, nothing[:, 0], 1.0, 1.0, around)
    rate = substrate_rate(np.full(4000, 10.0), fit, "")
    if known:
        assert rate.value == pytest.approx(0.025, rel=0.02)
        assert rate.std == pytest.approx(0.0025, rel=0.1)
    else:
        assert np.isnan(rate.value)
        assert rate.flag == "not_measured"

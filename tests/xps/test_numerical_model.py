"""The model of a block against its Jacobian by differences, and against the plain simulator."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import options, simulate

from depthlock.xps.assign import assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.evaluation import evaluate
from depthlock.xps.windows import clean_window


@pytest.fixture(scope="module")
def joint():
    series = simulate(3, levels=2, blocks=("O 1s + V 2p",))
    window = clean_window("w", series.spectra["O 1s + V 2p"], np.arange(2), 2)
    blocks, shared = build_blocks(assign_regions([window], options().regions), "active_shirley")
    block = blocks[0]
    rng = np.random.default_rng(0)
    level = rng.uniform(100.0, 900.0, (2, block.level_parameters))
    level[:, -block.regions :] = rng.uniform(0.01, 0.05, (2, block.regions))
    return block, shared.mean * 1.0005, np.array([0.2, -0.3]), level


def difference(function, scale: float) -> np.ndarray:
    return (function(scale) - function(-scale)) / (2 * scale)


def test_jacobian_of_level_parameters(joint) -> None:
    block, shared, shift, level = joint
    jacobian = evaluate(block, shared, shift, level, jacobian=True).jacobian
    for column in range(block.level_parameters):

        def model(change: float, column: int = column) -> np.ndarray:
            moved = level.copy()
            moved[:, column] += change
            return evaluate(block, shared, shift, moved).model

        numeric = difference(model, 1e-3)
        assert np.abs(jacobian[:, :, column] - numeric).max() <= 1e-6 * np.abs(numeric).max()


def test_jacobian_of_shift_and_shared_parameters(joint) -> None:
    block, shared, shift, level = joint
    jacobian = evaluate(block, shared, shift, level, jacobian=True).jacobian
    own = block.level_parameters
    numeric = difference(lambda change: evaluate(block, shared, shift + change, level).model, 1e-5)
    assert np.abs(jacobian[:, :, own] - numeric).max() <= 1e-6 * np.abs(numeric).max()
    for place, parameter in enumerate(block.shared):

        def model(change: float, parameter: int = parameter) -> np.ndarray:
            moved = shared.copy()
            moved[parameter] += change
            return evaluate(block, moved, shift, level).model

        numeric = difference(model, 1e-5)
        assert np.abs(jacobian[:, :, own + 1 + place] - numeric).max() <= 1e-6 * np.abs(numeric).max()


def test_o_1s_and_v_2p_share_the_window_with_their_own_steps(joint) -> None:
    block, shared, shift, level = joint
    assert block.regions == 2
    assert {label.split("/")[0] for label in block.labels} == {"O 1s", "V 2p"}
    no_step = level.copy()
    no_step[:, -2:] = 0.0
    rise = evaluate(block, shared, shift, level).background - evaluate(block, shared, shift, no_step).background
    # Far above both levels the rise is each region's step times its area.
    areas = np.stack([level[:, : block.components][:, block.region == r].sum(axis=1) for r in (0, 1)], axis=1)
    assert rise[:, -1] == pytest.approx((areas * level[:, -2:]).sum(axis=1), rel=0.05)

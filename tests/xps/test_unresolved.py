"""The score test of a second line, against a dense least-squares solution."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import options, simulate

from depthlock.xps.assign import assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.deconvolve import chosen_states
from depthlock.xps.errors import covariance, normal_at
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import fit_group
from depthlock.xps.shapes import pseudo_voigt
from depthlock.xps.unresolved import doublet_test, unresolved, within_bounds
from depthlock.xps.windows import clean_window


@pytest.fixture(scope="module")
def fit():
    series = simulate(4, levels=3, step=0.2, blocks=("F 1s",), drift=0.1)
    window = clean_window("F 1s", series.spectra["F 1s"], np.arange(3), 3)
    blocks, shared = build_blocks(assign_regions([window], chosen_states(options().regions, ())), "active_shirley")
    return fit_group(blocks, shared)


def test_information_is_what_a_dense_fit_leaves_of_the_change(fit) -> None:
    block, state, component = fit.blocks[0], fit.state, 1
    test = doublet_test(fit, covariance(fit), 0, component)
    label, levels, own = block.labels[component], 3, block.level_parameters
    place, width = (state.shared[fit.shared.names.index(f"{label} {kind}")] for kind in ("position", "fwhm"))
    mixing = state.shared[block.lines.mixing[component]]
    curves = evaluate(block, state.shared, state.shift, state.level[0], jacobian=True)
    size = state.shared.size
    design = np.zeros((levels, block.energy.size, levels * (own + 1) + size))
    for level in range(levels):
        design[level, :, level * (own + 1) : (level + 1) * (own + 1)] = curves.jacobian[level, :, : own + 1]
        design[level, :, levels * (own + 1) + block.shared] = curves.jacobian[level, :, own + 1 :].T
    root = np.sqrt(fit.weights[0])
    rows = (design * root[:, :, None]).reshape(-1, design.shape[2])
    prior = np.zeros(design.shape[2])
    prior[levels * (own + 1) :] = 1.0 / fit.shared.std
    for level in range(levels):
        prior[level * (own + 1) + own - 1], prior[(level + 1) * (own + 1) - 1] = 1 / 0.15, 1 / 3.0
    rows = np.vstack([rows, np.diag(prior)])
    for number in (0, 7, 12):
        apart, ratio = test.apart[number], test.ratio[number]
        narrow = np.sqrt(width**2 - 8.0 * np.log(2.0) * apart**2 * ratio / (1.0 + ratio) ** 2)
        change = np.zeros_like(block.rate)
        for level in range(levels):
            distance = block.energy - state.shift[level] - place
            for share, offset, broad in (
                (-1.0, 0.0, width),
                (1.0 / (1.0 + ratio), -apart * ratio / (1.0 + ratio), narrow),
                (ratio / (1.0 + ratio), apart / (1.0 + ratio), narrow),
            ):
                line = pseudo_voigt(distance - offset, np.asarray(broad), np.asarray(mixing))
                area = share * state.level[0][level, component]
                change[level] += area * (line.density + state.level[0][level, -1] * line.cumulative)
        target = np.append((change * root).ravel(), np.zeros(prior.size))
        left = target - rows @ np.linalg.lstsq(rows, target, rcond=None)[0]
        assert test.information[number] == pytest.approx(float(left @ left), rel=1e-3)
        score = float(np.sum(change * fit.weights[0] * (block.rate - curves.model)))
        assert test.score[number] == pytest.approx(score, rel=1e-4, abs=1e-3)


def test_a_strong_single_line_may_hide_nothing_and_a_weak_one_much(fit) -> None:
    found = unresolved(fit, within_bounds(fit, normal_at(fit)), 0)
    weak = simulate(4, levels=3, step=0.2, blocks=("F 1s",), drift=0.1, seconds=0.05)
    window = clean_window("F 1s", weak.spectra["F 1s"], np.arange(3), 3)
    blocks, shared = build_blocks(assign_regions([window], chosen_states(options().regions, ())), "active_shirley")
    few = fit_group(blocks, shared)
    hidden = unresolved(few, within_bounds(few, normal_at(few)), 0)
    assert found.second is None
    assert hidden.second is None
    assert np.all(hidden.limit > found.limit)
    assert hidden.possible.all()

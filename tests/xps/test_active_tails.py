"""Active Tougaard tails: their Jacobian, their universal strength, and areas that do not pay for the background."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import dataset, line_and_step, options, simulate

from depthlock.xps.assign import assign_regions
from depthlock.xps.background import UNIVERSAL_LOSS, loss_operator, tougaard
from depthlock.xps.build import build_blocks
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.evaluation import evaluate
from depthlock.xps.windows import clean_window


@pytest.mark.parametrize("background", ["active_tougaard", "active_shirley_tougaard"])
def test_jacobian(background: str) -> None:
    series = simulate(3, levels=2, blocks=("O 1s + V 2p",))
    window = clean_window("w", series.spectra["O 1s + V 2p"], np.arange(2), 2)
    (block,), shared = build_blocks(assign_regions([window], options().regions), background)
    rng = np.random.default_rng(0)
    level = rng.uniform(100.0, 900.0, (2, block.level_parameters))
    level[:, -block.regions :] = rng.uniform(0.01, 0.05, (2, block.regions)) if block.step else 0.0
    level[:, block.losses] = rng.uniform(0.5, 2.0, (2, block.regions))
    shift, values = np.array([0.2, -0.3]), shared.mean * 1.0005
    jacobian = evaluate(block, values, shift, level, jacobian=True).jacobian

    def check(column: int, low: np.ndarray, high: np.ndarray, change: float) -> None:
        numeric = (high - low) / (2.0 * change)
        assert np.abs(jacobian[:, :, column] - numeric).max() <= 2e-6 * np.abs(numeric).max()

    for column in range(block.level_parameters):
        if not block.step and column >= block.level_parameters - block.regions:
            continue
        moved = np.repeat(level[None], 2, axis=0)
        moved[:, :, column] += np.array([-1e-3, 1e-3])[:, None]
        check(column, *(evaluate(block, values, shift, one).model for one in moved), 1e-3)
    for place, parameter in enumerate(block.shared):
        moved = np.repeat(values[None], 2, axis=0)
        moved[:, parameter] += [-1e-5, 1e-5]
        models = [evaluate(block, one, shift, level).model for one in moved]
        check(block.level_parameters + 1 + place, *models, 1e-5)


def test_matrix_of_losses_is_the_integral() -> None:
    energy = np.linspace(680.0, 700.0, 201)
    line = line_and_step(energy - 686.0, 1.5)[0]
    zero = (np.zeros(1), np.zeros(1))
    expected = tougaard(energy, line[None], scale=2866.0, ends=zero)[0]
    ours = loss_operator(energy, np.zeros(201, dtype=np.intp), UNIVERSAL_LOSS) @ line
    assert ours == pytest.approx(expected, abs=1e-9 + 1e-6 * expected.max())


def test_areas_on_tougaard_tails_with_free_strength() -> None:
    rng = np.random.default_rng(5)
    energy = np.arange(680.0, 702.0, 0.1)
    truth = {"F 1s/MgF2": 900.0, "F 1s/CF3": 1800.0}
    signal = 900.0 * line_and_step(energy - 685.6, 1.6)[0] + 1800.0 * line_and_step(energy - 688.7, 1.8)[0]
    tail = 1.6 * loss_operator(energy, np.zeros(energy.size, dtype=np.intp), UNIVERSAL_LOSS) @ signal
    counts = rng.poisson(20.0 * np.stack([400.0 + signal + tail] * 2)).astype(float)
    spectra = {"F 1s": dataset("F 1s", energy, counts, 20.0)}
    window = [region.model_copy(update={"window": (680.0, 702.0)}) for region in options().regions]
    for background in ("active_tougaard", "active_shirley_tougaard"):
        choice = options(charge_reference="none", compared_shapes=(), background=background)
        fit = deconvolve(spectra, choice.model_copy(update={"regions": tuple(window)}))
        for label, area in truth.items():
            one = fit.sel(component=label)
            assert np.all(np.abs(one.area.values - area) < 4.0 * one.area_std.values), (background, label)
            assert one.area.values == pytest.approx(area, rel=0.05)
        assert fit.attrs["background"] == background
        assert "poor_fit" not in set(";".join(fit.fit_flag.values.ravel()).split(";"))

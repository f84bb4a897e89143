"""Our kernel and lmfit, on the same spectrum with the same weights and without priors, find the same minimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from etch_series import options, simulate

from depthlock.xps.assign import assign_regions
from depthlock.xps.build import build_blocks
from depthlock.xps.fit import make_weights, smoothed, start_state
from depthlock.xps.lmfit_bridge import prefix_of, region_model
from depthlock.xps.solver import minimise
from depthlock.xps.windows import clean_window


@pytest.mark.parametrize(("block_name", "region_name"), [("F 1s", "F 1s"), ("V 2p", "V 2p")])
def test_same_minimum_as_lmfit(block_name: str, region_name: str) -> None:
    if block_name == "V 2p":
        # The last level: V5+ and V4+ both strong.
        series = simulate(5, levels=2, seconds=40.0, drift=0.0, blocks=("O 1s + V 2p",))
        data = series.spectra["O 1s + V 2p"].isel(level=[1])
        data = data.isel(energy=np.flatnonzero(data.binding_energy.values < 527.0)).assign_attrs(region="V 2p")
    else:
        series = simulate(5, levels=1, seconds=40.0, drift=0.0, blocks=("F 1s",))
        data = series.spectra["F 1s"]
    library = next(region for region in options().regions if region.name == region_name)
    if region_name == "V 2p":
        library = library.model_copy(update={"components": library.components[:2]})
    window = clean_window("w", data, np.arange(1), 1)
    blocks, shared = build_blocks(assign_regions([window], [library]), "active_shirley")
    fixed = np.array([name.endswith("splitting") for name in shared.names])
    free = replace(shared, std=np.full(shared.mean.size, np.inf), fixed=fixed, shift_std=np.zeros(1))
    weights = [make_weights(blocks[0], smoothed(blocks[0].rate), 1.0)]
    begin = start_state(blocks, shared.mean, np.zeros(1), weights)
    ours, cost = minimise(blocks, free, begin, weights, iterations=400, tolerance=1e-10)

    model = region_model(library)
    parameters = model.make_params()
    block = blocks[0]
    parameters["background_centre"].set(value=0.5 * (block.energy[0] + block.energy[-1]))
    parameters["background_half"].set(value=0.5 * (block.energy[-1] - block.energy[0]))
    parameters["background_offset"].set(value=float(block.rate.min()))
    for component in library.components:
        parameters[f"{prefix_of(component.name)}area"].set(value=float(begin.level[0][0].max()))
    result = model.fit(block.rate[0], parameters, x=block.energy, weights=np.sqrt(weights[0][0]))
    assert cost == pytest.approx(result.chisqr, abs=0.05)
    for number, component in enumerate(library.components):
        prefix = prefix_of(component.name)
        assert ours.level[0][0, number] == pytest.approx(result.params[f"{prefix}area"].value, rel=1e-4)
        position = ours.shared[shared.names.index(f"{region_name}/{component.name} position")]
        assert position == pytest.approx(result.params[f"{prefix}position"].value, abs=1e-4)


def test_prefixes_are_names() -> None:
    assert prefix_of("V5+") == "V5p_"
    assert prefix_of("C=O") == "CdO_"
    assert prefix_of("4+").isidentifier()

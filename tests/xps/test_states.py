"""Optional states of a library are fitted where a session names them, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from etch_series import line_and_step, options, simulate

from depthlock.model.errors import SessionError
from depthlock.xps.deconvolve import deconvolve


def test_optional_states_are_fitted_when_named() -> None:
    series = simulate(6, levels=2, seconds=20.0, drift=0.0, blocks=("O 1s + V 2p",))
    block = series.spectra["O 1s + V 2p"]
    energy = block.binding_energy.values
    metal = sum(
        share * line_and_step(energy - place, width)[0]
        for share, place, width in ((2 / 3, 512.3, 1.1), (1 / 3, 519.9, 1.8))
    )
    rng = np.random.default_rng(0)
    more = block.assign(counts=block.counts + rng.poisson(20.0 * 400.0 * metal, block.counts.shape))
    spectra = {"O 1s + V 2p": more}
    usual = deconvolve(spectra, options(charge_reference="none", compared_shapes=()))
    assert "V 2p/V0" not in usual.component.values
    fit = deconvolve(spectra, options(charge_reference="none", compared_shapes=(), states=("V 2p/V0",)))
    area = fit.sel(component="V 2p/V0")
    assert area.area.values == pytest.approx([400.0, 400.0], abs=4.0 * float(area.area_std.max()))
    assert area.area.values == pytest.approx([400.0, 400.0], rel=0.15)


def test_unknown_states_are_told() -> None:
    series = simulate(6, levels=2, blocks=("F 1s",))
    with pytest.raises(SessionError, match="did you mean 'V 2p/V0'"):
        deconvolve(series.spectra, options(states=("V 2p/V1",)))

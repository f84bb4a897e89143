"""Independent spectra: lmfit's minimum and errors, honest errors, bounds."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.model.chemistry import Component, Region
from depthlock.model.errors import MeasurementError
from depthlock.xps.batch import fit_batch
from depthlock.xps.lmfit_bridge import prefix_of, region_model
from depthlock.xps.shapes import pseudo_voigt

ENERGY = np.linspace(680.0, 696.0, 161)
SINGLETS = Region(
    name="F 1s",
    element="F",
    window=(680.0, 696.0),
    components=tuple(Component(name=n, position=p, fwhm=1.6) for n, p in (("A", 685.5), ("B", 687.5), ("C", 689.4))),
)
DOUBLET = Region(
    name="V 2p",
    element="V",
    window=(680.0, 696.0),
    components=(
        Component(name="V5+", position=685.0, fwhm=1.4, splitting=7.4, area_ratio=0.5, width_ratio_max=2.5),
        Component(name="V4+", position=683.6, fwhm=1.5, splitting=7.4, area_ratio=0.5, width_ratio_max=2.5),
    ),
)


def spectra(lines: list[list[tuple[float, float, float]]], count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` noisy copies of components made of lines (area, position, FWHM)."""
    rate = np.full(ENERGY.size, 300.0) + 2.0 * (ENERGY - 680.0)
    for component in lines:
        for area, position, width in component:
            shape = pseudo_voigt(ENERGY - position, np.asarray(width), np.asarray(0.25))
            rate += area * (shape.density + 0.02 * shape.cumulative)
    seconds = 20.0
    noisy = np.random.default_rng(1).poisson(rate * seconds, (count, ENERGY.size)) / seconds
    return noisy, np.broadcast_to(seconds / rate, noisy.shape)


CASES = {
    "singlets": (SINGLETS, [[(900.0, 685.6, 1.5)], [(500.0, 687.4, 1.6)], [(1500.0, 689.5, 1.7)]]),
    "doublets": (
        DOUBLET,
        [[(1000.0, 685.0, 1.3), (500.0, 692.4, 2.1)], [(600.0, 683.6, 1.5), (300.0, 691.0, 2.3)]],
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_same_minimum_and_errors_as_lmfit(case: str) -> None:
    region, lines = CASES[case]
    rate, weight = spectra(lines, 2)
    batch = fit_batch(region, ENERGY, rate, weight)
    model = region_model(region)
    parameters = model.make_params()
    parameters["background_centre"].set(value=688.0)
    parameters["background_half"].set(value=8.0)
    parameters["background_offset"].set(value=300.0)
    for component in region.components:
        parameters[f"{prefix_of(component.name)}area"].set(value=1000.0)
    for number in range(2):
        found = model.fit(rate[number], parameters, x=ENERGY, weights=np.sqrt(weight[number]), scale_covar=False)
        assert batch.chi_square[number] == pytest.approx(found.chisqr, abs=1e-3)
        for component in region.components:
            for name in ("area", "position", "fwhm"):
                expected = found.params[f"{prefix_of(component.name)}{name}"]
                place = batch.names.index(f"{component.name}/{name}")
                assert batch.value[number, place] == pytest.approx(expected.value, rel=1e-4)
                assert batch.std[number, place] == pytest.approx(expected.stderr, rel=1e-2)


def test_pulls_of_many_spectra() -> None:
    region, lines = CASES["singlets"]
    rate, weight = spectra(lines, 1500)
    batch = fit_batch(region, ENERGY, rate, weight)
    assert batch.converged.all()
    for name, truth in (("A/area", 900.0), ("B/area", 500.0), ("C/position", 689.5), ("A/fwhm", 1.5)):
        pull = (batch.of(name) - truth) / batch.std[:, batch.names.index(name)]
        assert np.mean(pull) == pytest.approx(0.0, abs=0.12)
        assert np.std(pull) == pytest.approx(1.0, abs=0.07)


def test_component_that_is_not_there_stays_at_zero() -> None:
    region, lines = CASES["singlets"]
    rate, weight = spectra([lines[0], [], lines[2]], 40)
    batch = fit_batch(region, ENERGY, rate, weight)
    area, std = batch.of("B/area"), batch.std[:, batch.names.index("B/area")]
    assert np.all(area >= 0.0)
    assert np.any(area == 0.0)
    assert np.all(std[area == 0.0] == 0.0)
    assert batch.of("A/area") == pytest.approx(np.full(40, 900.0), rel=0.2)


def test_other_shapes_and_wrong_arrays_are_refused() -> None:
    state = SINGLETS.components[0].model_copy(update={"shape": "voigt"})
    other = SINGLETS.model_copy(update={"components": (state,)})
    rate = np.ones((2, ENERGY.size))
    with pytest.raises(MeasurementError, match="A: voigt"):
        fit_batch(other, ENERGY, rate, rate)
    with pytest.raises(MeasurementError, match="expected: both"):
        fit_batch(SINGLETS, ENERGY, rate, rate[:1])

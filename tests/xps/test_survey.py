"""Surveys: elements found in simulated and real spectra, their amounts with errors that hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from etch_series import options, simulate
from survey_series import simulate_survey

from depthlock.chemistry.library import survey_lines
from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.survey_areas import window_area
from depthlock.xps.survey_peaks import filter_survey

MIXTURES = (
    ("C", "O", "F", "Mg", "S"),
    ("C", "O", "Si", "Sn"),
    ("C", "N", "O", "Cl", "Na"),
    ("Au", "C", "O", "F", "S"),
    ("Ti", "O", "C", "K"),
    ("Ni", "Co", "Mn", "O", "C"),
)


def survey_of(spectra: xr.Dataset) -> xr.Dataset:
    return deconvolve({"survey": spectra}, DeconvolveOptions(survey=survey_lines()))


def found(fit: xr.Dataset, level: int = 0) -> set[str]:
    percent = fit.survey_atomic_percent.isel(level=level)
    seen = ["not_detected" not in str(flag) for flag in fit.survey_atomic_percent_flag.isel(level=level).values]
    return set(percent.survey_element.values[seen].tolist())


def test_elements_and_amounts_of_simulated_surveys() -> None:
    inside, shifts = [], []
    for seed, elements in enumerate(MIXTURES * 2):
        rng = np.random.default_rng(seed + 500)
        percent = 100.0 * rng.dirichlet(np.full(len(elements), 4.0), size=2).T
        truth = simulate_survey(seed, {e: p.tolist() for e, p in zip(elements, percent, strict=True)})
        fit = survey_of(truth.spectra)
        assert set(fit.survey_element.values.tolist()) == set(elements), seed
        shifts.append(float(fit.survey_shift.median()) - truth.shift)
        for element in elements:
            one = fit.sel(survey_element=element)
            inside += [
                low <= value <= high
                for low, value, high in zip(
                    one.survey_atomic_percent_lower.values,
                    truth.percent[element],
                    one.survey_atomic_percent_upper.values,
                    strict=True,
                )
            ]
    assert np.mean(inside) > 0.88
    # Every simulated element's chemistry moves its lines by up to 1.3 eV.
    assert np.abs(shifts).max() < 1.5


def test_nothing_is_found_in_a_bare_background() -> None:
    rng = np.random.default_rng(1)
    truth = simulate_survey(1, {"C": [0.0]})
    counts = truth.spectra.counts.copy(data=rng.poisson(truth.spectra.counts.values).astype(float))
    fit = survey_of(truth.spectra.assign(counts=counts))
    assert "survey_atomic_percent" not in fit


REAL = [
    ("formats/survey.vms", {"Al", "O", "C"}, set()),
    ("formats/single_sample.vms", {"Pb", "I"}, {"N"}),
    ("formats/regular.vms", {"Mg", "Fe", "O", "C"}, set()),
    ("formats/0-150W.vms", {"W", "O", "C"}, {"N"}),
    ("tfsi_casaxps/20240228_Au_MPPipTFSIIol3_survey.csv", {"Au", "F", "O", "C", "S"}, {"N", "Zn"}),
    ("phi_depth_series/SnO2_10nm.spe", {"Sn", "O", "C"}, {"N"}),
]


@pytest.mark.parametrize(("file", "there", "maybe"), REAL)
def test_elements_of_real_surveys(real_data: Path, file: str, there: set[str], maybe: set[str]) -> None:
    data = registry.read(real_data / "xps" / file)
    blocks = data if isinstance(data, list) else [data]
    survey = next(block for block in blocks if np.ptp(block.binding_energy.values) > 400.0)
    elements = set(survey_of(survey).survey_element.values.tolist())
    assert there <= elements <= there | maybe


def test_tin_oxide_on_silicon_by_its_survey(real_data: Path) -> None:
    data = registry.read(real_data / "xps/phi_depth_series/SnO2_10nm_1.pro")
    spectra = {str(block.attrs["region"]): block for block in data}
    fit = deconvolve(spectra, options(survey=survey_lines(), compared_shapes=()))
    check(fit, "xps_fit")
    percent = fit.survey_atomic_percent.sel(survey_element=["Sn", "Si"]).values
    difference = percent[:, 0] - percent[:, 1]
    crossing = float(np.interp(0.0, -difference[5:], fit.etch_time.values[5:]))
    assert crossing == pytest.approx(420.0, abs=20.0)
    assert found(fit, 0) >= {"Sn", "O", "C"}
    assert "Si" in found(fit, 20)
    shift = fit.survey_shift.values
    assert shift[15:].mean() - shift[1:7].mean() == pytest.approx(1.3, abs=0.6)


def test_a_survey_alone_keeps_the_contract_and_needs_its_table() -> None:
    truth = simulate_survey(3, {"C": [40.0], "O": [60.0]})
    fit = survey_of(truth.spectra)
    check(fit, "xps_fit")
    assert fit.sizes["component"] == 0
    with pytest.raises(MeasurementError, match="only survey"):
        deconvolve({"survey": truth.spectra}, DeconvolveOptions())


def test_a_survey_of_other_levels_is_left_out_and_named() -> None:
    series = simulate(4, levels=3, blocks=("F 1s",))
    survey = simulate_survey(3, {"C": [40.0] * 2, "O": [60.0] * 2}).spectra.assign_coords(
        etch_time=("level", [7.0, 9.0])
    )
    fit = deconvolve(series.spectra | {"survey": survey}, options(survey=survey_lines(), compared_shapes=()))
    assert fit.attrs["surveys_left_out"] == '["survey"]'
    assert "survey_rate" not in fit


def test_the_users_sensitivity_factors_go_first() -> None:
    truth = simulate_survey(3, {"C": [40.0], "O": [60.0]})
    known = options().sensitivity
    assert known is not None
    doubled = known.model_copy(update={"name": "own", "factors": known.factors | {"C 1s": 2.0}})
    plain = survey_of(truth.spectra).survey_atomic_percent.sel(survey_element="C").values[0]
    fit = deconvolve({"survey": truth.spectra}, DeconvolveOptions(survey=survey_lines(), sensitivity=doubled))
    assert fit.attrs["survey_sensitivity"].startswith("own")
    halved = fit.survey_atomic_percent.sel(survey_element="C").values[0]
    assert halved / (100.0 - halved) == pytest.approx(0.5 * plain / (100.0 - plain), rel=0.01)


def test_filter_is_blind_to_slopes_and_knows_its_noise() -> None:
    rng = np.random.default_rng(2)
    energy = np.arange(0.0, 800.0, 0.8)
    rate = 2000.0 + 1.5 * energy
    survey = filter_survey(energy, rng.poisson(rate * 2.0) / 2.0, np.full(energy.size, 2.0))
    assert survey.peaks.size == 0
    assert np.std(survey.ratio[20:-20]) == pytest.approx(1.0, abs=0.12)


def test_area_above_a_step_and_a_line() -> None:
    energy = np.arange(0.0, 40.0, 0.1)
    line = 500.0 * np.exp(-0.5 * ((energy - 20.0) / 0.8) ** 2)
    rise = 0.05 * np.cumsum(line) * 0.1
    area, std = window_area(energy, 100.0 + line + rise, np.ones(energy.size), 14.0, 27.0)
    assert area == pytest.approx(500.0 * 0.8 * np.sqrt(2.0 * np.pi), rel=4e-3)
    assert std > 0.0
    falling, _ = window_area(energy, 200.0 - 2.0 * energy + line, np.ones(energy.size), 14.0, 27.0)
    assert falling == pytest.approx(500.0 * 0.8 * np.sqrt(2.0 * np.pi), rel=1e-3)

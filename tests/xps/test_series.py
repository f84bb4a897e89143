"""Series that are no etch series keep their variable: angle, dose, state of charge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from etch_series import options, simulate

from depthlock.readers import registry
from depthlock.report.xps_exports import write_exports
from depthlock.report.xps_figures import draw_areas, draw_stacks, series_axis
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.series import sort_spectra

NO_TIME = np.full(3, np.nan)


def charged(values: list[float]):
    named = {"units": "1", "long_name": "state of charge", "units_as_written": "%"}
    spectra = simulate(4, levels=3, blocks=("F 1s",)).spectra["F 1s"]
    spectra = spectra.assign_coords(etch_time=("level", NO_TIME, {"units": "s"}))
    return spectra.assign_coords(series=("level", values, named))


def test_the_variable_of_a_series_reaches_figures_and_exports(tmp_path: Path) -> None:
    fit = deconvolve({"F 1s": charged([0.0, 50.0, 100.0])}, options(compared_shapes=(), charge_reference="none"))
    values, name = series_axis(fit)
    assert values.tolist() == [0.0, 50.0, 100.0]
    assert name == "state of charge (%)"
    assert draw_areas(fit, "S").axes[0].get_xlabel() == "state of charge (%)"
    assert any("50 %" in text.get_text() for text in draw_stacks(fit, "S").axes[0].texts)
    vamas, components = write_exports(fit, tmp_path)[:2]
    assert components.read_text(encoding="utf-8").startswith("level,state of charge (%)")
    back = registry.read(vamas)
    (region,) = back if isinstance(back, list) else [back]
    assert region.attrs["series_coordinate"] == "state of charge"
    assert region["series"].values.tolist() == [0.0, 50.0, 100.0]


def test_blocks_that_disagree_have_no_common_variable() -> None:
    spectra = {"F 1s": charged([0.0, 50.0, 100.0]), "C 1s": charged([0.0, 50.0, 90.0])}
    assert sort_spectra(spectra, surveys_alone=False).variable is None
    assert sort_spectra({"F 1s": spectra["F 1s"]}, surveys_alone=False).variable is not None


def test_etch_times_go_first() -> None:
    spectra = simulate(4, levels=3, blocks=("F 1s",)).spectra["F 1s"]
    fit = deconvolve({"F 1s": spectra}, options(compared_shapes=(), charge_reference="none"))
    assert series_axis(fit)[1] == "etch time (s)"


def test_angles_of_a_real_series(real_data: Path) -> None:
    data = registry.read(real_data / "xps/angle_series/ARXPS.vms")
    region = next(block for block in data if block.attrs["region"] == "C 1s")
    assert region["series"].values == pytest.approx([0.0, 40.0, 55.0, 63.0, 70.0])
    assert (region["series"].attrs["long_name"], region["series"].attrs["units_as_written"]) == ("Angle", "degree")

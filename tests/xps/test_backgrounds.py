"""Backgrounds outside the fit, against CasaXPS's exported curves and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from etch_series import options, simulate
from scipy.optimize import least_squares

from depthlock.model.errors import MeasurementError
from depthlock.xps.background import loss_cross_section, static_shirley, tougaard
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.evaluation import line_shape


@pytest.fixture(scope="module")
def iron(real_data: Path) -> dict[str, np.ndarray]:
    """FeO: binding energy ascending, counts/s, components, background, inside the fitted region."""
    text = (real_data / "xps/casaxps_vamas/FeO_analyzed_lineshapes_cols.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[7:]]
    table = np.array([[float(word) for word in row if word.strip()] for row in rows if row[0][:1].isdigit()])
    table = table[np.argsort(table[:, 8])]
    inside = (table[:, 8] >= 699.8468) & (table[:, 8] <= 749.0892)
    table = table[inside]
    names = ("energy", "rate", "first", "second", "third", "fourth", "background", "envelope")
    return dict(zip(names, table[:, 8:16].T, strict=True))


def test_u3_tougaard_reproduces_the_exported_background(iron: dict[str, np.ndarray]) -> None:
    ends = (iron["background"][:1], iron["background"][-1:])
    own = tougaard(iron["energy"], iron["rate"][None], (551.0, 436.0, 3.0), scale=335.44588, ends=ends)[0]
    assert np.abs(own - iron["background"]).max() < 4e-4 * iron["background"].max()


def test_matching_the_high_end_finds_the_scale(iron: dict[str, np.ndarray]) -> None:
    ends = (iron["background"][:1], iron["background"][-1:])
    own = tougaard(iron["energy"], iron["rate"][None], (551.0, 436.0, 3.0), ends=ends)[0]
    assert np.abs(own - iron["background"]).max() < 4e-4 * iron["background"].max()


def test_sgl_30_of_the_export_is_recovered(iron: dict[str, np.ndarray]) -> None:
    energy, curve = iron["energy"], iron["second"] - iron["background"]

    def residual(p: np.ndarray) -> np.ndarray:
        shape = line_shape(f"SGL({p[3]:.9f})", energy - p[0], np.array([p[1]]), 0.0)
        return np.asarray(p[2] * shape.density - curve)

    found = least_squares(residual, [716.2, 7.0, 3.0e4, 20.0], x_scale=[1.0, 1.0, 1e4, 10.0]).x
    assert found == pytest.approx([716.0, 8.0, 35837.06, 30.0], rel=2e-3)


def test_two_parameter_cross_section() -> None:
    loss = np.linspace(0.0, 60.0, 601)
    universal = loss_cross_section(loss, (-1643.0, 0.0, 0.0))
    assert universal == pytest.approx(loss / (1643.0 + loss**2) ** 2)
    # Its maximum lies at sqrt(C/3).
    assert loss[int(universal.argmax())] == pytest.approx(np.sqrt(1643.0 / 3.0), abs=0.1)


def test_shirley_of_a_line_is_its_running_area() -> None:
    energy = np.linspace(0.0, 40.0, 801)
    shape = line_shape("SGL(0)", energy - 20.0, np.array([2.0]), 0.0)
    rate = (100.0 + 1000.0 * (shape.density + 0.05 * shape.cumulative))[None]
    assert static_shirley(energy, rate)[0] == pytest.approx(100.0 + 50.0 * shape.cumulative, abs=0.05)


def test_static_shirley_falls_where_the_ends_do() -> None:
    energy = np.arange(276.0, 294.0, 0.05)
    shape = line_shape("SGL(0)", energy - 285.0, np.array([1.5]), 0.0)
    rate = (150.0 - 50.0 * shape.cumulative + 800.0 * shape.density)[None, :]
    assert static_shirley(energy, rate)[0] == pytest.approx(150.0 - 50.0 * shape.cumulative, abs=0.05)
    # No line, no step: a slope stays one.
    slope = (150.0 - 5.0 * (energy - 276.0))[None, :]
    assert static_shirley(energy, slope)[0] == pytest.approx(slope[0], abs=1.0)


@pytest.mark.parametrize("background", ["tougaard", "static_shirley"])
def test_fit_windows_hold_the_fit_and_its_background(background: str) -> None:
    series = simulate(4, levels=2, seconds=20.0, drift=0.0, blocks=("F 1s",))
    fit = deconvolve(series.spectra, options(background=background, fit_windows={"F 1s": (682.0, 693.0)}))
    energy = fit.binding_energy.values
    assert energy.min() == pytest.approx(682.0, abs=0.1)
    assert energy.max() == pytest.approx(693.0, abs=0.1)
    for label, area in series.area.items():
        # A straight cut under Lorentzian tails costs some area; the states keep their order of magnitude.
        assert fit.area.sel(component=label).values == pytest.approx(area, rel=0.15, abs=60.0)


def test_fit_window_of_nothing_measured_is_named() -> None:
    series = simulate(4, levels=1, blocks=("F 1s",))
    with pytest.raises(MeasurementError, match="windows measured: F 1s"):
        deconvolve(series.spectra, options(fit_windows={"O 1s": (525.0, 540.0)}))
    with pytest.raises(MeasurementError, match="0 points of F 1s between"):
        deconvolve(series.spectra, options(fit_windows={"F 1s": (700.0, 720.0)}))

"""Our fit on the expert's background and with the expert's line shape, beside our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from etch_series import simulate

from depthlock.model.chemistry import Component, Region
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.xps.assign import assign_regions
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.evaluation import line_shape
from depthlock.xps.expert import ExpertLine
from depthlock.xps.expert_refit import shape_of, with_refit
from depthlock.xps.windows import clean_window

EXPERT = {
    # file, core level: name, BE (eV), area (CPS eV) by the expert, tolerance
    ("20240228_Au_MPPipTFSIIol3_F_1s", "F 1s"): [("CF3", 688.842, 11633.0, 0.01), ("MgF2", 685.713, 529.0, 0.05)],
    ("20240228_Au_MPPipTFSIIol3_O_1s", "O 1s"): [("S=O", 532.719, 11590.0, 0.01)],
    ("20240228_Au_Nadep_from_MPPipTFSI4AMSIol3_O_1s", "O 1s"): [
        ("oxide", 531.900, 8480.0, 0.01),
        ("S=O", 533.644, 1393.0, 0.05),
    ],
}


@pytest.mark.parametrize(("file", "region"), list(EXPERT))
def test_like_with_like_without_being_asked(real_data: Path, file: str, region: str) -> None:
    spectra = registry.read(real_data / "xps/tfsi_casaxps" / f"{file}.csv")
    spectra = spectra[0] if isinstance(spectra, list) else spectra
    energy = spectra.binding_energy.values
    components = tuple(Component(name=name, position=round(p, 1), fwhm=1.7) for name, p, *_ in EXPERT[file, region])
    own = Region(
        name=region, element=region[0], window=(float(energy.min()), float(energy.max())), components=components
    )
    fit = deconvolve({region: spectra}, DeconvolveOptions(regions=(own,), charge_reference="none")).isel(level=0)
    assert set(json.loads(fit.attrs["expert_shapes"]).values()) == {"LA(1.53,243)"}
    assert fit.attrs["background"] == "file"
    for name, _, area, tolerance in EXPERT[file, region]:
        one = fit.sel(component=f"{region}/{name}")
        assert float(one.area) == pytest.approx(area, rel=tolerance)
        assert float(one.area_lower) < area < float(one.area_upper)
        beyond = abs(float(one.area) - float(one.area_otherwise)) > 1.96 * np.hypot(
            float(one.area_std), float(one.area_otherwise_std)
        )
        assert ("background_decides" in str(one.area_flag.values)) == beyond


def test_the_sessions_background_goes_before_the_experts(real_data: Path) -> None:
    spectra = registry.read(real_data / "xps/tfsi_casaxps" / "20240228_Au_MPPipTFSIIol3_O_1s.csv")
    spectra = spectra[0] if isinstance(spectra, list) else spectra
    energy = spectra.binding_energy.values
    line = Component(name="S=O", position=532.7, fwhm=1.7)
    own = Region(name="O 1s", element="O", window=(float(energy.min()), float(energy.max())), components=(line,))
    given = DeconvolveOptions(regions=(own,), charge_reference="none")
    found = deconvolve({"O 1s": spectra}, given).isel(level=0, component=0)
    chosen = given.model_copy(update={"background": "active_shirley"})
    ours = deconvolve({"O 1s": spectra}, chosen).isel(level=0, component=0)
    assert ours.attrs["background"] == "active_shirley"
    assert float(ours.area) > 1.01 * float(found.area)
    # Each is what the other names beside it.
    assert float(ours.area_otherwise) == pytest.approx(float(found.area), rel=2e-3)
    assert float(found.area_otherwise) == pytest.approx(float(ours.area), rel=1e-2)


@pytest.mark.parametrize("name", ["LA(1.53,243)", "GL(40)", "SGL(25)"])
def test_shape_of_an_exported_curve(name: str) -> None:
    energy = np.linspace(680.0, 697.0, 171)
    curve = 500.0 * line_shape(name, energy - 688.0, np.array([1.8]), 0.0).density
    found = shape_of(energy, ExpertLine("x", "", 688.0, 1.8, 500.0, curve))
    assert found.split("(")[0] == name.split("(")[0]
    if name != "LA(1.53,243)":
        assert float(found[:-1].split("(")[1]) == pytest.approx(float(name[:-1].split("(")[1]), abs=1.0)


def test_nothing_is_added_where_the_file_holds_no_fit() -> None:
    spectra = simulate(1, levels=2, blocks=("F 1s",)).spectra
    given = DeconvolveOptions(charge_reference="none")
    fit = deconvolve(spectra, given)
    windows = [clean_window(key, block, np.arange(2), 2) for key, block in spectra.items()]
    assert with_refit(fit, assign_regions(windows, ()), spectra, given) is fit

"""The line shape as a choice: named by the session, settled by the data, or carried into the errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from etch_series import options, simulate
from pydantic import ValidationError

from depthlock.model.chemistry import Component, Region
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.xps.assign import assign_regions
from depthlock.xps.build import TAIL_STD, build_blocks
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.evaluation import evaluate
from depthlock.xps.fit import fit_group
from depthlock.xps.shape_choice import open_components, tails_alike
from depthlock.xps.windows import clean_window

TFSI_F = "20240228_Au_MPPipTFSIIol3_F_1s"
SODIUM_O = "20240228_Au_Nadep_from_MPPipTFSI4AMSIol3_O_1s"


def tfsi(real_data: Path, file: str) -> xr.Dataset:
    data = registry.read(real_data / "xps/tfsi_casaxps" / f"{file}.csv")
    return data[0] if isinstance(data, list) else data


def test_default_fit_of_tfsi_f_1s_carries_its_tails_in_its_error(real_data: Path) -> None:
    given = options(charge_reference="none", background="active_shirley")
    fit = deconvolve({"F 1s": tfsi(real_data, TFSI_F)}, given).isel(level=0)
    main, minor = fit.sel(component="F 1s/CF3"), fit.sel(component="F 1s/MgF2")
    assert float(main.position) == pytest.approx(688.842, abs=0.03)
    assert float(main.fwhm) == pytest.approx(1.867, rel=0.01)
    assert abs(float(main.area) - 11633.0) < 2.1 * float(main.area_std)
    assert float(minor.area_lower) <= 529.0 <= float(minor.area_upper)
    assert "shape_sensitive" in str(main.area_flag.values)
    # What the tails are worth.
    alone = deconvolve({"F 1s": tfsi(real_data, TFSI_F)}, given.model_copy(update={"open_tails": False}))
    assert float(alone.area_std.sel(component="F 1s/CF3")[0]) < 0.75 * float(main.area_std)
    assert not np.any(np.char.find(alone.area_flag.values.astype(str), "shape_sensitive") >= 0)


def test_the_experts_shape_by_name_gives_the_experts_main_area(real_data: Path) -> None:
    chosen = options(charge_reference="none", shapes={"F 1s": "LA(1.53, 243)"})
    fit = deconvolve({"F 1s": tfsi(real_data, TFSI_F)}, chosen).isel(level=0)
    assert set(json.loads(fit.attrs["line_shapes"]).values()) == {"LA(1.53,243)"}
    main = fit.sel(component="F 1s/CF3")
    assert float(main.area) == pytest.approx(11633.0, rel=0.01)
    # The data are not quite symmetric (chi-square 1.3), which the expert's shape is.
    assert str(main.area_flag.values) == "under_fitted"


def test_oxygen_after_sodium_deposition(real_data: Path) -> None:
    spectra = tfsi(real_data, SODIUM_O)
    energy = spectra.binding_energy.values
    expected = {"oxide": (531.900, 2.162, 8480.0), "S=O": (533.644, 1.597, 1393.0)}
    components = tuple(Component(name=name, position=round(p, 1), fwhm=1.7) for name, (p, *_) in expected.items())
    window = (float(energy.min()), float(energy.max()))
    region = Region(name="O 1s", element="O", window=window, components=components)
    fit = deconvolve({"O 1s": spectra}, DeconvolveOptions(regions=(region,), charge_reference="none")).isel(level=0)
    for name, (position, width, area) in expected.items():
        one = fit.sel(component=f"O 1s/{name}")
        assert float(one.position) == pytest.approx(position, abs=0.05)
        assert float(one.fwhm_lower) <= width <= float(one.fwhm_upper)
        assert float(one.area_lower) <= area <= float(one.area_upper)
    assert float(fit.area.sel(component="O 1s/oxide")) == pytest.approx(8480.0, rel=0.01)


def test_clearly_better_shape_is_settled_on(real_data: Path) -> None:
    """TFSI's O 1s has shorter tails than any sum of Gaussian and Lorentzian with a straight-line background."""
    spectra = tfsi(real_data, "20240228_Au_MPPipTFSIIol3_O_1s")
    energy = spectra.binding_energy.values
    region = Region(
        name="O 1s",
        element="O",
        window=(float(energy.min()), float(energy.max())),
        components=(Component(name="S=O", position=532.7, fwhm=1.7),),
    )
    given = DeconvolveOptions(regions=(region,), charge_reference="none", background="active_shirley")
    fit = deconvolve({"O 1s": spectra}, given).isel(level=0)
    alone = deconvolve({"O 1s": spectra}, given.model_copy(update={"compared_shapes": (), "open_tails": False})).isel(
        level=0
    )
    assert json.loads(fit.attrs["line_shapes"]) == {"O 1s/S=O": "gl_product"}
    assert float(fit.reduced_chi_square[0]) < float(alone.reduced_chi_square[0]) - 0.3
    assert abs(float(fit.area[0]) / 11590.0 - 1.0) < 0.03 < abs(float(alone.area[0]) / 11590.0 - 1.0)


def test_true_pseudo_voigts_keep_their_tails() -> None:
    series = simulate(21, levels=3, step=0.2, seconds=6.0, blocks=("F 1s", "C 1s"))
    fit = deconvolve(series.spectra, options())
    assert set(json.loads(fit.attrs["line_shapes"]).values()) == {"pseudo_voigt"}
    assert np.all(fit.short_tail_share.values < 0.5)
    alone = deconvolve(series.spectra, options(open_tails=False))
    assert np.all(np.isnan(alone.short_tail_share.values))
    assert np.median(fit.area_std.values / alone.area_std.values) < 1.5


def test_core_levels_tell_one_another_how_lines_end() -> None:
    series = simulate(31, levels=3, step=0.2, seconds=100.0, blocks=("F 1s", "C 1s"))
    windows = [clean_window(key, block, np.arange(3), 3) for key, block in series.spectra.items()]
    regions = [region for region in options().regions if region.name in ("F 1s", "C 1s")]
    blocks, shared = build_blocks(
        assign_regions(windows, regions), "active_shirley", open_labels=open_components(regions, {})
    )
    fit = fit_group(blocks, shared)
    told = tails_alike(fit)
    tails = [number for number, name in enumerate(shared.names) if name.endswith("short tails")]
    assert len(tails) == 2
    assert np.all(told.std[tails] < 0.95 * TAIL_STD)
    assert np.all(np.abs(told.mean[tails]) < 2.0 * told.std[tails])
    others = np.setdiff1d(np.arange(shared.mean.size), tails)
    assert np.array_equal(told.mean[others], shared.mean[others])
    assert np.array_equal(told.std[others], shared.std[others])


@pytest.mark.parametrize("shape", ["voigt", "gl_product", "LA(1.3,2.5,80)"])
def test_jacobian_with_other_shapes(shape: str) -> None:
    series = simulate(3, levels=2, blocks=("F 1s",))
    window = clean_window("w", series.spectra["F 1s"], np.arange(2), 2)
    regions = [
        region.model_copy(
            update={"components": tuple(c.model_copy(update={"shape": shape}) for c in region.components)}
        )
        for region in options().regions
    ]
    (block,), shared = build_blocks(assign_regions([window], regions), "active_shirley")
    level = np.random.default_rng(0).uniform(100.0, 900.0, (2, block.level_parameters))
    level[:, -block.regions :] = 0.03
    shift = np.array([0.2, -0.3])
    jacobian = evaluate(block, shared.mean, shift, level, jacobian=True).jacobian
    for place, parameter in enumerate(block.shared):
        change = np.zeros(shared.mean.size)
        change[parameter] = 1e-5
        up = evaluate(block, shared.mean + change, shift, level).model
        down = evaluate(block, shared.mean - change, shift, level).model
        column = jacobian[:, :, block.level_parameters + 1 + place]
        assert np.abs(column - (up - down) / 2e-5).max() <= 1e-5 * max(np.abs(column).max(), 1.0)


def test_unknown_key_and_unknown_shape_are_named() -> None:
    series = simulate(3, levels=1, blocks=("F 1s",))
    with pytest.raises(MeasurementError, match="F 1s/CF3"):
        deconvolve(series.spectra, options(shapes={"F 1s/CF": "voigt"}))
    with pytest.raises(ValidationError, match="expected one of pseudo_voigt"):
        options(shapes={"F 1s": "lorentz"})

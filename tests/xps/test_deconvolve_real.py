"""Real measurements: expert fits of TFSI, a PHI depth series, and a time series with one bad scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from etch_series import options

from depthlock.chemistry.library import load
from depthlock.model.chemistry import ChargeReference, Component, Region
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.xps.deconvolve import deconvolve


def one_of(data: xr.Dataset | list[xr.Dataset]) -> xr.Dataset:
    return data[0] if isinstance(data, list) else data


EXPERT = {
    # file, core level: name, BE (eV), FWHM (eV), area (CPS eV), tolerance of the area
    ("20240228_Au_MPPipTFSIIol3_F_1s", "F 1s"): [
        ("CF3", 688.842, 1.867, 11633.0, 0.01),
        ("MgF2", 685.713, 1.379, 529.0, 0.05),
    ],
    ("20240228_Au_MPPipTFSIIol3_O_1s", "O 1s"): [("S=O", 532.719, 1.702, 11590.0, 0.01)],
    ("20240228_Au_Nadep_from_MPPipTFSI4AMSIol3_O_1s", "O 1s"): [
        ("oxide", 531.900, 2.162, 8480.0, 0.01),
        ("S=O", 533.644, 1.597, 1393.0, 0.05),
    ],
}


@pytest.mark.parametrize(("file", "region"), list(EXPERT))
def test_tfsi_on_the_experts_background_and_line_shape(real_data: Path, file: str, region: str) -> None:
    expected = EXPERT[file, region]
    spectra = one_of(registry.read(real_data / "xps/tfsi_casaxps" / f"{file}.csv"))
    components = tuple(
        Component(name=name, position=round(place, 1), fwhm=1.7, shape="LA(1.53,243)") for name, place, *_ in expected
    )
    energy = spectra.binding_energy.values
    own = Region(
        name=region, element=region[0], window=(float(energy.min()), float(energy.max())), components=components
    )
    fit = deconvolve({region: spectra}, DeconvolveOptions(regions=(own,), background="file", charge_reference="none"))
    for name, place, width, area, tolerance in expected:
        one = fit.sel(component=f"{region}/{name}").isel(level=0)
        assert float(one.area) == pytest.approx(area, rel=tolerance)
        assert float(one.position) == pytest.approx(place, abs=0.02)
        assert float(one.fwhm) == pytest.approx(width, rel=0.03)


def test_tfsi_f_1s_with_our_own_background_and_line_shape(real_data: Path) -> None:
    spectra = one_of(registry.read(real_data / "xps/tfsi_casaxps/20240228_Au_MPPipTFSIIol3_F_1s.csv"))
    given = options(charge_reference="none", background="active_shirley")
    fit = deconvolve({"F 1s": spectra}, given).isel(level=0)
    main, minor = fit.sel(component="F 1s/CF3"), fit.sel(component="F 1s/MgF2")
    assert float(main.position) == pytest.approx(688.842, abs=0.03)
    assert float(main.fwhm) == pytest.approx(1.867, rel=0.02)
    assert float(minor.position) == pytest.approx(685.713, abs=0.12)
    # A pseudo-Voigt's Lorentzian tails, which the expert's line shape has not, hold 7 % of the area.
    assert float(main.area) == pytest.approx(11633.0, rel=0.08)
    assert float(minor.area) > 3.0 * float(minor.area_std)


def test_a_line_that_the_model_lacks_does_not_move_the_assignment(real_data: Path) -> None:
    """One line of the library's two is not quite enough for TFSI's O 1s: the other one would help, 1.8 eV away."""
    spectra = one_of(registry.read(real_data / "xps/tfsi_casaxps/20240228_Au_MPPipTFSIIol3_O_1s.csv"))
    chemistry = load("na-tfsi")
    given = DeconvolveOptions(regions=chemistry.regions, charge_references=chemistry.charge_references)
    fit = deconvolve({"O 1s": spectra}, given).isel(level=0)
    assert abs(float(fit.charge_shift)) < 0.5
    assert float(fit.sel(component="O 1s/S=O").area) == pytest.approx(11590.0, rel=0.01)


def test_tin_oxide_series(real_data: Path) -> None:
    data = registry.read(real_data / "xps/phi_depth_series/SnO2_10nm_1.pro")
    spectra = {str(block.attrs["region"]): block for block in data}
    sensitivity = options().sensitivity
    carbon = next(region for region in options().regions if region.name == "C 1s")
    tin = Component(name="SnO2", position=486.8, fwhm=1.4, splitting=8.41, area_ratio=0.667, width_ratio_max=1.3)
    regions = (
        carbon.model_copy(update={"components": carbon.components[:3]}),
        Region(
            name="Si 2p", element="Si", window=(96, 110), components=(Component(name="SiO2", position=103.4, fwhm=1.8),)
        ),
        Region(name="Sn 3d", element="Sn", window=(481, 500), components=(tin,)),
    )
    reference = ChargeReference(component="C 1s/C-C", position=284.8, std=0.1)
    fit = deconvolve(
        spectra, DeconvolveOptions(regions=regions, charge_references=(reference,), sensitivity=sensitivity)
    )
    percent = fit.atomic_percent.sel(element=["C", "Si", "Sn"]).values
    for level, expected in ((1, (14, 3, 83)), (13, (8, 41, 51)), (14, (6, 46.5, 48)), (20, (5, 65, 30))):
        assert percent[level] == pytest.approx(expected, abs=3.0)
    difference = percent[:, 2] - percent[:, 1]
    crossing = float(np.interp(0.0, -difference[5:], fit.etch_time.values[5:]))
    assert crossing == pytest.approx(420.0, abs=20.0)
    shift, error = fit.charge_shift, fit.charge_shift_std
    moved = float(shift[14:].mean() - shift[1:7].mean())
    assert moved == pytest.approx(1.0, abs=0.1)
    assert abs(moved - 1.0) < 1.96 * float(error.mean())
    # Carbon moves by less than tin, which is said, and the axis is not moved with either.
    assert all("differential_charging" in flag for flag in fit.charge_shift_flag.values)
    carbon_line = fit.sel(component="C 1s/C-C")
    assert float(np.average(carbon_line.position)) == pytest.approx(284.8, abs=0.05)
    assert float(carbon_line.position[3:7].mean() - carbon_line.position[16:].mean()) > 0.1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_scan_of_the_time_series_is_an_outlier(real_data: Path) -> None:
    files = sorted((real_data / "xps/time_series_o1s").glob("*_dsp.csv"))
    energy = np.arange(525.5, 537.9, 0.1)
    rows = []
    for file in files:
        scan = one_of(registry.read(file, photon_energy=730.0, region="O 1s")).sortby("binding_energy")
        rows.append(np.interp(energy, scan.binding_energy.values, scan.counts.values[0]))
    spectra = xr.Dataset(
        {"counts": (("level", "energy"), np.array(rows), {"units": "1"})},
        coords={
            "etch_time": ("level", 30.0 * np.arange(len(rows)), {"units": "s"}),
            "binding_energy": ("energy", energy, {"units": "eV"}),
        },
        attrs={"region": "O 1s", "sample": "GaN", "intensity_kind": "counts_per_second"},
    )
    states = [("O2", 530.0), ("Ga-O", 531.0), ("N-O", 532.0)]
    components = tuple(Component(name=name, position=place, position_range=0.6, fwhm=1.3) for name, place in states)
    region = Region(name="O 1s", element="O", window=(526, 537), components=components)
    fit = deconvolve({"O 1s": spectra}, DeconvolveOptions(regions=(region,), charge_reference="none"))
    flagged = [
        file.name for file, flag in zip(files, fit.fit_flag.values[:, 0], strict=True) if "outlier_level" in flag
    ]
    assert flagged == ["1804100015_dsp.csv"]

"""Our fit, written for CasaXPS and read back by our own VAMAS reader; and the tables."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from depthlock.chemistry.library import load
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.report.xps_exports import casa_shape, write_exports
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.evaluation import line_shape
from depthlock.xps.expert import expert_fits

SHIFT = 0.4


def spectrum(region: str, low: float, high: float, lines: list[tuple[float, float, float]]) -> xr.Dataset:
    """Two levels of Gaussians (position, FWHM, area) on a flat background; the second is charged by `SHIFT`."""
    energy = np.arange(high, low, -0.1)
    rate = np.full((2, energy.size), 200.0)
    for level in range(2):
        for position, width, area in lines:
            sigma = width / 2.35482
            rate[level] += (
                area / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((energy - SHIFT * level - position) / sigma) ** 2)
            )
    counts = np.random.default_rng(5).poisson(rate * 10.0).astype(float)
    return xr.Dataset(
        {
            "counts": (("level", "energy"), counts, {"units": "1"}),
            "dwell_time": ("level", [10.0, 10.0], {"units": "s"}),
            "scans": ("level", [1.0, 1.0], {"units": "1"}),
        },
        coords={
            "etch_time": ("level", [0.0, 60.0], {"units": "s"}),
            "binding_energy": ("energy", energy, {"units": "eV"}),
        },
        attrs={"region": region, "sample": "S", "photon_energy_eV": 1486.6, "intensity_kind": "counts"},
    )


@pytest.fixture(scope="module")
def fit() -> xr.Dataset:
    chemistry = load("mg-tfsi-v2o5")
    spectra = {
        "F 1s": spectrum("F 1s", 680.0, 694.0, [(685.7, 1.6, 900.0), (688.8, 1.8, 1500.0)]),
        "S 2p": spectrum("S 2p", 158.0, 176.0, [(168.9, 1.5, 1000.0), (170.08, 1.5, 500.0)]),
    }
    options = DeconvolveOptions(
        regions=chemistry.regions, charge_references=chemistry.charge_references, sensitivity=chemistry.sensitivity
    )
    return deconvolve(spectra, options)


@pytest.fixture(scope="module")
def files(fit: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.suffix + path.stem: path for path in write_exports(fit, tmp_path_factory.mktemp("exports"))}


def by_region(path: Path) -> dict[str, xr.Dataset]:
    data = registry.read(path)
    assert isinstance(data, list)
    return {str(block.attrs["region"]): block for block in data}


def test_vamas_gives_the_spectra_back(fit: xr.Dataset, files: dict[str, Path]) -> None:
    read = by_region(files[".vmsxps_fit"])
    assert set(read) == {"F 1s", "S 2p"}
    block = read["F 1s"].sortby("binding_energy")
    assert block.etch_time.values.tolist() == [0.0, 60.0]
    own = np.flatnonzero(fit.region_of_point.values == "F 1s")
    assert block.binding_energy.values == pytest.approx(fit.binding_energy.values[own], abs=1e-5)
    rate = block.counts.values / block.dwell_time.values[:, None]
    assert rate == pytest.approx(fit.counts_per_second.values[:, own], rel=1e-6)
    # The noise of the fit says how long was counted.
    assert block.dwell_time.values == pytest.approx([10.0, 10.0], rel=1e-3)


def test_vamas_gives_the_components_back(fit: xr.Dataset, files: dict[str, Path]) -> None:
    read = by_region(files[".vmsxps_fit"])
    for level, expert in enumerate(expert_fits(read["F 1s"])):
        assert expert is not None
        shift = float(fit.charge_shift[level])
        for label, line in zip(("F 1s/MgF2", "F 1s/CF3"), expert.lines, strict=True):
            ours = fit.sel(component=label).isel(level=level)
            assert line.area == pytest.approx(float(ours.area), rel=1e-6)
            assert line.position == pytest.approx(float(ours.position) + shift, abs=1e-5)
            own = np.flatnonzero(fit.region_of_point.values == "F 1s")
            drawn = np.interp(fit.binding_energy.values[own], expert.energy, line.curve)
            curve = ours.component_curve.values[own]
            assert np.abs(drawn - curve).max() < 2e-3 * curve.max()
    shifts = read["F 1s"].recorded_shift.values
    assert shifts == pytest.approx(-fit.charge_shift.values, abs=1e-5)


def test_doublets_become_two_tied_lines(fit: xr.Dataset, files: dict[str, Path]) -> None:
    expert = expert_fits(by_region(files[".vmsxps_fit"])["S 2p"])[0]
    assert expert is not None
    pair = [line for line in expert.lines if line.name.endswith("SO2CF3")]
    whole = float(fit.area.sel(component="S 2p/SO2CF3")[0])
    assert [line.area for line in pair] == pytest.approx([whole * 2 / 3, whole / 3], rel=1e-6)
    assert pair[1].position - pair[0].position == pytest.approx(1.18, abs=0.1)
    text = files[".vmsxps_fit"].read_text(encoding="utf-8")
    weak = [line for line in text.splitlines() if line.startswith("CASA comp (*S 2p SO2CF3*)")][1]
    assert " 0 0.5 MFWHM" in weak


def test_refit_of_the_export_finds_the_same_and_stands_beside_it(fit: xr.Dataset, files: dict[str, Path]) -> None:
    chemistry = load("mg-tfsi-v2o5")
    options = DeconvolveOptions(regions=chemistry.regions, charge_references=chemistry.charge_references)
    again = deconvolve({"F 1s": by_region(files[".vmsxps_fit"])["F 1s"]}, options)
    for label in ("F 1s/MgF2", "F 1s/CF3"):
        ours = fit.area.sel(component=label).values
        assert again.expert_area.sel(component=label).values == pytest.approx(ours, rel=1e-5)
        assert again.area.sel(component=label).values == pytest.approx(ours, rel=0.01)


def test_tables(fit: xr.Dataset, files: dict[str, Path]) -> None:
    with files[".csvxps_components"].open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == fit.area.size
    row = next(r for r in rows if r["component"] == "F 1s/CF3" and r["level"] == "1")
    ours = fit.sel(component="F 1s/CF3").isel(level=1)
    assert float(row["area (count * eV / s)"]) == pytest.approx(float(ours.area), rel=1e-8)
    assert float(row["position_std (eV)"]) == pytest.approx(float(ours.position_std), rel=1e-8)
    assert row["shape"] == "pseudo_voigt"
    with files[".csvxps_curves"].open(encoding="utf-8", newline="") as stream:
        points = list(csv.DictReader(stream))
    assert len(points) == fit.counts_per_second.size
    first = points[0]
    assert float(first["model (count / s)"]) == pytest.approx(float(fit.model[0, 0]), rel=1e-8)
    difference = float(first["binding_energy_measured (eV)"]) - float(first["binding_energy (eV)"])
    assert difference == pytest.approx(float(fit.charge_shift[0]), abs=1e-5)


@pytest.mark.parametrize(("shape", "mixing"), [("pseudo_voigt", 0.3), ("gl_product", 0.4), ("voigt", 0.45)])
def test_casaxps_form_is_the_same_line(shape: str, mixing: float) -> None:
    x = np.linspace(-4.0, 4.0, 161)
    name, factor = casa_shape(shape, mixing)
    ours = line_shape(shape, x, np.array([1.5]), mixing).density
    theirs = line_shape(name, x, np.array([1.5]), 0.0).density
    assert theirs == pytest.approx(ours, abs=6e-3 * ours.max())
    assert factor == pytest.approx(1.0, abs=0.1)


def test_old_fit_without_line_forms_is_still_written(fit: xr.Dataset, tmp_path: Path) -> None:
    names = ["lorentzian_share", "weak_line_ratio", "weak_line_distance", "weak_line_fwhm", "noise_scale", "noise"]
    old = fit.drop_vars(names)
    del old.attrs["line_shapes"], old.attrs["photon_energy_eV"]
    read = by_region(write_exports(old, tmp_path)[0])
    expert = expert_fits(read["F 1s"])[1]
    assert expert is not None
    assert expert.lines[1].area == pytest.approx(float(fit.area.sel(component="F 1s/CF3")[1]), rel=1e-6)
    assert read["F 1s"].dwell_time.values == pytest.approx([1.0, 1.0])

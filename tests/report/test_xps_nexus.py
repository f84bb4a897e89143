"""The NeXus export holds the fit as NXxps asks, and reads back."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from depthlock.chemistry.library import load
from depthlock.model.options import DeconvolveOptions
from depthlock.report.xps_nexus import REQUIRED, write_nexus
from depthlock.xps.deconvolve import deconvolve


@pytest.fixture(scope="module")
def fit() -> xr.Dataset:
    rng = np.random.default_rng(3)
    energy = np.arange(680.0, 694.0, 0.1)
    line = 1500.0 * np.exp(-0.5 * ((energy - 688.7) / 0.75) ** 2) + 700.0 * np.exp(-0.5 * ((energy - 685.6) / 0.7) ** 2)
    counts = rng.poisson(np.stack([300.0 + line, 300.0 + 0.5 * line])).astype(float)
    spectra = xr.Dataset(
        {
            "counts": (("level", "energy"), counts, {"units": "1"}),
            "dwell_time": ("level", [1.0, 1.0], {"units": "s"}),
            "scans": ("level", [1.0, 1.0], {"units": "1"}),
        },
        coords={
            "etch_time": ("level", [0.0, 60.0], {"units": "s"}),
            "binding_energy": ("energy", energy, {"units": "eV"}),
            "acquired": ("level", ["2026-01-05T10:00:00", "2026-01-05T10:10:00"], {"units": "1"}),
        },
        attrs={"region": "F 1s", "sample": "S", "photon_energy_eV": 1486.6, "intensity_kind": "counts"}
        | {"pass_energy_eV": 20.0, "work_function_eV": 4.5, "analyser_mode": "FAT"},
    )
    chemistry = load("mg-tfsi-v2o5")
    options = DeconvolveOptions(
        regions=chemistry.regions, charge_references=chemistry.charge_references, compared_shapes=()
    )
    return deconvolve({"F 1s": spectra}, options)


@pytest.fixture
def file(fit: xr.Dataset, tmp_path: Path) -> h5py.File:
    write_nexus(fit, tmp_path / "fit.nxs")
    return h5py.File(tmp_path / "fit.nxs", "r")


def text(node: h5py.Dataset) -> str:
    return node.asstr()[()]


def test_every_level_is_an_entry_of_the_definition(file: h5py.File) -> None:
    assert sorted(file) == ["level0_F_1s", "level1_F_1s"]
    for number, entry in enumerate(file.values()):
        assert entry.attrs["NX_class"] == "NXentry"
        assert text(entry["definition"]) == "NXxps"
        assert text(entry["start_time"]).startswith("2026-01-05T10:")
        assert float(entry["data/etch_time"][()]) == 60.0 * number
        assert entry["instrument/beam_probe/incident_energy"][()] == 1486.6
        # Nothing that the files do not say is invented.
        analyser = entry["instrument/electronanalyzer"]
        assert (analyser["work_function"][()], analyser["energydispersion/pass_energy"][()]) == (4.5, 20.0)
        assert text(analyser["energydispersion/energy_scan_mode"]) == "fixed_analyzer_transmission"
        lacking = [name for name in REQUIRED if "scheme" in name or "detector" in name]
        assert list(entry.attrs["not_stated"]) == lacking
        assert all(name not in entry for name in lacking)


def test_an_analyser_of_which_files_say_nothing_has_no_numbers(fit: xr.Dataset, tmp_path: Path) -> None:
    del (silent := fit.copy()).attrs["analyser"]
    write_nexus(silent, tmp_path / "silent.nxs")
    with h5py.File(tmp_path / "silent.nxs") as file:
        assert list(file["level0_F_1s"].attrs["not_stated"]) == list(REQUIRED)
        assert not [node for node in file["level0_F_1s/instrument/electronanalyzer"].values() if hasattr(node, "shape")]


def test_curves_and_numbers_are_those_of_the_fit(file: h5py.File, fit: xr.Dataset) -> None:
    entry = file["level1_F_1s"]
    signal = entry["data"].attrs["signal"]
    assert entry["data"][signal][:] == pytest.approx(fit.counts_per_second.values[1])
    energy = entry["data/energy"]
    assert energy.attrs["type"] == "binding"
    assert energy[:] == pytest.approx(fit.binding_energy.values - float(fit.charge_shift[1]))
    found = entry["fit/data"]
    assert found["input_dependent"][:] - found["fit_sum"][:] == pytest.approx(found["residual"][:], abs=1e-9)
    peaks = {text(peak["label"]): peak for name, peak in entry["fit"].items() if name.startswith("peak")}
    assert set(peaks) == {"F 1s/CF3", "F 1s/MgF2"}
    total = entry["fit/background0/data/intensity"][:] + sum(peak["data/intensity"][:] for peak in peaks.values())
    assert total == pytest.approx(found["fit_sum"][:], rel=1e-5)
    one, own = peaks["F 1s/CF3"], fit.sel(component="F 1s/CF3").isel(level=1)
    assert float(one["total_area"][()]) == pytest.approx(float(own.area))
    parameters = one["function/fit_parameters"]
    assert float(parameters["position_errors"][()]) == pytest.approx(float(own.position_std))
    assert parameters["area"].attrs["interval_95_percent"] == pytest.approx(
        [float(own.area_lower), float(own.area_upper)]
    )
    assert text(one["function/function_type"]) == "Gaussian-Lorentzian Sum"
    assert text(entry["fit/background0/function/function_type"]) == "Shirley"


def test_every_group_states_its_class_and_every_number_its_unit(file: h5py.File) -> None:
    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Group):
            assert str(node.attrs["NX_class"]).startswith("NX"), name
        elif node.dtype.kind == "f" and "figure_of_merit" not in name:
            assert node.attrs["units"], name

    file.visititems(visit)

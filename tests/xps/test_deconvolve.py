"""The stage on simulated series: truth, coverage of the intervals, flags and frames."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import xarray as xr
from etch_series import Series, dataset, options, simulate

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.xps.deconvolve import deconvolve

FACTORS = {"F": 4.43, "O": 2.93, "V": 9.66, "C": 1.0}


@pytest.fixture(scope="module")
def series() -> Series:
    return simulate(11, levels=5, seconds=20.0)


@pytest.fixture(scope="module")
def fit(series: Series) -> xr.Dataset:
    return deconvolve(series.spectra, options())


def test_contract_and_components(fit: xr.Dataset, series: Series) -> None:
    check(fit, "xps_fit")
    assert set(series.area) <= set(fit.component.values.tolist())
    assert fit.attrs["charge_reference"].startswith("C 1s/C-C = 284.8")
    assert "Scofield" in fit.attrs["sensitivity_set"]


def test_main_components_within_a_percent_and_ten_millivolts(fit: xr.Dataset, series: Series) -> None:
    for label, level in (("F 1s/CF3", 0), ("F 1s/MgF2", 0), ("O 1s/V-O", 4), ("C 1s/C-C", 0)):
        one = fit.sel(component=label).isel(level=level)
        assert float(one.area) == pytest.approx(series.area[label][level], rel=0.03)
        assert float(one.position) == pytest.approx(series.position[label], abs=0.02)
        assert float(one.fwhm) == pytest.approx(series.fwhm[label], abs=0.04)
    assert fit.charge_shift.values == pytest.approx(series.shift, abs=0.02)


def test_curves_add_up(fit: xr.Dataset) -> None:
    assert (fit.model + fit.residual).values == pytest.approx(fit.counts_per_second.values)
    parts = fit.background + fit.component_curve.sum("component")
    assert parts.transpose("level", "point").values == pytest.approx(fit.model.values, rel=1e-5)
    pulls = (fit.residual / fit.noise).values
    assert np.std(pulls) == pytest.approx(1.0, abs=0.06)
    assert not np.any(fit.fit_flag.values != "")


def test_what_is_not_there_is_not_detected_with_an_upper_limit(fit: xr.Dataset) -> None:
    absent = fit.sel(component="V 2p/V3+")
    assert all("not_detected" in flag for flag in absent.area_flag.values)
    # An interval of 95 % may leave zero out at one level of five, but not by much.
    assert np.sum(absent.area_lower > 0.0) <= 1
    assert np.all(absent.area_lower < 0.5 * absent.area_std)
    assert np.all(absent.area_upper > 0.0)
    assert np.all((absent.area_limit > 0.0) & (absent.area_limit < absent.area_upper))
    assert np.all(np.isnan(fit.area_limit.sel(component="O 1s/V-O")))
    assert "not_detected" in str(absent.position_flag.values[0])


def test_intervals_hold_the_truth() -> None:
    """Twelve series of low counts; every interval is asked whether it holds the truth."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for seed in range(12):
        series = simulate(seed, levels=4, step=0.2, seconds=1.5)
        fit = deconvolve(series.spectra, options())
        for label, area in series.area.items():
            one = fit.sel(component=label)
            region = label.split("/")[0]
            whole = sum(other for name, other in series.area.items() if name.startswith(region))
            for level in range(4):
                truths = {"area": area[level], "fraction": area[level] / whole[level]}
                if level == 0 and label != "C 1s/C-C":
                    truths |= {"position": series.position[label], "fwhm": series.fwhm[label]}
                for name, truth in truths.items():
                    low, high = float(one[f"{name}_lower"][level]), float(one[f"{name}_upper"][level])
                    hits[name].append(low <= truth <= high)
        atoms = {e: sum(a for n, a in series.area.items() if n.startswith(f"{e} ")) / f for e, f in FACTORS.items()}
        total = sum(atoms.values())
        for element, amount in atoms.items():
            one = fit.sel(element=element)
            truth = 100.0 * amount / total
            hits["atomic_percent"] += (
                (one.atomic_percent_lower <= truth) & (truth <= one.atomic_percent_upper)
            ).values.tolist()
        hits["charge_shift"] += (
            (fit.charge_shift_lower.values <= series.shift) & (series.shift <= fit.charge_shift_upper.values)
        ).tolist()
    coverage = {name: float(np.mean(values)) for name, values in hits.items()}
    assert coverage["area"] > 0.91
    assert coverage["fraction"] > 0.91
    assert coverage["position"] > 0.85
    assert coverage["fwhm"] > 0.85
    assert coverage["atomic_percent"] > 0.90
    assert coverage["charge_shift"] > 0.80


def test_without_a_reference_line_it_is_said(series: Series) -> None:
    fit = deconvolve(
        {"F 1s": series.spectra["F 1s"]}, options(charge_reference=None).model_copy(update={"charge_references": ()})
    )
    assert all("no_charge_reference" in flag for flag in fit.charge_shift_flag.values)
    assert np.all(np.isfinite(fit.position.values))


def test_second_choice_of_reference_carries_its_own_error(series: Series) -> None:
    fit = deconvolve({"F 1s": series.spectra["F 1s"]}, options())
    assert fit.attrs["charge_reference"].startswith("F 1s/CF3")
    assert all("secondary_reference" in flag for flag in fit.charge_shift_flag.values)
    assert np.all(fit.charge_shift_std.values >= 0.2)


def test_manual_and_no_shift_hold_the_axis(series: Series) -> None:
    given = tuple(float(value) for value in series.shift)
    fit = deconvolve({"F 1s": series.spectra["F 1s"]}, options(charge_reference="manual", manual_shift=given))
    assert fit.charge_shift.values == pytest.approx(series.shift)
    assert float(fit.sel(component="F 1s/CF3").position[0]) == pytest.approx(688.7, abs=0.01)
    still = simulate(2, levels=3, drift=0.0, blocks=("F 1s",))
    fit = deconvolve(still.spectra, options(charge_reference="none"))
    assert np.all(fit.charge_shift.values == 0.0)
    with pytest.raises(MeasurementError, match="2 manual shifts for 5 levels"):
        deconvolve({"F 1s": series.spectra["F 1s"]}, options(charge_reference="manual", manual_shift=(0.1, 0.2)))


def test_a_reference_that_is_not_there_names_the_nearest(series: Series) -> None:
    with pytest.raises(MeasurementError, match="did you mean 'F 1s/CF3'"):
        deconvolve({"F 1s": series.spectra["F 1s"]}, options(charge_reference="F 1s/CF2"))


def test_levels_that_one_region_lacks_are_not_measured(series: Series) -> None:
    spectra = dict(series.spectra) | {"C 1s": series.spectra["C 1s"].isel(level=[0, 1, 3, 4])}
    fit = deconvolve(spectra, options())
    missing = fit.sel(component="C 1s/C-C").isel(level=2)
    assert np.isnan(float(missing.area))
    assert str(missing.area_flag.values) == "not_measured"
    assert float(fit.sel(component="F 1s/CF3").area[2]) == pytest.approx(series.area["F 1s/CF3"][2], rel=0.04)
    assert "region_not_measured" in str(fit.atomic_percent_flag.values[2, 0])


def test_a_level_of_ten_times_less_intensity_is_an_outlier(series: Series) -> None:
    data = series.spectra["F 1s"].copy(deep=True)
    data["counts"][2] = np.round(data["counts"][2] / 10.0)
    fit = deconvolve({"F 1s": data}, options())
    assert ["outlier_level" in flag for flag in fit.fit_flag.values[:, 0]] == [False, False, True, False, False]


def test_a_peak_the_library_does_not_know_makes_a_poor_fit(series: Series) -> None:
    data = series.spectra["F 1s"].copy(deep=True)
    energy = data.binding_energy.values
    data["counts"] += 3000.0 * np.exp(-0.5 * ((energy - 691.8) / 0.4) ** 2)
    fit = deconvolve({"F 1s": data}, options(charge_reference="F 1s/CF3"))
    assert all("poor_fit" in flag for flag in fit.fit_flag.values[:, 0])


def test_unknown_region_is_measured_and_flagged() -> None:
    energy = np.arange(96.0, 110.0, 0.1)
    line = np.exp(-0.5 * ((energy - 103.4) / 0.7) ** 2)
    rng = np.random.default_rng(1)
    counts = rng.poisson(200.0 + np.array([[500.0], [1500.0]]) * line).astype(float)
    fit = deconvolve({"Si 2p": dataset("Si 2p", energy, counts, 1.0)}, options())
    one = fit.sel(component="Si 2p/unassigned")
    assert one.area.values == pytest.approx(np.array([500.0, 1500.0]) * 0.7 * np.sqrt(2 * np.pi), rel=0.06)
    assert all("no_chemistry" in flag for flag in one.area_flag.values)

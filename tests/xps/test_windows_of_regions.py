from __future__ import annotations

import numpy as np
import pytest
from etch_series import dataset, options

from depthlock.model.errors import MeasurementError
from depthlock.xps.assign import UNASSIGNED, assign_regions
from depthlock.xps.background import static_shirley
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.windows import clean_window, normal_name


def window_of(name: str, low: float, high: float, levels: int = 2, peak: float | None = None):
    energy = np.arange(low, high, 0.1)
    counts = np.full((levels, energy.size), 500.0)
    if peak is not None:
        counts += 3000.0 * np.exp(-0.5 * ((energy - peak) / 0.7) ** 2)
    return clean_window(name, dataset(name, energy, counts, 1.0), np.arange(levels), levels)


@pytest.mark.parametrize(
    ("written", "name"),
    [("F1s", "F 1s"), ("V 2P", "V 2p"), ("Sn3d5", "Sn 3d5"), ("Sn 3d5/2", "Sn 3d5"), ("Survey", "Survey")],
)
def test_names(written: str, name: str) -> None:
    assert normal_name(written) == name


@pytest.mark.parametrize("name", ["O 1s", "V 2p", "scan 7"])
def test_one_block_with_o_1s_and_v_2p_is_recognised_by_energy(name: str) -> None:
    (found,) = assign_regions([window_of(name, 507.0, 540.0)], options().regions)
    assert [region.name for region in found.regions] == ["O 1s", "V 2p"]
    assert found.reported == (True, True)


def test_overlapping_windows_are_fitted_together_once() -> None:
    windows = [window_of("O 1s", 524.0, 541.0), window_of("F 1s", 679.0, 696.0), window_of("V 2p", 507.0, 528.0)]
    found = assign_regions(windows, options().regions)
    assert [[w.name for w in one.windows] for one in found] == [["V 2p", "O 1s"], ["F 1s"]]
    names = [region.name for one in found for region, flag in zip(one.regions, one.reported, strict=True) if flag]
    assert sorted(names) == ["F 1s", "O 1s", "V 2p"]


def test_unknown_region_gets_an_unassigned_peak_where_the_data_have_it() -> None:
    (found,) = assign_regions([window_of("Si 2p", 96.0, 110.0, peak=103.3)], options().regions)
    assert not found.from_library
    assert found.regions[0].element == "Si"
    assert found.regions[0].components[0].name == UNASSIGNED
    assert found.regions[0].components[0].position == pytest.approx(103.3, abs=0.15)


def test_static_shirley_joins_the_ends_and_follows_the_integral() -> None:
    energy = np.linspace(520.0, 540.0, 401)
    line = 2000.0 * np.exp(-0.5 * ((energy - 530.0) / 0.6) ** 2)
    running = (np.cumsum(line) - 0.5 * line) / line.sum()
    truth = 100.0 + 50.0 * running
    found = static_shirley(energy, (truth + line)[None, :])[0]
    assert np.abs(found - truth).max() < 0.05


def test_nothing_to_fit_is_told() -> None:
    with pytest.raises(MeasurementError, match="no spectra"):
        deconvolve({}, options())
    energy = np.arange(0.0, 1200.0, 1.0)
    survey = dataset("Survey", energy, np.full((1, energy.size), 100.0), 1.0)
    with pytest.raises(MeasurementError, match="only survey"):
        deconvolve({"Survey": survey}, options())
    broken = dataset("F 1s", energy[:12] / 10 + 684.0, np.full((1, 12), np.nan), 1.0)
    with pytest.raises(MeasurementError, match="0 usable points in F 1s"):
        deconvolve({"F 1s": broken}, options())

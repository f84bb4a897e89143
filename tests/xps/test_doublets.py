"""Doublets of one core level: separation x ratio x counts, as analysts were given (NIST XPS test data)."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.doublets import DoubletDesign, fit_doublet


@pytest.fixture(scope="module")
def fits() -> dict[tuple[float, float, float], np.ndarray]:
    points = [(s, r, n) for s in (0.6, 1.0, 1.6) for r in (1.0, 0.3) for n in (1e3, 1e5)]
    return {point: np.array([fit_doublet(DoubletDesign(*point), seed).errors for seed in range(3)]) for point in points}


def test_energies_and_ratios_five_times_better_than_analysts(
    fits: dict[tuple[float, float, float], np.ndarray],
) -> None:
    """Analysts: bias of energies -0.055 to 0.34 eV, scatter 0.012 to 0.13 eV, bias of ratios -0.33 to 0.17."""
    everything = np.stack(list(fits.values()))
    bias, scatter = everything.mean(axis=1), everything.std(axis=1)
    assert np.abs(bias[..., :2].mean()) < 0.055 / 5.0
    assert np.sqrt((scatter[..., :2] ** 2).mean()) < 0.13 / 5.0
    assert np.abs(bias[..., 2].mean()) < 0.17 / 5.0
    well_counted = np.stack([value for (_, _, counts), value in fits.items() if counts == 1e5])
    assert np.abs(well_counted[..., :2]).max() < 0.03


def test_no_doublet_is_called_a_singlet_without_a_flag() -> None:
    for separation in (0.5, 0.8, 1.6):
        for counts in (1e3, 1e5):
            found = fit_doublet(DoubletDesign(separation, 0.5, counts), 7)
            assert found.both_detected or found.flags, (separation, counts)


@pytest.mark.parametrize("counts", [300.0, 3e3, 3e4, 1e5])
def test_no_doublet_fitted_as_one_line_goes_without_a_flag(counts: float) -> None:
    for separation, ratio in ((0.48, 1.0), (0.48, 0.5), (0.6, 0.2), (0.9, 0.5), (1.3, 1.0)):
        assert fit_doublet(DoubletDesign(separation, ratio, counts), 8, components=1).flags, (separation, ratio)


def test_with_counts_enough_a_single_line_is_called_one_and_a_close_doublet_two() -> None:
    assert not fit_doublet(DoubletDesign(0.0, 0.0, 1e5), 9, components=1).flags
    assert "under_fitted" in fit_doublet(DoubletDesign(0.48, 1.0, 1e5), 9, components=1).flags
    few = fit_doublet(DoubletDesign(0.0, 0.0, 300.0), 9, components=1).flags
    assert few == "unresolved_possible"

"""Simulated element maps: counts, geometry and patches are what the parameters say."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.simulate.eds import EdsParameters, ElementCounts, simulate_maps, simulate_spectra


def test_counts_are_poisson_around_the_truth() -> None:
    maps, truth = simulate_maps(EdsParameters(), np.random.default_rng(1))
    check(maps, "eds_maps")
    for element, expected in truth.intensity.items():
        counts = maps["counts"].sel(element=element).values
        pull = (counts.sum() - expected.sum()) / np.sqrt(expected.sum())
        assert abs(pull) < 4
        assert np.sum((counts - expected) ** 2) / expected.sum() == pytest.approx(1.0, abs=0.1)


def test_regions_hold_what_was_asked_for() -> None:
    counts = {"F": ElementCounts(0.1, 2.0, 0.3, gradient=0.5)}
    _, truth = simulate_maps(EdsParameters(counts=counts, thickness_nm=14.0), np.random.default_rng(2))
    fraction, intensity = truth.depth_fraction, truth.intensity["F"]
    assert intensity[fraction < -0.2].mean() == pytest.approx(0.1, abs=0.01)
    assert intensity[fraction > 1.2].mean() == pytest.approx(0.3, abs=0.01)
    assert intensity[(fraction > 0.8) & (fraction < 0.9)].mean() == pytest.approx(2.0 * 1.35, rel=0.03)
    assert truth.thickness == pytest.approx(14.0, abs=0.8)


def test_patches_and_dead_pixels() -> None:
    counts = {"F": ElementCounts(5.0, 5.0, 5.0, patchiness=0.3, patch_nm=4.0)}
    maps, truth = simulate_maps(EdsParameters(counts=counts, dead=0.05, probe_nm=0.2), np.random.default_rng(3))
    inside = (truth.depth_fraction > 0.1) & (truth.depth_fraction < 0.9)
    assert truth.intensity["F"][inside].std() / 5.0 == pytest.approx(0.3, abs=0.08)
    assert float((maps["counts"] == 0).mean()) == pytest.approx(0.05 + np.exp(-5.0), abs=0.02)


def test_spectra_hold_the_lines() -> None:
    small = EdsParameters(rows=24, columns=24)
    spectra, truth = simulate_spectra(small, np.random.default_rng(4), background=0.0)
    check(spectra, "eds_spectra")
    total = spectra["counts"].sum(("y", "x"))
    vanadium = float(total.sel(energy=slice(4.6, 5.9)).sum())
    assert vanadium == pytest.approx(float(truth.intensity["V"].sum()), rel=0.05)

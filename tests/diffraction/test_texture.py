"""Texture of simulated patterns against their truth: values, errors, flags."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DiffractionOptions
from depthlock.simulate.diffraction import Ring, Setup, density, simulate_pattern

pytest.importorskip("pyFAI")

from depthlock.diffraction.orientation import total_weights
from depthlock.diffraction.regroup import Pattern
from depthlock.diffraction.texture import measure_texture
from depthlock.readers.diffraction_geometry import placed

RINGS = (Ring("001", 1.15, 0.35, 15.0, 0.7, 0.0, 20.0), Ring("110", 0.35, 0.5, 30.0))


def pattern(setup: Setup, rings: tuple[Ring, ...], seed: int, **named: float) -> xr.Dataset:
    counts = simulate_pattern(setup, rings, 10.0, np.random.default_rng(seed))
    raw = xr.Dataset({"intensity": (("y", "x"), counts, {"units": "1"})}, attrs={"source": "simulated"})
    spacings = named or {ring.name: 1.01 * ring.spacing for ring in rings}
    return check(placed(raw, {**setup.settings, "reflections": spacings}, None), "diffraction_pattern")


def texture(*patterns: xr.Dataset, **options: Any) -> xr.Dataset:
    return check(measure_texture(patterns, DiffractionOptions(**options)), "diffraction_texture")


@pytest.mark.parametrize("angle", [0.2, 2.0])
def test_geometry_is_that_of_the_simulated_setup(angle: float) -> None:
    """pyFAI's scattering vector and angles against plain vectors."""
    setup = Setup(shape=(200, 210), centre=(105.0, 190.0), pixel_size=688e-6, incident_angle=angle)
    regrouped = Pattern(pattern(setup, RINGS, 0))
    q, chi, _, above = setup.scattering()
    flat, normal = (regrouped._fibre_array(unit) for unit in ("qip_nm^-1", "qoop_nm^-1"))
    assert np.allclose(np.hypot(flat, normal), q)
    assert np.allclose(np.degrees(np.arctan2(np.abs(flat), normal))[above], chi[above], atol=1e-6)
    assert np.array_equal(regrouped.masked, ~above)


def test_counts_are_neither_lost_nor_shared() -> None:
    measured = pattern(Setup(incident_angle=None), RINGS, 1)
    own = Pattern(measured)
    found = own.regroup(0.0, own.reach()[1] + 1.0, 50, 5.0)
    assert found.counts.sum() == measured["intensity"].values.sum()
    assert np.array_equal(found.counts, np.rint(found.counts))


def test_errors_and_coverage() -> None:
    truth = {
        "reflection_spacing": [1.15, 0.35], "reflection_width": [0.35, 0.5], "texture_share": [1 / 3, 2 / 3],
        "orientation_spread": [20.0], "oriented_share": [0.7],
    }  # fmt: skip
    inside: dict[str, list[bool]] = {name: [] for name in truth}
    for seed in range(6):
        found = texture(pattern(Setup(), RINGS, 100 + seed))
        for name, values in truth.items():
            for index, value in enumerate(values):
                low, high = (float(found[f"{name}_{side}"][index]) for side in ("lower", "upper"))
                inside[name].append(low <= value <= high)
                assert float(found[name][index]) == pytest.approx(value, rel=0.05)
    assert {name: np.mean(held) for name, held in inside.items() if np.mean(held) < 0.75} == {}
    assert float(found["reflection_spacing_std"][1]) < 1e-4
    assert float(found["texture_share_std"][0]) < 0.02


def test_a_powder_has_no_preferred_orientation() -> None:
    found = texture(pattern(Setup(), (Ring("001", 1.15, 0.35, 20.0), Ring("110", 0.35, 0.5, 20.0)), 5))
    assert found["orientation_spread_flag"].values.tolist() == ["no_preferred_orientation"] * 2
    assert abs(float(found["texture_share"][0]) - 0.5) < 3 * float(found["texture_share_std"][0])


def test_a_tilted_texture_is_found_in_transmission() -> None:
    setup = Setup(shape=(400, 400), centre=(200.0, 200.0), incident_angle=None)
    found = texture(pattern(setup, (Ring("110", 0.6, 0.4, 20.0, 0.6, 50.0, 25.0), Ring("200", 0.35, 0.4, 10.0)), 2))
    for name, value in {"orientation_angle": 130.0, "orientation_spread": 25.0, "oriented_share": 0.6}.items():
        assert abs(float(found[name][0]) - value) < 4 * float(found[f"{name}_std"][0])
    assert abs(float(found["texture_share"][0]) - 2 / 3) < 4 * float(found["texture_share_std"][0])


def test_absent_and_unseen_reflections_are_told() -> None:
    measured = pattern(Setup(), RINGS[1:], 3, **{"110": 0.353, "001": 1.15, "far": 0.05})
    found = texture(measured).set_index(reflection="reflection")
    absent = found.sel(reflection="001")
    assert "not_detected" in str(absent["texture_share_flag"].values)
    assert np.isnan(absent["reflection_spacing"])
    assert float(absent["texture_share_lower"]) <= 0.001 < float(absent["texture_share_upper"]) < 0.05
    assert str(found.sel(reflection="far")["texture_share_flag"].values) == "outside_detector"
    assert "reflections_left_out" in str(found.sel(reflection="110")["texture_share_flag"].values)


def test_masked_pixels_are_left_out_and_counted() -> None:
    measured = pattern(Setup(), RINGS, 4)
    measured["intensity"][100:110] = -1.0
    measured["intensity"][:, 60] = np.nan
    found = texture(measured, measured)
    assert f"{10 * 420 + 390} of {400 * 420} pixels are masked" in found.attrs["notes"][0]
    assert found["reflection"].values.tolist()[::2] == ["001", "001 (pattern 1)", "001 (pattern 2)"]
    assert float(found["reflection_spacing"][0]) == pytest.approx(1.15, rel=0.005)


@pytest.mark.parametrize("incident", [0.2, None])
def test_a_wrong_geometry_is_told(incident: float | None) -> None:
    setup = Setup() if incident else Setup(shape=(400, 400), centre=(200.0, 200.0), incident_angle=None)
    counts = simulate_pattern(setup, RINGS, 10.0, np.random.default_rng(8))
    raw = xr.Dataset({"intensity": (("y", "x"), counts, {"units": "1"})}, attrs={"source": "simulated"})
    named = {"reflections": {ring.name: ring.spacing for ring in RINGS}}

    def flags(**wrong: Any) -> list[str]:
        found = texture(placed(raw, {**setup.settings, **wrong, **named}, None))
        return [str(flag) for flag in found["reflection_spacing_flag"].values]

    x, y = setup.centre
    assert flags() == ["", ""]
    assert "ring_not_round" in flags(centre=(x, y + 1.0))[0]
    assert flags(distance=1.02 * setup.distance * 1e9) == ["spacings_off_together"] * 2


def test_saturated_rings_are_told() -> None:
    measured = pattern(Setup(), RINGS, 9)
    bright = measured["intensity"].values > 120
    assert 0 < bright.sum() < 200
    found = texture(measured.assign(intensity=measured["intensity"].where(~bright), saturated=(("y", "x"), bright)))
    assert "saturated" in str(found["texture_share_flag"].values[0])
    assert "saturated" not in str(found["texture_share_flag"].values[1])


@pytest.mark.parametrize("seed", range(6))
def test_a_ring_that_is_not_there_has_a_limit(seed: int) -> None:
    """Counting noise makes half of the absent rings negative: their limit is above zero all the same."""
    counts = simulate_pattern(Setup(), RINGS[1:], 10.0, np.random.default_rng(200 + seed))
    raw = xr.Dataset({"intensity": (("y", "x"), counts, {"units": "1"})}, attrs={"source": "simulated"})
    found = texture(placed(raw, {**Setup().settings, "reflections": {"101": 0.55, "110": 0.35}}, None))
    assert "not_detected" in str(found["texture_share_flag"].values[0])
    assert float(found["texture_share_lower"][0]) == 0.0
    assert 0.001 < float(found["texture_share_upper"][0]) < 0.03


def test_a_curved_background_is_no_ring() -> None:
    """Ten times as bright a halo, whose curvature a straight background takes for intensity of the ring."""
    inside = []
    for seed in range(4):
        counts = simulate_pattern(Setup(), RINGS, 100.0, np.random.default_rng(300 + seed))
        raw = xr.Dataset({"intensity": (("y", "x"), counts, {"units": "1"})}, attrs={"source": "simulated"})
        named = {"reflections": {ring.name: ring.spacing for ring in RINGS}}
        found = texture(placed(raw, {**Setup().settings, **named}, None))
        inside.append(float(found["texture_share_lower"][0]) <= 1 / 3 <= float(found["texture_share_upper"][0]))
    assert sum(inside) >= 3


def test_several_patterns_have_a_mean() -> None:
    found = texture(*(pattern(Setup(incident_angle=angle), RINGS, seed) for seed, angle in enumerate((0.2, 0.4, 0.2))))
    assert found["pattern"].values.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2]
    own = found["texture_share"].values[2::2]
    assert own.min() < float(found["texture_share"][0]) < own.max()
    assert float(found["texture_share_std"][0]) < found["texture_share_std"].values[2:].min()
    assert abs(float(found["texture_share"][0]) - 1 / 3) < 3 * float(found["texture_share_std"][0])
    assert found["reflection_counts"].values[0] == pytest.approx(found["reflection_counts"].values[2::2].sum())
    assert found["named"].values.tolist() == ["001", "110"]
    assert float(found["texture_share_between_patterns"][0]) < 0.02
    assert not np.isfinite(found["ring_intensity"].values[:2]).any()


def test_overlapping_rings_are_fitted_together() -> None:
    rings = (Ring("a", 0.35, 0.5, 30.0), Ring("b", 0.337, 0.5, 30.0))
    found = texture(pattern(Setup(), rings, 6, a=0.35, b=0.337), search=0.02)
    assert all("overlapping_reflections" in flag for flag in found["texture_share_flag"].values)
    assert np.all(np.abs(found["texture_share"] - 0.5) < 4 * found["texture_share_std"])


def test_nothing_usable_is_an_error() -> None:
    measured = pattern(Setup(), RINGS, 7)
    measured["intensity"][:] = -1.0
    with pytest.raises(MeasurementError, match="every pixel"):
        texture(measured)


def test_sums_over_directions_are_those_of_the_integral() -> None:
    azimuth = (np.arange(30) + 0.5) * 3.0
    ring = Ring("", 1.0, 0.1, 1.0, 0.8, 0.0, 15.0)
    weights, filled = total_weights(azimuth, azimuth, np.ones(30, dtype=bool), fibre=True)
    assert weights @ density(ring, azimuth, True) == pytest.approx(1.0, abs=0.01)
    assert not filled.any()
    seen = azimuth > 6.0
    weights, filled = total_weights(azimuth, azimuth, seen, fibre=True)
    assert weights.sum() == pytest.approx(1.0)
    assert 0 < filled.sum() < 0.01
    assert json.dumps(np.flatnonzero(filled).tolist()) == "[2]"

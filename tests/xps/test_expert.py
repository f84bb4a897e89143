"""Experts' fits: rebuilt from CasaXPS's comments and exports, in our units, beside our own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from etch_series import dataset, options, simulate

from depthlock.model.chemistry import Component, Region
from depthlock.model.options import DeconvolveOptions
from depthlock.readers import registry
from depthlock.readers.vamas.casaxps_comments import parse_comment
from depthlock.xps.deconvolve import deconvolve
from depthlock.xps.expert import ExpertFit, expert_fits, has_expert
from depthlock.xps.shapes import pseudo_voigt


def blocks(path: Path) -> list[xr.Dataset]:
    data = registry.read(path)
    return data if isinstance(data, list) else [data]


@pytest.fixture(scope="module")
def assigned(real_data: Path) -> dict[tuple[str, str], tuple[xr.Dataset, ExpertFit]]:
    found = {}
    for block in blocks(real_data / "xps/casaxps_vamas/assigned.vms"):
        expert = expert_fits(block)[0] if has_expert(block) else None
        if expert is not None and expert.lines:
            found[str(block.attrs["sample"]), str(block.attrs["region"])] = (block, expert)
    return found


def test_shirley_areas_of_assigned_vms(assigned: dict[tuple[str, str], tuple[xr.Dataset, ExpertFit]]) -> None:
    shirley = {key: expert for key, (_, expert) in assigned.items() if expert.background_kind == "Shirley"}
    ratio = {key: sum(line.area for line in expert.lines) / expert.whole for key, expert in shirley.items()}
    assert len(ratio) == 9
    # There the expert's components leave a hump of the data out.
    assert ratio.pop(("RW_WS2_MoS2", "Mo 3d")) == pytest.approx(0.952, abs=0.003)
    assert list(ratio.values()) == pytest.approx([1.0] * 8, abs=0.03)


def test_rebuilt_envelope_lies_on_the_data(assigned: dict[tuple[str, str], tuple[xr.Dataset, ExpertFit]]) -> None:
    block, expert = assigned["RW_Tha_MoS2", "Mo 3d"]
    assert len(expert.lines) == 10
    inside = np.isfinite(expert.envelope)
    order = np.argsort(block.binding_energy.values)
    seconds = float(block.dwell_time[0] * block.scans[0])
    rate = (block.counts.values[0] / seconds / block.transmission.values)[order]
    misfit = (rate - expert.envelope)[inside]
    # Energies of comments, raw axis and the four calibrations agree: 0.1 eV off would raise this twentyfold.
    assert np.sqrt(np.mean(misfit**2)) < 0.02 * rate[inside].max()


def test_tougaard_and_sum_line_of_feo_as_exported(real_data: Path) -> None:
    (block,) = blocks(real_data / "xps/casaxps_vamas/FeO_analyzed.vms")
    # CasaXPS exports counts/s without the transmission.
    expert = expert_fits(block.drop_vars("transmission"))[0]
    assert expert is not None
    text = (real_data / "xps/casaxps_vamas/FeO_analyzed_lineshapes_cols.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line[:1].isdigit()]
    table = np.array([[float(word) for word in row if word.strip()] for row in rows])[::-1]
    assert table[:, 8] == pytest.approx(expert.energy, abs=0.01)
    inside = np.flatnonzero(np.isfinite(expert.background))[:-1]
    stated = table[inside, 14]
    assert np.abs(expert.background[inside] - stated).max() < 4e-4 * stated.max()
    second = expert.lines[1]
    assert (second.shape, second.position, second.fwhm) == ("SGL(30)", pytest.approx(716.0), 8.0)
    assert second.curve[inside] == pytest.approx(table[inside, 11] - stated, abs=2e-3 * second.curve.max())
    # LF with five numbers has no formula that is known: its area is stated, its curve is not drawn.
    assert expert.lines[0].area == pytest.approx(63507.374)
    assert np.isnan(expert.lines[0].curve).all()


def test_exported_fit_stands_beside_ours(real_data: Path) -> None:
    (spectra,) = blocks(real_data / "xps/tfsi_casaxps/20240228_Au_MPPipTFSIIol3_F_1s.csv")
    fit = deconvolve({"F 1s": spectra}, options(charge_reference="none")).isel(level=0)
    main, minor = fit.sel(component="F 1s/CF3"), fit.sel(component="F 1s/MgF2")
    assert float(main.expert_area) == pytest.approx(11633.0, rel=0.005)
    assert float(minor.expert_area) == pytest.approx(529.0, rel=0.005)
    assert float(main.expert_position) == pytest.approx(688.842, abs=0.01)
    assert float(minor.expert_fwhm) == pytest.approx(1.379, abs=0.01)
    ours, theirs = fit.counts_per_second.values, fit.expert_envelope.values
    assert np.nanmax(np.abs(ours - theirs)) < 0.05 * ours.max()


def test_two_lines_of_an_expert_are_one_doublet_of_ours(
    assigned: dict[tuple[str, str], tuple[xr.Dataset, ExpertFit]],
) -> None:
    spectra, expert = assigned["RW_Tha_MoS2", "S 2p"]
    place = max(expert.lines, key=lambda line: line.area).position
    state = Component(name="MoS2", position=place, fwhm=0.8, splitting=1.16)
    region = Region(name="S 2p", element="S", window=(place - 5.0, place + 5.0), components=(state,))
    fit = deconvolve({"S 2p": spectra}, DeconvolveOptions(regions=(region,), charge_reference="none")).isel(level=0)
    transmission = float(spectra.transmission.mean())
    assert float(fit.expert_area[0]) == pytest.approx((15863.608 + 7931.8039) / transmission, rel=2e-3)
    assert float(fit.area[0]) == pytest.approx(float(fit.expert_area[0]), rel=0.05)
    assert float(fit.position[0]) == pytest.approx(float(fit.expert_position[0]), abs=0.03)


def test_without_an_expert_nothing_is_added() -> None:
    fit = deconvolve(simulate(2, levels=1, blocks=("F 1s",)).spectra, options())
    assert not [name for name in fit.variables if str(name).startswith("expert")]


def commented(calibrations: list[dict[str, object]], regions: list[dict[str, object]], moved: float) -> xr.Dataset:
    """One line on a straight background, with a fit whose energies are stated `moved` (eV, kinetic) from raw ones."""
    energy = np.arange(525.0, 540.0, 0.1)
    line = pseudo_voigt(energy - 532.0, np.asarray(1.5), np.asarray(0.3)).density
    spectra = dataset("O 1s", energy, (400.0 + 1000.0 * line)[None, :] * 4.0, 4.0)

    def tie(value: float) -> dict[str, float]:
        return {"value": value, "lower": 0.0, "upper": 1e9, "parent": -1, "tie": 1.0}

    component = {"name": "O", "shape": "SGL(30)", "area": tie(1000.0), "fwhm": tie(1.5), "rsf": 1.0, "region": "O 1s"}
    record = {
        "calibrations": calibrations,
        "regions": [
            region | {"start": 1486.6 - 538.0 + moved, "end": 1486.6 - 527.0 + moved, "end_points": 2, "rsf": 1.0}
            for region in regions
        ],
        "components": [component | {"position": tie(1486.6 - 532.0 + moved)}],
    }
    return spectra.assign_attrs(casaxps=json.dumps([record]))


LINEAR = {"name": "O 1s", "background": "Linear", "parameters": [0.0, 0.0, 300.0, -450.0, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("words", "moved"), [("BE ADD", -2.9), ("Regions Comps BE ADD", 0.0), ("KE ADD", 2.9), ("Comps Regions KE", 0.0)]
)
def test_calibrations_that_moved_the_fit_along_are_not_taken_off_it_again(words: str, moved: float) -> None:
    (calibration,) = parse_comment([f"Calib M = 281.9 A = 284.8 {words}"]).calibrations
    expert = expert_fits(commented([asdict(calibration)], [LINEAR], moved))[0]
    assert expert is not None
    assert expert.lines[0].position == pytest.approx(532.0)
    assert expert.whole == pytest.approx(1000.0, rel=0.06)
    inside = np.isfinite(expert.background)
    assert expert.energy[inside][[0, -1]] == pytest.approx([527.0, 538.0], abs=0.06)


def test_universal_backgrounds_go_by_their_numbers_whatever_their_name() -> None:
    numbers = [0.0, 0.0, 396.0, 551.0, 436.0, 3.0]
    named = [
        expert_fits(commented([], [LINEAR | {"background": name, "parameters": numbers}], 0.0))[0]
        for name in ("U 3 Tougaard", "U Poly Tougaard")
    ]
    assert named[0] is not None
    assert named[1] is not None
    assert named[1].background == pytest.approx(named[0].background, nan_ok=True)
    assert np.isfinite(named[1].background).sum() > 50


def test_offset_ends_are_not_guessed_and_a_wider_region_of_one_name_counts_once() -> None:
    offset = expert_fits(commented([], [LINEAR | {"parameters": [0.0, 9.0]}], 0.0))[0]
    assert offset is not None
    assert np.isnan(offset.background).all()
    assert np.isnan(offset.whole)
    alone, twice = (expert_fits(commented([], [LINEAR] * count, 0.0))[0] for count in (1, 2))
    assert alone is not None
    assert twice is not None
    assert twice.whole == pytest.approx(alone.whole)

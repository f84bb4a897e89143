import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from depthlock.model.errors import SessionError
from depthlock.model.session_file import load_session
from depthlock.simulate import command
from depthlock.simulate.session import simulate_session
from depthlock.simulate.truth import COLUMNS
from depthlock.simulate.worlds import SessionParameters, bulk_like, named, oligolayered_like, random_parameters


def small(sample):
    return replace(
        sample,
        tofsims=replace(sample.tofsims, pixels=16, ions=3e4),
        tem=tuple(replace(image, pixels=512, pixel_nm=0.06) for image in sample.tem),
    )


SMALL = SessionParameters(samples=(small(bulk_like()), small(oligolayered_like())))


def rows_of(folder):
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "session"
    simulate_session(folder, SMALL, 5)
    return folder


def test_session_file_is_valid_and_names_the_files(session):
    loaded = load_session(session / "session.yaml").session
    assert list(loaded.samples) == ["B-V2O5", "L-V2O5"]
    assert loaded.samples["B-V2O5"].tofsims.dead_time == 40.0
    assert loaded.samples["B-V2O5"].tofsims.shots_per_pixel == 2


def test_same_seed_gives_the_same_files_and_another_seed_does_not(session, tmp_path):
    simulate_session(tmp_path / "again", SMALL, 5)
    simulate_session(tmp_path / "other", SMALL, 6)
    for name in ("B/profile.h5", "B/etch.vms", "L/hrtem.tif", "truth.csv", "session.yaml"):
        assert (session / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert (session / "B/etch.vms").read_bytes() != (tmp_path / "other" / "B/etch.vms").read_bytes()


def test_leaving_a_sample_or_technique_out_changes_nothing_of_the_rest(session, tmp_path):
    simulate_session(tmp_path, replace(SMALL, samples=(replace(SMALL.samples[0], tofsims=None, tem=()),)), 5)
    assert (session / "B/etch.vms").read_bytes() == (tmp_path / "B/etch.vms").read_bytes()
    assert not (tmp_path / "B/profile.h5").exists()
    assert {row["technique"] for row in rows_of(tmp_path)} == {"xps", "depth"}


def test_truth_has_one_row_a_key_and_all_quantities(session):
    rows = rows_of(session)
    assert tuple(rows[0]) == COLUMNS
    keys = [tuple(row[name] for name in COLUMNS[:5]) for row in rows]
    assert len(keys) == len(set(keys))
    assert all(np.isfinite(float(row["value"])) for row in rows)
    wanted = {
        ("tofsims", "interface_time", "V-"),
        ("tofsims", "interface_width", "V-"),
        ("tofsims", "total_counts", "SO2CF3-"),
        ("tofsims", "mass_error", "MgF2-"),
        ("tofsims", "mass_resolution", "MgF2-"),
        ("xps", "area", "F 1s/MgF2"),
        ("xps", "position", "F 1s/CF3"),
        ("xps", "fwhm", "O 1s/V-O"),
        ("xps", "fraction", "V 2p/V5+"),
        ("xps", "atomic_percent", "F"),
        ("xps", "charge_shift", ""),
        *(("tem", "cei_thickness", statistic) for statistic in ("mean", "sd", "p05", "p95")),
        ("tem", "lattice_spacing", ""),
        ("depth", "sputter_rate", "tofsims"),
        ("depth", "sputter_rate", "xps"),
        ("depth", "centroid", "F 1s/MgF2"),
        ("depth", "separation", "SO2CF3-,MgF2-"),
        ("depth", "overlap", "SO2CF3-,MgF2-"),
        ("depth", "interlocking", "SO2CF3-,MgF2-"),
        ("depth", "substrate_in_layer", "V-"),
    }
    for sample in ("B-V2O5", "L-V2O5"):
        there = {(row["technique"], row["quantity"], row["target"]) for row in rows if row["sample"] == sample}
        assert wanted <= there


def test_truth_tells_the_two_samples_apart(session):
    value = {(r["sample"], r["quantity"], r["target"]): float(r["value"]) for r in rows_of(session)}
    pair = "SO2CF3-,MgF2-"
    assert value["B-V2O5", "interlocking", pair] < 0.2
    assert value["L-V2O5", "interlocking", pair] > 0.9
    assert value["B-V2O5", "separation", pair] < -5.0
    assert value["B-V2O5", "substrate_in_layer", "V-"] == 0.12
    assert value["L-V2O5", "substrate_in_layer", "V-"] == 0.03
    assert value["B-V2O5", "cei_thickness", "mean"] == pytest.approx(13.5, abs=1.2)
    story = json.loads((session / "truth.json").read_text(encoding="utf-8"))
    assert story["interlocked"] == {"B-V2O5": False, "L-V2O5": True}
    assert story["parameters"]["samples"][0]["layer"]["thickness_nm"] == 13.5


@pytest.mark.parametrize("seed", range(12))
def test_random_parameters_are_plausible_and_repeatable(seed):
    drawn = random_parameters(seed)
    assert drawn == random_parameters(seed)
    assert drawn != random_parameters(seed + 1)
    for sample in drawn.samples:
        thickness = sample.layer.thickness_nm
        assert 4.0 <= thickness <= 18.0
        rates = sample.tofsims.rates
        left = sample.tofsims.sputter_time_s[-1] - thickness / rates.layer_nm_s
        assert left * rates.substrate_nm_s > 3.0 * sample.tofsims.response.roughness_nm + 2.0
        image = sample.tem[0]
        assert image.pixels * image.pixel_nm > thickness + 12.0
        assert image.second_nm > 4.0 * image.pixel_nm
        assert len(sample.xps.charge_shift_ev) == len(sample.xps.fractions)


def test_command_writes_a_session_and_refuses_a_full_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "SessionParameters", lambda: SMALL)
    written = command.run(tmp_path / "new", seed=1, samples=("L-V2O5",))
    assert list(load_session(written).session.samples) == ["L-V2O5"]
    with pytest.raises(SessionError, match="not empty"):
        command.run(tmp_path / "new")
    with pytest.raises(SessionError, match="no simulated sample 'X'"):
        command.run(tmp_path / "other", samples=("X",))
    assert not (tmp_path / "other").exists()


def test_named_samples():
    assert [one.name for one in named(SMALL, ("L-V2O5",)).samples] == ["L-V2O5"]
    assert named(SMALL, ()) == SMALL

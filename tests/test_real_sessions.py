"""The sessions of `configs/real`, run as they are on the instruments' own files."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from depthlock.model.session_file import load_session
from depthlock.workflow.plan import make_plan
from depthlock.workflow.runner import RunOptions, run_plan

SESSIONS = Path(__file__).parents[1] / "configs" / "real"

Rows = dict[tuple[str, str, str], dict[str, str]]


def run(name: str, real_data: Path, folder: Path) -> Rows:
    """Run a session from a scratch folder; its rows by quantity, target and level."""
    for path in SESSIONS.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("../../../shared/real_data", real_data.as_posix())
        (folder / path.name).write_text(text, encoding="utf-8")
    plan = make_plan(load_session(folder / f"{name}.yaml"))
    outcome = run_plan(plan, RunOptions(cores=1))
    assert not outcome.failed, [state.error or state.traceback for state in outcome.failed]
    assert (plan.results_folder / "report.html").is_file()
    with (plan.results_folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["quantity"], row["target"], row["level"]): row for row in csv.DictReader(file)}
    shutil.rmtree(plan.results_folder)
    return rows


def holds(row: dict[str, str], value: float) -> bool:
    return float(row["ci_low"]) <= value <= float(row["ci_high"])


def test_surfacelab_profile(real_data: Path, tmp_path: Path) -> None:
    rows = run("surfacelab-profile", real_data, tmp_path)
    row = rows["interface_time", "SnO2-", ""]
    assert holds(row, 838.1)
    assert float(row["std"]) < 5
    assert "fall_after_rise" in row["flag"]
    assert "no_thickness" in rows["sputter_rate", "tofsims", ""]["flag"]


def test_phi_events(real_data: Path, tmp_path: Path) -> None:
    rows = run("phi-events", real_data, tmp_path)
    for ion in ("Cu+", "Na+"):
        assert abs(float(rows["mass_error", ion, ""]["value"])) < 15
    heavy, light = (float(rows["total_counts", ion, ""]["value"]) for ion in ("^65Cu+", "Cu+"))
    assert heavy / light == pytest.approx(0.446, abs=0.01)


def test_sno2_series(real_data: Path, tmp_path: Path) -> None:
    rows = run("sno2-series", real_data, tmp_path)
    silicon, tin = ([float(rows["atomic_percent", e, str(n)]["value"]) for n in range(21)] for e in ("Si", "Sn"))
    crossing = next(level for level in range(21) if level > 5 and silicon[level] > tin[level])
    assert crossing in {14, 15}  # 420 +- 20 s; a level is 30 s


def test_tfsi_exports(real_data: Path, tmp_path: Path) -> None:
    rows = run("tfsi-exports", real_data, tmp_path)
    assert holds(rows["area", "F 1s/CF3", "0"], 11633)
    assert holds(rows["area", "F 1s/fluoride", "0"], 529)
    assert rows["centroid", "F 1s/CF3", ""]["flag"]


def test_hrtem(real_data: Path, tmp_path: Path) -> None:
    rows = run("hrtem", real_data, tmp_path)
    assert 0.35 < float(rows["lattice_spacing", "", ""]["value"]) < 0.40
    assert rows["cei_thickness", "mean", ""]["flag"]


def test_eds_film(real_data: Path, tmp_path: Path) -> None:
    rows = run("eds-film", real_data, tmp_path)
    # The four elements change at one interface, within a pixel of 0.865 nm.
    places = [float(rows["interface_position", element, ""]["value"]) for element in ("Er", "Sr", "Ti", "Y")]
    assert max(places) - min(places) < 0.4
    assert all(1.0 < float(rows["interface_width", element, ""]["value"]) < 3.0 for element in ("Er", "Sr", "Ti", "Y"))
    assert float(rows["layer_share", "Er", ""]["value"]) > 0.95
    assert "not_counts" in rows["uniformity", "Er", ""]["flag"]


def test_stem_scan(real_data: Path, tmp_path: Path) -> None:
    assert not run("stem-scan", real_data, tmp_path), "maps alone"

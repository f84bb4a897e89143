"""The command line: exit codes, messages, speed, and that wrong input leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from depthlock.cli import INTERRUPTED, OK, STAGE_FAILED, USER_MISTAKE, main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def session(tmp_path: Path, sample_data: Path) -> Path:
    """A copy of the sample session, without results."""
    for name in ("B", "L", "session.yaml"):
        source = sample_data / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    return tmp_path / "session.yaml"


def test_help_names_every_command() -> None:
    said = subprocess.run([sys.executable, "-m", "depthlock", "--help"], capture_output=True, text=True, check=True)
    for command in ("run", "check", "info", "peaks", "new", "status", "export", "view", "simulate", "schema", "stage"):
        assert f"\n    {command} " in said.stdout


def test_no_heavy_library_is_imported_for_parsing() -> None:
    heavy = ("numpy", "xarray", "pydantic", "snakemake")
    code = f"import sys, depthlock.cli; print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_check_opens_every_file_and_writes_nothing(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(session)]) == OK
    said = capsys.readouterr().out
    for file in ("profile.h5", "etch.vms", "hrtem.tif"):
        assert said.count(file) == 2
    assert "2 samples, 16 jobs, nothing wrong" in said
    assert not (session.parent / "results").exists()


def test_dry_run_says_why_and_writes_nothing(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(session), "--dry-run"]) == OK
    said = capsys.readouterr().out
    assert "it has not been run" in said
    assert "16 of 16 jobs would run" in said
    assert not (session.parent / "results").exists()


def _truncate(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def _png(path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path, format="PNG")


WRONG = {
    "typo in a key": (
        lambda f: _edit(f, "shots_per_pixel", "shots_per_pixl"),
        ["@shots_per_pixl", "shots_per_pixl", "did you mean 'shots_per_pixel'"],
    ),
    "missing file": (
        lambda f: (f / "B/etch.vms").rename(f / "B/etch2.vms"),
        ["@B/etch.vms", "B/etch.vms", "did you mean 'B/etch2.vms'"],
    ),
    "truncated HDF5": (lambda f: _truncate(f / "B/profile.h5"), ["samples.B-V2O5.tofsims.file", "profile.h5"]),
    "truncated VAMAS": (lambda f: _truncate(f / "L/etch.vms"), ["samples.L-V2O5.xps[0].file", "etch.vms"]),
    "truncated tif": (lambda f: _truncate(f / "L/hrtem.tif"), ["samples.L-V2O5.tem[0].file", "hrtem.tif"]),
    "empty file": (lambda f: (f / "B/profile.h5").write_bytes(b""), ["samples.B-V2O5.tofsims.file", "0 bytes"]),
    "HDF5 of another kind": (lambda f: _hdf5(f / "B/profile.h5"), ["profile.h5", "HDF5"]),
    "image named .vms": (lambda f: _png(f / "B/etch.vms"), ["samples.B-V2O5.xps[0].file", "etch.vms"]),
    "spectra named .tif": (
        lambda f: shutil.copy(f / "B/etch.vms", f / "B/hrtem.tif"),
        ["samples.B-V2O5.tem[0].file", "xps"],
    ),
    "text named .h5": (
        lambda f: (f / "L/profile.h5").write_text("hello\n"),
        ["samples.L-V2O5.tofsims.file", "profile.h5"],
    ),
    "unit that does not fit": (lambda f: _edit(f, "40 ns", "40 nm"), ["@40 nm", "dead_time", "nm"]),
    "no unit at all": (lambda f: _edit(f, "40 ns", "forty"), ["@forty", "dead_time", "forty"]),
    "unknown library": (
        lambda f: _edit(f, "chemistry: mg-tfsi-v2o5", "chemistry: mg-tfsi-v205"),
        ["@mg-tfsi-v205", "did you mean 'mg-tfsi-v2o5'"],
    ),
    "image without scale": (
        lambda f: _without_scale(f / "B/hrtem.tif"),
        ["samples.B-V2O5.tem[0].file", "no scale", "pixel_size"],
    ),
    "an ion that is none": (lambda f: _edit(f, "SO2CF3-", "SO2Xx3-"), ["@SO2Xx3-", "SO2Xx3-"]),
    "no YAML": (lambda f: _edit(f, "samples:", "samples: ["), ["session.yaml:"]),
}


def _without_scale(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, np.arange(256, dtype=np.uint8).reshape(16, 16))


def _edit(folder: Path, before: str, after: str) -> None:
    path = folder / "session.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def _hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_input_is_told_with_its_place_and_leaves_nothing(
    session: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, wanted = WRONG[wrong]
    spoil(session.parent)
    assert main(["run", str(session)]) == USER_MISTAKE
    said = capsys.readouterr()
    lines = session.read_text().splitlines()
    for part in wanted:
        # "@text" stands for the line of the session file that holds it
        number = next((n for n, line in enumerate(lines, 1) if part[0] == "@" and part[1:] in line), 0)
        assert (f"session.yaml:{number}: " if number else part) in said.err
    assert "Traceback" not in said.err + said.out
    assert not (session.parent / "results").exists()


def test_a_terminal_without_our_signs_is_no_error(session: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "depthlock", "status", str(session)],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert b"0 of 16 jobs are up to date" in said.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc takes no folders, whoever asks")
def test_an_output_that_cannot_be_made_is_told(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(session.parent, "output: results", "output: /proc/results")
    assert main(["run", str(session)]) == USER_MISTAKE
    assert "/proc/results" in capsys.readouterr().err


def test_other_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["run", str(tmp_path / "none.yaml")], "there is no such session file"),
        (["status", str(tmp_path)], "this is a folder"),
        (["info", str(tmp_path / "none.h5")], "there is no such file"),
        (["new", str(tmp_path)], "no raw file that depthlock reads"),
        (["stage", "compare", "--plan", str(tmp_path / "plan.json"), "--job", "compare"], "nothing has been run here"),
    ):
        assert main(arguments) == USER_MISTAKE
        assert told in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["run", "x.yaml", "--cores", "0"])
    assert caught.value.code == USER_MISTAKE


def test_info_new_and_status(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(session.parent / "B" / "etch.vms")]) == OK
    said = capsys.readouterr().out
    assert "region: F 1s, levels: 6" in said
    assert main(["new", str(session.parent)]) == USER_MISTAKE, "a session is not overwritten"
    session.unlink()
    assert main(["new", str(session.parent)]) == OK
    capsys.readouterr()
    assert main(["check", str(session)]) == OK
    assert "2 samples, 16 jobs" in capsys.readouterr().out
    assert main(["status", str(session)]) == OK
    assert "0 of 16 jobs are up to date" in capsys.readouterr().out


def test_the_shipped_schema_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == OK
    schema = json.loads(capsys.readouterr().out)
    shipped = json.loads((ROOT / "configs" / "session.schema.json").read_text(encoding="utf-8"))
    assert schema == shipped, "run: make schema"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid(path: Path) -> None:
    import yaml

    from depthlock.chemistry import library
    from depthlock.model.session import Session
    from depthlock.model.session_file import SCHEMA_HEADER

    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "profiles" in path.parts:
        assert isinstance(document, dict)
        return
    if "session" not in document:
        assert library.load(path).regions or library.load(path).ions
        return
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(SCHEMA_HEADER)
    assert (path.parent / first.removeprefix(SCHEMA_HEADER)).resolve() == ROOT / "configs" / "session.schema.json"
    assert Session.model_validate(document).samples


def test_one_sample_without_science(tmp_path: Path, sample_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A whole run of the real stages on the cheapest input: one image. Then a failure, and a stage by hand."""
    shutil.copy(sample_data / "L" / "hrtem.tif", tmp_path / "layer.tif")
    session = tmp_path / "session.yaml"
    session.write_text(
        "session: image\nsamples: {L: {tem: {file: layer.tif}}}\noptions: {report: {figure_formats: [png]}}\n"
    )
    assert main(["run", str(session), "--cores", "1"]) == OK
    said = capsys.readouterr().out
    assert "✓ L.tem_thickness" in said
    results = tmp_path / "results" / "image"
    assert str(results / "report.html") in said.replace("\n", "")
    header, *rows = (results / "summary.csv").read_text().splitlines()
    assert header == "sample,technique,quantity,target,level,value,std,ci_low,ci_high,unit,flag"
    statistics = ("mean", "sd", "p05", "p95")
    assert [row.split(",")[2:4] for row in rows] == [
        *(["cei_thickness", name] for name in statistics),
        *(["thickness_laplace", name] for name in statistics),
        ["lattice_spacing", ""],
    ]
    provenance = json.loads((results / "provenance.json").read_text())
    assert len(provenance["raw_files"][str(tmp_path / "layer.tif")]["sha256"]) == 64
    assert main(["status", str(session)]) == OK
    assert "2 of 2 jobs are up to date" in capsys.readouterr().out
    plan = str(results / ".depthlock" / "plan.json")
    assert main(["run", str(session)]) == OK
    assert "everything is up to date" in capsys.readouterr().out
    (results / "L" / "tem_thickness.nc").write_bytes(b"damaged")
    code = [sys.executable, "-m", "depthlock", "stage", "report", "--plan", plan, "--job", "report"]
    failed = subprocess.run(code, capture_output=True, text=True, check=False)
    assert failed.returncode == STAGE_FAILED
    assert "this result cannot be opened" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_keep_going_reports_what_is_there(
    tmp_path: Path, sample_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(sample_data / "L" / "hrtem.tif", tmp_path / "layer.tif")
    energy = np.linspace(694, 682, 61)
    rows = [f"{e:.2f},{100 + 900 * np.exp(-((e - 688.7) ** 2)):.0f}" for e in energy]
    (tmp_path / "f1s.csv").write_text("Binding Energy (eV),Counts\n" + "\n".join(rows) + "\n")
    session = tmp_path / "session.yaml"
    session.write_text(
        "session: two\nsamples: {L: {tem: {file: layer.tif}}, Z: {xps: {file: f1s.csv, region: F 1s}}}\n"
        "options: {report: {figure_formats: [png]}, "
        "xps_deconvolve: {charge_reference: manual, manual_shift: [0.1 eV, 0.2 eV]}}\n"
    )
    assert main(["run", str(session), "--keep-going"]) == STAGE_FAILED
    said = capsys.readouterr()
    assert "Z.xps_deconvolve failed" in said.out
    assert "2 manual shifts for 1 levels" in said.out
    assert "Traceback" not in said.out + said.err
    results = tmp_path / "results" / "two"
    assert (results / "report.html").is_file()
    assert "cei_thickness" in (results / "summary.csv").read_text()
    assert main(["status", str(session)]) == OK
    assert "✗ Z.xps_deconvolve" in capsys.readouterr().out
    assert main(["run", str(session), "--sample", "L"]) == OK  # the other sample is not asked for
    assert "everything is up to date" in capsys.readouterr().out


def test_ctrl_c_ends_a_run_and_says_how_to_resume(tmp_path: Path, sample_data: Path) -> None:
    shutil.copy(sample_data / "L" / "hrtem.tif", tmp_path / "layer.tif")
    session = tmp_path / "session.yaml"
    session.write_text("session: image\nsamples: {L: {tem: {file: layer.tif}}}\n")
    run = [sys.executable, "-m", "depthlock", "run", str(session)]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "results" / "image" / ".depthlock" / "state" / "L.tem_thickness.json"
    for _ in range(2400):
        if state.exists() and '"running"' in state.read_text():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert f"Resume with: depthlock run {session}" in told
    assert "Traceback" not in told
    assert '"interrupted"' in state.read_text()
    assert not (tmp_path / "results" / "image" / "L" / "tem_thickness.nc").exists()


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, session: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("depthlock.workflow.plan.make_plan", interrupt)
    assert main(["check", str(session)]) == INTERRUPTED

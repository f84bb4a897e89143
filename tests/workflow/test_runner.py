"""Whole runs of a session through Snakemake with quick stages: what runs, what does not, and what survives."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_stages import TABLE
from raw_files import FOLDER, journal, write_spectrum

from depthlock.model.errors import WorkflowError
from depthlock.model.session_file import load_session
from depthlock.workflow.jobs import Plan, rounded
from depthlock.workflow.plan import make_plan
from depthlock.workflow.processes import ProcessIdentity
from depthlock.workflow.reasons import reasons
from depthlock.workflow.results import SessionResults
from depthlock.workflow.run_lock import RunLock
from depthlock.workflow.runner import RunOptions, RunOutcome, run_plan

EVERYTHING = sorted(
    ["tofsims_events", "tofsims_profile", "xps_deconvolve", "xps_deconvolve", "tem_thickness", "depth_profile",
     "depth_profile", "compare", "report"]
)  # fmt: skip


def plan_of(session: Path, **more: object) -> Plan:
    return make_plan(load_session(session), table=TABLE, **more)


def run(session: Path, **options: object) -> RunOutcome:
    return run_plan(plan_of(session), RunOptions(cores=2, **options))


def predicted(session: Path) -> list[str]:
    """What a dry run says would run."""
    return sorted(name.rpartition(".")[2] for name in reasons(plan_of(session)))


def test_runs_everything_once_and_then_nothing(small_session: Path) -> None:
    assert predicted(small_session) == EVERYTHING
    outcome = run(small_session)
    assert outcome.returncode == 0
    assert journal(small_session) == EVERYTHING
    assert {state.status for state in outcome.states.values()} == {"done"}
    results = SessionResults.of_session(small_session)
    spectra = results.plan.job("one.xps_deconvolve")
    assert [Path(raw.path).name for raw in spectra.raw] == ["f1s_a.csv", "f1s_b.csv"]
    assert results.samples == ("one", "two (b)")
    assert (results.folder / "two (b)" / "depth_profile.txt").is_file()
    again = run(small_session)
    assert (again.states, again.current) == ({}, len(EVERYTHING))
    assert journal(small_session) == []


def test_what_does_not_matter_re_runs_nothing(small_session: Path) -> None:
    run(small_session)
    journal(small_session)
    folder = small_session.parent
    now = time.time() + 100
    for path in [*folder.glob("one/*"), *folder.glob("two/*")]:
        os.utime(path, (now, now))  # touched
    copy = folder / "one" / "copy.csv"
    shutil.copy(folder / "one" / "f1s_a.csv", copy)
    copy.replace(folder / "one" / "f1s_a.csv")  # copied
    text = small_session.read_text()
    head, _, samples = text.partition("samples:\n")
    small_session.write_text("# a comment\nsamples:\n" + samples + "# another\n" + head)  # other order of keys
    assert reasons(plan_of(small_session)) == {}
    assert run(small_session).states == {}
    assert journal(small_session) == []
    # Snakemake is of the same opinion, without our foresight: a dry run of its own finds nothing to do.
    plan = plan_of(small_session)
    from depthlock.workflow.runner import snakemake_command

    said = subprocess.run(
        [*snakemake_command(plan, RunOptions(cores=1)), "--dry-run"], capture_output=True, text=True, check=True
    )
    assert "Nothing to be done" in said.stdout + said.stderr


CHANGES = [
    ("option of one sample", "xps: {file: two/f1s.csv",
     "options: {xps_deconvolve: {background: file}}\n    xps: {file: two/f1s.csv",
     ["compare", "depth_profile", "report", "xps_deconvolve"]),
    ("setting of a file", "pixel_size: 0.05 nm", "pixel_size: 0.06 nm",
     ["compare", "depth_profile", "report", "tem_thickness"]),
    ("same setting in another unit", "pixel_size: 0.06 nm", "pixel_size: 60 pm", []),
    ("report title", "session: small (1)\n", "session: small (1)\noptions: {report: {title: T}}\n", ["report"]),
    ("ions", "session: small (1)\n", "session: small (1)\nions: [SO2CF3-, V-]\n",
     ["compare", "depth_profile", "report", "tofsims_profile"]),
    ("file gone", "tem: [{file: one/layer.tif, pixel_size: 60 pm}]", "", ["compare", "depth_profile", "report"]),
]  # fmt: skip


def test_a_change_runs_its_stage_and_what_follows(small_session: Path) -> None:
    run(small_session)
    journal(small_session)
    for name, before, after, expected in CHANGES:
        text = small_session.read_text()
        assert before in text, name
        small_session.write_text(text.replace(before, after))
        assert predicted(small_session) == expected, name
        run(small_session)
        assert journal(small_session) == expected, name


def test_changed_content_and_lost_outputs_run_again(small_session: Path) -> None:
    run(small_session)
    journal(small_session)
    write_spectrum(small_session.parent / "one" / "f1s_b.csv", seed=9)
    after = ["compare", "depth_profile", "report", "xps_deconvolve"]
    assert predicted(small_session) == after
    # and the other reasons that are told
    assert any("f1s_b.csv has changed" in why for why in reasons(plan_of(small_session))["one.xps_deconvolve"])
    run(small_session)
    assert journal(small_session) == after
    (SessionResults.of_session(small_session).folder / "one" / "tem_thickness.txt").unlink()
    assert "tem_thickness" in predicted(small_session)
    run(small_session)
    assert "tem_thickness" in journal(small_session)


def test_results_survive_being_copied(small_session: Path, tmp_path: Path) -> None:
    run(small_session)
    journal(small_session)
    shutil.copytree(small_session.parent, tmp_path / "moved", copy_function=shutil.copy, symlinks=True)
    moved = tmp_path / "moved" / "session.yaml"
    assert predicted(moved) == []
    assert SessionResults.of_session(moved).path("tem_thickness", "one") is not None


def test_a_user_error_is_told_once_and_stops_the_rest(small_session: Path) -> None:
    text = small_session.read_text().replace(
        "session: small (1)\n", "session: small (1)\noptions: {xps_deconvolve: {background: linear}}\n"
    )
    small_session.write_text(text)
    outcome = run(small_session, keep_going=True)
    assert sorted(state.job for state in outcome.failed) == ["one.xps_deconvolve", "two (b).xps_deconvolve"]
    assert outcome.failed[0].error == "here: a linear background\n  expected: any other\n  what to do: change it"
    assert outcome.failed[0].traceback == ""
    assert "tofsims_profile" in journal(small_session)  # went on with what does not need it
    rest = make_plan(load_session(small_session), table=TABLE, without=[state.job for state in outcome.failed])
    assert [job.name for job in rest.jobs] == [
        "one.tofsims_events",
        "one.tofsims_profile",
        "one.tem_thickness",
        "report",
    ]
    assert run_plan(rest).returncode == 0
    assert journal(small_session) == ["report"]
    small_session.write_text(text.replace("background: linear", "background: tougaard"))
    assert run(small_session).returncode == 0
    assert journal(small_session) == [
        "compare",
        "depth_profile",
        "depth_profile",
        "report",
        "xps_deconvolve",
        "xps_deconvolve",
    ]


def test_a_bug_keeps_its_traceback(small_session: Path) -> None:
    small_session.write_text(
        small_session.read_text().replace(
            "session: small (1)\n", "session: small (1)\noptions: {xps_deconvolve: {background: constant}}\n"
        )
    )
    outcome = run(small_session)
    assert outcome.failed[0].error == "an error inside depthlock: ZeroDivisionError: a bug"
    assert "in spectra" in outcome.failed[0].traceback


RUN = """
import sys
from pathlib import Path
from depthlock.model.session_file import load_session
from depthlock.workflow.plan import make_plan
from depthlock.workflow.runner import RunOptions, run_plan
outcome = run_plan(make_plan(load_session(Path(sys.argv[1])), table="fake_stages:STAGES"), RunOptions(cores=2))
sys.exit(outcome.returncode)
"""


def start_braked(session: Path, stage: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a run in another process and wait until `stage` runs; gives that process and the stage's."""
    (session.parent / f"brake.{stage}").touch()
    process = subprocess.Popen([sys.executable, "-c", RUN, str(session)])
    pattern = re.compile(rf"^{stage} .* (\d+)$", re.MULTILINE)
    for _ in range(2400):
        path = session.parent / "journal"
        found = pattern.search(path.read_text()) if path.exists() else None
        if found:
            return process, int(found[1])
        time.sleep(0.05)
    process.kill()
    pytest.fail(f"{stage} did not start")


def gone(pid: int) -> bool:
    for _ in range(600):
        if not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False


def test_a_killed_run_is_resumed_without_being_asked(small_session: Path) -> None:
    process, stage = start_braked(small_session, "depth_profile")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert gone(stage), "the stage of a killed run must not go on"
    begun = [int(line.split()[-1]) for line in (small_session.parent / "journal").read_text().splitlines()]
    assert all(gone(pid) for pid in begun), "no stage of a killed run may go on"
    states = SessionResults.of_session(small_session).states()
    assert "interrupted" in {state.status for state in states.values()}
    # a stage that was killed after its last word, before its state said so, is finished
    finished = {
        path.stem for path in (SessionResults.of_session(small_session).folder / ".depthlock/done").glob("*.json")
    }
    assert finished >= {name for name, state in states.items() if state.status == "done"}
    (small_session.parent / "brake.depth_profile").unlink()
    results = SessionResults.of_session(small_session).folder
    (results / ".depthlock" / "done" / ".one.xps_deconvolve.json.4711.part").write_text("{")
    outcome = run(small_session)
    assert outcome.returncode == 0
    assert outcome.notes[0] == "the last run was ended before it was done: resuming"
    assert set(outcome.states) == set(states) - finished
    assert {"depth_profile", "compare", "report"} <= {state.stage for state in outcome.states.values()}
    assert not list(results.rglob("*.part"))


def test_a_second_run_is_refused_and_ctrl_c_ends_all(small_session: Path) -> None:
    process, stage = start_braked(small_session, "xps_deconvolve")
    with pytest.raises(WorkflowError, match=f"another run is working on these results .process {process.pid} on"):
        run(small_session)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert gone(stage)
    states = SessionResults.of_session(small_session).states()
    assert {state.status for state in states.values() if state.stage == "xps_deconvolve"} >= {"interrupted"}
    (small_session.parent / "brake.xps_deconvolve").unlink()
    assert run(small_session).returncode == 0


def test_a_run_on_another_machine_is_waited_for(small_session: Path) -> None:
    results = load_session(small_session).results
    record = results / ".depthlock" / "run.json"
    other = ProcessIdentity.own().model_copy(update={"host": "elsewhere"})
    record.parent.mkdir(parents=True)
    record.write_text('{"process": ' + other.model_dump_json() + "}")
    with pytest.raises(WorkflowError, match="on elsewhere"), RunLock(results).held():
        pass
    old = time.time() - 600
    os.utime(record, (old, old))
    with RunLock(results).held() as told:
        assert told == ["the last run was ended before it was done: resuming"]
    assert not record.exists()


def test_a_broken_profile_is_told_with_snakemakes_words(small_session: Path) -> None:
    with pytest.raises(WorkflowError, match="Snakemake could not run the jobs"):
        run(small_session, profile=str(FOLDER / "no_such_profile"))


def test_keys_are_equal_for_what_means_the_same() -> None:
    assert rounded({"a": [0.05, 50 * 1e-3, 1], "b": {"c": 0.1 + 0.2}}) == {"a": [0.05, 0.05, 1], "b": {"c": 0.3}}

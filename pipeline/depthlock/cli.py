"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from depthlock import __version__
from depthlock.model.errors import DepthlockError

OK, USER_MISTAKE, STAGE_FAILED, INTERRUPTED = 0, 2, 3, 130
"""Exit codes; flagged numbers are a result and end with 0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command and options; those of the process if absent.

    Returns
    -------
    int
        0: done; 2: a mistake in the input, told on stderr; 3: a stage failed; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without µ or ✓ shows another sign, and no error
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except DepthlockError as error:
        print(f"{error.message}", file=sys.stderr)
        return USER_MISTAKE
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (a pager, `head`) is gone; keep Python from complaining about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="depthlock",
        description="TOF-SIMS, XPS and TEM of one interphase on one depth axis, with an uncertainty on every number.",
        epilog="exit codes: 0 done, 2 a mistake in the input, 3 a stage failed, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"depthlock {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    run = add("run", _run, "run a session, or what has changed in it since it was run")
    run.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml)")
    run.add_argument("--cores", type=_count, default=os.cpu_count() or 1, metavar="N", help="processor cores")
    run.add_argument("--sample", action="append", metavar="NAME", help="run only this sample; may be repeated")
    run.add_argument(
        "--profile", default="", metavar="P", help="Snakemake profile, for instance configs/profiles/slurm"
    )
    run.add_argument("--dry-run", action="store_true", help="say what would run and why; change nothing")
    run.add_argument("--keep-going", action="store_true", help="go on with what does not need a failed stage")
    check = add("check", _check, "validate a session and open every file it names; run nothing")
    check.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml)")
    info = add("info", _info, "say what a raw file holds")
    info.add_argument("file", type=Path, metavar="FILE", help="raw file of any format that depthlock reads")
    peaks = add("peaks", _peaks, "list the strongest peaks of each TOF-SIMS spectrum with what they could be")
    peaks.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml)")
    peaks.add_argument("--most", type=_count, default=40, metavar="N", help="number of peaks a sample (default: 40)")
    new = add("new", _new, "draft a session file from a folder of raw files")
    new.add_argument("folder", type=Path, metavar="FOLDER", help="folder; its sub-folders are samples")
    status = add("status", _status, "say how far a session is, and what has changed since")
    status.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml)")
    export = add("export", _export, "write the ion volumes of a session that was run, for Fiji, napari and others")
    export.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml)")
    export.add_argument("--sample", action="append", metavar="NAME", help="only this sample; may be repeated")
    export.add_argument("--ions", type=_words, default=(), metavar="A,B", help="ions (default: all followed)")
    export.add_argument(
        "--binning", type=_three, default=(1, 1, 1), metavar="SCAN,Y,X", help="a voxel (default: 1,1,1)"
    )
    export.add_argument("--format", choices=("ome-tiff", "netcdf"), default="ome-tiff", help="default: ome-tiff")
    export.add_argument("--output", type=Path, metavar="FOLDER", help="default: exports/ of the results")
    view = add("view", _view, "open a session's results in napari")
    view.add_argument("session", type=Path, metavar="SESSION", help="session file (.yaml), or a results folder")
    simulate = add("simulate", _simulate, "write a session with known truth")
    simulate.add_argument("folder", type=Path, metavar="FOLDER", help="folder to write; it must be new or empty")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers (default: 0)")
    simulate.add_argument("--random", action="store_true", help="draw the samples' truth from the seed, too")
    add("schema", _schema, "print the JSON schema of a session file, for editors")
    stage = add("stage", _stage, "run one job of a plan (called by `depthlock run`)")
    stage.add_argument("name", metavar="NAME", help="stage")
    stage.add_argument("--plan", type=Path, required=True, metavar="FILE", help="plan.json of a results folder")
    stage.add_argument("--job", required=True, metavar="JOB", help="job of the plan")
    stage.add_argument("--threads", type=_count, metavar="N", help="threads to use; the stage's own number if absent")
    stage.add_argument("--parent", type=_count, metavar="PID", help="process without which it must not go on")
    return parser


def _count(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a whole number from 1")
    return number


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _three(text: str) -> tuple[int, ...]:
    numbers = tuple(_count(word.strip()) for word in text.split(","))
    if len(numbers) != 3:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected three whole numbers, such as 1,2,2")
    return numbers


def _run(parsed: argparse.Namespace) -> int:
    from rich.console import Console

    from depthlock.model.session_file import load_session
    from depthlock.workflow.runner import RunOptions
    from depthlock.workflow.session_run import plan_session, print_due, run_session

    console = Console()
    loaded = load_session(parsed.session)
    plan = plan_session(loaded, parsed.sample, save=not parsed.dry_run)
    if parsed.dry_run:
        print_due(plan, console)
        return OK
    options = RunOptions(cores=parsed.cores, keep_going=parsed.keep_going, profile=parsed.profile)
    try:
        failed = run_session(loaded, plan, options, console)
    except KeyboardInterrupt:
        print(f"\nstopped; nothing done is lost. Resume with: depthlock run {parsed.session}", file=sys.stderr)
        return INTERRUPTED
    return STAGE_FAILED if failed else OK


def _check(parsed: argparse.Namespace) -> int:
    from depthlock.model.session_file import load_session
    from depthlock.workflow.check import check_inputs
    from depthlock.workflow.plan import make_plan

    loaded = load_session(parsed.session)
    plan = make_plan(loaded)
    sample = ""
    for checked in check_inputs(plan):
        if checked.sample != sample:
            sample = checked.sample
            print(sample)
        print(f"  {checked.raw.technique}: {checked.raw.path}\n      {checked.raw.reader}: {checked.holds}")
    print(f"{parsed.session}: {len(plan.samples)} samples, {len(plan.jobs)} jobs, nothing wrong")
    return OK


def _info(parsed: argparse.Namespace) -> int:
    from depthlock.readers import registry
    from depthlock.workflow.facts import fact_lines

    width = max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    for line in fact_lines(registry.describe(parsed.file), width):
        print(line)
    return OK


def _peaks(parsed: argparse.Namespace) -> int:
    from rich.console import Console

    from depthlock.model.session_file import load_session
    from depthlock.workflow.session_peaks import peak_table, session_peaks

    # Into a file or a pipe the table goes as wide as it is; a terminal folds it.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    for sample, found in session_peaks(load_session(parsed.session), parsed.most):
        console.print(peak_table(sample, found), highlight=False)
    return OK


def _new(parsed: argparse.Namespace) -> int:
    from depthlock.model.errors import SessionError
    from depthlock.model.session_file import json_schema
    from depthlock.workflow.drafts import SCHEMA_FILE, draft_session
    from depthlock.workflow.files import write_json, write_text

    target = parsed.folder / "session.yaml"
    if target.exists():
        raise SessionError(
            "there is a session file already", where=str(target), hint="edit it, or rename it to draft a new one"
        )
    draft = draft_session(parsed.folder)
    write_text(target, draft.text)
    write_json(parsed.folder / SCHEMA_FILE, json_schema())
    for sample, files in draft.samples.items():
        print(f"{sample}: {files} files")
    for name, reason in draft.passed_over.items():
        print(f"passed over {name}: {reason}")
    print(f"drafted {target}; check it with: depthlock check {target}")
    return OK


def _status(parsed: argparse.Namespace) -> int:
    from rich.console import Console

    from depthlock.model.session_file import load_session
    from depthlock.workflow.plan import make_plan
    from depthlock.workflow.progress import print_results, state_line
    from depthlock.workflow.reasons import reasons
    from depthlock.workflow.results import SessionResults

    console = Console()
    loaded = load_session(parsed.session)
    plan = make_plan(loaded)
    due = reasons(plan)
    for name, state in SessionResults(plan).states().items():
        line = state_line(state)
        if name in due and state.status == "done":
            line.append(f"  would run again: {due[name][0]}", "yellow")
        console.print(line, soft_wrap=True)
    console.print(f"{len(plan.jobs) - len(due)} of {len(plan.jobs)} jobs are up to date")
    print_results(console, plan.results_folder)
    return OK


def _view(parsed: argparse.Namespace) -> int:
    from depthlock.model.errors import WorkflowError

    try:
        from napari_depthlock.opening import view_session
    except ImportError as error:
        raise WorkflowError(
            f"the viewer is not installed ({error})", hint="install it with: pip install 'depthlock[napari]'"
        ) from error
    view_session(parsed.session)
    return OK


def _export(parsed: argparse.Namespace) -> int:
    from depthlock.workflow.export import VolumeExport, export_volumes
    from depthlock.workflow.results import SessionResults

    wanted = VolumeExport(tuple(parsed.sample or ()), parsed.ions, parsed.binning, parsed.format)
    for path in export_volumes(SessionResults.of_session(parsed.session), wanted, parsed.output):
        print(f"wrote {path}")
    return OK


def _simulate(parsed: argparse.Namespace) -> int:
    from depthlock.simulate import command

    session = command.run(parsed.folder, parsed.seed, parsed.random)
    print(f"simulated {session}; run it with: depthlock run {session}")
    return OK


def _schema(_: argparse.Namespace) -> int:
    import json

    from depthlock.model.session_file import json_schema

    print(json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False))
    return OK


def _stage(parsed: argparse.Namespace) -> int:
    from depthlock.workflow.jobs import read_plan
    from depthlock.workflow.processes import die_with_parent
    from depthlock.workflow.stage_job import limit_threads, log_messages, run_job, show_warnings_once

    plan = read_plan(parsed.plan)
    job = plan.job(parsed.job)
    job = job.model_copy(update={"threads": parsed.threads or job.threads})
    limit_threads(job.threads)
    die_with_parent(parent=parsed.parent)
    show_warnings_once()
    log_messages()
    try:
        run_job(plan, job)
    except DepthlockError as error:
        print(f"{job.name}: {error.message}", file=sys.stderr)
        return STAGE_FAILED
    return OK

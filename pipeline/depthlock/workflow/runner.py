"""Running a plan: Snakemake as a child process, watched through the state files of its jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import depthlock
from depthlock.model.errors import WorkflowError
from depthlock.workflow.jobs import HIDDEN, Plan, write_keys, write_plan
from depthlock.workflow.processes import ProcessIdentity, die_with_parent, end_tree
from depthlock.workflow.reasons import reasons
from depthlock.workflow.run_lock import RunLock, clear_marks
from depthlock.workflow.states import JobState, read_state, write_state

SNAKEFILE = Path(__file__).with_name("Snakefile")

_POLL = 0.1
"""Seconds between two looks at the state files."""

_GRACE = 10.0
"""Seconds that Snakemake gets to end its jobs after Ctrl-C."""


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which changes a result.

    Attributes
    ----------
    cores : int
        Processor cores to use at once.
    keep_going : bool
        Whether to go on with jobs that do not need the one that failed.
    profile : str
        Snakemake profile (a folder or name), for instance for SLURM.
    extra : sequence of str
        More arguments for Snakemake.
    """

    cores: int = 1
    keep_going: bool = False
    profile: str = ""
    extra: Sequence[str] = ()


@dataclass
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    states : dict of str to JobState
        Of the jobs that were to run, by name.
    current : int
        Number of jobs whose results were up to date.
    returncode : int
        Snakemake's.
    notes : list of str
        What was put in order before it started.
    """

    states: dict[str, JobState]
    current: int
    returncode: int
    notes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[JobState]:
        """Jobs that failed."""
        return [state for state in self.states.values() if state.status == "failed"]


Watch = Callable[[dict[str, JobState]], None]
"""Called again and again with the states of the jobs that are to run."""


def log_file(results: Path) -> Path:
    """Where Snakemake and all jobs write their log."""
    return results / HIDDEN / "log"


def run_plan(plan: Plan, options: RunOptions | None = None, watch: Watch | None = None) -> RunOutcome:
    """Run all jobs of a plan that are not current.

    Parameters
    ----------
    plan : Plan
        The plan.
    options : RunOptions, optional
        How to run.
    watch : callable, optional
        Told how far the jobs are.

    Raises
    ------
    WorkflowError
        If another run works on the same results, or Snakemake itself fails.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM, after all children have ended.
    """
    options = options or RunOptions()
    lock = RunLock(plan.results_folder)
    with lock.held() as notes, _interrupt_on_terminate():
        clear_marks(plan.results_folder)
        due = reasons(plan)
        write_plan(plan)
        write_keys(plan)
        for job in plan.jobs:
            if job.name in due:
                write_state(plan.results_folder, JobState(job=job.name, stage=job.stage, sample=job.sample))
        returncode = 0
        if due:
            returncode = _run_snakemake(plan, options, lock, due, watch)
        states = _states(plan, due)
        outcome = RunOutcome(states, len(plan.jobs) - len(due), returncode, notes)
        if returncode and not outcome.failed:
            raise _snakemake_failure(plan)
        return outcome


def snakemake_command(plan: Plan, options: RunOptions) -> list[str]:
    """Return the command line that runs a plan."""
    command = [
        sys.executable, "-m", "snakemake",
        "--snakefile", str(SNAKEFILE),
        "--directory", plan.results,
        "--cores", str(options.cores),
        "--rerun-triggers", "mtime",
        "--rerun-incomplete",
        "--nolock",  # our own lock outlives a kill correctly, Snakemake's does not
        "--nocolor",
    ]  # fmt: skip
    if options.keep_going:
        command.append("--keep-going")
    if options.profile:
        command += ["--profile", options.profile]
    return [*command, *options.extra]


def _run_snakemake(
    plan: Plan, options: RunOptions, lock: RunLock, due: dict[str, list[str]], watch: Watch | None
) -> int:
    path = log_file(plan.results_folder)
    with path.open("ab") as log:
        log.write(f"\n==== {time.strftime('%Y-%m-%d %H:%M:%S')} depthlock {depthlock.__version__}\n".encode())
        for name, why in due.items():
            log.write(f"{name}: {'; '.join(why)}\n".encode())
        log.flush()
        child = subprocess.Popen(
            snakemake_command(plan, options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd=plan.results,
            start_new_session=True,  # Ctrl-C reaches us alone, so that we end the children in order
            preexec_fn=_child_ends_with_us(options),
        )
        identity = ProcessIdentity.of(child.pid)
        lock.started(child.pid)
        try:
            while child.poll() is None:
                lock.beat()
                if watch is not None:
                    watch(_states(plan, due))
                time.sleep(_POLL)
        except BaseException:
            _stop(child, identity)
            _note_interrupted(plan, due)
            raise
        if watch is not None:
            watch(_states(plan, due))
        return child.returncode


def _child_ends_with_us(options: RunOptions) -> Callable[[], None] | None:
    """What Snakemake does before it starts, so that it ends when this run is killed.

    Asked to end, Snakemake first waits for its jobs; so it is killed, which ends local jobs too. With a profile it may
    have jobs on a cluster, and is interrupted instead, so that it withdraws them.
    """
    if not sys.platform.startswith("linux"):
        return None
    return partial(die_with_parent, signal.SIGINT if options.profile else signal.SIGKILL, os.getpid())


def _environment() -> dict[str, str]:
    """The jobs find the same depthlock as we do, also when it is not installed but on the path."""
    package_roots = [str(Path(depthlock.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(package_roots),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",  # names and messages reach the log whatever the system's own encoding is
    }


def _stop(child: subprocess.Popen[bytes], identity: ProcessIdentity) -> None:
    """Ask Snakemake to end its jobs, also those on a cluster; end what is left after a while."""
    try:
        if sys.platform == "win32":  # it knows neither groups of processes nor the signal
            end_tree(identity)
        else:
            os.killpg(child.pid, signal.SIGINT)
        child.wait(_GRACE)
    except ProcessLookupError:
        pass  # it ended in between
    except subprocess.TimeoutExpired:
        end_tree(identity)
    if child.poll() is None:
        child.kill()
    child.wait()


def _note_interrupted(plan: Plan, due: dict[str, list[str]]) -> None:
    for state in _states(plan, due).values():
        if state.status == "running":
            if state.process is not None:
                end_tree(state.process)
            ended = {"status": "interrupted", "finished": time.time(), "message": "ended before it was done"}
            write_state(plan.results_folder, state.model_copy(update=ended))


def _states(plan: Plan, due: dict[str, list[str]]) -> dict[str, JobState]:
    found = {}
    for job in plan.jobs:
        if job.name in due:
            state = read_state(plan.results_folder, job.name)
            found[job.name] = state or JobState(job=job.name, stage=job.stage, sample=job.sample)
    return found


@contextmanager
def _interrupt_on_terminate() -> Iterator[None]:
    """Treat SIGTERM (a closed session, a cluster's time limit) like Ctrl-C."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: whoever owns it decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _snakemake_failure(plan: Plan) -> WorkflowError:
    """Snakemake ended in error and no job of ours says why: show what it said."""
    path = log_file(plan.results_folder)
    said = path.read_text(encoding="utf-8", errors="replace").rpartition("\n==== ")[2].splitlines()
    lines = [line for line in said if line.strip()][-12:]
    return WorkflowError(
        "Snakemake could not run the jobs:\n" + "\n".join(f"    {line}" for line in lines),
        where=str(path),
        hint="see the log; with a cluster profile, check that its executor is installed",
    )

"""One job of a run, in its own process: open the inputs, call the stage's function, check and write what it gives."""

from __future__ import annotations

import logging
import os
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from depthlock.model.errors import DepthlockError, WorkflowError
from depthlock.model.progress import PROGRESS
from depthlock.workflow.files import write_json
from depthlock.workflow.jobs import Job, Plan
from depthlock.workflow.processes import ProcessIdentity
from depthlock.workflow.stages import Stage, load_table, stage_named
from depthlock.workflow.states import JobState, write_state

_THREAD_LIMITS = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def limit_threads(threads: int) -> None:
    """Let Dask and numerical libraries use the job's threads and no more; call it before they are imported."""
    for name in _THREAD_LIMITS:
        os.environ[name] = str(threads)
    os.environ["DASK_SCHEDULER"] = "threads"
    os.environ["DASK_NUM_WORKERS"] = str(threads)


def run_job(plan: Plan, job: Job) -> None:
    """Run one job and keep its state file up to date.

    Parameters
    ----------
    plan : Plan
        The plan it belongs to.
    job : Job
        The job.

    Raises
    ------
    DepthlockError
        For a mistake in the input. Any other exception is a bug. Both stand in the state file.
    """
    stage = stage_named(job.stage, load_table(plan.table))
    state = JobState(
        job=job.name,
        stage=job.stage,
        sample=job.sample,
        status="running",
        started=time.time(),
        message=stage.title,
        process=ProcessIdentity.own(),
    )
    results = plan.results_folder
    write_state(results, state)
    try:
        with _scheduler(plan), _progress_shown(results, state):
            _execute(stage, plan, job)
    except BaseException as error:
        ended = {"status": "failed", "finished": time.time()}
        if isinstance(error, DepthlockError):
            told = {"message": error.found.splitlines()[0], "error": error.message}
        elif isinstance(error, Exception):
            told = {
                "message": f"{type(error).__name__}: {error}",
                "error": f"an error inside depthlock: {type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        else:  # the run was ended from outside: this is no fault of the job
            ended["status"] = "interrupted"
            told = {"message": "ended before it was done"}
        write_state(results, state.model_copy(update={**ended, **told}))
        raise
    write_json(results / job.done_file, job.key)
    write_state(results, state.model_copy(update={"status": "done", "finished": time.time()}))


def _execute(stage: Stage, plan: Plan, job: Job) -> None:
    from depthlock.workflow.inputs import arguments_of

    options = stage.options.model_validate(job.options)
    arguments = arguments_of(stage, job, plan)
    function = stage.load_function()
    target = plan.output(job)
    target.parent.mkdir(parents=True, exist_ok=True)
    if "results" in arguments:
        write_session_files(plan, arguments["results"])
        function(arguments["results"], plan.results_folder, options)
    elif stage.gives == "file":
        # Such a stage writes under a temporary name and renames by itself: it may work for long, out of core.
        function(next(iter(arguments.values())), target, options)
    else:
        from depthlock.workflow import store
        from depthlock.workflow.provenance import dataset_provenance

        store.save(function(**arguments, options=options), target, stage.gives, dataset_provenance(job, plan))
    missing = [name for name in job.outputs if not (plan.results_folder / name).is_file()]
    if missing:
        raise WorkflowError(
            f"the stage {stage.name} did not write {', '.join(missing)}", where=stage.function,
            hint="this is an error in the stage's function; please report it",
        )  # fmt: skip


def write_session_files(plan: Plan, results: Any) -> None:
    """Write ``summary.csv`` and ``provenance.json`` of a session."""
    from depthlock.workflow.provenance import session_provenance
    from depthlock.workflow.summary import write_summary

    write_summary(results.summary_rows(), plan.results_folder / "summary.csv")
    write_json(plan.results_folder / "provenance.json", session_provenance(plan))


class _ProgressShown(logging.Handler):
    """Puts what a stage tells of its progress into the job's state."""

    def __init__(self, results: Path, state: JobState) -> None:
        super().__init__(logging.INFO)
        self._results, self._state = results, state

    def emit(self, record: logging.LogRecord) -> None:
        write_state(self._results, self._state.model_copy(update={"message": record.getMessage()}))


@contextmanager
def _progress_shown(results: Path, state: JobState) -> Iterator[None]:
    handler, level = _ProgressShown(results, state), PROGRESS.level
    PROGRESS.addHandler(handler)
    PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        PROGRESS.removeHandler(handler)
        PROGRESS.setLevel(level)


@contextmanager
def _scheduler(plan: Plan) -> Iterator[None]:
    """Compute on the cluster that the session names, if it does."""
    if plan.scheduler is None:
        yield
        return
    from distributed import Client

    try:
        client = Client(plan.scheduler, timeout=10, set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise WorkflowError(
            f"the scheduler at {plan.scheduler} does not answer: {error}",
            expected="the address of a running dask.distributed scheduler",
            where=f"{plan.session_file}: scheduler",
            hint="start it, correct the address, or remove the key to compute with threads",
        ) from error
    with client:
        yield


def log_messages() -> None:
    """Write what the stages tell, their progress for instance, into the log, one line each."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("depthlock").setLevel(logging.INFO)


def show_warnings_once() -> None:
    """Write each warning of a library once into the log, in one line."""
    warnings.simplefilter("default")
    warnings.formatwarning = lambda message, category, *_, **__: f"warning: {category.__name__}: {message}\n"

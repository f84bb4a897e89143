"""Running a session from the window, exactly as `depthlock run` does."""

from __future__ import annotations

import os
from pathlib import Path

from depthlock.model.errors import WorkflowError
from depthlock.model.session_file import load_session
from depthlock.workflow.check import check_inputs
from depthlock.workflow.plan import make_plan
from depthlock.workflow.runner import RunOptions, Watch, log_file, run_plan


def run_session(session_file: Path, watch: Watch | None = None) -> None:
    """Bring all results of a session up to date.

    Parameters
    ----------
    session_file : Path
        The session.
    watch : callable, optional
        Told again and again how far the jobs are.

    Raises
    ------
    DepthlockError
        When the session or a raw file is wrong, or a stage fails; the message says which and why.
    """
    plan = make_plan(load_session(session_file))
    check_inputs(plan)
    outcome = run_plan(plan, RunOptions(cores=os.cpu_count() or 1), watch)
    if outcome.failed:
        told = "\n".join(f"{state.job}: {state.error or state.message}" for state in outcome.failed)
        raise WorkflowError(told, where=str(log_file(plan.results_folder)))

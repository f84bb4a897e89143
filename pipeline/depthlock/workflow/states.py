"""How far each job is: one small file a job, written by the job and read by the run, `status` and the viewer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from depthlock.workflow.files import write_text
from depthlock.workflow.processes import ProcessIdentity

Status = Literal["waiting", "running", "done", "failed", "interrupted"]


class JobState(BaseModel):
    """What is known about one job.

    Attributes
    ----------
    job, stage, sample : str
        Which one; `sample` is empty for the stages of a session.
    status : str
        ``waiting``, ``running``, ``done``, ``failed`` or ``interrupted`` (it ran, and its process is gone).
    started, finished : float or None
        Seconds since 1970.
    message : str
        What it does, or did, in a few words.
    error : str
        For users: what went wrong and what to do.
    traceback : str
        For a bug: where it happened. Empty for a mistake in the input.
    process : ProcessIdentity or None
        The process that runs, or ran, it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: str
    stage: str
    sample: str = ""
    status: Status = "waiting"
    started: float | None = None
    finished: float | None = None
    message: str = ""
    error: str = ""
    traceback: str = ""
    process: ProcessIdentity | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been running."""
        if self.started is None:
            return None
        return (time.time() if self.finished is None else self.finished) - self.started


def state_file(results: Path, job: str) -> Path:
    """Where a job's state stands."""
    return results / ".depthlock" / "state" / f"{job}.json"


def write_state(results: Path, state: JobState) -> None:
    """Write a job's state, whole or not at all."""
    write_text(state_file(results, state.job), state.model_dump_json(indent=1) + "\n")


def read_state(results: Path, job: str) -> JobState | None:
    """Return a job's state, or ``None`` if it has never been planned to run.

    A state that says ``running`` while its process is gone is given back as ``interrupted``.
    """
    try:
        state = JobState.model_validate_json(state_file(results, job).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
    if state.status == "running" and state.process is not None and state.process.is_alive() is False:
        return state.model_copy(update={"status": "interrupted", "message": "ended before it was done"})
    return state


def read_states(results: Path) -> dict[str, JobState]:
    """Return the states of all jobs of a results folder by job name."""
    states = {}
    for path in sorted((results / ".depthlock" / "state").glob("*.json")):
        state = read_state(results, path.stem)
        if state is not None:
            states[state.job] = state
    return states

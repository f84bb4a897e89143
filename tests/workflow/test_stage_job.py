"""One job: what its stage tells of its progress stands in its state."""

from __future__ import annotations

from pathlib import Path

from depthlock.model.progress import PROGRESS
from depthlock.workflow.processes import ProcessIdentity
from depthlock.workflow.progress import state_line
from depthlock.workflow.stage_job import _progress_shown
from depthlock.workflow.states import JobState, read_state, write_state


def test_progress_is_shown_while_the_job_runs(tmp_path: Path) -> None:
    state = JobState(job="one.events", stage="events", status="running", process=ProcessIdentity.own())
    write_state(tmp_path, state)
    with _progress_shown(tmp_path, state):
        PROGRESS.info("%s: %d %% read", "x.itm", 34)
        told = read_state(tmp_path, "one.events")
        assert told is not None
        assert told.status == "running"
        assert "x.itm: 34 % read" in state_line(told).plain
    PROGRESS.warning("after the job")
    assert read_state(tmp_path, "one.events") == told

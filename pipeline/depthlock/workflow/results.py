"""The results of a session, opened when they are asked for: what the report, the viewer and notebooks read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import xarray as xr

from depthlock.workflow import store
from depthlock.workflow.jobs import Job, Plan, plan_file, read_plan
from depthlock.workflow.stages import Stage, load_table
from depthlock.workflow.states import JobState, read_state


class SessionResults:
    """A session's results folder.

    Nothing is read until it is asked for, and every dataset is read once.

    Parameters
    ----------
    plan : Plan
        The plan of the run that made, or is making, the results.

    Examples
    --------
    >>> results = SessionResults.open("results/mg-v2o5-cei")  # doctest: +SKIP
    >>> results.dataset("B-V2O5", "tem_thickness")["cei_thickness"]  # doctest: +SKIP
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._read: dict[str, xr.Dataset] = {}

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a results folder.

        Raises
        ------
        WorkflowError
            If nothing has been run there.
        """
        folder = Path(folder).resolve()
        plan = read_plan(plan_file(folder))
        # The folder may have been moved or copied since.
        return cls(plan.model_copy(update={"results": str(folder)}))

    @classmethod
    def of_session(cls, session_file: str | Path) -> Self:
        """Open the results of a session file.

        Raises
        ------
        SessionError
            If the session is wrong.
        WorkflowError
            If it has not been run.
        """
        from depthlock.model.session_file import load_session

        return cls.open(load_session(Path(session_file)).results)

    @property
    def name(self) -> str:
        """The session's name."""
        return self.plan.session

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.plan.results_folder

    @property
    def session_file(self) -> Path:
        """The session file that was run."""
        return Path(self.plan.session_file)

    @property
    def samples(self) -> tuple[str, ...]:
        """The samples, in the session's order."""
        return self.plan.samples

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stage table of the run."""
        return load_table(self.plan.table)

    def job(self, stage: str, sample: str = "") -> Job | None:
        """Return the job of a stage (of a sample); ``None`` if the session has no such job."""
        for job in self.plan.jobs:
            if job.stage == stage and job.sample == sample:
                return job
        return None

    def state(self, stage: str, sample: str = "") -> JobState:
        """Return how far a stage is: ``waiting`` if it has not run yet."""
        job = self.job(stage, sample)
        found = read_state(self.folder, job.name) if job is not None else None
        name = job.name if job is not None else stage
        return found or JobState(job=name, stage=stage, sample=sample)

    def states(self) -> dict[str, JobState]:
        """Return the states of all jobs, in the order in which they run."""
        return {job.name: self.state(job.stage, job.sample) for job in self.plan.jobs}

    def path(self, stage: str, sample: str = "", index: int = 0) -> Path | None:
        """Return the file that a stage left; ``None`` if it is not there."""
        job = self.job(stage, sample)
        if job is None:
            return None
        path = self.plan.output(job, index)
        return path if path.is_file() else None

    def dataset(self, sample: str, stage: str) -> xr.Dataset | None:
        """Return what a stage gave for a sample, in memory; ``None`` when it did not run for it.

        Raises
        ------
        ReadError
            If the file is damaged.
        """
        return self._dataset(stage, sample)

    def session_dataset(self, stage: str) -> xr.Dataset | None:
        """Return what a stage of the whole session gave; ``None`` when it did not run."""
        return self._dataset(stage, "")

    def _dataset(self, stage: str, sample: str) -> xr.Dataset | None:
        job = self.job(stage, sample)
        path = self.path(stage, sample)
        if job is None or path is None or path.suffix != ".nc":
            return None
        if job.name not in self._read:
            contract = next(row.gives for row in self.stages if row.name == stage)
            self._read[job.name] = store.load(path, contract)
        return self._read[job.name]

    def lazy_dataset(self, sample: str, stage: str) -> xr.Dataset | None:
        """Open what a stage gave without reading its arrays; close the dataset when done."""
        path = self.path(stage, sample)
        return None if path is None or path.suffix != ".nc" else store.open_lazily(path)

    def events(self, sample: str) -> xr.Dataset | None:
        """Open a sample's event store lazily; ``None`` if it has none."""
        path = self.path("tofsims_events", sample)
        if path is None:
            return None
        from depthlock.readers.event_store import open_events

        return open_events(path)

    def summary_rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``summary.csv``, numbers as floats."""
        from depthlock.workflow.summary import summary_rows

        return summary_rows(self)

    def provenance(self) -> dict[str, Any]:
        """Return how the results came about: software, raw files, options, jobs."""
        from depthlock.workflow.provenance import session_provenance

        return session_provenance(self.plan)

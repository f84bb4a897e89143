"""A run as data: its jobs, and what each is made from. Written to ``plan.json`` and read by every process of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from depthlock.model.errors import WorkflowError
from depthlock.workflow.files import canonical_json, write_text

HIDDEN = ".depthlock"
"""Folder in a session's results for everything that is not a result."""


class Record(BaseModel):
    """A frozen record without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RawFile(Record):
    """A raw file of a job.

    Attributes
    ----------
    technique : str
        ``tofsims``, ``xps``, ``tem``, ``stem``, ``eds`` or ``diffraction``.
    path : str
        Absolute path.
    reader, gives : str
        Name of the reader that opens it, and the contract of what that gives.
    sha256 : str
        Of the bytes.
    settings : dict
        What the session says about the file.
    where : str
        File, line and key in the session that name it, for messages.
    labels : str
        Absolute path of an image's hand-corrected labels; empty without. Their sha256 stands in the settings.
    geometry : str
        Absolute path of a diffraction pattern's .poni; empty without. Its sha256 stands in the settings.
    maps : dict of str to str
        Absolute paths of a data set's element maps, by element; empty for other files.
    haadf : str
        Absolute path of the dark-field image beside maps; empty without.
    """

    technique: str
    path: str
    reader: str
    gives: str
    sha256: str
    settings: dict[str, Any] = {}
    where: str = ""
    labels: str = ""
    geometry: str = ""
    maps: dict[str, str] = {}
    haadf: str = ""


class Job(Record):
    """One run of one stage.

    Attributes
    ----------
    name : str
        Unique in the plan: ``SAMPLE.STAGE``, or the stage's name for a session's stage.
    stage, sample : str
        The stage, and the sample (empty for a session's stage).
    raw : tuple of RawFile
        Raw files that it opens.
    upstream : dict of str to str
        Jobs whose results it takes, with the hashes of their keys.
    outputs : tuple of str
        Files it leaves, relative to the results folder.
    options : dict
        The stage's options in full, with what the workflow filled in.
    code : str
        Fingerprint of the code.
    threads, mem_mb : int
        Resources.
    """

    name: str
    stage: str
    sample: str = ""
    raw: tuple[RawFile, ...] = ()
    upstream: dict[str, str] = {}
    outputs: tuple[str, ...]
    options: dict[str, Any] = {}
    code: str
    threads: int = 1
    mem_mb: int = 1000

    @property
    def key(self) -> dict[str, Any]:
        """All that decides the job's result; for the results it takes from other jobs, the hashes of their keys."""
        return {
            "stage": self.stage,
            "sample": self.sample,
            "raw": [{"sha256": raw.sha256, "reader": raw.reader, "settings": raw.settings} for raw in self.raw],
            "options": self.options,
            "code": self.code,
            "upstream": self.upstream,
        }

    @property
    def key_text(self) -> str:
        """The key as canonical JSON, equal for equal keys whatever order a session was written in."""
        return canonical_json(self.key)

    @property
    def key_sha256(self) -> str:
        """Hash of the key."""
        return hashlib.sha256(self.key_text.encode()).hexdigest()

    @property
    def key_file(self) -> str:
        """File of the key relative to the results folder: what Snakemake looks at to see whether the job must run."""
        return f"{HIDDEN}/keys/{self.name}.json"

    @property
    def done_file(self) -> str:
        """File that the job leaves last: the key with which its outputs were made."""
        return f"{HIDDEN}/done/{self.name}.json"


class Plan(Record):
    """All jobs of a session, upstream ones first.

    Attributes
    ----------
    session : str
        Name of the session.
    session_file, results : str
        Absolute paths.
    table : str
        ``module:name`` of the stage table.
    samples : tuple of str
        Samples planned, in the session's order.
    scheduler : str or None
        Address of a dask.distributed scheduler.
    jobs : tuple of Job
    """

    session: str
    session_file: str
    results: str
    table: str
    samples: tuple[str, ...]
    scheduler: str | None = None
    jobs: tuple[Job, ...]

    @property
    def results_folder(self) -> Path:
        """The results folder as a path."""
        return Path(self.results)

    @property
    def file(self) -> Path:
        """Where the plan stands."""
        return plan_file(self.results_folder)

    def job(self, name: str) -> Job:
        """Return the job of that name.

        Raises
        ------
        WorkflowError
            If there is none.
        """
        for job in self.jobs:
            if job.name == name:
                return job
        raise WorkflowError(
            f"the plan has no job {name!r}", expected="one of " + ", ".join(job.name for job in self.jobs),
            where=str(self.file),
        )  # fmt: skip

    def of_stage(self, stage: str) -> tuple[Job, ...]:
        """Return the jobs of one stage."""
        return tuple(job for job in self.jobs if job.stage == stage)

    def output(self, job: Job, index: int = 0) -> Path:
        """Return the absolute path of one of a job's outputs."""
        return self.results_folder / job.outputs[index]


def plan_file(results: Path) -> Path:
    """Where the plan of a results folder stands."""
    return results / HIDDEN / "plan.json"


def write_plan(plan: Plan) -> None:
    """Write a plan into its results folder, whole or not at all."""
    write_text(plan.file, plan.model_dump_json(indent=1) + "\n")


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises
    ------
    WorkflowError
        If there is none, or it is damaged.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkflowError(
            "nothing has been run here yet", where=str(path.parent.parent), hint="run it: depthlock run SESSION"
        ) from error
    except ValidationError as error:
        raise WorkflowError(
            "the plan of the last run is damaged, or of another version of depthlock",
            where=str(path),
            hint="run the session again: depthlock run SESSION",
        ) from error


def rounded(value: Any) -> Any:
    """Return JSON-able data with floats to 12 digits: 50 pm and 0.05 nm differ in the last bit and mean the same."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def write_keys(plan: Plan) -> None:
    """Write the key of every job whose key has changed, and leave the others untouched."""
    for job in plan.jobs:
        path = plan.results_folder / job.key_file
        text = job.key_text + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

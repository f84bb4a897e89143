"""One run at a time in a results folder, also after a run that was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from depthlock.model.errors import WorkflowError
from depthlock.workflow.files import make_folder, remove_half_written, write_text
from depthlock.workflow.processes import ProcessIdentity, end_tree
from depthlock.workflow.states import read_states

HEARTBEAT = 10.0
"""Seconds between two signs of life of a run."""

_SILENT_AFTER = 120.0
"""Seconds without a sign of life after which a run on another machine counts as dead."""


class RunRecord(BaseModel):
    """Who runs, or ran last, in a results folder.

    Attributes
    ----------
    process : ProcessIdentity
        The ``depthlock run``.
    children : tuple of ProcessIdentity
        Snakemake, while it runs.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    process: ProcessIdentity
    children: tuple[ProcessIdentity, ...] = ()


class RunLock:
    """The right to write into a results folder, held by one run.

    The operating system holds the lock and drops it when the process ends, however it ends; the record beside it
    says who that is, also to other machines that share the folder.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self._record_file = results / ".depthlock" / "run.json"
        self._record: RunRecord | None = None
        self._beaten = 0.0

    @contextmanager
    def held(self) -> Iterator[list[str]]:
        """Hold the lock; gives one line of text for everything left by a killed run that was put in order.

        Raises
        ------
        WorkflowError
            If another run is alive.
        """
        make_folder(self._record_file.parent)
        descriptor = os.open(self._record_file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = _try_lock(descriptor)
            before = self._read()
            if not locked or (before is not None and self._lives(before)):
                raise self._refusal(before)
            told = self._clear(before)
            self._write(RunRecord(process=ProcessIdentity.own()))
            try:
                yield told
            finally:
                self._record_file.unlink(missing_ok=True)
        finally:
            os.close(descriptor)  # drops the lock

    def started(self, pid: int) -> None:
        """Note that a child runs."""
        if self._record is not None:
            self._write(self._record.model_copy(update={"children": (ProcessIdentity.of(pid),)}))

    def beat(self) -> None:
        """Give a sign of life now and then."""
        if self._record is not None and time.monotonic() - self._beaten > HEARTBEAT:
            self._write(self._record)

    def _write(self, record: RunRecord) -> None:
        self._record = record
        self._beaten = time.monotonic()
        write_text(self._record_file, record.model_dump_json(indent=1) + "\n")

    def _read(self) -> RunRecord | None:
        try:
            return RunRecord.model_validate_json(self._record_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValidationError):
            return None

    def _lives(self, record: RunRecord) -> bool:
        alive = record.process.is_alive()
        if alive is not None:
            return alive and record.process != ProcessIdentity.own()
        return time.time() - self._record_file.stat().st_mtime < _SILENT_AFTER

    def _refusal(self, record: RunRecord | None) -> WorkflowError:
        who = f"process {record.process.pid} on {record.process.host}" if record is not None else "another process"
        silent = record is not None and not record.process.is_here
        return WorkflowError(
            f"another run is working on these results ({who})",
            where=str(self.results),
            hint="wait for it ('depthlock status SESSION' shows how far it is), or end it"
            + (f"; if that machine is off, wait {_SILENT_AFTER:.0f} s" if silent else ""),
        )

    def _clear(self, record: RunRecord | None) -> list[str]:
        """End what a killed run left behind, and forget it."""
        told = []
        if record is not None:
            told.append("the last run was ended before it was done: resuming")
            for child in record.children:
                end_tree(child)
        for state in read_states(self.results).values():
            if state.status == "running" and state.process is not None and state.process.is_alive():
                end_tree(state.process)
                told.append(f"ended {state.job}, which a killed run had left behind")
        if record is not None:
            remove_half_written(self.results)
        return told


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks on this system; the record decides alone
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks; the record decides alone
        return True
    return True


def clear_marks(results: Path) -> None:
    """Drop the lock that a killed Snakemake left; call it only while the run's own lock is held."""
    locks: list[Any] = list((results / ".snakemake" / "locks").glob("*"))
    for lock in locks:
        lock.unlink(missing_ok=True)

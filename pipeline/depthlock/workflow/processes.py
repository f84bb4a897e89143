"""Which process is meant by a number, and whether it still lives: a number alone is used again by the system."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import psutil

_START_TOLERANCE = 1.5
"""Seconds by which two readings of one process's start may differ (clock steps move the boot time)."""


class ProcessIdentity(BaseModel):
    """A process by machine, number and start time.

    Attributes
    ----------
    host : str
        Name of the machine.
    pid : int
        Process number on it.
    started : float
        Start in seconds since 1970, as the system tells it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Identify a living process of this machine."""
        import psutil

        return cls(host=socket.gethostname(), pid=pid, started=psutil.Process(pid).create_time())

    @classmethod
    def own(cls) -> Self:
        """Identify this process."""
        return cls.of(os.getpid())

    @property
    def is_here(self) -> bool:
        """Whether it belongs to this machine."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool | None:
        """Whether it still runs; ``None`` if it belongs to another machine, where nobody can tell from here."""
        import psutil

        if not self.is_here:
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _START_TOLERANCE
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def end_tree(identity: ProcessIdentity, *, patience: float = 5.0) -> None:
    """End a process of this machine and all its children: first asked, after `patience` seconds killed.

    Parameters
    ----------
    identity : ProcessIdentity
        The root of the tree; nothing happens if it no longer lives.
    patience : float
        Seconds to wait before killing.
    """
    import psutil

    if not identity.is_alive():
        return
    try:
        root = psutil.Process(identity.pid)
        tree = [*root.children(recursive=True), root]
    except psutil.Error:
        return
    for process in tree:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(tree, timeout=patience)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=patience)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):  # it may end by itself in between
        process.kill() if kill else process.terminate()


def die_with_parent(number: int = signal.SIGTERM, parent: int | None = None) -> None:
    """Ask Linux to end this process when the one that started it is gone; elsewhere nothing happens.

    A killed run must not leave a stage behind that nobody watches.

    Parameters
    ----------
    number : int
        Signal to be ended with.
    parent : int, optional
        Process that started this one; if it is gone already, which Linux does not notice by itself, this one ends.
    """
    import ctypes

    if sys.platform.startswith("linux"):
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of linux/prctl.h
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(number))
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), number)

"""Small files that other processes read while we write: whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from depthlock.model.errors import WorkflowError

_MENDABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ENAMETOOLONG}
"""What a user can do something about: rights, a full disk, a file in the way of a folder."""


_HALF_WRITTEN = ".part"


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name beside `path`, flush it to disk, and rename it.

    Parameters
    ----------
    path : Path
        Where the file shall stand; its folder is made if it is missing.
    write : callable
        Called with the temporary path.

    Raises
    ------
    WorkflowError
        If the folder cannot be made or written to, or the disk is full.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_HALF_WRITTEN}")
    with _told(path):
        try:
            write(temporary)
            flush_to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_half_written(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing; call it only when none of them lives."""
    for left in folder.rglob(f".*{_HALF_WRITTEN}"):
        left.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises
    ------
    WorkflowError
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _MENDABLE:
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> WorkflowError:
    return WorkflowError(
        f"this cannot be written: {error.strerror or error}",
        where=str(path),
        hint="make room or correct the rights there, or name another 'output:' in the session",
    )


def flush_to_disk(path: Path) -> None:
    """Ask the operating system to put a file's bytes on the disk."""
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canonical_json(value: Any) -> str:
    """Return JSON that is equal for equal values: sorted keys, no blanks, shortest numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    replace_file(path, lambda temporary: _write(temporary, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, readable by people, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or ``None`` if it is missing or damaged (it is then made anew)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None

"""The sha256 of every raw file, kept so that an unchanged file is not read again.

A file is taken as unchanged while its path, size and modification time in nanoseconds stay. A touched or copied file
is hashed again and gives the same sha256, so that it re-runs nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from depthlock.model.errors import ReadError
from depthlock.workflow.files import read_json, write_json

_BLOCK = 1 << 22


class Manifest:
    """Hashes of raw files, with a memory in a JSON file.

    Parameters
    ----------
    path : Path
        The manifest's file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_json(path)
        self._entries: dict[str, dict[str, Any]] = known if isinstance(known, dict) else {}
        self._changed = False

    def sha256(self, path: Path) -> str:
        """Return the sha256 of a file, from memory if it has not changed.

        Raises
        ------
        ReadError
            If the file cannot be read.
        """
        try:
            status = path.stat()
            stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
            entry = self._entries.get(str(path))
            if isinstance(entry, dict) and all(entry.get(key) == value for key, value in stamp.items()):
                return str(entry["sha256"])
            digest = file_sha256(path)
        except OSError as error:
            raise ReadError(
                f"the file cannot be read: {error.strerror or error}",
                where=str(path),
                hint="check path and permissions",
            ) from error
        self._entries[str(path)] = {**stamp, "sha256": digest}
        self._changed = True
        return digest

    def save(self) -> None:
        """Write the manifest if a hash was added."""
        if self._changed:
            write_json(self.path, self._entries)
            self._changed = False


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, reading it in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()

"""Converting a raw file to an event store so that a conversion that was ended goes on where it was.

Beside the store stands a folder while it is made (``.NAME.partial``), with the ions shared out so far and, from time to
time, a note of how far the raw file was read. It is used again only for the very same raw file, and removed when the
store is whole, or when the raw file turns out to be damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

from depthlock.model.progress import PROGRESS
from depthlock.readers.event_source import EventBlock, EventSource
from depthlock.readers.event_spill import LAYOUT, Spill
from depthlock.readers.event_writer import unwritable, write_store

LOG = logging.getLogger(__name__)

SAVE_SECONDS = 20.0
"""Time between two notes of how far the raw file was read: a killed conversion loses no more than that."""

TELL_SECONDS = 2.0


def partial_folder(target: Path) -> Path:
    """Where an unfinished conversion to `target` keeps what it has."""
    return target.with_name(f".{target.name}.partial")


def convert_resumably(path: Path, source: EventSource, target: Path) -> None:
    """Convert a raw file, going on from an earlier attempt at the same file.

    Parameters
    ----------
    path : Path
        The raw file.
    source : EventSource
        Its ions.
    target : Path
        The store; replaced if it exists. It appears under its name only when it is whole.

    Raises
    ------
    ReadError
        When the raw file is damaged.
    WorkflowError
        When the store cannot be written.
    """
    folder = partial_folder(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spill, blocks = _spill(folder, path, source)
        with ThreadPoolExecutor(1) as threads:
            md5 = threads.submit(file_md5, path)
            try:
                _share_out(path, source, spill, blocks)
                PROGRESS.info("%s: sorting %s ions", path.name, f"{spill.ions:,}")
                header = replace(source.header, source_md5=md5.result())
                cells = write_store(target, folder, spill, header)
            finally:
                spill.close()
    except OSError as error:
        raise unwritable(target, error) from error
    except Exception:
        # What is wrong with the file will be so the next time; when the process is ended, everything is kept.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    LOG.info("%s: %d ions in %d cells converted to %s", path, spill.ions, cells, target)


def _fingerprint(path: Path, source: EventSource) -> str:
    """What must be the same for the words of an earlier attempt to be of use."""
    status = path.stat()
    told = (LAYOUT, str(path.resolve()), status.st_size, status.st_mtime_ns, source.end, repr(source.header))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _spill(folder: Path, path: Path, source: EventSource) -> tuple[Spill, Iterator[EventBlock]]:
    """The spill of an earlier attempt, or a new one, and the blocks that are not in it yet."""
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, BadZipFile):
        spill, told = Spill.reopened(folder)
        if told["fingerprint"] == _fingerprint(path, source):
            LOG.info(
                "%s: an earlier conversion had shared out %d ions (%.0f %% of the file): it goes on from there",
                path, spill.ions, 100.0 * told["place"] / source.end,
            )  # fmt: skip
            return spill, iter(source.blocks(int(told["place"])) if told["place"] < source.end else ())
        spill.close()
    shutil.rmtree(folder)
    folder.mkdir()
    blocks = iter(source.blocks(0))
    return Spill.begun(folder, source.header.row_shape, blocks), blocks


def _share_out(path: Path, source: EventSource, spill: Spill, blocks: Iterator[EventBlock]) -> None:
    began = saved = told = time.monotonic()
    for block in blocks:
        spill.add(block)
        now = time.monotonic()
        if block.place is None:
            continue
        if now - saved >= SAVE_SECONDS:
            spill.save({"fingerprint": _fingerprint(path, source), "place": block.place})
            saved = now
        if now - told >= TELL_SECONDS:
            percent = 100.0 * block.place / source.end
            PROGRESS.info("%s: %.0f %% read, %s ions", path.name, percent, f"{spill.ions:,}")
            told = now
    spill.flush()
    if time.monotonic() - began >= SAVE_SECONDS:
        spill.save({"fingerprint": _fingerprint(path, source), "place": source.end})


def file_md5(path: Path) -> str:
    """MD5 of a file, which event stores keep as their origin's."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

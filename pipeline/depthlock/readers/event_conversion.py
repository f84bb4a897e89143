"""The stage `tofsims_events`: any raw TOF-SIMS format to an event store."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from depthlock.model.errors import ReadError, WorkflowError
from depthlock.model.options import EventsOptions
from depthlock.readers import imzml, iontof_grd, iontof_raw, mibi, tofwerk_events
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_resuming import convert_resumably
from depthlock.readers.event_source import EventSource
from depthlock.readers.registry import Reader, find

LOG = logging.getLogger(__name__)

STORE = "simsh5"


def convert_to_events(source: Path, target: Path, options: EventsOptions) -> None:
    """Make `target` an event store of the ions in `source`.

    A file that is one already is checked from end to end and referenced, not copied: by a symbolic link, else a hard
    link, else, where the file system knows neither, by a copy. Everything else is converted, out of core; a conversion
    that was killed goes on where it was.

    Parameters
    ----------
    source : Path
        Raw file.
    target : Path
        The store; replaced if it exists. It appears under its name only when it is whole.
    options : EventsOptions

    Raises
    ------
    ReadError
        When the file is damaged, of no known format, or holds no events.
    WorkflowError
        When the store cannot be written.
    """
    del options  # no choice to make yet; the stage table hands options to every stage
    reader = find(source)
    if reader.name == STORE:
        _reference(source, target)
    elif reader.name in SOURCES:
        convert_resumably(source, SOURCES[reader.name](source), target)
    else:
        raise _no_events(source, reader)


def _no_events(source: Path, reader: Reader) -> ReadError:
    if reader.gives in {"tofsims_export", "tofsims_volume", "tofsims_signal"}:
        return ReadError(
            f"the file holds {reader.title}: profiles or images of chosen masses, no single ions",
            expected="a raw file with single ions",
            where=str(source),
            hint="`depthlock run` reads such profiles without this stage; 3-D results need the raw file",
        )
    return ReadError(
        f"the file holds no TOF-SIMS ions but {reader.title}",
        expected="one of: " + ", ".join(FORMATS.values()),
        where=str(source),
        hint="name the raw TOF-SIMS file, or export it in one of these formats",
    )


def _reference(source: Path, target: Path) -> None:
    """Let `target` be the checked store `source` itself."""
    if target.parent.resolve() / target.name == source.parent.resolve() / source.name:
        raise WorkflowError(
            "the raw file lies where its event store belongs", where=str(source), hint="choose another output folder"
        )
    checked = validate_events(source)
    # The link is made under a name of its own and renamed, so that a killed run leaves either the old or the new.
    beside = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    origin = source.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        how = _link(origin, beside)
        beside.replace(target)
    except OSError as error:
        raise WorkflowError(
            f"the event store cannot be placed: {error.strerror or error}",
            where=str(target),
            hint="make room on the disk and check the folder's permissions",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    LOG.info("%s: %d ions in order; used as it is (%s at %s)", source, checked.ions, how, target)


def _link(origin: Path, beside: Path) -> str:
    attempts: tuple[tuple[str, Callable[[], None]], ...] = (
        # A relative link survives when the folder of session and results is moved as a whole.
        ("symbolic link", lambda: beside.symlink_to(os.path.relpath(origin, beside.parent.resolve()))),
        ("hard link", lambda: beside.hardlink_to(origin)),
    )
    for how, attempt in attempts:
        try:
            attempt()
        except (OSError, ValueError, NotImplementedError) as error:
            LOG.debug("no %s to %s: %s", how, origin, error)
        else:
            return how
    with origin.open("rb") as read, beside.open("xb") as write:
        shutil.copyfileobj(read, write, 1 << 24)
        write.flush()
        os.fsync(write.fileno())
    return "copy"


SOURCES: dict[str, Callable[[Path], EventSource]] = {
    "iontof_itm": iontof_raw.source,
    "iontof_grd": iontof_grd.source,
    "imzml": imzml.source,
    "mibi": mibi.source,
    "tofwerk_events": tofwerk_events.source,
}
"""By reader name: how its files give their ions."""

FORMATS = {
    "simsh5": "tof-sims-sparse-hdf5 (ULVAC-PHI)",
    "iontof_itm": "IONTOF .itm",
    "iontof_grd": "IONTOF .grd with its .properties.txt",
    "imzml": "imzML with profile spectra in counts",
    "mibi": "MIBIscope .bin",
    "tofwerk_events": "Tofwerk TofDAQ .h5 with event lists",
}

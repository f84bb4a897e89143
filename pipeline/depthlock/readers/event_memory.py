"""The ions of a small raw file as a Dataset in memory, by way of a temporary store."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from depthlock.readers.event_source import EventSource
from depthlock.readers.event_store import open_events
from depthlock.readers.event_writer import write_events


def in_memory(path: Path, source: EventSource, notes: Sequence[str] = ()) -> xr.Dataset:
    """The ions of a file as a Dataset (contract `tofsims_events`).

    Parameters
    ----------
    path : Path
        The raw file.
    source : EventSource
        Its ions; some million at most.
    notes : sequence of str
        What a user should know about them.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "events.h5"
        write_events(target, source.blocks(0), source.header)
        events = open_events(target).load()
    events.attrs["source"] = str(path)
    events.attrs["notes"] = [*events.attrs.get("notes", []), *notes]
    return events

"""Volumes of the mass intervals of an IONTOF `.ita` file, read on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.readers.iontof_images import image, parse
from depthlock.readers.iontof_settings import Facts
from depthlock.readers.itstr import Entry, opened
from depthlock.readers.surfacelab import unique_labels


def open_volume(path: Path, scans_at_once: int = 16) -> xr.Dataset:
    """The counts of all mass intervals by scan and pixel, lazily.

    Parameters
    ----------
    path : Path
    scans_at_once : int
        Scans in a chunk; each is read when it is asked for, and the file is opened anew for it.

    Returns
    -------
    xr.Dataset
        Contract `tofsims_volume`: `counts` (ion, scan, y, x) as counted, rows as stored; `pulses` (scan) is the number
        of primary pulses a pixel, NaN where the file does not say it; `y`, `x` in um, or in pixels without a pitch.

    Raises
    ------
    ReadError
        As :func:`depthlock.readers.iontof_images.parse`; for damaged images when they are asked for.
    """
    import dask.array as da
    from dask.delayed import delayed

    parsed = parse(path)
    facts = parsed.facts
    load: Any = delayed(_planes)
    # dask's arrays are made by functions without types.
    stack: Any = da.stack
    joined: Any = da.concatenate
    chunk: Any = da.from_delayed

    def lazy(entries: tuple[Entry, ...]) -> Any:
        parts = [entries[at : at + scans_at_once] for at in range(0, len(entries), scans_at_once)]
        size = (facts.ny, facts.nx)
        return joined([chunk(load(path, part, facts), (len(part), *size), np.dtype("<u4")) for part in parts])

    stacks = [lazy(images) for images in parsed.images]
    names = [interval.name for interval in parsed.intervals]
    masses = np.array([interval.centre for interval in parsed.intervals])
    pitch, unit = (facts.pixel_pitch_um, "um") if facts.pixel_pitch_um else (1.0, "1")
    times = facts.times(parsed.scans)
    coords = {
        "ion": ("ion", np.array(unique_labels([name.label for name in names], masses)), {"units": "1"}),
        "mz": ("ion", masses, {"units": "Da"}),
        "sputter_time": ("scan", np.array(times or [np.nan] * parsed.scans), {"units": "s"}),
        "y": ("y", pitch * np.arange(facts.ny), {"units": unit}),
        "x": ("x", pitch * np.arange(facts.nx), {"units": unit}),
    }
    pulses = np.full(parsed.scans, facts.shots_per_pixel or np.nan, float)
    variables = {
        "counts": (("ion", "scan", "y", "x"), stack(stacks), {"units": "1"}),
        "pulses": ("scan", pulses, {"units": "1"}),
    }
    attrs = {"source": str(path), "polarity": facts.polarity, "notes": facts.time_notes()}
    return xr.Dataset(variables, coords, attrs)


def _planes(path: Path, entries: tuple[Entry, ...], facts: Facts) -> NDArray[np.uint32]:
    with opened(path) as file:
        return np.stack([image(file, entry, facts) for entry in entries])

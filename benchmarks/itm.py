"""Raw ions of the same .itm file with depthlock and with pySPM.

pySPM is no part of depthlock's environment. Install it into one of its own and name that environment's Python:
``PYSPM_PYTHON=/path/to/venv/bin/python python -m benchmarks itm``.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "readers"))

import iontof_files as made  # the writer of simulated files that the tests use

from depthlock.model.options import EventsOptions
from depthlock.readers import iontof_raw
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.event_store import open_events

SIDE, SCANS, IONS_A_PIXEL = 128, 20, 6
BLOCK_WORDS = 1 << 15
SEED = 7

DECODE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import pySPM
began = time.perf_counter()
file = pySPM.ITM(sys.argv[1])
ions = sum(len(times) for scan in range(file.Nscan) for times in file.get_raw_data(scan).values())
print(ions, time.perf_counter() - began)
"""

REDUCE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import pySPM
began = time.perf_counter()
file = pySPM.ITM(sys.argv[1])
low, high = int(sys.argv[2]), int(sys.argv[3])
profile = np.zeros(file.Nscan)
spectrum = np.zeros(1 << 21)
for scan in range(file.Nscan):
    for times in file.get_raw_data(scan).values():
        channels = np.array(times, int)
        np.add.at(spectrum, channels, 1)
        profile[scan] += np.count_nonzero((low <= channels) & (channels < high))
print(int(profile.sum()), time.perf_counter() - began)
"""
"""Spectrum and depth profile of one ion from what pySPM gives: the flight times of each pixel."""


def write(path: Path) -> int:
    """Write a simulated file of some million ions; how many."""
    rng = np.random.default_rng(SEED)
    made.SETTINGS.update(
        {
            "Registration.Raster.Resolution": (SIDE, float(SIDE), str(SIDE)),
            "Registration.Raster.StageRaster.TotalResolution.X": (SIDE, float(SIDE), str(SIDE)),
            "Registration.Raster.StageRaster.TotalResolution.Y": (SIDE, float(SIDE), str(SIDE)),
            "Measurement.ScanNumber": (SCANS, float(SCANS), str(SCANS)),
        }
    )
    root = made.Node("root")
    made.add_settings(root.path("propend"))
    for name, value in (("sf", made.SF), ("k0", made.K0)):
        root.path("MassScale").add(name, struct.pack("<d", value))
    raw = root.path("rawdata")
    total = 0
    for scan in range(SCANS):
        raw.add("   6", scan.to_bytes(4, "little"), number=scan)
        ions = rng.poisson(IONS_A_PIXEL, SIDE * SIDE)
        words = np.full(int(ions.sum()) + 3 * SIDE * SIDE, 0, np.uint32)
        begins = np.cumsum(ions + 3) - ions - 3
        y, x = np.divmod(np.arange(SIDE * SIDE, dtype=np.uint32), SIDE)
        words[begins], words[begins + 1] = 0xC0000000 | x, 0xD0000000 | y
        words[begins + 2] = 0x40000000 | np.arange(SIDE * SIDE, dtype=np.uint32)
        words[words == 0] = 1000 + rng.integers(0, 300, int(ions.sum())) ** 2
        for number, first in enumerate(range(0, words.size, BLOCK_WORDS)):
            block = words[first : first + BLOCK_WORDS].astype("<u4").tobytes()
            raw.add("  14", block, number=1000 * scan + number, packed=True)
        total += int(ions.sum())
    path.write_bytes(made.container(root))
    return total


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Shortest time of some calls in s; the first of all compiles and is not counted."""
    function()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def decode(path: Path) -> int:
    """Number of all ions, each with its pixel and flight time in memory."""
    source = iontof_raw.source(path)
    return sum(block.mass_bin.size for block in source.blocks(0))


def reduce_one(path: Path, folder: Path, low: int, high: int) -> int:
    """Convert to an event store, and count one ion out of it by scan."""
    target = folder / "events.h5"
    convert_to_events(path, target, EventsOptions())
    events = open_events(target)
    first, last = events["indptr"].values[np.searchsorted(events["mass_bin"].values, [low, high])]
    pixel, count = (events[name][int(first) : int(last)].values for name in ("pixel_id", "count"))
    return int(np.bincount(pixel // (SIDE * SIDE), weights=count, minlength=SCANS).sum())


def _pyspm(script: str, *arguments: str) -> tuple[int, float] | str:
    """Ions and seconds, or why there are none."""
    command = [os.environ.get("PYSPM_PYTHON", sys.executable), "-c", script, *arguments]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        return run.stderr.strip().splitlines()[-1]
    number, seconds = run.stdout.split()[-2:]
    return int(number), float(seconds)


def against_pyspm() -> Iterator[str]:
    """Raw ions of a simulated .itm file: decoded, and reduced to spectrum and one ion's profile, beside pySPM."""
    low, high = 50_000, 52_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "simulated.itm"
        ions = write(path)
        ours = {
            "decoded": (decode(path), best(lambda: decode(path))),
            "reduced": (reduce_one(path, folder, low, high), best(lambda: reduce_one(path, folder, low, high))),
        }
        theirs = {
            "decoded": _pyspm(DECODE, str(path)),
            "reduced": _pyspm(REDUCE, str(path), str(low), str(high)),
        }
    yield f"{ions} ions in {SCANS} scans of {SIDE} x {SIDE} pixels"
    for what, (number, seconds) in ours.items():
        other = theirs[what]
        if isinstance(other, str):
            yield f"{what}: {ions / seconds / 1e6:.1f} million ions a second; pySPM: {other}"
        else:
            lost = f"; pySPM, which loses the last pixel of a scan, finds {other[0] - number:+d} ions"
            yield f"{what}: {other[1] / seconds:.1f} times as fast as pySPM{lost if other[0] != number else ''}"

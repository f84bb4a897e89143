"""Conversion of raw ions to an event store: its rate against `numpy.bincount`, its peak memory, and access by mass.

Run as ``python -m benchmarks.event_store [IONS ...]``; each number of ions is converted in a process of its own, so
that peak memories do not mix. The conversion uses up to two threads, as its stage does. All rates are given as ratios
within one run, as machines differ.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from depthlock.readers.event_store import open_events
from depthlock.readers.event_writer import EventBlock, StoreHeader, write_events

SIDE, SCANS = 256, 64
BLOCK = 1 << 18
POOL = 16
CHANNELS = 1 << 21
PEAKS = 300
SEED = 20


def header() -> StoreHeader:
    """A depth profile of 64 scans of 256 x 256 pixels with 50 ps channels."""
    return StoreHeader(
        row_shape=(SCANS, 1, SIDE, SIDE),
        mode="depth_profile",
        polarity="-",
        bin_width_ps=50,
        slope=0.5556,
        offset=0.0,
        source_format="benchmark",
        sputter_time_s=tuple(float(scan) for scan in range(SCANS)),
    )


def pool() -> list[tuple[np.ndarray, np.ndarray]]:
    """Blocks of channels and pixels of one scan: 300 peaks 20 channels wide, over a flat background of 10 %."""
    rng = np.random.default_rng(SEED)
    centres = rng.integers(1 << 14, CHANNELS - 200, PEAKS)
    weights = rng.pareto(1.0, PEAKS) + 0.1
    blocks = []
    for _ in range(POOL):
        channels = rng.choice(centres, BLOCK, p=weights / weights.sum()) + np.rint(rng.normal(0, 8, BLOCK)).astype(int)
        flat = rng.random(BLOCK) < 0.1
        channels[flat] = rng.integers(0, CHANNELS, int(flat.sum()))
        blocks.append((channels.astype(np.uint32), np.sort(rng.integers(0, SIDE * SIDE, BLOCK)).astype(np.uint32)))
    return blocks


def stream(ions: int, blocks: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[EventBlock]:
    """`ions` ions in the order of a measurement, block by block, out of the pool."""
    number = -(-ions // BLOCK)
    for index in range(number):
        channels, pixels = blocks[index % POOL]
        length = min(BLOCK, ions - index * BLOCK)
        scan = index * SCANS // number
        yield EventBlock(channels[:length], pixels[:length] + np.uint32(scan * SIDE * SIDE))


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Shortest time of some calls in s."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def binned_rate(blocks: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Ions a second that `numpy.bincount` bins by channel from memory."""
    channels = np.concatenate([channels for channels, _ in blocks]).astype(np.int64)
    return channels.size / best(lambda: np.bincount(channels, minlength=CHANNELS))


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(ions: int) -> dict[str, float]:
    """Convert `ions` ions, and read one ion's window and everything back."""
    blocks = pool()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "events.h5"
        # What is compiled once and for all is not part of the rate.
        write_events(store, stream(2 * 10**6, blocks), header())
        before = peak_mib()
        rate = binned_rate(blocks)
        seconds = best(lambda: write_events(store, stream(ions, blocks), header()), 3 if ions <= 10**8 else 1)
        rate = max(rate, binned_rate(blocks))
        peak = peak_mib()
        size = store.stat().st_size
        events = open_events(store)
        bins, indptr = events["mass_bin"].values, events["indptr"].values
        centre = int(np.median(np.repeat(bins, np.diff(indptr)))) if ions <= 10**7 else int(bins[len(bins) // 2])
        first, last = np.searchsorted(bins, [centre - 30, centre + 31])

        def window() -> int:
            return int(events["pixel_id"][int(indptr[first]) : int(indptr[last])].values.size)

        def everything() -> int:
            step = 1 << 22
            return sum(
                int(events["pixel_id"][at : at + step].values.size) + int(events["count"][at : at + step].values.size)
                for at in range(0, events.sizes["event"], step)
            )

        one, full = best(window), best(everything, 1)
    return {
        "ions": ions,
        "ions a second": ions / seconds,
        "rate over numpy.bincount": ions / seconds / rate,
        "peak MiB before": before,
        "peak MiB": peak,
        "bytes an ion": size / ions,
        "window over full pass": one / full,
    }


def conversion(numbers: tuple[str, ...] = ("1e7", "1e8")) -> Iterator[str]:
    """Conversion of raw ions to an event store: rate over numpy.bincount, peak memory, a window over a full pass."""
    rows = []
    for ions in numbers:
        command = [sys.executable, "-m", "benchmarks.event_store", "--one", ions]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    for name in rows[0]:
        yield f"{name:26}" + "".join(f"{row[name]:>14.4g}" for row in rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure the numbers of ions given (10^7 and 10^8 if none), each in its own process, and print a table."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--one"]:
        print(json.dumps(measure(int(float(given[1])))))
        return
    for line in conversion(tuple(given) or ("1e7", "1e8")):
        print(line)


if __name__ == "__main__":
    main()

"""Raw files of real formats for a small session, and the journal in which the fake stages note their calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from depthlock.readers.event_writer import EventBlock, StoreHeader, write_events

FOLDER = Path(__file__).parent

SESSION = """\
session: small (1)
samples:
  one:
    tofsims: {file: one/profile.h5}
    xps: [{file: one/f1s_a.csv, region: F 1s, etch_times: [0]}, {file: one/f1s_b.csv, region: F 1s, etch_times: [60 s]}]
    tem: [{file: one/layer.tif, pixel_size: 0.05 nm}]
  two (b):
    xps: {file: two/f1s.csv, region: F 1s, etch_times: [0]}
"""


def write_spectrum(path: Path, seed: int, energies: int = 60) -> None:
    energy = np.linspace(694, 682, energies)
    counts = np.random.default_rng(seed).poisson(100 + 900 * np.exp(-((energy - 688.7) ** 2)))
    lines = [f"{e:.3f},{c}" for e, c in zip(energy, counts, strict=True)]
    path.write_text("Binding Energy (eV),Counts\n" + "\n".join(lines) + "\n")


def write_store(path: Path, seed: int = 0) -> None:
    draw = np.random.default_rng(seed)
    block = EventBlock(draw.integers(1000, 1100, 500), draw.integers(0, 3 * 8 * 8, 500))
    header = StoreHeader(
        row_shape=(3, 1, 8, 8), mode="depth_profile", polarity="-", bin_width_ps=100, slope=0.7, offset=0.0,
        source_format="test", sputter_time_s=(0.0, 1.0, 2.0),
    )  # fmt: skip
    write_events(path, [block], header)


def journal(session: Path) -> list[str]:
    """The stages that ran since the last call, sorted."""
    path = session.parent / "journal"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(line.split()[0] for line in lines)

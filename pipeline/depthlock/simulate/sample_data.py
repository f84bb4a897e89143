"""The sample session that comes with depthlock: how it was made, and the list of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from depthlock.model.session_file import SCHEMA_HEADER
from depthlock.simulate.session import simulate_session
from depthlock.simulate.worlds import SessionParameters

SEED = 2025
"""Seed of the sample session."""

ORIGIN = f"simulated:depthlock-simulate-seed-{SEED}"
"""Origin that the registry states for its files."""


def write_sample_data(folder: Path) -> None:
    """Write the sample session into `folder`, and `registry.txt` with a line `path sha256 origin` a file.

    Parameters
    ----------
    folder : Path
        The repository's `sample_data`.
    """
    parameters = SessionParameters()
    simulate_session(folder, parameters, SEED, f"{SCHEMA_HEADER}../configs/session.schema.json")
    raw = [path for sample in parameters.samples for path in (folder / sample.folder).iterdir()]
    listed = sorted([*raw, folder / "session.yaml", folder / "truth.csv", folder / "truth.json"])
    lines = [f"{path.relative_to(folder).as_posix()} {sha256(path)} {ORIGIN}" for path in listed]
    (folder / "registry.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

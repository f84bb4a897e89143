"""What all tests share: the folder of real measurements."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real instrument files; in CI its absence is a failure, elsewhere a skip."""
    folder = Path(os.environ.get("DEPTHLOCK_REAL_DATA", ROOT.parent / "shared" / "real_data"))
    if not (folder / "README.md").is_file():
        reason = f"no real measurements in {folder}; set DEPTHLOCK_REAL_DATA"
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of small simulated sessions with their truth."""
    return ROOT / "sample_data"

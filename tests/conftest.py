"""What all tests share: the folder of real measurements."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from depthlock.model.session_file import load_session
from depthlock.workflow.plan import make_plan
from depthlock.workflow.results import SessionResults
from depthlock.workflow.runner import RunOptions, run_plan

ROOT = Path(__file__).parents[1]
CI = os.environ.get("CI", "").lower() in {"true", "1"}

# A slow machine is no fault, and CI tries the same examples every time; at a desk they are new ones.
settings.register_profile("depthlock", deadline=None, derandomize=CI)
settings.load_profile("depthlock")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real instrument files; in CI its absence is a failure, elsewhere a skip."""
    folder = Path(os.environ.get("DEPTHLOCK_REAL_DATA", ROOT.parent / "shared" / "real_data"))
    if not (folder / "README.md").is_file():
        reason = f"no real measurements in {folder}; set DEPTHLOCK_REAL_DATA"
        if CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of small simulated sessions with their truth."""
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def sample_results(sample_data: Path) -> SessionResults:
    """The sample session, run for real. It stays in `build`, so that only what is out of date runs again."""
    session = ROOT / "build" / "sample_session"
    session.parent.mkdir(exist_ok=True)
    with _one_at_a_time(session.with_suffix(".lock")):
        shutil.copytree(sample_data, session, ignore=shutil.ignore_patterns("results"), dirs_exist_ok=True)
        plan = make_plan(load_session(session / "session.yaml"))
        outcome = run_plan(plan, RunOptions(cores=2))
        assert not outcome.failed, [state.error or state.traceback for state in outcome.failed]
    return SessionResults.open(plan.results)


@contextmanager
def _one_at_a_time(lock: Path, longest: float = 1500.0) -> Iterator[None]:
    """Let parallel test processes take turns; a lock older than any run is left over and taken over."""
    while True:
        try:
            lock.mkdir()
            break
        except FileExistsError:
            if time.time() - lock.stat().st_mtime > longest:
                lock.rmdir()
            time.sleep(0.5)
    try:
        yield
    finally:
        lock.rmdir()

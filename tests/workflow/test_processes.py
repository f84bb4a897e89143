"""A process that was started for another one does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

CHILD = """
import sys
from depthlock.workflow.processes import die_with_parent
die_with_parent(parent=int(sys.argv[1]))
print("goes on")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone ends a process with its parent")
def test_a_process_whose_parent_is_gone_before_it_asks_ends() -> None:
    ours, not_ours = os.getpid(), os.getppid()
    child = subprocess.run([sys.executable, "-c", CHILD, str(ours)], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout) == (0, "goes on\n")
    orphan = subprocess.run([sys.executable, "-c", CHILD, str(not_ours)], capture_output=True, text=True, check=False)
    assert (orphan.returncode, orphan.stdout) == (-signal.SIGTERM, "")

"""Speeds as ratios within one run: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    # One core, before numpy is imported: ratios then do not depend on the machine's cores.
    os.environ.setdefault(_name, "1")

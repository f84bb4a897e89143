"""How results came about: software, raw files by sha256, options, code fingerprints, history of each dataset."""

from __future__ import annotations

import platform
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import depthlock
from depthlock.workflow.jobs import Job, Plan

_DECISIVE = ("numpy", "scipy", "xarray", "dask", "numba", "h5py", "rosettasciio", "pyxem", "molmass", "lmfit")
"""Distributions whose version may change a number."""


def session_provenance(plan: Plan) -> dict[str, Any]:
    """Return what ``provenance.json`` holds.

    No times stand in it, so that the same input gives the same file; when a job ran stands in its state.
    """
    raw = {
        file.path: {
            "sha256": file.sha256,
            "reader": file.reader,
            "technique": file.technique,
            "settings": file.settings,
        }
        for job in plan.jobs
        for file in job.raw
    }
    return {
        "session": plan.session,
        "session_file": plan.session_file,
        "samples": list(plan.samples),
        "software": software(),
        "raw_files": raw,
        "jobs": [
            {
                "job": job.name,
                "stage": job.stage,
                "sample": job.sample,
                "options": job.options,
                "code_fingerprint": job.code,
                "key_sha256": job.key_sha256,
                "inputs": [file.path for file in job.raw],
                "upstream": list(job.upstream),
                "outputs": list(job.outputs),
            }
            for job in plan.jobs
        ],
    }


def dataset_provenance(job: Job, plan: Plan) -> dict[str, Any]:
    """Return what stands in the attribute ``provenance`` of a stage's dataset."""
    return {
        "stage": job.stage,
        "sample": job.sample,
        "options": job.options,
        "depthlock_version": depthlock.__version__,
        "code_fingerprint": job.code,
        "key_sha256": job.key_sha256,
        "inputs": [{"path": file.path, "sha256": file.sha256, "reader": file.reader} for file in job.raw],
        "history": _history(job, plan),
    }


def _history(job: Job, plan: Plan) -> list[str]:
    """One line a job that went into this one, the earliest first."""
    lines: list[str] = []
    for name in job.upstream:
        lines += [line for line in _history(plan.job(name), plan) if line not in lines]
    files = ", ".join(f"{file.path} (sha256 {file.sha256[:12]})" for file in job.raw)
    source = files or ", ".join(job.upstream)
    return [*lines, f"{job.stage} of {source} by depthlock {depthlock.__version__}, code {job.code}"]


@lru_cache(maxsize=1)
def software() -> dict[str, str]:
    """Return the versions of what may change a number."""
    found = {"depthlock": depthlock.__version__, "python": sys.version.split()[0], "platform": platform.platform()}
    for name in _DECISIVE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""Why each job of a plan would run: its key against the key with which its results were made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from depthlock.model.errors import DepthlockError
from depthlock.model.session_file import LoadedSession
from depthlock.workflow.files import read_json
from depthlock.workflow.jobs import Job, Plan
from depthlock.workflow.manifest import Manifest
from depthlock.workflow.plan import chosen_samples, make_plan


def reasons(plan: Plan) -> dict[str, list[str]]:
    """Return the jobs that would run, with the reasons.

    Parameters
    ----------
    plan : Plan
        The plan as of now; nothing of it need be written.

    Returns
    -------
    dict of str to list of str
        By job name, in the order of the plan; a job that is current is not in it.
    """
    found: dict[str, list[str]] = {}
    for job in plan.jobs:
        own = list(_own_reasons(job, plan))
        later = [f"{name} runs before it" for name in job.upstream if name in found]
        if own or later:
            found[job.name] = own + later
    return found


def _own_reasons(job: Job, plan: Plan) -> Iterator[str]:
    made = read_json(plan.results_folder / job.done_file)
    missing = [name for name in job.outputs if not (plan.results_folder / name).exists()]
    if made is None:
        yield "it has not been run" if missing else "its last run did not end well"
        return
    if missing:
        yield f"{', '.join(missing)} is not there"
    key = job.key
    if made == key:
        return
    yield from _raw_reasons(job, made.get("raw", []))
    yield from _option_reasons(made.get("options", {}), key["options"], "")
    if made.get("code") != key["code"]:
        yield f"the code of {job.stage} has changed"
    before, now = set(made.get("upstream", {})), set(key["upstream"])
    for name in sorted(now - before):
        yield f"{name} is new"
    for name in sorted(before - now):
        yield f"{name} is gone"


def _raw_reasons(job: Job, made: list[dict[str, Any]]) -> Iterator[str]:
    if len(made) != len(job.raw):
        yield f"it takes {len(job.raw)} raw files instead of {len(made)}"
        return
    for raw, old in zip(job.raw, made, strict=True):
        if raw.sha256 != old.get("sha256"):
            yield f"the content of {raw.path} has changed"
        if raw.reader != old.get("reader"):
            yield f"{raw.path} is read as {raw.reader} instead of {old.get('reader')}"
        yield from _option_reasons(old.get("settings", {}), raw.settings, f"{raw.technique}: ")


def _option_reasons(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            dot = "" if not path or path.endswith(" ") else "."
            yield from _option_reasons(old.get(key), new.get(key), f"{path}{dot}{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _option_reasons(before, after, f"{path}[{number}]")
    else:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = "default" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def with_finished_samples(loaded: LoadedSession, chosen: Iterable[str], manifest: Manifest) -> list[str]:
    """Add to some samples of a session those others that are up to date: the report goes over all of them.

    Raises
    ------
    SessionError
        If a chosen sample is unknown.
    """
    wanted = chosen_samples(loaded, chosen)
    finished = []
    for sample in loaded.session.samples:
        if sample in wanted:
            continue
        try:
            alone = make_plan(loaded, samples=[sample], manifest=manifest)
        except DepthlockError:
            continue  # its files are not in order; it was not asked for
        if not any(alone.job(name).sample for name in reasons(alone)):
            finished.append(sample)
    return [sample for sample in loaded.session.samples if sample in {*wanted, *finished}]

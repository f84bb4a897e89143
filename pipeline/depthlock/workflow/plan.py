"""From a session to the jobs that give its results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from depthlock.model.chemistry import Chemistry, IonEntry
from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.options import StageOptions
from depthlock.model.session import Session
from depthlock.model.session_file import LoadedSession
from depthlock.workflow.fingerprint import code_fingerprint
from depthlock.workflow.jobs import HIDDEN, Job, Plan, RawFile, rounded
from depthlock.workflow.manifest import Manifest
from depthlock.workflow.raw_files import joined, raw_files
from depthlock.workflow.stages import DEFAULT_TABLE, Stage, Take, load_table


def make_plan(
    loaded: LoadedSession,
    *,
    samples: Iterable[str] | None = None,
    table: str = DEFAULT_TABLE,
    manifest: Manifest | None = None,
    without: Iterable[str] = (),
) -> Plan:
    """Lay out all jobs of a session, upstream ones first.

    Parameters
    ----------
    loaded : LoadedSession
        The session.
    samples : iterable of str, optional
        Samples to plan; all if absent.
    table : str
        ``module:name`` of the stage table.
    manifest : Manifest, optional
        Known hashes of raw files; one in the results folder if absent. It is not saved here.
    without : iterable of str
        Jobs of samples to leave out; what takes their results is left out too, except a session's stages, which then
        work with what is there.

    Raises
    ------
    SessionError
        If a sample is unknown, or the chemistry library is wrong.
    ReadError
        If a raw file is missing, damaged, or not of the technique it stands under.
    """
    stages = load_table(table)
    chosen = chosen_samples(loaded, samples)
    chemistry = load_chemistry(loaded)
    manifest = manifest or Manifest(loaded.results / HIDDEN / "manifest.json")
    jobs: dict[str, Job] = {}
    dropped = set(without)
    faults: list[DepthlockError] = []
    for sample in chosen:
        try:
            raw = raw_files(loaded, sample, manifest, stages)
        except DepthlockError as fault:
            faults.append(fault)
            continue
        for stage in stages:
            if stage.per == "sample" and not _is_dropped(stage, sample, dropped):
                _add_sample_job(jobs, stage, loaded, sample, raw, chemistry)
    if faults:
        raise joined(faults)
    for stage in stages:
        if stage.per == "session":
            _add_session_job(jobs, stage, loaded, chemistry)
    return Plan(
        session=loaded.session.session,
        session_file=str(loaded.path),
        results=str(loaded.results.resolve()),
        table=table,
        samples=tuple(chosen),
        scheduler=loaded.session.scheduler,
        jobs=tuple(jobs.values()),
    )


def chosen_samples(loaded: LoadedSession, samples: Iterable[str] | None) -> list[str]:
    """Return the samples that are asked for, in the session's order.

    Raises
    ------
    SessionError
        If one is not in the session.
    """
    import difflib

    known = list(loaded.session.samples)
    if samples is None:
        return known
    wanted = list(samples)
    for sample in wanted:
        if sample not in known:
            near = difflib.get_close_matches(sample, known, n=1)
            raise SessionError(
                f"there is no sample {sample!r}",
                expected="one of " + ", ".join(known),
                where=loaded.where("samples"),
                hint=f"did you mean {near[0]!r}?" if near else "",
            )
    return [sample for sample in known if sample in wanted]


def load_chemistry(loaded: LoadedSession) -> Chemistry:
    """Load the session's chemistry library; a path starts from the session file's folder."""
    from depthlock.chemistry import library

    name = loaded.session.chemistry
    is_path = name not in library.names() and (Path(name).suffix in {".yaml", ".yml"} or "/" in name)
    try:
        return library.load(loaded.resolve(name) if is_path else name)
    except SessionError as error:
        where = loaded.where("chemistry") if "chemistry" in loaded.session.model_fields_set else ""
        raise SessionError(
            error.found, expected=error.expected, hint=error.hint,
            where=f"{where}: {error.where}" if is_path and error.where else where or error.where,
        ) from error  # fmt: skip


def _is_dropped(stage: Stage, sample: str, dropped: set[str]) -> bool:
    name = f"{sample}.{stage.name}"
    if name in dropped or any(f"{sample}.{take.stage}" in dropped for take in stage.takes):
        dropped.add(name)
        return True
    return False


def _raw_of(take: Take, raw: list[RawFile]) -> list[RawFile]:
    if not take.raw:
        return []
    return [file for file in raw if file.technique == take.raw and (not take.formats or file.gives in take.formats)]


def _add_sample_job(
    jobs: dict[str, Job], stage: Stage, loaded: LoadedSession, sample: str, raw: list[RawFile], chemistry: Chemistry
) -> None:
    upstream: dict[str, str] = {}
    files: list[RawFile] = []
    given: set[str] = set()
    for take in stage.takes:
        before = jobs.get(f"{sample}.{take.stage}")
        if before is not None:
            upstream[before.name] = before.key_sha256
        own = [] if before is not None else _raw_of(take, raw)
        files += own
        if before is not None or own:
            given.add(take.argument)
        elif take.needed:
            return
    if stage.any_of and not given & set(stage.any_of):
        return
    job = _job(stage, f"{sample}.{stage.name}", loaded, chemistry, sample=sample, raw=tuple(files), upstream=upstream)
    jobs[job.name] = job


def _add_session_job(jobs: dict[str, Job], stage: Stage, loaded: LoadedSession, chemistry: Chemistry) -> None:
    taken = {take.stage for take in stage.takes if take.stage}
    # A stage that names no other one reads the whole results folder, so that all jobs come before it.
    before = [job for job in jobs.values() if not taken or job.stage in taken]
    if len(before) < stage.at_least:
        return
    upstream = {job.name: job.key_sha256 for job in before}
    jobs[stage.name] = _job(stage, stage.name, loaded, chemistry, upstream=upstream)


def _job(
    stage: Stage,
    name: str,
    loaded: LoadedSession,
    chemistry: Chemistry,
    *,
    sample: str = "",
    raw: tuple[RawFile, ...] = (),
    upstream: dict[str, str],
) -> Job:
    options = stage_options(stage, loaded.session, sample, chemistry)
    return Job(
        name=name,
        stage=stage.name,
        sample=sample,
        raw=raw,
        upstream=upstream,
        outputs=tuple(f"{sample}/{output}" if sample else output for output in stage.outputs),
        options=rounded(options.model_dump(mode="json")),
        code=code_fingerprint(("depthlock.model", *stage.rooms)),
        threads=stage.threads,
        mem_mb=stage.mem_mb,
    )


def stage_options(stage: Stage, session: Session, sample: str, chemistry: Chemistry) -> StageOptions:
    """Return a stage's options in full: the session's, the sample's, and what the workflow fills in.

    Fields marked "filled by the workflow" come from the session's other keys and the chemistry library, unless the
    session sets them under ``options:`` itself.

    Raises
    ------
    SessionError
        When the options do not fit what was filled in.
    """
    options = session.options_of(sample or None)
    filled = _filled_fields(session, sample, chemistry)
    filled["profile"] = _with_filled(options.tofsims_profile, filled)
    return _with_filled(getattr(options, stage.name), filled)


def _with_filled(own: StageOptions, filled: dict[str, Any]) -> StageOptions:
    fresh = {
        name: value
        for name, value in filled.items()
        if name in type(own).model_fields and name not in own.model_fields_set
    }
    options_in_full = own.model_copy(update=fresh)
    options_in_full.verify()
    return options_in_full


def _filled_fields(session: Session, sample: str, chemistry: Chemistry) -> dict[str, Any]:
    from depthlock.chemistry import library

    fields: dict[str, Any] = {
        "ions": session_ions(session, chemistry),
        "elements": chemistry.elements,
        "regions": chemistry.regions,
        "charge_references": chemistry.charge_references,
        "sensitivity": chemistry.sensitivity,
        "survey": library.survey_lines(),
    }
    tofsims = session.samples[sample].tofsims if sample else None
    if tofsims is not None:
        fields.update(tofsims.model_dump(exclude={"file"}, exclude_none=True))
    return fields


def session_ions(session: Session, chemistry: Chemistry) -> tuple[IonEntry, ...]:
    """Return the ions to follow: the session's, with roles from the library, else those of the library with a role."""
    library = {entry.ion: entry for entry in chemistry.ions}
    if not session.ions:
        return tuple(entry for entry in chemistry.ions if entry.role != "other") or chemistry.ions
    return tuple(
        library[entry.ion].model_copy(update={name: getattr(entry, name) for name in entry.model_fields_set})
        if entry.ion in library
        else entry
        for entry in session.ions
    )

"""A whole `depthlock run`: plan the session, run what is due, show it, and say how it ended."""

from __future__ import annotations

from rich.console import Console

from depthlock.model.session_file import LoadedSession
from depthlock.workflow.check import check_inputs
from depthlock.workflow.jobs import HIDDEN, Plan, write_plan
from depthlock.workflow.manifest import Manifest
from depthlock.workflow.plan import make_plan
from depthlock.workflow.progress import RunDisplay, print_failures, print_results
from depthlock.workflow.reasons import reasons, with_finished_samples
from depthlock.workflow.runner import RunOptions, RunOutcome, log_file, run_plan


def plan_session(loaded: LoadedSession, samples: list[str] | None, *, save: bool) -> Plan:
    """Plan a session and open its files; nothing is written if anything is wrong.

    Parameters
    ----------
    loaded : LoadedSession
        The session.
    samples : list of str or None
        Samples to run, to which those that are up to date are added; all if absent.
    save : bool
        Whether to remember what was seen of the raw files, so that they are not read again for their checksum.

    Raises
    ------
    DepthlockError
        For any mistake in the session or its files.
    """
    manifest = Manifest(loaded.results / HIDDEN / "manifest.json")
    chosen = None if samples is None else with_finished_samples(loaded, samples, manifest)
    plan = make_plan(loaded, samples=chosen, manifest=manifest)
    check_inputs(plan, remember=save)
    if save:
        manifest.save()
    return plan


def print_due(plan: Plan, console: Console) -> None:
    """Say which jobs would run, and why."""
    due = reasons(plan)
    for name, why in due.items():
        console.print(f"{name}", style="bold", highlight=False, markup=False)
        for reason in why:
            console.print(f"    {reason}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{len(due)} of {len(plan.jobs)} jobs would run" if due else "everything is up to date")


def run_session(loaded: LoadedSession, plan: Plan, options: RunOptions, console: Console) -> bool:
    """Run what is due and show it; with ``keep_going``, what is left after failures is compared and reported.

    Returns
    -------
    bool
        Whether a stage failed.

    Raises
    ------
    WorkflowError
        If another run works on the same results, or Snakemake itself fails.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM, after all children have ended.
    """
    outcome = _run_and_show(plan, options, console)
    if outcome.failed and options.keep_going:
        _report_the_rest(loaded, plan, outcome, options, console)
    for note in outcome.notes:
        console.print(note, style="yellow", highlight=False)
    if not outcome.states:
        console.print(f"everything is up to date ({outcome.current} jobs)")
    if outcome.failed:
        print_failures(console, outcome.failed, log_file(plan.results_folder))
    else:
        print_results(console, plan.results_folder)
    return bool(outcome.failed)


def _run_and_show(plan: Plan, options: RunOptions, console: Console) -> RunOutcome:
    with RunDisplay(console) as display:
        return run_plan(plan, options, display.show)


def _report_the_rest(
    loaded: LoadedSession, plan: Plan, outcome: RunOutcome, options: RunOptions, console: Console
) -> None:
    failed = [state.job for state in outcome.failed]
    rest = make_plan(loaded, samples=plan.samples, table=plan.table, without=failed)
    if any(job.sample for job in rest.jobs) and any(name in outcome.states for name in ("compare", "report")):
        _run_and_show(rest, options, console)
        write_plan(plan)  # so that `status` and `view` go on showing what failed

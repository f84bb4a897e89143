"""Telling people how far a run is, and how it ended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from depthlock.workflow.states import JobState
from depthlock.workflow.summary import read_summary

_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▸", "cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "interrupted": ("!", "yellow"),
}


def duration(seconds: float | None) -> str:
    """Return a duration for people: ``4 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class RunDisplay:
    """Shows a run while it goes: a live table on a terminal, a line a job elsewhere.

    Parameters
    ----------
    console : Console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}
        self._bar = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} jobs"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=0)
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def show(self, states: dict[str, JobState]) -> None:
        """Show how far the jobs are; to be given to :func:`depthlock.workflow.runner.run_plan`."""
        done = sum(state.status in {"done", "failed"} for state in states.values())
        for name, state in states.items():
            if state.status != self._told.get(name):
                self._told[name] = state.status
                self._tell(state)
        if self._live is not None:
            self._bar.update(self._task, total=len(states), completed=done)
            table = Table.grid(padding=(0, 2))
            for state in states.values():
                if state.status == "running":
                    table.add_row(Spinner("dots"), Text(state.job), Text(state.message, "dim"), duration(state.seconds))
            layout = Table.grid()
            layout.add_row(table)
            layout.add_row(self._bar)
            self._live.update(layout)

    def _tell(self, state: JobState) -> None:
        if state.status == "running" and self._live is None:
            self._console.print(f"▸ {state.job}: {state.message}", highlight=False, markup=False)
        elif state.status in {"done", "failed"}:
            self._console.print(state_line(state), soft_wrap=True)


def state_line(state: JobState) -> Text:
    """Return one line on a job: mark, name, how long it took, and what it said."""
    mark, style = _MARKS[state.status]
    text = Text(f"{mark} ", style)
    text.append(state.job, "default")
    if state.seconds is not None and state.status != "waiting":
        text.append(f"  {duration(state.seconds)}", "dim")
    if state.status in {"failed", "interrupted"}:
        text.append(f"  {state.message}", style)
    elif state.status == "running":
        text.append(f"  {state.message}", "dim")
    return text


def print_failures(console: Console, failed: list[JobState], log: Path) -> None:
    """Tell what went wrong, each cause once, in the words of its error."""
    by_cause: dict[str, list[JobState]] = {}
    for state in failed:
        by_cause.setdefault(state.error or state.message, []).append(state)
    for cause, states in by_cause.items():
        console.print(Text(f"\n{', '.join(state.job for state in states)} failed", "bold red"))
        console.print(cause, highlight=False, markup=False, soft_wrap=True)
        if states[0].traceback:
            console.print(states[0].traceback, highlight=False, markup=False, soft_wrap=True)
    console.print(f"\nlog: {log}", highlight=False, markup=False, soft_wrap=True)


def print_results(console: Console, results: Path, *, worst: int = 5) -> None:
    """Tell where the results are and what in them is flagged."""
    summary = results / "summary.csv"
    if not summary.is_file():
        return
    rows = read_summary(summary)
    flagged = [row for row in rows if row["flag"]]
    if flagged:
        reasons = Counter(reason.strip().partition(":")[0] for row in flagged for reason in row["flag"].split(";"))
        told = ", ".join(f"{reason} {count}x" for reason, count in reasons.most_common(6))
        console.print(
            f"flagged: {len(flagged)} of {len(rows)} numbers ({told}); the worst:",
            style="yellow", highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
        for row in worst_first(flagged)[:worst]:
            console.print(f"  {described(row)}", highlight=False, markup=False, soft_wrap=True)
    else:
        console.print(f"nothing flagged in {len(rows)} numbers", style="green")
    console.print(f"numbers: {summary}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"report:  {results / 'report.html'}", style="bold", highlight=False, markup=False, soft_wrap=True)


_ANSWERS = {"not_detected", "no_preferred_orientation", "no_step", "no_volume", "single_state"}
_IMPORTANCE = ("depth", "tem", "tofsims", "xps", "eds", "stem", "diffraction")


def worst_first(flagged: list[dict[str, str]]) -> list[dict[str, str]]:
    """Sort flagged rows: those without a number first, then what more depends on, then the most flags.

    What simply is not there (``not_detected``), or was not asked for, comes last: it is an answer, not a doubt.
    """

    def badness(row: dict[str, str]) -> tuple[Any, ...]:
        order = _IMPORTANCE.index(row["technique"]) if row["technique"] in _IMPORTANCE else len(_IMPORTANCE)
        reasons = {reason.partition(":")[0] for reason in row["flag"].split(";")}
        return bool(reasons & _ANSWERS), bool(row["value"]), order, -len(reasons)

    return sorted(flagged, key=badness)


def described(row: dict[str, str]) -> str:
    """Return a row of the summary as a line for people."""
    target = f" of {row['target']}" if row["target"] else ""
    level = f" at level {row['level']}" if row["level"] else ""
    value = f"{float(row['value']):.4g} {row['unit']}".removesuffix(" 1") if row["value"] else "no number"
    return f"{row['sample']}: {row['technique']} {row['quantity']}{target}{level}: {value} [{row['flag']}]"

"""The peak list of every TOF-SIMS measurement of a session, from its event store or, before a run, its raw file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from depthlock.model.options import EventsOptions, ProfileOptions

if TYPE_CHECKING:
    from rich.table import Table

    from depthlock.model.session_file import LoadedSession
    from depthlock.tofsims.peak_list import Candidate, PeakList


def session_peaks(loaded: LoadedSession, most: int) -> Iterator[tuple[str, PeakList]]:
    """Give the sample and the list of its `most` strongest peaks, sample by sample; exported profiles have none.

    Raises
    ------
    SessionError
        When no sample has a raw file with single ions.
    """
    from depthlock.model.errors import SessionError
    from depthlock.readers.event_conversion import convert_to_events
    from depthlock.readers.event_store import open_events
    from depthlock.tofsims.peak_list import list_peaks
    from depthlock.workflow.plan import make_plan

    plan = make_plan(loaded)
    jobs = [job for job in plan.jobs if job.stage == "tofsims_events"]
    if not jobs:
        raise SessionError(
            "no sample has a TOF-SIMS file with single ions",
            expected="a raw file under 'tofsims'",
            where=str(loaded.path),
            hint="exported profiles hold chosen masses only, and no spectrum",
        )
    for job in jobs:
        own = next(one for one in plan.jobs if one.stage == "tofsims_profile" and one.sample == job.sample)
        options = ProfileOptions.model_validate(own.options)
        with tempfile.TemporaryDirectory(prefix="depthlock-peaks-") as folder:
            # Converted anew rather than taken from the results: those may be of an older file.
            target = Path(folder) / "events.h5"
            convert_to_events(Path(job.raw[0].path), target, EventsOptions())
            yield job.sample, list_peaks(open_events(target), options, most)


def peak_table(sample: str, found: PeakList) -> Table:
    """The list as a table for a terminal."""
    from rich import box
    from rich.table import Table

    doubt = f", {found.calibration_flag}" if found.calibration_flag else ""
    title = f"{sample}: {len(found.peaks)} strongest peaks (calibration +-{found.scatter_ppm:.1f} ppm{doubt})"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("m/z", "ions", "R", "candidate", "ppm", "sigma", "isotopes: found (natural)"):
        table.add_column(name, justify="left" if name[0] in "ic" and name != "ions" else "right")
    for peak in found.peaks:
        own = [f"{peak.mz:.4f}", f"{peak.ions:.0f}", f"{peak.resolution:.0f}"]
        if not peak.candidates:
            table.add_row(*own, "-", "", "", "")
        for k, one in enumerate(peak.candidates):
            name = one.label + (" *" if one.followed else "")
            table.add_row(*(own if k == 0 else ["", "", ""]), name, f"{one.ppm:+.1f}", f"{one.sigma:+.1f}", _told(one))
    table.caption = "* followed by the session"
    return table


def _told(candidate: Candidate) -> str:
    lines = [f"M{one.shift:+d} {one.ratio:.3g} ({one.natural:.3g})" for one in candidate.isotopes]
    return f"{candidate.verdict}: {', '.join(lines)}" if lines else ""

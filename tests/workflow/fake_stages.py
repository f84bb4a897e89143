"""A stage table of quick stages, run by the real machinery: what it does with jobs needs no science."""

from __future__ import annotations

import os
import time
from pathlib import Path

from depthlock.model.errors import MeasurementError
from depthlock.model.options import (
    CompareOptions,
    DeconvolveOptions,
    DepthOptions,
    EventsOptions,
    ProfileOptions,
    ReportOptions,
    ThicknessOptions,
)
from depthlock.workflow.stages import Stage, Take

TABLE = "fake_stages:STAGES"


def _note(stage: str, source: str) -> None:
    """Leave one line a call in the journal, and wait while the brake stands."""
    journal = Path(os.environ["FAKE_JOURNAL"])
    with journal.open("a") as stream:
        stream.write(f"{stage} {source} {os.getpid()}\n")
    while (journal.parent / f"brake.{stage}").exists():
        time.sleep(0.02)


def _write(target: Path, text: str) -> None:
    target.write_text(text)


def events(source: Path, target: Path, options: EventsOptions) -> None:
    _note("tofsims_events", source.name)
    target.unlink(missing_ok=True)
    target.symlink_to(source)


def profile(events: Path, target: Path, options: ProfileOptions) -> None:
    _note("tofsims_profile", Path(events).name)
    _write(target, options.calibration)


def spectra(source: Path, target: Path, options: DeconvolveOptions) -> None:
    _note("xps_deconvolve", source.name)
    if options.background == "linear":
        raise MeasurementError("a linear background", expected="any other", where="here", hint="change it")
    if options.background == "constant":
        raise ZeroDivisionError("a bug")
    _write(target, source.read_text())


def image(source: Path, target: Path, options: ThicknessOptions) -> None:
    _note("tem_thickness", source.name)
    _write(target, f"{options.edge_smoothing}")


def depth(source: Path, target: Path, options: DepthOptions) -> None:
    _note("depth_profile", source.name)
    _write(target, source.read_text())


def compare(source: dict[str, Path], target: Path, options: CompareOptions) -> None:
    _note("compare", ",".join(source))
    _write(target, ",".join(source))


def report(results: object, folder: Path, options: ReportOptions) -> None:
    _note("report", options.title)
    _write(folder / "report.html", "<html></html>")


def _stage(name: str, function: str, options: type, takes: tuple[Take, ...], output: str, per: str = "sample",
           **more: object) -> Stage:  # fmt: skip
    path, rooms = f"fake_stages:{function}", ("fake_stages",)
    return Stage(name, f"fake {name}", path, options, takes, "file", (output,), per, rooms, **more)


STAGES = (
    _stage("tofsims_events", "events", EventsOptions, (Take("source", "file", raw="tofsims"),), "tofsims_events.h5"),
    _stage("tofsims_profile", "profile", ProfileOptions, (Take("source", "file", stage="tofsims_events"),),
           "tofsims_profile.txt", threads=2),
    _stage("xps_deconvolve", "spectra", DeconvolveOptions, (Take("source", "file", raw="xps"),), "xps_fit.txt"),
    _stage("tem_thickness", "image", ThicknessOptions, (Take("source", "file", raw="tem"),), "tem_thickness.txt"),
    _stage("depth_profile", "depth", DepthOptions,
           (Take("source", "file", stage="xps_deconvolve"),
            Take("tofsims", "file", stage="tofsims_profile", needed=False),
            Take("tem", "file", stage="tem_thickness", needed=False)),
           "depth_profile.txt"),
    _stage("compare", "compare", CompareOptions, (Take("source", "file", stage="depth_profile", each="sample"),),
           "comparison.txt", "session", at_least=2),
    _stage("report", "report", ReportOptions, (Take("results", "results"),), "report.html", "session"),
)  # fmt: skip

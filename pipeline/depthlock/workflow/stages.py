"""The stage table: the only place where a stage of the analysis is declared.

The command line, the Snakefile, the napari plugin and the results all read :data:`STAGES`. To add a stage: write its
function and its options model, its contract in :mod:`depthlock.model.contracts`, and one row here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from depthlock.model.errors import WorkflowError
from depthlock.model.options import (
    CompareOptions,
    ComponentsOptions,
    DeconvolveOptions,
    DepthOptions,
    DiffractionOptions,
    EdsOptions,
    EventsOptions,
    MapsOptions,
    ProfileOptions,
    ReportOptions,
    ScanOptions,
    StageOptions,
    ThicknessOptions,
)

DEFAULT_TABLE = "depthlock.workflow.stages:STAGES"
"""Where the table of depthlock's own stages is; another one can be run by naming it."""


@dataclass(frozen=True)
class Take:
    """One argument of a stage's function, and where it comes from.

    Attributes
    ----------
    argument : str
        Name of the function's parameter.
    contract : str
        Contract of what it gets, or ``file`` for a path.
    raw : str
        Technique whose raw files are opened for it; empty if none.
    formats : tuple of str
        With `raw`: only files whose reader gives one of these contracts count; all if empty.
    stage : str
        Stage whose result it is; empty if it comes from raw files only. With both, the stage goes first.
    each : str
        ``one`` value, a ``list`` of them, or a dict by ``region`` or ``sample``.
    needed : bool
        Whether the stage cannot run without it. Otherwise the argument is ``None`` when there is nothing to give.
    """

    argument: str
    contract: str
    raw: str = ""
    formats: tuple[str, ...] = ()
    stage: str = ""
    each: Literal["one", "list", "region", "sample"] = "one"
    needed: bool = True


@dataclass(frozen=True)
class Stage:
    """One step of the analysis.

    Attributes
    ----------
    name : str
        As in sessions (``options:``), files and commands.
    title : str
        What it does, for people.
    function : str
        ``module:function``, imported only when it runs.
    options : type of StageOptions
        Its options model; a session sets them under ``options:`` and the stage's name.
    takes : tuple of Take
        Its arguments.
    gives : str
        Contract of what it gives, or ``file``.
    outputs : tuple of str
        Names of the files it leaves, in the sample's folder or, for a session's stage, in the results folder.
    per : str
        Whether it runs once a ``sample`` or once a ``session``.
    rooms : tuple of str
        Packages whose code decides its result, beside ``depthlock.model``.
    threads : int
        Threads it can use.
    mem_mb : int
        Memory in MB that it needs at most on measurements of usual size.
    at_least : int
        Number of samples from which a session's stage is worth running.
    any_of : tuple of str
        Arguments of which at least one must be there.
    """

    name: str
    title: str
    function: str
    options: type[StageOptions]
    takes: tuple[Take, ...]
    gives: str
    outputs: tuple[str, ...]
    per: Literal["sample", "session"]
    rooms: tuple[str, ...]
    threads: int = 1
    mem_mb: int = 1000
    at_least: int = 1
    any_of: tuple[str, ...] = ()

    def load_function(self) -> Callable[..., Any]:
        """Import and return the stage's function."""
        function: Callable[..., Any] = load_object(self.function)
        return function


def load_object(path: str) -> Any:
    """Import what ``module:name`` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


STAGES: tuple[Stage, ...] = (
    Stage(
        name="tofsims_events",
        title="TOF-SIMS events to the event store",
        function="depthlock.readers.event_conversion:convert_to_events",
        options=EventsOptions,
        takes=(Take("source", "file", raw="tofsims", formats=("tofsims_events",)),),
        gives="file",
        outputs=("tofsims_events.h5",),
        per="sample",
        rooms=("depthlock.readers",),
        threads=2,
        mem_mb=2000,
    ),
    Stage(
        name="tofsims_profile",
        title="TOF-SIMS depth profiles of the ions",
        function="depthlock.tofsims.profile:reduce_profile",
        options=ProfileOptions,
        takes=(
            Take(
                "events",
                "tofsims_events",
                raw="tofsims",
                formats=("tofsims_export", "tofsims_volume"),
                stage="tofsims_events",
            ),
        ),
        gives="tofsims_profile",
        outputs=("tofsims_profile.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.tofsims"),
        threads=2,
        mem_mb=4000,
    ),
    Stage(
        name="tofsims_components",
        title="TOF-SIMS spectrum image unmixed into components",
        function="depthlock.tofsims.components:find_components",
        options=ComponentsOptions,
        takes=(Take("events", "tofsims_events", stage="tofsims_events"),),
        gives="tofsims_components",
        outputs=("tofsims_components.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.tofsims"),
        threads=1,
        mem_mb=2000,
    ),
    Stage(
        name="xps_deconvolve",
        title="XPS chemical states along the etch levels",
        function="depthlock.xps.deconvolve:deconvolve",
        options=DeconvolveOptions,
        takes=(Take("spectra", "xps_spectra", raw="xps", each="region"),),
        gives="xps_fit",
        outputs=("xps_fit.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.xps"),
        threads=1,
        mem_mb=2000,
    ),
    Stage(
        name="tem_thickness",
        title="thickness of the layer in the TEM images",
        function="depthlock.tem.thickness:measure_thickness",
        options=ThicknessOptions,
        takes=(Take("images", "tem_image", raw="tem", each="list"),),
        gives="tem_thickness",
        outputs=("tem_thickness.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.tem"),
        threads=2,
        mem_mb=4000,
    ),
    Stage(
        name="eds_profile",
        title="elements along the layer's normal in the STEM-EDS maps",
        function="depthlock.eds.profile:measure_profile",
        options=EdsOptions,
        takes=(Take("measured", "eds_maps", raw="eds", each="list"),),
        gives="eds_profile",
        outputs=("eds_profile.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.eds"),
        threads=1,
        mem_mb=4000,
    ),
    Stage(
        name="stem_maps",
        title="crystallinity and virtual detector images of the 4D-STEM scans",
        function="depthlock.tem.scan_maps:map_scans",
        options=ScanOptions,
        takes=(Take("scans", "stem_scan", raw="stem", each="list"),),
        gives="stem_maps",
        outputs=("stem_maps.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.tem"),
        threads=2,
        mem_mb=2000,
    ),
    Stage(
        name="diffraction_texture",
        title="texture of the named reflections in the diffraction patterns",
        function="depthlock.diffraction.texture:measure_texture",
        options=DiffractionOptions,
        takes=(Take("patterns", "diffraction_pattern", raw="diffraction", each="list"),),
        gives="diffraction_texture",
        outputs=("diffraction_texture.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.diffraction"),
        threads=1,
        mem_mb=2000,
    ),
    Stage(
        name="depth_profile",
        title="all techniques on one depth axis",
        function="depthlock.fusion.depth_profile:lock_depth",
        options=DepthOptions,
        takes=(
            Take("tofsims", "tofsims_profile", stage="tofsims_profile", needed=False),
            Take("xps", "xps_fit", stage="xps_deconvolve", needed=False),
            Take("tem", "tem_thickness", stage="tem_thickness", needed=False),
            Take("eds", "eds_profile", stage="eds_profile", needed=False),
            Take("volumes", "tofsims_volume", stage="tofsims_events", needed=False),
        ),
        gives="depth_profile",
        outputs=("depth_profile.nc",),
        per="sample",
        rooms=("depthlock.fusion", "depthlock.tofsims"),
        threads=2,
        mem_mb=4000,
        any_of=("tofsims", "xps", "eds"),
    ),
    Stage(
        name="tofsims_maps",
        title="TOF-SIMS maps and cross-sections",
        function="depthlock.tofsims.maps:draw_maps",
        options=MapsOptions,
        takes=(
            Take("events", "tofsims_events", stage="tofsims_events"),
            Take("profile", "tofsims_profile", stage="tofsims_profile"),
            Take("depth", "depth_profile", stage="depth_profile", needed=False),
        ),
        gives="tofsims_maps",
        outputs=("tofsims_maps.nc",),
        per="sample",
        rooms=("depthlock.readers", "depthlock.tofsims"),
        mem_mb=2000,
    ),
    Stage(
        name="compare",
        title="the samples side by side",
        function="depthlock.fusion.compare:compare_samples",
        options=CompareOptions,
        takes=(Take("profiles", "depth_profile", stage="depth_profile", each="sample"),),
        gives="comparison",
        outputs=("comparison.nc",),
        per="session",
        rooms=("depthlock.fusion",),
        at_least=2,
    ),
    Stage(
        name="report",
        title="summary table and report",
        function="depthlock.report.report:write_report",
        options=ReportOptions,
        takes=(Take("results", "results"),),
        gives="file",
        outputs=("report.html", "summary.csv", "provenance.json"),
        per="session",
        rooms=("depthlock.report", "depthlock.workflow.summary", "depthlock.workflow.provenance"),
        mem_mb=2000,
    ),
)


def taken_by(technique: str, gives: str, table: tuple[Stage, ...] = STAGES) -> list[str]:
    """Return the stages that take raw files of a technique whose reader gives a contract."""
    return [
        stage.name
        for stage in table
        if any(take.raw == technique and (not take.formats or gives in take.formats) for take in stage.takes)
    ]


def load_table(path: str = DEFAULT_TABLE) -> tuple[Stage, ...]:
    """Return the stage table that ``module:name`` names.

    Raises
    ------
    WorkflowError
        If there is none.
    """
    try:
        table: tuple[Stage, ...] = load_object(path)
    except (ImportError, AttributeError) as error:
        raise WorkflowError(
            f"there is no stage table {path!r}: {error}",
            expected="module:name of a tuple of Stage, such as " + DEFAULT_TABLE,
        ) from error
    return table


def stage_named(name: str, table: tuple[Stage, ...] = STAGES) -> Stage:
    """Return the stage called `name`.

    Raises
    ------
    WorkflowError
        If there is none; the nearest name is given.
    """
    import difflib

    for stage in table:
        if stage.name == name:
            return stage
    names = [stage.name for stage in table]
    near = difflib.get_close_matches(name, names, n=1)
    raise WorkflowError(
        f"there is no stage {name!r}",
        expected="one of " + ", ".join(names),
        hint=f"did you mean {near[0]!r}?" if near else "",
    )

"""Ways into the viewer: a session file, a results folder, the sample session, and `depthlock view`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from depthlock.model.errors import DepthlockError, WorkflowError
from depthlock.workflow.results import SessionResults
from napari_depthlock.layers import LayerData, available_views, sample_layers

SAMPLE_SESSION = Path(__file__).parents[2] / "sample_data" / "session.yaml"
"""The simulated session that stands beside the source; a package installed without its source has none."""


def find_results(path: Path) -> SessionResults:
    """Open the results of a session file, or a results folder.

    Raises
    ------
    DepthlockError
        When the path is neither, or the session has not been run.
    """
    return SessionResults.open(path) if path.is_dir() else SessionResults.of_session(path)


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Answer napari's question whether this plugin opens a path; it does for sessions and results folders."""
    if not isinstance(path, str):
        return None
    try:
        find_results(Path(path))
    except DepthlockError:
        return None
    return read_session


def read_session(path: str | list[str]) -> list[LayerData]:
    """Layers of the first sample of a session that has something to look at."""
    results = find_results(Path(path if isinstance(path, str) else path[0]))
    return first_layers(results)


def first_layers(results: SessionResults) -> list[LayerData]:
    """The first view of the first sample that has one."""
    for sample in results.samples:
        for view in available_views(results, sample):
            return sample_layers(results, sample, view)
    return []


def open_sample_session() -> list[LayerData]:
    """Layers of the simulated session; it is made and run first where that has not been done.

    Raises
    ------
    DepthlockError
        When it cannot be made or run.
    """
    from depthlock.model.session_file import load_session

    session = sample_session()
    if not (load_session(session).results / "report.html").is_file():
        _run_and_show(session)
    return read_session(str(session))


def sample_session() -> Path:
    """The simulated session: the source's own, or one made once in the user's data folder."""
    if SAMPLE_SESSION.is_file() and os.access(SAMPLE_SESSION.parent, os.W_OK):
        return SAMPLE_SESSION
    from platformdirs import user_data_path

    from depthlock.simulate import command

    folder = user_data_path("depthlock") / "sample-session"
    session = folder / "session.yaml"
    return session if session.is_file() else command.run(folder)


def _run_and_show(session: Path) -> None:
    """Run a session while napari's activity bar counts its jobs."""
    from napari.utils import progress

    from depthlock.workflow.states import JobState
    from napari_depthlock.running import run_session

    with progress(total=1, desc="running the sample session") as bar:

        def show(states: dict[str, JobState]) -> None:
            bar.total = len(states)
            bar.update(sum(state.status == "done" for state in states.values()) - bar.n)

        run_session(session, show)


def view_session(path: Path) -> None:
    """Open napari on a session, with its panel; returns when the window is closed.

    Raises
    ------
    DepthlockError
        When the path is neither a session nor results, or there is no screen to open a window on.
    """
    path = path.expanduser()
    if path.is_dir():
        SessionResults.open(path)
    else:
        from depthlock.model.session_file import load_session

        load_session(path)
    _refuse_without_screen()
    import napari

    from napari_depthlock.session_panel import SessionPanel

    viewer = napari.Viewer(title=f"depthlock: {path.stem}")
    panel = SessionPanel(viewer)
    viewer.window.add_dock_widget(panel, name="depthlock session", area="right")
    panel.open(path)
    napari.run()


def _refuse_without_screen() -> None:
    """Qt aborts the whole process where it finds no screen; say so in words instead."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in screens):
        raise WorkflowError(
            "there is no screen to open a window on",
            expected="a desktop session (DISPLAY or WAYLAND_DISPLAY is set)",
            hint="log in with a desktop, or with 'ssh -X'; report.html needs no window",
        )

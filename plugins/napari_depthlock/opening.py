"""Ways into the viewer: a session file, a results folder, the sample session, and `depthlock view`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from depthlock.model.errors import DepthlockError
from depthlock.workflow.results import SessionResults
from napari_depthlock.layers import LayerData, available_views, sample_layers

SAMPLE_SESSION = Path(__file__).parents[2] / "sample_data" / "session.yaml"
"""The simulated session that stands beside the source."""


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
    """Layers of the simulated session; it is run first where that has not been done.

    Raises
    ------
    DepthlockError
        When the package is installed without its sample data.
    """
    from depthlock.model.session_file import load_session
    from napari_depthlock.running import run_session

    loaded = load_session(SAMPLE_SESSION)
    if not (loaded.results / "report.html").is_file():
        run_session(SAMPLE_SESSION)
    return read_session(str(SAMPLE_SESSION))


def view_session(path: Path) -> None:
    """Open napari on a session, with its panel; returns when the window is closed."""
    import napari

    from napari_depthlock.session_panel import SessionPanel

    viewer = napari.Viewer(title=f"depthlock: {path.stem}")
    panel = SessionPanel(viewer)
    viewer.window.add_dock_widget(panel, name="depthlock session", area="right")
    panel.open(path)
    napari.run()

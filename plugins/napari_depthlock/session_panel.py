"""The depthlock panel: which sample and view to look at, its profiles, and the state of its stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from depthlock.model.errors import DepthlockError
from depthlock.workflow.jobs import plan_file
from depthlock.workflow.results import SessionResults
from napari_depthlock.hints_panel import HintsPanel
from napari_depthlock.layers import IN_DEPTH, VIEWS, available_views, sample_layers
from napari_depthlock.profile_panel import ProfilePanel
from napari_depthlock.stages_panel import StagesPanel

if TYPE_CHECKING:
    import napari


class SessionPanel(QWidget):
    """Opens a session and shows one view of one sample at a time.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it fills; only layers of depthlock are ever replaced. napari's menu passes it by this name.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        viewer = self.viewer = napari_viewer
        self.results: SessionResults | None = None
        self.sample = QComboBox()
        self.view = QComboBox()
        self.dimensions = QPushButton("Slices")
        self.dimensions.setCheckable(True)
        self.open_button = QPushButton("Open session …")
        self.notice = QLabel("Open a session file or a results folder.")
        self.notice.setWordWrap(True)
        self.profiles = ProfilePanel(viewer)
        self.stages = StagesPanel()
        self.hints = HintsPanel(viewer)
        self._lay_out()
        self.open_button.clicked.connect(self._choose)
        self.sample.currentTextChanged.connect(self._sample_chosen)
        self.view.currentTextChanged.connect(self._view_chosen)
        self.dimensions.toggled.connect(self._set_dimensions)
        self.stages.finished.connect(self._reload)
        self.hints.saved.connect(self.stages.run)
        self._adopt_opened()

    def _lay_out(self) -> None:
        choice = QFormLayout()
        choice.addRow("sample", self.sample)
        choice.addRow("view", self.view)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.dimensions)
        tabs = QTabWidget()
        tabs.addTab(self.profiles, "Profiles")
        tabs.addTab(self.stages, "Stages")
        tabs.addTab(self.hints, "Hints")
        self.tabs = tabs
        self.setMaximumWidth(520)
        layout = QVBoxLayout(self)
        layout.addLayout(buttons)
        layout.addLayout(choice)
        layout.addWidget(self.notice)
        layout.addWidget(tabs, stretch=1)

    def open(self, path: Path) -> None:
        """Open a session file or a results folder, and show its first sample.

        A session that has not been run yet is opened too: its stages can be run from here.

        Raises
        ------
        DepthlockError
            When the path is neither a session nor results.
        """
        session_file = path
        if path.is_dir():
            self.results = SessionResults.open(path)
            session_file = self.results.session_file
        else:
            from depthlock.model.session_file import load_session

            loaded = load_session(path)
            ran = plan_file(loaded.results).is_file()
            self.results = SessionResults.open(loaded.results) if ran else None
        self.stages.set_session(session_file)
        self._show_samples()

    def _show_samples(self) -> None:
        for box in (self.sample, self.view):
            box.blockSignals(True)
            box.clear()
            box.blockSignals(False)
        if self.results is None:
            self.notice.setText("This session has not been run yet: see the tab Stages.")
            self.tabs.setCurrentWidget(self.stages)
            return
        self.sample.addItems(list(self.results.samples))

    def _sample_chosen(self, sample: str) -> None:
        if self.results is None or not sample:
            return
        wanted = self.view.currentData()
        self.view.blockSignals(True)
        self.view.clear()
        for view in available_views(self.results, sample):
            self.view.addItem(VIEWS[view], view)
        self.view.setCurrentIndex(max(0, self.view.findData(wanted)))
        self.view.blockSignals(False)
        self.profiles.show_profile(
            self.results.dataset(sample, "depth_profile"), self.results.dataset(sample, "tofsims_profile")
        )
        self._view_chosen()

    def _view_chosen(self, _text: str = "") -> None:
        view = self.view.currentData()
        if self.results is None or view is None:
            self._clear()
            self.notice.setText("Nothing to look at yet: run the stages of this sample.")
            return
        layers = sample_layers(self.results, self.sample.currentText(), view)
        self._clear()
        for data, keywords, kind in layers:
            getattr(self.viewer, f"add_{kind}")(data, **keywords)
        images = sum(keywords["name"].startswith("TEM ") for _, keywords, _ in layers)
        self.hints.show_images(self.stages.session_file, self.sample.currentText(), images)
        self.dimensions.setEnabled(view in IN_DEPTH)
        self._set_dimensions(self.dimensions.isChecked())

    def _clear(self) -> None:
        for layer in [layer for layer in self.viewer.layers if "depthlock" in layer.metadata]:
            self.viewer.layers.remove(layer)

    def _set_dimensions(self, slices: bool) -> None:
        self.dimensions.setText("3-D" if slices else "Slices")
        volume = self.view.currentData() in IN_DEPTH and not slices
        self.viewer.dims.ndisplay = 3 if volume else 2
        if volume:
            self.viewer.scene.camera.angles = (10.0, -28.0, 118.0)
        self.viewer.reset_view(margin=0.35 if volume else 0.05, reset_camera_angle=not volume)
        self.viewer.canvas.overlays.scale_bar.visible = True
        self._say_scale()

    def _say_scale(self) -> None:
        """State on screen what the axes are, above all how far depth is stretched."""
        overlay = self.viewer.canvas.overlays.text
        overlay.position = "top_left"
        overlay.visible = True
        notes = [layer.metadata["depthlock"] for layer in self.viewer.layers if "depthlock" in layer.metadata]
        if not notes:
            overlay.text = ""
            return
        note = notes[0]
        text = f"{note['sample']}: {VIEWS[note['view']]}"
        if "axis" in note:
            first, last, unit = max(0.0, float(note["axis"][0])), float(note["axis"][-1]), note["axis_unit"]
            what = {"nm": "depth", "s": "sputter time"}.get(unit, "scans")
            text += f"\n{what} {first:.3g} to {last:.3g} {'' if unit == '1' else unit}".rstrip()
            if note["exaggeration"] is not None:
                text += f"\ndepth is stretched {note['exaggeration']:,.0f} times"
            else:
                text += "\nnot to scale with the lateral axes"
        overlay.text = text
        self.notice.setText(", ".join(text.split("\n")[1:]))

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a session", "", "sessions (*.yaml *.yml)")
        if not path:
            return
        try:
            self.open(Path(path))
        except DepthlockError as error:
            self.notice.setText(str(error))

    def _reload(self) -> None:
        if self.stages.session_file is not None:
            self.open(self.stages.session_file)

    def _adopt_opened(self) -> None:
        """Take over a session that napari opened before this panel was there."""
        for layer in self.viewer.layers:
            note = layer.metadata.get("depthlock")
            if note is not None:
                self.open(Path(note["results"]))
                return

"""The state of every stage of a session, and the button that runs them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from depthlock.model.errors import DepthlockError
from depthlock.workflow.results import SessionResults
from depthlock.workflow.states import JobState

COLOURS = {"waiting": "#8a8f98", "running": "#ffd166", "done": "#6fcf97", "failed": "#ff6b6b", "interrupted": "#ff9f68"}
REFRESH_MS = 700


class StagesPanel(QWidget):
    """A table of jobs that follows a run, whoever started it.

    Signals
    -------
    finished
        A run started here has ended well.
    """

    finished = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.session_file: Path | None = None
        self._worker: Any = None
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["sample", "stage", "state", "time"])
        self.table.verticalHeader().setVisible(False)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.run_button = QPushButton("Run what is out of date")
        self.run_button.setEnabled(False)
        self.run_button.clicked.connect(self.run)
        self.message = QLabel("")
        self.message.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.refresh)
        self.timer.start(REFRESH_MS)

    def set_session(self, session_file: Path) -> None:
        """Follow, and run, this session."""
        if session_file != self.session_file:
            self.message.setText("")
        self.session_file = session_file
        self.run_button.setEnabled(self._worker is None)
        self.refresh()

    def refresh(self) -> None:
        """Read the states of all jobs again."""
        if self.session_file is None:
            return
        try:
            states = list(SessionResults.of_session(self.session_file).states().values())
        except DepthlockError:
            states = []  # a session that has never run has no states to show; the button is there to run it
        self.table.setRowCount(len(states))
        for row, state in enumerate(states):
            self._fill(row, state)

    def _fill(self, row: int, state: JobState) -> None:
        seconds = "" if state.seconds is None else f"{state.seconds:.0f} s"
        for column, text in enumerate((state.sample, state.stage, state.status, seconds)):
            item = QTableWidgetItem(text)
            if column == 2:
                item.setForeground(QColor(COLOURS[state.status]))
            item.setToolTip(state.error or state.message)
            self.table.setItem(row, column, item)

    def run(self) -> None:
        """Run the session in a thread; the window stays alive and the table follows."""
        from napari.qt.threading import create_worker

        from napari_depthlock.running import run_session

        if self.session_file is None or self._worker is not None:
            return
        self.run_button.setEnabled(False)
        self.message.setText("running …")
        started = time.monotonic()
        self._worker = create_worker(run_session, self.session_file)
        self._worker.returned.connect(lambda _: self._ended(f"done in {time.monotonic() - started:.0f} s"))
        self._worker.returned.connect(lambda _: self.finished.emit())
        self._worker.errored.connect(self._failed)
        self._worker.start()

    def _ended(self, text: str) -> None:
        self._worker = None
        self.run_button.setEnabled(True)
        self.message.setText(text)
        self.refresh()

    def _failed(self, error: Exception) -> None:
        self._ended(str(error))
        if not isinstance(error, DepthlockError):
            raise error

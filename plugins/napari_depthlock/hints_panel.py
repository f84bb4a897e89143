"""Hints for the segmentation of TEM images: drawn over the image, kept in the session, and run with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from depthlock.model.errors import DepthlockError
from napari_depthlock.layers import POSITION, hint_layer, hint_name

if TYPE_CHECKING:
    import napari

ASKS = {
    "outside": "Draw lines in vacuum or embedding: click for each corner, double-click to end a line.",
    "layer": "Draw lines in the layer: click for each corner, double-click to end a line.",
    "crystal": "Draw lines in the crystal: click for each corner, double-click to end a line.",
    POSITION: "Click roughly where the layer is.",
}
"""What to do for each kind of hint."""

CAPTIONS = {"outside": "outside", "layer": "layer", "crystal": "crystal", POSITION: "layer is here"}


class HintsPanel(QWidget):
    """Buttons that start a line in each class, and one that saves all of them and runs again.

    Signals
    -------
    saved
        The session file holds the hints as they are on screen.
    """

    saved = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.session_file: Path | None = None
        self.sample = ""
        self.image = QComboBox()
        self.buttons = {name: QPushButton(caption) for name, caption in CAPTIONS.items()}
        self.clear_button = QPushButton("Clear")
        self.save_button = QPushButton("Save in the session and run")
        self.message = QLabel()
        self.message.setWordWrap(True)
        choice = QFormLayout()
        choice.addRow("image", self.image)
        grid = QGridLayout()
        for number, (name, button) in enumerate(self.buttons.items()):
            button.clicked.connect(lambda _=False, name=name: self.draw(name))
            grid.addWidget(button, number // 2, number % 2)
        grid.addWidget(self.clear_button, 2, 0)
        grid.addWidget(self.save_button, 2, 1)
        self.clear_button.clicked.connect(self.clear)
        self.save_button.clicked.connect(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(choice)
        layout.addLayout(grid)
        layout.addWidget(self.message)
        layout.addStretch()
        self.show_images(None, "", 0)

    def show_images(self, session_file: Path | None, sample: str, images: int) -> None:
        """Take hints for the images of this sample; none of them where another view is shown."""
        self.session_file, self.sample = session_file, sample
        self.image.clear()
        self.image.addItems([str(number) for number in range(images)])
        for widget in (self.image, *self.buttons.values(), self.clear_button, self.save_button):
            widget.setEnabled(images > 0)
        self.message.setText(
            "Where the segmentation goes wrong: draw a few lines in each class, or click where the layer is."
            if images
            else "Hints guide the segmentation of TEM images: choose the view 'TEM image'."
        )

    def draw(self, name: str) -> Any:
        """Start drawing one kind of hint; returns its layer."""
        image = int(self.image.currentText())
        if hint_name(name, image) not in self.viewer.layers:
            under = self.viewer.layers[f"TEM {image}"]
            placed = {"scale": under.scale, "translate": under.translate, "units": under.units}
            data, keywords, kind = hint_layer(name, image, [], {**placed, "metadata": under.metadata})
            getattr(self.viewer, f"add_{kind}")(data, **keywords)
        layer = self.viewer.layers[hint_name(name, image)]
        self.viewer.layers.selection.active = layer
        layer.mode = "add" if name == POSITION else "add_polyline"
        self.message.setText(ASKS[name])
        return layer

    def clear(self) -> None:
        """Remove the hints of the chosen image from the screen."""
        for name in CAPTIONS:
            if (layer := hint_name(name, int(self.image.currentText()))) in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def drawn(self) -> dict[str, list[Any]]:
        """What is drawn over the chosen image, as places (x, y) in its pixels."""
        image = int(self.image.currentText())
        rows, columns = self.viewer.layers[f"TEM {image}"].data.shape

        def places(points: Any) -> list[tuple[float, float]]:
            inside = np.clip(np.asarray(points, dtype=float)[:, -2:], 0, (rows - 1, columns - 1))
            return [(float(x), float(y)) for y, x in inside]

        found: dict[str, list[Any]] = {}
        for name in CAPTIONS:
            if hint_name(name, image) in self.viewer.layers:
                data = self.viewer.layers[hint_name(name, image)].data
                found[name] = places(data) if name == POSITION and len(data) else [places(line) for line in data]
        return {name: lines for name, lines in found.items() if lines}

    def save(self) -> None:
        """Put the hints on screen into the session file, and say so."""
        from depthlock.workflow.session_hints import save_hints

        if self.session_file is None:
            return
        try:
            save_hints(self.session_file, self.sample, int(self.image.currentText()), self.drawn())
        except DepthlockError as error:
            self.message.setText(str(error))
            return
        self.message.setText(f"saved in {self.session_file.name}; running, see the tab Stages")
        self.saved.emit()

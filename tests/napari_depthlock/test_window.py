"""The plugin in a real napari window, on the sample session's own results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthlock.workflow.results import SessionResults

pytestmark = [
    pytest.mark.window,
    # Qt and napari warn of their own deprecations, which are not ours to mend.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Iterator[Any]:
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer: Any, sample_results: SessionResults) -> Any:
    from napari_depthlock.session_panel import SessionPanel

    panel = SessionPanel(viewer)
    viewer.window.add_dock_widget(panel, name="depthlock session", area="right")
    panel.open(sample_results.folder)
    return panel


def picture(viewer: Any) -> np.ndarray:
    shot: np.ndarray = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    return shot


def test_the_ions_are_seen_as_volumes(panel: Any, viewer: Any, sample_results: SessionResults) -> None:
    assert [layer.name for layer in viewer.layers] == ["SO2CF3-", "MgF2-", "V-"]
    assert viewer.dims.ndisplay == 3
    lit = picture(viewer).max(axis=-1) > 40
    assert 0.05 < lit.mean() < 0.95


def test_volumes_hold_the_ions_of_the_profile(panel: Any, viewer: Any, sample_results: SessionResults) -> None:
    profile = sample_results.dataset("B-V2O5", "tofsims_profile")
    assert profile is not None
    for layer in viewer.layers:
        at = profile.sel(ion=layer.name)
        assert layer.data.sum() == pytest.approx(float(at["counts"].sum() * at["share"]), rel=0.02)
        assert layer.contrast_limits[1] <= layer.data.max()


def test_the_stretch_of_depth_is_stated_on_screen(panel: Any, viewer: Any) -> None:
    layer = viewer.layers[0]
    stretch = layer.metadata["depthlock"]["exaggeration"]
    assert f"stretched {stretch:,.0f} times" in viewer.canvas.overlays.text.text
    step = np.diff(layer.metadata["depthlock"]["axis"])[0] * 1e-3
    assert layer.scale[0] / step == pytest.approx(stretch)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3


def test_the_line_in_the_profiles_follows_the_depth_slider(panel: Any, viewer: Any) -> None:
    assert panel.profiles.shown_depth is None
    panel.dimensions.setChecked(True)
    axis = viewer.layers[0].metadata["depthlock"]["axis"]
    for step in (3, axis.size // 2):
        viewer.dims.set_current_step(0, step)
        assert panel.profiles.shown_depth == pytest.approx(axis[step])


def test_a_sample_without_anything_on_the_depth_axis_says_so(panel: Any, sample_results: SessionResults) -> None:
    depth = sample_results.dataset("B-V2O5", "depth_profile")
    panel.profiles.show_profile(depth.assign(signal=depth["signal"] * np.nan), None)
    assert [text.get_text() for text in panel.profiles.axes.texts] == ["nothing lies on the depth axis"]


def test_the_image_and_its_segmentation_share_one_scale(panel: Any, viewer: Any) -> None:
    panel.view.setCurrentIndex(panel.view.findData("tem"))
    image, labels = viewer.layers["TEM 0"], viewer.layers["layer 0"]
    assert viewer.dims.ndisplay == 2
    np.testing.assert_allclose(image.scale, labels.scale)
    assert image.scale[0] < 0.1
    assert [str(unit) for unit in image.units] == ["nanometer"] * 2
    assert set(np.unique(labels.data)) == {0, 1, 2}
    colours = picture(viewer).reshape(-1, 3).astype(int)
    assert ((colours[:, 0] - colours[:, 2]) > 30).mean() > 0.05  # the layer's yellow is on screen


def test_hints_are_drawn_over_the_image_and_saved_in_the_session(
    panel: Any, viewer: Any, sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from depthlock.model.session_file import load_session
    from depthlock.workflow.session_hints import save_hints

    session = tmp_path / "new" / "session.yaml"
    shutil.copytree(sample_data, session.parent, ignore=shutil.ignore_patterns("results"))

    asked: list[bool] = []
    assert not panel.hints.save_button.isEnabled()
    panel.view.setCurrentIndex(panel.view.findData("tem"))
    assert panel.hints.image.count() == sum(layer.name.startswith("TEM ") for layer in viewer.layers)
    panel.hints.session_file = session
    panel.hints.saved.disconnect()
    panel.hints.saved.connect(lambda: asked.append(True))
    strokes = panel.hints.draw("crystal")
    assert (viewer.layers.selection.active, strokes.mode) == (strokes, "add_polyline")
    np.testing.assert_allclose(strokes.scale, viewer.layers["TEM 0"].scale)
    strokes.add_paths([np.array([[10.0, 20.0], [30.0, 1e6]])])
    panel.hints.draw("layer_at").add([[40.0, 50.0]])
    columns = viewer.layers["TEM 0"].data.shape[1]
    told = {"crystal": [[(20.0, 10.0), (columns - 1.0, 30.0)]], "layer_at": [(50.0, 40.0)]}
    assert panel.hints.drawn() == told
    panel.hints.save()
    assert asked == [True]
    hints = load_session(session).session.samples["B-V2O5"].tem[0].hints
    assert hints.crystal == (((20.0, 10.0), (columns - 1.0, 30.0)),)
    assert hints.layer_at == ((50.0, 40.0),)
    panel.hints.clear()
    assert panel.hints.drawn() == {}
    monkeypatch.setattr(panel.hints, "sample", "nobody")
    panel.hints.save()
    assert "no TEM image 0 of the sample nobody" in panel.hints.message.text()
    save_hints(session, "B-V2O5", 0, {})
    assert load_session(session).session.samples["B-V2O5"].tem[0].hints is None


def test_another_sample_replaces_the_layers(panel: Any, viewer: Any) -> None:
    before = [layer.data for layer in viewer.layers]
    viewer.add_points([[0, 0, 0]], name="mine")
    panel.sample.setCurrentText("L-V2O5")
    assert [layer.name for layer in viewer.layers] == ["mine", "SO2CF3-", "MgF2-", "V-"]
    assert not any(np.array_equal(old, layer.data) for old, layer in zip(before, viewer.layers[1:], strict=True))


def test_the_stages_panel_tells_every_state(panel: Any, sample_results: SessionResults) -> None:
    table = panel.stages.table
    shown = {
        (table.item(row, 0).text(), table.item(row, 1).text()): table.item(row, 2).text()
        for row in range(table.rowCount())
    }
    assert shown[("B-V2O5", "depth_profile")] == "done"
    assert len(shown) == len(sample_results.states())


def test_running_from_the_panel_ends_with_a_word(panel: Any, qtbot: Any) -> None:
    with qtbot.waitSignal(panel.stages.finished, timeout=120_000):
        panel.stages.run()
    assert panel.stages.message.text().startswith("done in")
    assert panel.stages.run_button.isEnabled()


def test_a_session_that_never_ran_can_be_opened(viewer: Any, sample_data: Path, tmp_path: Path) -> None:
    import shutil

    from napari_depthlock.session_panel import SessionPanel

    shutil.copytree(sample_data, tmp_path / "new", ignore=shutil.ignore_patterns("results"))
    panel = SessionPanel(viewer)
    panel.open(tmp_path / "new" / "session.yaml")
    assert "not been run yet" in panel.notice.text()
    assert panel.stages.run_button.isEnabled()


def test_napari_opens_a_results_folder_and_a_session(viewer: Any, sample_results: SessionResults) -> None:
    viewer.open(str(sample_results.session_file), plugin="depthlock")
    assert [layer.name for layer in viewer.layers] == ["SO2CF3-", "MgF2-", "V-"]
    viewer.layers.clear()
    viewer.open(str(sample_results.folder), plugin="depthlock")
    assert len(viewer.layers) == 3


def test_napari_s_menu_opens_the_panel_on_what_is_shown(viewer: Any, sample_results: SessionResults) -> None:
    viewer.open(str(sample_results.folder), plugin="depthlock")
    _, panel = viewer.window.add_plugin_dock_widget("depthlock", "depthlock session")
    assert panel.sample.currentText() == sample_results.samples[0]
    assert panel.results.folder == sample_results.folder


def test_napari_s_sample_menu_opens_the_sample_session(
    viewer: Any, sample_results: SessionResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_depthlock import opening

    monkeypatch.setattr(opening, "SAMPLE_SESSION", sample_results.session_file)
    viewer.open_sample("depthlock", "mg-v2o5-cei")
    assert [layer.name for layer in viewer.layers] == ["SO2CF3-", "MgF2-", "V-"]


def test_without_the_source_a_sample_session_is_simulated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    from depthlock.simulate import command
    from napari_depthlock import opening

    asked: list[Path] = []

    def simulate(folder: Path) -> Path:
        asked.append(folder)
        folder.mkdir(parents=True)
        (folder / "session.yaml").write_text("session: x\n")
        return folder / "session.yaml"

    monkeypatch.setattr(opening, "SAMPLE_SESSION", tmp_path / "none" / "session.yaml")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    monkeypatch.setattr(command, "run", simulate)
    assert opening.sample_session() == opening.sample_session() == tmp_path / "depthlock/sample-session/session.yaml"
    assert len(asked) == 1


def test_a_view_that_cannot_be_is_refused_before_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depthlock.model.errors import DepthlockError
    from napari_depthlock.opening import view_session

    with pytest.raises(DepthlockError, match="no such session file"):
        view_session(tmp_path / "none.yaml")
    with pytest.raises(DepthlockError, match="nothing has been run here"):
        view_session(tmp_path)


def test_a_missing_screen_is_told(sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depthlock.model.errors import WorkflowError
    from napari_depthlock.opening import view_session

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(WorkflowError, match="no screen"):
        view_session(sample_data / "session.yaml")


def test_other_yaml_is_left_to_others(tmp_path: Path) -> None:
    from napari_depthlock.opening import get_reader

    path = tmp_path / "other.yaml"
    path.write_text("a: 1\n", encoding="utf-8")
    assert get_reader(str(path)) is None
    assert get_reader([str(path)]) is None


def test_volumes_of_different_voxels_lie_on_each_other(panel: Any, viewer: Any) -> None:
    for layer in viewer.layers:
        low, high = layer.extent.world[:, 2]
        size = layer.data.shape[2] * layer.scale[2]
        assert high - low == pytest.approx(size - layer.scale[2])
        assert (low - layer.scale[2] / 2, size) == pytest.approx(
            (viewer.layers[0].extent.world[0, 2] - viewer.layers[0].scale[2] / 2,
             viewer.layers[0].data.shape[2] * viewer.layers[0].scale[2])
        )  # fmt: skip

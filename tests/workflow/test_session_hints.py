from pathlib import Path

import pytest

from depthlock.model.errors import SessionError
from depthlock.workflow.session_hints import save_hints

SESSION = """# of Monday
session: one
samples:
  A:   # the good one
    tem:
      - {file: a.tif, pixel_size: 0.03 nm}   # first
      - file: b.tif
        hints: {layer: [[[1, 2], [3, 4]]]}
  B:
    tem: {file: "c.tif"}
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.yaml"
    path.write_text(SESSION)
    return path


def test_hints_are_put_beside_their_image_and_nothing_else_changes(session: Path) -> None:
    save_hints(session, "A", 0, {"layer_at": [(10.04, 20.0)], "outside": [], "crystal": [[(1.0, 2.0), (3.0, 4.0)]]})
    expected = SESSION.replace(
        "pixel_size: 0.03 nm}   # first",
        "pixel_size: 0.03 nm, hints: {layer_at: [[10.0, 20.0]], crystal: [[[1.0, 2.0], [3.0, 4.0]]]}} # first",
    )
    assert session.read_text().split() == expected.split()


def test_hints_take_the_place_of_older_ones_or_remove_them(session: Path) -> None:
    save_hints(session, "A", 1, {"layer_at": [(5, 6)]})
    assert "hints: {layer_at: [[5.0, 6.0]]}" in session.read_text()
    save_hints(session, "A", 1, {})
    assert "hints" not in session.read_text()
    save_hints(session, "B", 0, {"layer_at": [(5, 6)]})
    assert 'tem: {file: "c.tif", hints: {layer_at: [[5.0, 6.0]]}}' in session.read_text()


def test_an_entry_that_is_not_there_is_told(session: Path) -> None:
    with pytest.raises(SessionError, match="no TEM image 2 of the sample A"):
        save_hints(session, "A", 2, {"layer_at": [(5, 6)]})

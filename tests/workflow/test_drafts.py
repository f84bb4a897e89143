"""A session drafted from a folder of raw files is valid and plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import SessionError
from depthlock.model.session_file import load_session
from depthlock.workflow.drafts import draft_session
from depthlock.workflow.plan import make_plan


def test_a_draft_is_a_session_that_plans(small_session: Path) -> None:
    folder = small_session.parent
    small_session.unlink()
    (folder / "two" / "notes.pdf").write_bytes(b"%PDF-1.7")
    (folder / "one" / "f1s_b.csv").unlink()
    draft = draft_session(folder)
    assert draft.samples == {"one": 3, "two": 1}
    assert list(draft.passed_over) == ["two/notes.pdf"]
    assert "a PDF document" in draft.passed_over["two/notes.pdf"]
    assert draft.text.startswith("# yaml-language-server: $schema=")
    target = folder / "drafted.yaml"
    target.write_text(draft.text)
    loaded = load_session(target)
    assert loaded.session.samples["one"].tofsims.file == "one/profile.h5"
    assert loaded.session.samples["one"].tem[0].file == "one/layer.tif"
    assert "one/layer.tif}  # give its pixel_size" in draft.text
    assert len(make_plan(loaded).jobs) == 9


def test_a_folder_without_raw_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no raw file that depthlock reads"):
        draft_session(tmp_path)
    with pytest.raises(SessionError, match="no such folder"):
        draft_session(tmp_path / "none")

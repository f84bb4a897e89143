"""Files are written whole or not at all, and what stands in the way is told."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from depthlock.model.errors import WorkflowError
from depthlock.workflow.files import read_json, replace_file, write_text


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "µ")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "µ"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(WorkflowError, match="cannot be written") as caught:
        write_text(tmp_path / "taken" / "below" / "a.txt", "x")
    assert caught.value.where == str(tmp_path / "taken" / "below")
    assert read_json(tmp_path / "taken" / "a.json") is None


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(WorkflowError, match="No space left on device"):
        replace_file(tmp_path / "a.txt", fill)
    assert (tmp_path / "a.txt").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_other_errors_keep_their_kind(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such library")

    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "a.txt", fail)

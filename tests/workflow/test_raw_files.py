"""What a raw file is, is its content: also that of the second file of formats that come in two."""

from __future__ import annotations

import shutil
from pathlib import Path

from depthlock.model.session_file import load_session
from depthlock.workflow.manifest import Manifest
from depthlock.workflow.raw_files import raw_files


def sha256_of(folder: Path) -> str:
    (folder / "session.yaml").write_text("session: s\nsamples: {A: {tofsims: {file: test.imzML}}}\n", encoding="utf-8")
    (file,) = raw_files(load_session(folder / "session.yaml"), "A", Manifest(folder / "manifest.json"))
    return file.sha256


def test_the_second_file_counts(real_data: Path, tmp_path: Path) -> None:
    for suffix in (".imzML", ".ibd"):
        shutil.copyfile(real_data / "tofsims" / "imzml" / f"test{suffix}", tmp_path / f"test{suffix}")
    before = sha256_of(tmp_path)
    (tmp_path / "test.ibd").touch()
    assert sha256_of(tmp_path) == before
    content = bytearray((tmp_path / "test.ibd").read_bytes())
    content[-1] ^= 1
    (tmp_path / "test.ibd").write_bytes(content)
    assert sha256_of(tmp_path) != before

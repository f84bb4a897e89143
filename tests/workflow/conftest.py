"""A small session of real file formats, and the fake stage table to run it with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from raw_files import FOLDER, SESSION, write_spectrum, write_store  # tests/workflow/raw_files.py


@pytest.fixture
def small_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session file with raw files of every technique; the fake stages note their calls in `journal`."""
    import tifffile

    folder = tmp_path / "a session: #1"
    (folder / "one").mkdir(parents=True)
    (folder / "two").mkdir()
    write_store(folder / "one" / "profile.h5")
    write_spectrum(folder / "one" / "f1s_a.csv", 1)
    write_spectrum(folder / "one" / "f1s_b.csv", 2)
    write_spectrum(folder / "two" / "f1s.csv", 3)
    tifffile.imwrite(folder / "one" / "layer.tif", np.random.default_rng(4).integers(0, 255, (32, 32)).astype(np.uint8))
    (folder / "session.yaml").write_text(SESSION)
    monkeypatch.setenv("FAKE_JOURNAL", str(folder / "journal"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.syspath_prepend(FOLDER)
    return folder / "session.yaml"

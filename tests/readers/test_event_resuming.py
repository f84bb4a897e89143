"""A conversion that is killed goes on where it was, and leaves no trace when it is done."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import iontof_files as made
import numpy as np
import pytest

from depthlock.model.errors import ReadError
from depthlock.model.options import EventsOptions
from depthlock.readers import event_resuming, event_spill, iontof_grd
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.event_store import open_events

SLOW = """
import sys, time
from pathlib import Path
from depthlock.model.options import EventsOptions
from depthlock.readers import event_resuming, event_spill, iontof_grd
from depthlock.readers.event_conversion import convert_to_events

event_resuming.SAVE_SECONDS = 0.0
event_spill.SAMPLE_IONS = 1000
iontof_grd.IONS_AT_ONCE = 1000
save, stop = event_spill.Spill.save, int(sys.argv[3])

def noted(spill, told):
    save(spill, told)
    if spill.ions >= stop:
        print("saved", flush=True)
        time.sleep(60)

event_spill.Spill.save = noted
convert_to_events(Path(sys.argv[1]), Path(sys.argv[2]), EventsOptions())
"""


def ions(number: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    events = np.stack([np.sort(rng.integers(0, made.SCANS, number)), rng.integers(0, made.NX, number)], axis=1)
    return np.column_stack([events, rng.integers(0, made.NY, number), rng.integers(200, 1400, number)])


@pytest.mark.parametrize("stop", [4000, 20_000])
def test_a_killed_conversion_goes_on(
    tmp_path: Path, stop: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it reads, and after it has read everything."""
    raw, target, whole = tmp_path / "x.grd", tmp_path / "out" / "events.h5", tmp_path / "whole.h5"
    made.write_grd(raw, ions(20_000))
    convert_to_events(raw, whole, EventsOptions())
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(raw), str(target), str(stop)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "saved\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not target.exists()
    assert event_resuming.partial_folder(target).is_dir()
    begun: list[int] = []
    blocks = iontof_grd.event_blocks

    def watched(path: Path, parsed: iontof_grd.GrdFile, first: int = 0) -> object:
        begun.append(first)
        return blocks(path, parsed, first)

    monkeypatch.setattr(iontof_grd, "event_blocks", watched)
    with caplog.at_level(logging.INFO):
        convert_to_events(raw, target, EventsOptions())
    assert "goes on from there" in caplog.text
    assert begun == ([20 * stop] if stop < 20_000 else [])
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]
    assert validate_events(target) == validate_events(whole)
    assert open_events(target).load().equals(open_events(whole).load())


def test_another_file_starts_anew(tmp_path: Path) -> None:
    raw, target = tmp_path / "x.grd", tmp_path / "events.h5"
    made.write_grd(raw, ions(500))
    folder = event_resuming.partial_folder(target)
    folder.mkdir()
    source = iontof_grd.source(raw)
    spill = event_spill.Spill.begun(folder, source.header.row_shape, iter(source.blocks(0)))
    spill.save({"fingerprint": "of another file", "place": source.end})
    spill.close()
    (folder / "of a group shared out once more").mkdir()
    made.write_grd(raw, ions(700))
    convert_to_events(raw, target, EventsOptions())
    assert validate_events(target).ions == 700
    assert not folder.exists()


def test_a_damaged_file_leaves_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "x.itm", tmp_path / "events.h5"
    made.write_itm(path, made.ions(1))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"x\x9c", b"xx"))
    with pytest.raises(ReadError):
        convert_to_events(path, target, EventsOptions())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_progress_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_resuming, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(event_spill, "SAMPLE_IONS", 100)
    monkeypatch.setattr(iontof_grd, "IONS_AT_ONCE", 100)
    raw = tmp_path / "x.grd"
    made.write_grd(raw, ions(1000))
    with caplog.at_level(logging.INFO, logger="depthlock.progress"):
        convert_to_events(raw, tmp_path / "events.h5", EventsOptions())
    told = [record.getMessage() for record in caplog.records if record.name == "depthlock.progress"]
    assert "x.grd: 20 % read, 200 ions" in told
    assert told[-1] == "x.grd: sorting 1,000 ions"

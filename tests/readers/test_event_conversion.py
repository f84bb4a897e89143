"""The stage `tofsims_events`: reference what is a store, convert what is not, refuse the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError, WorkflowError
from depthlock.model.options import EventsOptions
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.event_store import open_events

POWERCO = "tofsims/phi_simsh5/PowerCo-102-Pos-Cu_Grid.h5"
MIBI = "tofsims/mibi/fov-1-scan-1.bin"


def test_a_store_is_referenced(real_data: Path, tmp_path: Path) -> None:
    target = tmp_path / "results" / "tofsims_events.h5"
    for _ in range(2):
        convert_to_events(real_data / POWERCO, target, EventsOptions())
        assert target.is_symlink()
        assert target.samefile(real_data / POWERCO)
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]
    assert int(open_events(target)["count"].sum()) == 174405


def test_without_symbolic_links(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    source = tmp_path / "events.h5"
    source.write_bytes((real_data / POWERCO).read_bytes())
    convert_to_events(source, tmp_path / "linked.h5", EventsOptions())
    assert source.stat().st_nlink == 2
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    convert_to_events(source, tmp_path / "copied.h5", EventsOptions())
    assert not (tmp_path / "copied.h5").samefile(source)
    assert (tmp_path / "copied.h5").read_bytes() == source.read_bytes()


def test_a_raw_file_is_converted(real_data: Path, tmp_path: Path) -> None:
    target = tmp_path / "events.h5"
    convert_to_events(real_data / MIBI, target, EventsOptions())
    assert validate_events(target).ions == 45493


def test_a_damaged_store_gives_nothing(real_data: Path, tmp_path: Path) -> None:
    source = tmp_path / "cut.h5"
    source.write_bytes((real_data / POWERCO).read_bytes()[:400_000])
    with pytest.raises(ReadError, match="cut short"):
        convert_to_events(source, tmp_path / "out.h5", EventsOptions())
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tofsims/surfacelab_profiles/I231114t_A_MAPI_1f-LC_neg-12 - NF.txt", "no single ions"),
        ("tem/readers/multi_signal.dm3", "no TOF-SIMS ions"),
        ("tofsims/tofwerk/tofwerk_au_50nm.h5", "no single ions"),
    ],
)
def test_files_without_ions(real_data: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        convert_to_events(real_data / name, tmp_path / "out.h5", EventsOptions())
    assert not list(tmp_path.iterdir())


def test_a_raw_file_is_never_replaced(real_data: Path, tmp_path: Path) -> None:
    source = tmp_path / "events.h5"
    source.write_bytes((real_data / POWERCO).read_bytes())
    with pytest.raises(WorkflowError, match="raw file lies"):
        convert_to_events(source, source, EventsOptions())
    assert source.stat().st_size == 661553


def test_unwritable_folder(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in (POWERCO, MIBI):
        with pytest.raises(WorkflowError, match="cannot be"):
            convert_to_events(real_data / name, tmp_path / "file" / "events.h5", EventsOptions())


def test_moved_results_say_what_is_missing(real_data: Path, tmp_path: Path) -> None:
    source = tmp_path / "raw" / "events.h5"
    source.parent.mkdir()
    source.write_bytes((real_data / POWERCO).read_bytes())
    target = tmp_path / "results" / "tofsims_events.h5"
    convert_to_events(source, target, EventsOptions())
    source.unlink()
    with pytest.raises(ReadError, match=r"a link to .*events\.h5, which is not there") as caught:
        open_events(target)
    assert "move the raw data with them" in caught.value.hint

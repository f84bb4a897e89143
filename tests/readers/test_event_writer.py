"""Written stores: the same ions whatever the memory, and a file that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthlock.model.contracts import check
from depthlock.model.errors import WorkflowError
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_store import open_events
from depthlock.readers.event_writer import EventBlock, StoreHeader, write_events

HEADER = StoreHeader(
    row_shape=(3, 2, 4, 5),
    mode="depth_profile",
    polarity="-",
    bin_width_ps=100,
    slope=0.7,
    offset=0.01,
    source_format="test",
    sputter_time_s=(0.0, 2.5, 5.0),
    pixel_pitch_um=0.4,
    shots_per_pixel=3,
    dead_time_ns=40.0,
)


def blocks(seed: int, ions: int, number: int) -> list[EventBlock]:
    rng = np.random.default_rng(seed)
    return [
        EventBlock(rng.integers(0, 60, ions), rng.integers(0, HEADER.rows, ions), rng.integers(1, 200, ions))
        for _ in range(number)
    ]


def dense(given_blocks: list[EventBlock]) -> np.ndarray:
    """The plain way: a histogram over bin and pixel."""
    cube = np.zeros((60, HEADER.rows), np.int64)
    for block in given_blocks:
        assert block.count is not None
        np.add.at(cube, (block.mass_bin, block.pixel_id), block.count)
    return cube


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 99), ions=st.integers(0, 400), number=st.integers(0, 6), memory=st.sampled_from([1, 50, 10**6])
)
def test_agrees_with_a_histogram(tmp_path: Path, seed: int, ions: int, number: int, memory: int) -> None:
    written = blocks(seed, ions, number)
    path = tmp_path / "events.h5"
    write_events(path, written, HEADER, memory_words=memory)
    expected = dense(written)
    checked = validate_events(path)
    assert checked.ions == expected.sum()
    assert checked.cells == np.count_nonzero(expected)
    events = check(open_events(path), "tofsims_events").load()
    rows = np.repeat(events["mass_bin"].values, np.diff(events["indptr"].values))
    cube = np.zeros_like(expected)
    cube[rows, events["pixel_id"].values] = events["count"].values
    assert np.array_equal(cube, expected)


@pytest.mark.parametrize("memory", [1, 10, 64, 10**6])
def test_single_ions_that_pile_up(tmp_path: Path, memory: int) -> None:
    """Blocks without counts, of which many ions fall into few cells."""
    rng = np.random.default_rng(memory)
    written = [EventBlock(rng.integers(0, 2, 150), rng.integers(0, 3, 150)) for _ in range(8)]
    written.append(EventBlock(np.zeros(700, int), np.zeros(700, int)))
    write_events(tmp_path / "events.h5", written, HEADER, memory_words=memory)
    expected = np.zeros((2, HEADER.rows), int)
    for block in written:
        np.add.at(expected, (block.mass_bin, block.pixel_id), 1)
    assert validate_events(tmp_path / "events.h5").ions == 1900
    events = open_events(tmp_path / "events.h5").load()
    rows = np.repeat(events["mass_bin"].values, np.diff(events["indptr"].values))
    cube = np.zeros_like(expected)
    cube[rows, events["pixel_id"].values] = events["count"].values
    assert np.array_equal(cube, expected)


def test_header_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "events.h5"
    write_events(path, blocks(0, 100, 1), HEADER)
    events = open_events(path)
    assert events["sputter_time"].values.tolist() == [0.0, 2.5, 5.0]
    for key, expected in {
        "pixel_pitch_um": 0.4,
        "shots_per_pixel": 3,
        "dead_time_ns": 40.0,
        "calibration_slope": 0.7,
        "row_shape": [3, 2, 4, 5],
        "polarity": "-",
    }.items():
        assert events.attrs[key] == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["events.h5"]


def test_counts_above_255(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    write_events(path, [EventBlock(np.array([5, 5]), np.array([7, 8]), np.array([70000, 255]))], HEADER)
    with h5py.File(path) as file:
        assert file["data/mass_csr/count"][:].tolist() == [255, 255]
        assert file["data/mass_csr/count_exceptions/nnz_index"][:].tolist() == [0]
    assert open_events(path)["count"].values.tolist() == [70000, 255]


@pytest.mark.parametrize("memory", [1, 10**6])
def test_counts_beyond_32_bits_are_refused(tmp_path: Path, memory: int) -> None:
    most = EventBlock(np.array([5]), np.array([7]), np.array([(1 << 32) - 1]))
    write_events(tmp_path / "most.h5", [most], HEADER, memory_words=memory)
    assert open_events(tmp_path / "most.h5")["count"].values.tolist() == [(1 << 32) - 1]
    with pytest.raises(ValueError, match=f"a cell counts {1 << 32} ions"):
        write_events(tmp_path / "x.h5", [most, EventBlock(np.array([5]), np.array([7]))], HEADER, memory_words=memory)


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    path.write_bytes(b"old")

    def broken() -> Iterator[EventBlock]:
        yield blocks(1, 50, 1)[0]
        yield EventBlock(np.array([1]), np.array([HEADER.rows]))

    with pytest.raises(ValueError, match="pixel_id runs"):
        write_events(path, broken(), HEADER, memory_words=10)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["events.h5"]


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkflowError, match="cannot be written"):
        write_events(tmp_path / "file" / "events.h5", [], HEADER)


def test_impossible_headers() -> None:
    for wrong in (
        {"mode": "image_2d"},
        {"polarity": ""},
        {"sputter_time_s": (1.0,)},
        {"row_shape": (1 << 20, 1, 128, 128)},
    ):
        with pytest.raises(ValueError):
            replace(HEADER, **wrong)

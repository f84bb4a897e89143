"""TofDAQ files with event lists: the very events that were written, or the reason why they cannot be counted."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.options import EventsOptions
from depthlock.readers import registry
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.event_store import open_events

WRITES, NY, NX, SAMPLES, RATIO = 3, 4, 5, 4000, 64
SAMPLE_S = 8.333e-10
P1, P2 = 812.2, -30.0


def write(path: Path, *, channels: str = "Ch1Record=1\nCh2Record=0\n", times: bool = True) -> np.ndarray:
    """A file, and its events as rows of write, y, x, flight time."""
    rng = np.random.default_rng(5)
    events = []
    with h5py.File(path, "w") as file:
        file.attrs["TofDAQ Version"] = np.float32(1.99)
        file.attrs["IonMode"] = np.bytes_(b"negative")
        file.attrs["NbrWaveforms"] = np.array([7], np.int32)
        file.attrs["Configuration File Contents"] = np.bytes_(("[TOFParameter]\n" + channels).encode())
        full = file.create_group("FullSpectra")
        full.attrs["SampleInterval"] = np.array([SAMPLE_S])
        full.attrs["ClockPeriod"] = np.array([SAMPLE_S / RATIO])
        full["MassAxis"] = (((np.arange(SAMPLES) - P2) / P1) ** 2).astype("f4")
        lists = full.create_dataset("EventList", (WRITES, NY, NX), h5py.vlen_dtype(np.uint32))
        for place in np.ndindex(WRITES, NY, NX):
            flight = rng.integers(0, SAMPLES * RATIO, rng.poisson(3))
            lists[place] = flight.astype(np.uint32)
            events += [(*place, int(time)) for time in flight]
        if times:
            file["TimingData/BufTimes"] = 2.5 + np.arange(WRITES * NY, dtype=float).reshape(WRITES, NY)
        file.create_group("FIBParams").attrs["ViewField"] = 0.01
    return np.array(events)


def test_the_events_that_were_written(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    events = write(path)
    assert registry.find(path).name == "tofwerk_events"
    store = check(registry.read(path), "tofsims_events")
    pixel = (events[:, 0] * NY + events[:, 1]) * NX + events[:, 2]
    rows = np.repeat(store["mass_bin"].values, np.diff(store["indptr"].values))
    found = np.repeat(np.column_stack([rows, store["pixel_id"].values]), store["count"].values, axis=0)
    assert sorted(map(tuple, found.tolist())) == sorted(zip(events[:, 3].tolist(), pixel.tolist(), strict=True))
    assert store.attrs["row_shape"] == [WRITES, 1, NY, NX]
    assert store.attrs["polarity"] == "-"
    assert store.attrs["shots_per_pixel"] == 7
    assert store.attrs["pixel_pitch_um"] == pytest.approx(2.0)
    assert store["sputter_time"].values.tolist() == [0.0, 4.0, 8.0]
    time_us = 2000 * RATIO * store.attrs["mass_bin_width_ps"] * 1e-6
    mass = (store.attrs["calibration_slope"] * time_us + store.attrs["calibration_offset"]) ** 2
    assert mass == pytest.approx(((2000 - P2) / P1) ** 2, rel=1e-5)
    facts = registry.describe(path)
    assert facts["caution"]
    assert any("13.02 ps is kept as 13 ps" in note for note in facts["notes"])


def test_converted_and_without_times(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    events = write(path, times=False)
    convert_to_events(path, tmp_path / "events.h5", EventsOptions())
    store = open_events(tmp_path / "events.h5")
    assert int(store["count"].sum()) == len(events)
    assert store.attrs["acquisition_mode"] == "image_2d"


def test_what_cannot_be_counted_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, channels="Ch1Record=1\nCh3Record=1\n")
    with pytest.raises(ReadError, match="channels 1, 3 were recorded"):
        registry.read(path)
    for break_it, message in (
        (lambda file: file.attrs.pop("IonMode"), "polarity"),
        (lambda file: file["FullSpectra"].attrs.pop("SampleInterval"), "how long a sample"),
        (lambda file: file["FullSpectra/MassAxis"].write_direct(np.zeros(SAMPLES, "f4")), "does not rise"),
    ):
        write(path)
        with h5py.File(path, "a") as file:
            break_it(file)
        with pytest.raises(ReadError, match=message):
            registry.read(path)

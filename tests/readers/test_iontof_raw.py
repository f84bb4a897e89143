"""Raw ions of .itm and .grd files: the very ions that were written, whatever way they are cut."""

from __future__ import annotations

from pathlib import Path

import iontof_files as made
import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.options import EventsOptions
from depthlock.readers import iontof_grd, iontof_raw, itstr, registry
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.event_store import open_events


def cube(events: np.ndarray) -> np.ndarray:
    """Counts by channel and pixel of the store, the plain way."""
    dense = np.zeros((1400, made.SCANS * made.NY * made.NX), np.int64)
    scan, x, y, channel = events.T
    np.add.at(dense, (channel, (scan * made.NY + y) * made.NX + x), 1)
    return dense


def cube_of(store: xr.Dataset) -> np.ndarray:
    dense = np.zeros((1400, made.SCANS * made.NY * made.NX), np.int64)
    rows = np.repeat(store["mass_bin"].values, np.diff(store["indptr"].values))
    dense[rows, store["pixel_id"].values] = store["count"].values
    return dense


def assert_facts(store: xr.Dataset) -> None:
    assert store.attrs["row_shape"] == [made.SCANS, 1, made.NY, made.NX]
    assert store.attrs["polarity"] == "-"
    assert store.attrs["mass_bin_width_ps"] == 50
    assert store.attrs["shots_per_pixel"] == made.SHOTS
    assert store.attrs["pixel_pitch_um"] == pytest.approx(2.0)
    assert store["sputter_time"].values.tolist() == [0.0, 10.0, 20.0]
    time_us = 1234 * 50e-6
    mass = (store.attrs["calibration_slope"] * time_us + store.attrs["calibration_offset"]) ** 2
    assert mass == pytest.approx(((1234 - made.K0) / made.SF) ** 2, rel=1e-12)


@pytest.mark.parametrize(("block", "part"), [(47, 6), (1, 1000), (2, 3), (10**6, 1)])
def test_itm_gives_the_ions(tmp_path: Path, block: int, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = made.ions(1)
    path = tmp_path / "x.itm"
    made.write_itm(path, events, block, part)
    # Pieces of 30 bytes cut words, and begins of pixels, at every place.
    for piece in (itstr.PIECE_BYTES, 30):
        monkeypatch.setattr(itstr.Container.inflated, "__defaults__", (piece,))
        store = check(registry.read(path), "tofsims_events")
        assert np.array_equal(cube_of(store), cube(events))
    assert_facts(store)


def test_info_says_unverified(tmp_path: Path) -> None:
    path = tmp_path / "x.itm"
    made.write_itm(path, made.ions(2))
    facts = registry.describe(path)
    assert facts["caution"] == "this reader has not been checked on real files"
    assert facts["axes"] == "3 scans x 4 y x 5 x"
    assert facts["sputter time"] == "30 s in all"
    assert "evenly" in facts["notes"][0]


@pytest.mark.parametrize(("field_um", "told"), [(500.0, "3.7 ns"), (10.0, "")])
def test_the_primary_ions_path_is_told(tmp_path: Path, field_um: float, told: str) -> None:
    tree = made.itm_tree(made.ions(2))
    folder = tree.path("propend")
    folder.children = [child for child in folder.children if "FieldOfView" not in child.name]
    folder.add(name := "Registration.Raster.FieldOfView", made.setting(name, 0, field_um * 1e-6, ""))
    folder.add(name := "Instrument.PrimaryGun.Species", made.setting(name, 0, 0.0, "Bi3+"))
    folder.add(name := "Instrument.PrimaryGun.Energy", made.setting(name, 30000, 30000.0, "30 keV"))
    path = tmp_path / "x.itm"
    path.write_bytes(made.container(tree))
    notes = registry.describe(path)["notes"]
    # 626.9 Da at 30 keV fly at 96.1 km/s: 500 um * sin(45 deg) take 3.68 ns.
    assert [note for note in notes if "across the field of view" in note and told in note] == notes[1:]
    assert len(notes) == (2 if told else 1)


@pytest.mark.parametrize("suffix", ["itm", "grd"])
def test_conversion(tmp_path: Path, suffix: str) -> None:
    events = made.ions(3)
    path = tmp_path / f"x.{suffix}"
    (made.write_itm if suffix == "itm" else made.write_grd)(path, events)
    convert_to_events(path, tmp_path / "events.h5", EventsOptions())
    assert validate_events(tmp_path / "events.h5").ions == 900
    store = open_events(tmp_path / "events.h5").load()
    assert np.array_equal(cube_of(store), cube(events))
    assert_facts(store)


def test_without_sputtering_scans_are_frames(tmp_path: Path) -> None:
    tree = made.itm_tree(made.ions(4))
    settings = tree.path("propend")
    settings.children = [child for child in settings.children if child.name != "Analysis.SputterTime"]
    (tmp_path / "x.itm").write_bytes(made.container(tree))
    store = registry.read(tmp_path / "x.itm")
    assert store.attrs["acquisition_mode"] == "image_2d"
    assert store.attrs["row_shape"] == [made.SCANS, made.NY, made.NX]
    assert "no sputter time" in store.attrs["notes"][-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([5], "before the first pixel"),
        ([0xC0000000, 0xD0000000, 7], "make no sense"),
        ([0xC0000000, 0x40000000, 0xD0000000], "make no sense"),
        ([0xC0000000, 0xD0000000, 0x40000000, 0x80000000], "make no sense"),
        ([0xC0000005, 0xD0000000, 0x40000000], r"a pixel is \(5, 0\)"),
        ([0xC0000000, 0xD0000004, 0x40000000], r"a pixel is \(0, 4\)"),
        ([0xC0000000, 0xD0000000], "within the begin of a pixel"),
    ],
)
def test_words_that_make_no_sense(tmp_path: Path, words: list[int], message: str) -> None:
    tree = made.itm_tree(made.ions(5))
    raw = tree.path("rawdata")
    raw.children = [child for child in raw.children if child.name != "  14"]
    raw.add("  14", np.array(words, "<u4").tobytes(), packed=True)
    path = tmp_path / "x.itm"
    path.write_bytes(made.container(tree))
    with pytest.raises(ReadError, match=message) as caught:
        registry.read(path)
    assert f"{path}: byte " in caught.value.where


@pytest.mark.parametrize("name", ["Instrument.Analyzer_Polarity_Switch", "Registration.Raster.Resolution"])
def test_a_missing_setting_is_named(tmp_path: Path, name: str) -> None:
    tree = made.itm_tree(made.ions(6))
    settings = tree.path("propend")
    settings.children = [child for child in settings.children if child.name != name and "StageRaster" not in child.name]
    (tmp_path / "x.itm").write_bytes(made.container(tree))
    with pytest.raises(ReadError, match=name):
        registry.read(tmp_path / "x.itm")


def test_grd(tmp_path: Path) -> None:
    events = made.ions(7)
    path = tmp_path / "x.grd"
    for first in (0, 1):
        made.write_grd(path, events, first)
        store = check(registry.read(path), "tofsims_events")
        assert np.array_equal(cube_of(store), cube(events))
        assert_facts(store)
    facts = registry.describe(path)
    assert facts["ions"] == 900
    assert "not been checked" in facts["caution"]


def test_grd_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iontof_grd, "IONS_AT_ONCE", 100)
    path = tmp_path / "x.grd"
    made.write_grd(path, made.ions(8))
    raw = path.read_bytes()
    path.write_bytes(raw[:-7])
    with pytest.raises(ReadError, match="last begins at byte 17980"):
        registry.read(path)
    path.write_bytes(raw[: 20 * 555 + 8] + (5).to_bytes(4, "little") + raw[20 * 555 + 12 :])
    with pytest.raises(ReadError, match=r"an ion lies at \(5, ") as caught:
        registry.read(path)
    assert caught.value.where.endswith(f"byte {20 * 555}")
    path.write_bytes(raw)
    path.with_suffix(".properties.txt").unlink()
    with pytest.raises(ReadError, match="properties of this raw file are missing"):
        registry.find(path)


def test_properties_under_other_names(tmp_path: Path) -> None:
    path = tmp_path / "x.rawdata.grd"
    made.write_grd(path, made.ions(9))
    beside = path.with_suffix(".properties.txt")
    for name in ("x.properties.txt", "x.rawdata.grd.properties.txt", "something else.properties.txt"):
        beside = beside.rename(tmp_path / name)
        assert iontof_grd.parse(path).ions == 900


def test_names_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "renamed.dat"
    made.write_itm(path, made.ions(10))
    assert registry.find(path).name == "iontof_itm"
    assert iontof_raw.parse(path).numbers == (0, 1, 2)

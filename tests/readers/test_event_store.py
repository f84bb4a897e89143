"""Event stores: what the real files hold, lazily, with what their headers tell."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the filters of the real files)
import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry
from depthlock.readers.event_checks import validate_events
from depthlock.readers.event_store import describe, open_events

POWERCO = "tofsims/phi_simsh5/PowerCo-102-Pos-Cu_Grid.h5"
MOSAIC = "tofsims/phi_simsh5/mosaic-2x2-Pos.h5"


def test_powerco(real_data: Path) -> None:
    events = check(open_events(real_data / POWERCO), "tofsims_events")
    assert events.attrs["row_shape"] == [6, 256, 256]
    assert events.attrs["polarity"] == "+"
    assert events.attrs["mass_bin_width_ps"] == 1.0
    assert events.attrs["calibration_slope"] == pytest.approx(0.3798407)
    assert events.attrs["calibration_offset"] == pytest.approx(-1.587125)
    # The header: 80 um over 256 pixels; 8.1228 kHz * 8.072765 s = 65573 shots on 65536 pixels.
    assert events.attrs["pixel_pitch_um"] == pytest.approx(0.3125)
    assert events.attrs["shots_per_pixel"] == 1
    assert "dead_time_ns" not in events.attrs
    assert np.allclose(np.diff(events["sputter_time"].values), 8.072765)
    assert int(events["count"].sum().compute()) == 174405
    assert events["pixel_id"].chunks is not None
    json.dumps(events.attrs)


def test_powerco_agrees_with_a_plain_reading(real_data: Path) -> None:
    events = open_events(real_data / POWERCO)
    with h5py.File(real_data / POWERCO) as file:
        group = file["data/mass_csr"]
        for name in ("mass_bin", "indptr", "pixel_id"):
            assert np.array_equal(events[name].values, group[name][:])
    frames = events["pixel_id"].values // (256 * 256)
    per_frame = np.bincount(frames, weights=events["count"].values)
    assert per_frame.tolist() == [29274, 28641, 29185, 28553, 29522, 29230]


def test_mosaic_counts_above_255_are_exact(real_data: Path) -> None:
    events = check(open_events(real_data / MOSAIC), "tofsims_events")
    assert events.attrs["axes"] == ["tile", "frame", "y", "x"]
    assert events.sizes["scan"] == 4
    assert np.all(np.isnan(events["sputter_time"]))
    with h5py.File(real_data / MOSAIC) as file:
        group = file["data/mass_csr"]
        expected = group["count"][:].astype(int)
        expected[group["count_exceptions/nnz_index"][:]] = group["count_exceptions/value"][:]
    assert expected.max() > 255
    assert np.array_equal(events["count"].values, expected)
    assert np.array_equal(events["count"][37:181].values, expected[37:181])


def test_slices_travel_to_other_processes(real_data: Path) -> None:
    count = open_events(real_data / MOSAIC)["count"][100:300]
    copy = pickle.loads(pickle.dumps(count))  # noqa: S301 (written on this line)
    assert int(copy.sum().compute(scheduler="threads")) == int(count.sum())


def test_a_changed_file_is_noticed(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    shutil.copyfile(real_data / MOSAIC, path)
    events = open_events(path)
    with path.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(ReadError, match="changed while"):
        events["count"].compute()


def test_describe(real_data: Path) -> None:
    facts = describe(real_data / POWERCO)
    assert facts["ions"] == 174405
    assert facts["axes"] == "6 frame x 256 y x 256 x"
    assert facts["shots a pixel"] == "1"
    assert any("5 frames" in note for note in facts["notes"])


def test_validation_totals(real_data: Path) -> None:
    checked = validate_events(real_data / POWERCO)
    assert (checked.ions, checked.cells, checked.bins, checked.ms2_ions) == (174405, 174403, 94242, None)


def _set(name: str, index: int, value: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][index] = value

    return change


def _replace(name: str, values: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def _attribute(name: str, key: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name].attrs[key] = value

    return change


def _remove(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def _replace_by_group(file: h5py.File) -> None:
    del file["/data/mass_csr/count"]
    file.create_group("/data/mass_csr/count")


def _add_pixel_index(file: h5py.File) -> None:
    file["/data/pixel_index/indptr"] = np.zeros(7, np.uint64)


def _add_ms2(file: h5py.File) -> None:
    file.copy("/data/mass_csr", "/data/ms2_csr")
    file["/data/ms2_csr/pixel_id"][399] = 512


FAULTS: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "format": (_attribute("/", "format", "something"), "/@format"),
    "version": (_attribute("/", "format_version", "0.9"), "/@format_version"),
    "mode": (_attribute("/", "acquisition_mode", "movie"), "/@acquisition_mode"),
    "polarity": (_attribute("/", "polarity", "?"), "/@polarity"),
    "row count": (_attribute("/geometry", "row_count", 511), "/geometry@row_count"),
    "row shape": (_attribute("/geometry", "row_shape", [4, 128]), "/geometry@row_shape"),
    "no geometry": (_remove("/geometry"), "/geometry"),
    "bin width": (_attribute("/data/mass_csr", "mass_bin_width_ps", 0), "mass_bin_width_ps"),
    "no calibration": (_remove("/calibration/mass/coefficients"), "/calibration/mass/coefficients"),
    "negative slope": (_set("/calibration/mass/coefficients", 0, -1), "/calibration/mass/coefficients"),
    "no counts": (_remove("/data/mass_csr/count"), "/data/mass_csr/count"),
    "counts a group": (_replace_by_group, "/data/mass_csr/count"),
    "counts too short": (_replace("/data/mass_csr/count", np.ones(399, np.uint8)), "/data/mass_csr/count"),
    "float pixels": (_replace("/data/mass_csr/pixel_id", np.ones(400)), "/data/mass_csr/pixel_id"),
    "2-D pixels": (_replace("/data/mass_csr/pixel_id", np.ones((400, 1), np.uint32)), "/data/mass_csr/pixel_id"),
    "pointers": (_set("/data/mass_csr/indptr", 0, 1), "/data/mass_csr/indptr"),
    "last pointer": (_set("/data/mass_csr/indptr", -1, 399), "/data/mass_csr/indptr"),
    "pointers fall": (_set("/data/mass_csr/indptr", 3, 1), "/data/mass_csr/indptr"),
    "bins equal": (_set("/data/mass_csr/mass_bin", 1, 59), "/data/mass_csr/mass_bin"),
    "pixel outside": (_set("/data/mass_csr/pixel_id", 399, 512), "/data/mass_csr/pixel_id"),
    "pixels fall": (_set("/data/mass_csr/pixel_id", 5, 0), "/data/mass_csr/pixel_id"),
    "exception outside": (_set("/data/mass_csr/count_exceptions/nnz_index", 0, 400), "count_exceptions/nnz_index"),
    "exceptions too short": (
        _replace("/data/mass_csr/count_exceptions/value", np.ones(3, np.uint32)),
        "count_exceptions/value",
    ),
    "pixel index": (_add_pixel_index, "pixel_index/indptr"),
    "ms2": (_add_ms2, "/data/ms2_csr/pixel_id"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_invariant_is_checked(real_data: Path, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "events.h5"
    shutil.copyfile(real_data / MOSAIC, path)
    path.chmod(0o644)
    change, place = FAULTS[fault]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ReadError) as caught:
        validate_events(path)
    assert place in caught.value.where


def test_ms2_ions_are_counted(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    shutil.copyfile(real_data / MOSAIC, path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        file.copy("/data/mass_csr", "/data/ms2_csr")
    checked = validate_events(path)
    assert checked.ms2_ions == checked.ions == 65412


def test_a_chunk_that_cannot_be_decoded_is_named(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    shutil.copyfile(real_data / POWERCO, path)
    path.chmod(0o644)
    with h5py.File(path) as file:
        chunk = file["data/mass_csr/pixel_id"].id.get_chunk_info(0)
    with path.open("r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(b"\xff" * min(chunk.size, 4096))
    events = open_events(path)
    with pytest.raises(ReadError) as caught:
        events["pixel_id"].compute()
    assert "/data/mass_csr/pixel_id" in caught.value.where
    with pytest.raises(ReadError):
        validate_events(path)


def test_other_hdf5_files_are_not_taken(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(ReadError, match="another kind"):
        registry.find(path)
    with pytest.raises(ReadError, match="does not name its format"):
        open_events(path)


def test_depth_profile_times(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    shutil.copyfile(real_data / MOSAIC, path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        file.attrs["acquisition_mode"] = "depth_profile"
        file["frames/sputter_time_s"] = [0.0, 5.0, 10.0, 15.5]
    assert open_events(path)["sputter_time"].values.tolist() == [0.0, 5.0, 10.0, 15.5]
    with h5py.File(path, "r+") as file:
        file["frames/sputter_time_s"][2] = 3.0
    with pytest.raises(ReadError, match="sputter times"):
        open_events(path)

"""Volumes of all followed ions: shares, binning, chunks, and even steps in depth."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from tofsims_stores import random_store

from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.tofsims import volume
from depthlock.tofsims.volume import ion_volume
from depthlock.tofsims.volumes import even_in_depth, even_weights, ion_volumes


def profile_of_windows(**windows: tuple[int, int, float]) -> xr.Dataset:
    low, high, share = zip(*windows.values(), strict=True)
    names = [name.replace("_", "-") for name in windows]
    return xr.Dataset(
        {"used_scans": ("scan", np.ones(4, dtype=np.int8))},
        coords={
            "ion": ("ion", names, {"units": "1"}), "role": ("ion", ["other"] * len(names)),
            "mz": ("ion", [50.9, 66.9, 12.0][: len(names)]), "bin_low": ("ion", list(low)),
            "bin_high": ("ion", list(high)), "share": ("ion", list(share)),
        },
        attrs={"source": "store.h5"},
    )  # fmt: skip


PROFILE = profile_of_windows(V_=(20, 70, 1.0), VO_=(70, 160, 0.25), none_=(0, 0, 0.0))


def test_shares_windows_and_binning_are_applied():
    events = random_store(3)
    found = check(ion_volumes(events, PROFILE, None, steps=(2, 2, 3)), "tofsims_volume")
    assert found["ion"].values.tolist() == ["V-", "VO-"]
    assert da.Array is type(found["counts"].data)
    plain = ion_volume(events, 70, 160, bin_y=2, bin_x=3, bin_scan=2)
    assert found["counts"].values[1] == pytest.approx(0.25 * plain.values)
    assert "depth" not in found.coords


def test_depth_is_that_of_the_scans():
    depth = xr.Dataset({"scan_depth": ("scan", [0.0, 1.0, 3.0, 5.0])})
    found = ion_volumes(random_store(3), PROFILE, depth, ["VO-"], (2, 1, 1))
    assert found["depth"].values.tolist() == [0.5, 4.0]
    assert found["depth"].attrs["units"] == "nm"


def test_an_ion_without_a_window_is_told_with_those_that_have_one():
    with pytest.raises(MeasurementError, match=r"no volume of none-, F-\n.*V-, VO-"):
        ion_volumes(random_store(3), PROFILE, None, ["V-", "none-", "F-"])


def test_chunks_along_scans_hold_the_same_counts(monkeypatch):
    events = random_store(5)
    whole = ion_volume(events, 20, 160, bin_y=2)
    monkeypatch.setattr(volume, "LARGEST_CHUNK", 50)
    parts = ion_volume(events, 20, 160, bin_y=2)
    assert len(parts.chunksizes["scan"]) > 1
    assert np.array_equal(whole.values, parts.values)


@pytest.mark.parametrize("largest", [10, 1 << 25])
def test_even_depth_keeps_ions_and_places(monkeypatch, largest):
    monkeypatch.setattr(volume, "LARGEST_CHUNK", largest)
    depth = xr.Dataset({"scan_depth": ("scan", [0.0, 1.0, 3.0, 7.0])})
    found = ion_volumes(random_store(6), PROFILE, depth)
    even = even_in_depth(found)
    assert np.ptp(np.diff(even["depth"].values)) == pytest.approx(0.0, abs=1e-9)
    assert even["counts"].sum(("scan", "y", "x")).values == pytest.approx(
        found["counts"].sum(("scan", "y", "x")).values, rel=1e-5
    )
    edges = np.array([-0.5, 0.5, 2.0, 5.0, 9.0])
    assert even["counts"].values == pytest.approx(
        np.einsum("es,isyx->ieyx", even_weights(edges, 4), found["counts"].values), rel=1e-5
    )
    assert (np.diff(even["sputter_time"].values) > 0).all()


def test_even_steps_are_left_as_they_are():
    depth = xr.Dataset({"scan_depth": ("scan", [0.0, 1.0, 2.0, 3.0])})
    found = ion_volumes(random_store(6), PROFILE, depth)
    assert even_in_depth(found) is found
    without = ion_volumes(random_store(6), PROFILE, None)
    assert even_in_depth(without) is without

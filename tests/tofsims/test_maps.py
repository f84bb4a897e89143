"""Maps and cross-sections are sums of the volumes."""

import numpy as np
import pytest
import xarray as xr
from tofsims_stores import random_store

from depthlock.model.errors import MeasurementError
from depthlock.model.options import MapsOptions
from depthlock.tofsims.maps import draw_maps
from depthlock.tofsims.volumes import ion_volumes

ONE = {"units": "1"}
PROFILE = xr.Dataset(
    {"used_scans": ("scan", np.ones(4, dtype=np.int8))},
    coords={
        "ion": ("ion", ["V-", "VO-"], ONE), "role": ("ion", ["substrate", "other"], ONE),
        "mz": ("ion", [50.9, 66.9], {"units": "Da"}), "bin_low": ("ion", [20, 70]), "bin_high": ("ion", [70, 160]),
        "share": ("ion", [1.0, 0.5]),
    },
)  # fmt: skip


def test_sums_are_those_of_the_volume():
    events = random_store(4)
    options = MapsOptions(first_time=2.0, last_time=4.0, section_at_y=0.3, section_at_x=1.0, section_width=0.4)
    counts = ion_volumes(events, PROFILE, None)["counts"].values
    found = draw_maps(events, PROFILE, None, options)
    assert found["map"].values == pytest.approx(counts[:, 1:3].sum(axis=1))
    first, last = found.attrs["section_rows"]
    assert (first, last) == (0, 2)
    assert found["section_x"].values == pytest.approx(counts[:, :, first:last].sum(axis=2))
    first, last = found.attrs["section_columns"]
    assert (first, last) == (6, 7)
    assert found["section_y"].values == pytest.approx(counts[:, :, :, first:last].sum(axis=3))


def test_the_whole_raster_holds_all_ions_and_depth_is_kept():
    depth = xr.Dataset({"scan_depth": ("scan", [0.0, 1.0, 2.0, 4.0])})
    found = draw_maps(random_store(4), PROFILE, depth, MapsOptions(section_width=1.0))
    total = found["map"].sum(("y", "x")).values
    assert found["section_x"].sum(("scan", "x")).values == pytest.approx(total)
    assert found["section_y"].sum(("scan", "y")).values == pytest.approx(total)
    assert found["depth"].values.tolist() == [0.0, 1.0, 2.0, 4.0]


def test_times_without_scans_are_told():
    with pytest.raises(MeasurementError, match="no scan between 7 and 9 s"):
        draw_maps(random_store(4), PROFILE, None, MapsOptions(first_time=7.0, last_time=9.0))


def test_a_file_without_times_has_maps():
    events = random_store(4)
    events["sputter_time"] = ("scan", np.full(4, np.nan), {"units": "s"})
    counts = ion_volumes(events, PROFILE, None)["counts"].values
    assert draw_maps(events, PROFILE, None, MapsOptions())["map"].values == pytest.approx(counts.sum(axis=1))
    with pytest.raises(MeasurementError, match="no scan"):
        draw_maps(events, PROFILE, None, MapsOptions(last_time=9.0))

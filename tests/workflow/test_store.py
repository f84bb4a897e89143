"""Stage files: what goes in comes out, nothing half-written, no unit lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from depthlock.model.errors import ContractError, ReadError
from depthlock.model.quantity import Quantity, assign
from depthlock.workflow import store


def comparison() -> xr.Dataset:
    dataset = xr.Dataset(
        {"image": (("y", "x"), np.arange(20000.0, dtype=np.float32).reshape(100, 200), {"units": "1"})},
        coords={"sample": ("sample", np.array(["B-V2O5", "L (µ)"]), {"units": "1"})},
        attrs={"flag": True, "nothing": None, "sizes": [1, 2], "map": {"a": [1, "b"]}, "one": [3], "µ": "ångström"},
    )
    return assign(dataset, "gap", ("sample",), Quantity([1.5, np.nan], [0.1, np.nan], flag=["", "not_there;x"]), "nm")


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "comparison.nc"
    store.save(comparison(), path, "comparison", {"stage": "compare", "options": {"seed": 0}})
    back = store.load(path, "comparison")
    assert back["sample"].values.tolist() == ["B-V2O5", "L (µ)"]
    assert back["gap_flag"].values.tolist() == ["", "not_there;x"]
    assert back["gap_flag"].dtype.kind == "U"
    assert back["gap"].values[0] == 1.5
    assert np.isnan(back["gap"].values[1])
    assert back["gap_std"].attrs["units"] == "nm"
    assert back["image"].dtype == np.float32
    np.testing.assert_array_equal(back["image"], comparison()["image"])
    assert {key: back.attrs[key] for key in ("flag", "sizes", "map", "one", "µ")} == {
        "flag": 1, "sizes": [1, 2], "map": {"a": [1, "b"]}, "one": [3], "µ": "ångström",
    }  # fmt: skip
    assert store.provenance_of(back) == {"stage": "compare", "options": {"seed": 0}}
    assert [file.name for file in path.parent.iterdir()] == ["comparison.nc"]


def test_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        store.save(comparison(), tmp_path / name, "comparison", {"stage": "compare"})
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_a_dataset_without_units_is_not_written(tmp_path: Path) -> None:
    bad = comparison()
    del bad["gap"].attrs["units"]
    with pytest.raises(ContractError, match="'gap' has units None"):
        store.save(bad, tmp_path / "bad.nc", "comparison", {})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "comparison.nc"
    store.save(comparison(), path, "comparison", {})
    before = path.read_bytes()
    unwritable = comparison().assign(bad=("sample", np.array([{}, 3], dtype=object), {"units": "1"}))
    with pytest.raises(ValueError, match="mixed native types"):
        store.save(unwritable, path, "", {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["comparison.nc"]


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "comparison.nc"
    store.save(comparison(), path, "comparison", {})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ReadError, match="this result cannot be opened"):
        store.load(path, "comparison")
    with pytest.raises(ReadError, match="this result does not exist"):
        store.load(tmp_path / "other.nc", "comparison")

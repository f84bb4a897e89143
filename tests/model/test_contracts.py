"""A dataset that breaks its contract is told apart, fault by fault."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr

from depthlock.model.contracts import CONTRACTS, check
from depthlock.model.errors import ContractError
from depthlock.model.quantity import Quantity, assign, join_flags, quantity_of


def image() -> xr.Dataset:
    return xr.Dataset(
        {"image": (("y", "x"), np.zeros((2, 3)), {"units": "1"})},
        coords={"y": ("y", [0.0, 1.0], {"units": "nm"}), "x": ("x", [0.0, 1.0, 2.0], {"units": "nm"})},
        attrs={"source": "a.tif"},
    )


def test_a_good_dataset_passes_unchanged() -> None:
    dataset = image()
    assert check(dataset, "tem_image") is dataset


def test_missing_dims_variables_and_units_are_all_named() -> None:
    dataset = image().rename(image="picture")
    dataset["picture"].attrs["units"] = "furlongz"
    del dataset.attrs["source"]
    with pytest.raises(ContractError) as caught:
        check(dataset, "tem_image")
    for part in ("attribute 'source' is missing", "'image' is missing", "'picture' has units 'furlongz'"):
        assert part in str(caught.value)


def test_wrong_dims_are_named() -> None:
    with pytest.raises(ContractError, match=r"'image' has dims \('x', 'y'\)"):
        check(image().transpose("x", "y"), "tem_image")


def test_a_variable_without_units_is_refused() -> None:
    dataset = image()
    del dataset["x"].attrs["units"]
    with pytest.raises(ContractError, match="'x' has units None"):
        check(dataset, "tem_image")


def test_a_quantity_needs_all_its_siblings() -> None:
    wanted = CONTRACTS["tem_thickness"].quantities
    assert wanted["cei_thickness"] == ("statistic",)
    with pytest.raises(ContractError, match="'cei_thickness_upper' is missing"):
        check(image(), "tem_thickness")


def test_a_quantity_goes_in_and_comes_out() -> None:
    dataset = assign(xr.Dataset(), "rate", ("ion",), Quantity([1.0, 2.0], 0.1, flag=["", "weak"]), "nm/s")
    back = quantity_of(dataset, "rate")
    np.testing.assert_allclose(np.asarray(back.upper), [1.0 + 0.1959964, 2.0 + 0.1959964])
    assert list(np.asarray(back.flag)) == ["", "weak"]
    assert dataset["rate_lower"].attrs["units"] == "nm/s"


def test_flags_are_joined_once_each() -> None:
    assert join_flags("b", "", "a;b", "c") == "b;a;c"


def test_errors_survive_pickling() -> None:
    error = ContractError("found", expected="this", where="there", hint="do")
    assert pickle.loads(pickle.dumps(error)).message == error.message  # noqa: S301 - our own bytes

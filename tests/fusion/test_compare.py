"""Samples side by side."""

import numpy as np
import pytest
import xarray as xr

from depthlock.fusion.compare import compare_samples, difference
from depthlock.model.contracts import check
from depthlock.model.errors import MeasurementError
from depthlock.model.options import CompareOptions
from depthlock.model.quantity import Quantity, assign


def _profile(species: list[str], centroid: list[float], thickness: float) -> xr.Dataset:
    dataset = xr.Dataset(coords={"species": ("species", np.array(species), {"units": "1"})})
    dataset = assign(dataset, "centroid", ("species",), Quantity(centroid, np.full(len(centroid), 0.3)), "nm")
    return assign(dataset, "layer_thickness", (), Quantity(thickness, 0.4), "nm")


def test_samples_are_joined_on_labels() -> None:
    profiles = {"B": _profile(["V-", "F-"], [5.0, 2.0], 13.0), "L": _profile(["F-"], [3.5], 7.0)}
    table = check(compare_samples(profiles, CompareOptions()), "comparison")
    assert list(table["sample"].values) == ["B", "L"]
    assert table["centroid"].sel(sample="L", species="F-").item() == 3.5
    assert table["centroid_flag"].sel(sample="L", species="V-").item() == "not_in_sample"
    contrast = table.sel(contrast="B,L")
    assert contrast["centroid_difference"].sel(species="F-").item() == pytest.approx(-1.5)
    assert contrast["centroid_difference_std"].sel(species="F-").item() == pytest.approx(0.3 * np.sqrt(2))
    assert contrast["layer_thickness_difference"].item() == pytest.approx(6.0)
    assert np.isnan(contrast["centroid_difference"].sel(species="V-").item())


def test_difference_keeps_asymmetric_intervals() -> None:
    first = Quantity(1.0, 0.1, 0.9, 1.5, "weak")
    second = Quantity(0.4, 0.1, 0.0, 0.5)
    found = difference(first, second).arrays()
    assert found[""] == pytest.approx(0.6)
    assert found["lower"] == pytest.approx(0.6 - np.hypot(0.1, 0.1))
    assert found["upper"] == pytest.approx(0.6 + np.hypot(0.5, 0.4))
    assert str(difference(first, second).flags()) == "weak"


def test_one_sample_has_no_contrast() -> None:
    table = compare_samples({"only": _profile(["V-"], [5.0], 9.0)}, CompareOptions())
    assert table.sizes["contrast"] == 0
    assert "centroid_difference" not in table


def test_nothing_to_compare_is_told() -> None:
    with pytest.raises(MeasurementError, match="no samples"):
        compare_samples({}, CompareOptions())

"""The summary table: its columns, its quantities and its silence about nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr

from depthlock.model.quantity import Quantity, assign
from depthlock.workflow.summary import COLUMNS, TABLE, Entry, quantity_rows, read_summary, write_summary

DESIGN = {
    "tofsims": {
        "interface_time": "s",
        "interface_width": "s",
        "total_counts": "1",
        "mass_error": "ppm",
        "mass_resolution": "1",
    },
    "xps": {
        "area": "CPS eV",
        "position": "eV",
        "fwhm": "eV",
        "fraction": "1",
        "atomic_percent": "percent",
        "charge_shift": "eV",
    },
    "tem": {"cei_thickness": "nm", "lattice_spacing": "nm"},
    "depth": {
        "sputter_rate": "nm/s",
        "centroid": "nm",
        "separation": "nm",
        "overlap": "1",
        "co_occurrence": "1",
        "interlocking": "1",
        "substrate_in_layer": "1",
    },
}


def test_every_quantity_of_the_design_stands_in_the_table() -> None:
    found: dict[str, dict[str, str]] = {}
    for entry in TABLE:
        if not entry.quantity.endswith("_as_measured"):
            found.setdefault(entry.technique, {})[entry.quantity] = entry.unit
    for technique, quantities in DESIGN.items():
        assert found[technique].items() >= quantities.items()
    assert ",".join(COLUMNS) == "sample,technique,quantity,target,level,value,std,ci_low,ci_high,unit,flag"


def profile() -> xr.Dataset:
    ions = xr.Dataset(
        coords={
            "ion": ("ion", np.array(["SO2CF3-", "V-"]), {"units": "1"}),
            "role": ("ion", np.array(["organic", "substrate"]), {"units": "1"}),
        }
    )
    return assign(ions, "interface_time", ("ion",), Quantity([np.nan, np.nan], [np.nan, np.nan]), "s")


def test_only_the_substrate_has_an_interface_and_no_number_is_missing_silently() -> None:
    entry = next(entry for entry in TABLE if entry.quantity == "interface_time")
    rows = list(quantity_rows(profile(), entry))
    assert [(row["target"], row["flag"], row["level"]) for row in rows] == [("V-", "not_measured", "")]


def test_levels_are_numbered_from_0_whatever_the_order_of_dims() -> None:
    fit = xr.Dataset(coords={"component": ("component", np.array(["F 1s/MgF2", "F 1s/CF3"]), {"units": "1"})})
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    entry = Entry("xps_deconvolve", "xps", "area", "CPS eV", "component", level=True)
    for dims, array in ((("component", "level"), values), (("level", "component"), values.T)):
        rows = list(quantity_rows(assign(fit, "area", dims, Quantity(array, 0.5), "count * eV / s"), entry))
        assert [(row["target"], row["level"], row["value"]) for row in rows] == [
            ("F 1s/MgF2", 0, 1.0),
            ("F 1s/MgF2", 1, 2.0),
            ("F 1s/MgF2", 2, 3.0),
            ("F 1s/CF3", 0, 4.0),
            ("F 1s/CF3", 1, 5.0),
            ("F 1s/CF3", 2, 6.0),
        ]


def test_the_file(tmp_path: Path) -> None:
    dataset = assign(xr.Dataset(), "lattice_spacing", (), Quantity(0.38, 0.002, 0.377, 0.385, "a;b"), "nm")
    entry = Entry("tem_thickness", "tem", "lattice_spacing", "nm")
    row = {"sample": 'B, the "first"', **next(iter(quantity_rows(dataset, entry)))}
    empty = {**row, "value": math.nan, "std": math.inf}
    write_summary([row, empty], tmp_path / "summary.csv")
    assert (tmp_path / "summary.csv").read_text().splitlines()[1] == (
        '"B, the ""first""",tem,lattice_spacing,,,0.38,0.002,0.377,0.385,nm,a;b'
    )
    back = read_summary(tmp_path / "summary.csv")
    assert (back[1]["value"], back[1]["std"], back[1]["sample"]) == ("", "", 'B, the "first"')

"""How numbers and flags are told to people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FLAGS = {
    "at_bound": "a fitted value lies at the limit it was given",
    "correlated": "two fitted values cannot be told apart well (correlation above 0.95)",
    "not_detected": "below three standard deviations; the upper limit is what counts",
    "poor_fit": "the model does not describe the data within its noise",
    "over_fitted": "fewer components describe the data as well",
    "background_above_data": "the background lies above the data somewhere",
    "window_sensitive": "the number changes with the window it is fitted in",
    "not_identifiable": "different starting values give different answers",
    "no_charge_reference": "no reference line was found; the energy axis rests on the library's positions",
    "no_chemistry": "the chemistry library holds no states for this region",
    "no_crystal": "no crystal with lattice fringes was found",
    "no_outside": "nothing outside the layer was found",
    "patchy_fringes": "the crystal's edge depends on whether fringes are used to find it",
    "methods_disagree": "two independent methods disagree beyond their errors",
    "scale_unknown": "the image has no scale",
    "too_few_positions": "the interface is too short for a distribution",
    "no_thickness": "there is no measured thickness, so there is no axis in nanometres",
    "no_interface": "the substrate's interface was not found",
    "no_sputter_axis": "the measurement has no sputter time",
}
"""What each flag means. Flags with a detail after a colon are looked up by what stands before it."""


def flag_meaning(reason: str) -> str:
    """The meaning of one flag, in words."""
    name, _, detail = reason.partition(":")
    if name == "lookalike":
        return f"cannot be told from {detail} at this mass resolution and calibration"
    meaning = FLAGS.get(name, name.replace("_", " "))
    return f"{meaning} ({detail})" if detail else meaning


def shown_number(value: Any) -> str:
    """A number with four significant digits; an empty text for one that is missing."""
    if value is None or value == "":
        return ""
    number = float(value)
    return "" if math.isnan(number) else f"{number:.4g}"


HEADLINES = (
    ("layer thickness (TEM)", "tem", "cei_thickness", "mean"),
    ("thickness, standard deviation", "tem", "cei_thickness", "sd"),
    ("sputter rate, TOF-SIMS", "depth", "sputter_rate", "tofsims"),
    ("sputter rate, XPS", "depth", "sputter_rate", "xps"),
    ("mean depth", "depth", "centroid", None),
    ("separation", "depth", "separation", None),
    ("overlap", "depth", "overlap", None),
    ("interlocking", "depth", "interlocking", None),
    ("voxel co-occurrence (z)", "depth", "co_occurrence", None),
    ("substrate in the layer", "depth", "substrate_in_layer", None),
)
"""Rows of the table at the top of the report: wording, technique, quantity, target (None: all of them)."""


def headline_rows(rows: Iterable[Mapping[str, Any]], samples: Sequence[str]) -> list[dict[str, Any]]:
    """The table at the top of the report: one row a number that matters, one cell a sample."""
    found = {(row["sample"], row["technique"], row["quantity"], row["target"]): row for row in rows}
    table = []
    for wording, technique, quantity, wanted in HEADLINES:
        targets = dict.fromkeys(
            key[3] for key in found if key[1:3] == (technique, quantity) and wanted in {None, key[3]}
        )
        for target in targets:
            cells = [_cell(found.get((sample, technique, quantity, target))) for sample in samples]
            if any(cells):
                label = wording if wanted is not None else f"{wording}, {target}"
                unit = next(row["unit"] for key, row in found.items() if key[1:] == (technique, quantity, target))
                table.append({"label": label, "unit": "" if unit == "1" else unit, "cells": cells})
    return table


def _cell(row: Mapping[str, Any] | None) -> dict[str, str] | None:
    if row is None:
        return None
    value = shown_number(row["value"])
    if not value and not row["flag"]:
        return None
    interval = f"{shown_number(row['ci_low'])} … {shown_number(row['ci_high'])}" if value else ""
    return {"value": value or "not measured", "interval": interval, "flag": str(row["flag"])}

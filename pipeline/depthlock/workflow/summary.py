"""``summary.csv``: one number a row, from the quantities of the stage datasets, by one table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from depthlock.model.quantity import SIBLINGS
from depthlock.workflow.files import replace_file

if TYPE_CHECKING:
    from depthlock.workflow.results import SessionResults

COLUMNS = ("sample", "technique", "quantity", "target", "level", "value", "std", "ci_low", "ci_high", "unit", "flag")


@dataclass(frozen=True)
class Entry:
    """A quantity of a stage's dataset that stands in the summary.

    Attributes
    ----------
    stage, technique, quantity : str
        Stage whose dataset holds it; technique and quantity as written in the summary.
    unit : str
        As written in the summary.
    target : str
        Dim whose labels are the targets; empty for none.
    level : bool
        Whether it has a row an etch level.
    roles : tuple of str
        Only targets of these roles; all if empty.
    """

    stage: str
    technique: str
    quantity: str
    unit: str
    target: str = ""
    level: bool = False
    roles: tuple[str, ...] = ()


_MEASURED = "_as_measured"
_BETWEEN = "_between_patterns"

TABLE: tuple[Entry, ...] = (
    Entry("tofsims_profile", "tofsims", "interface_time", "s", "ion", roles=("substrate",)),
    Entry("tofsims_profile", "tofsims", "interface_width", "s", "ion", roles=("substrate",)),
    Entry("tofsims_profile", "tofsims", "interface_roughness", "s"),
    Entry("tofsims_profile", "tofsims", "total_counts", "1", "ion"),
    Entry("tofsims_profile", "tofsims", "mass_error", "ppm", "ion"),
    Entry("tofsims_profile", "tofsims", "mass_resolution", "1", "ion"),
    Entry("tofsims_components", "tofsims", "component_ions", "1", "component"),
    Entry("tofsims_components", "tofsims", "component_time", "s", "component"),
    Entry("xps_deconvolve", "xps", "area", "CPS eV", "component", level=True),
    Entry("xps_deconvolve", "xps", "area_otherwise", "CPS eV", "component", level=True),
    Entry("xps_deconvolve", "xps", "position", "eV", "component", level=True),
    Entry("xps_deconvolve", "xps", "fwhm", "eV", "component", level=True),
    Entry("xps_deconvolve", "xps", "fraction", "1", "component", level=True),
    Entry("xps_deconvolve", "xps", "atomic_percent", "percent", "element", level=True),
    Entry("xps_deconvolve", "xps", "charge_shift", "eV", level=True),
    Entry("xps_deconvolve", "xps", "survey_atomic_percent", "percent", "survey_element", level=True),
    Entry("tem_thickness", "tem", "cei_thickness", "nm", "statistic"),
    Entry("tem_thickness", "tem", "thickness_laplace", "nm", "statistic"),
    Entry("tem_thickness", "tem", "lattice_spacing", "nm"),
    Entry("eds_profile", "eds", "layer_thickness", "nm"),
    Entry("eds_profile", "eds", "interface_position", "nm", "element"),
    Entry("eds_profile", "eds", "interface_width", "nm", "element"),
    Entry("eds_profile", "eds", "layer_share", "1", "element"),
    Entry("eds_profile", "eds", "uniformity", "1", "element"),
    Entry("eds_profile", "eds", "uniformity_z", "1", "element"),
    Entry("eds_profile", "eds", "atomic_percent", "percent", "element"),
    Entry("diffraction_texture", "diffraction", "reflection_spacing", "nm", "reflection"),
    Entry("diffraction_texture", "diffraction", "reflection_width", "1/nm", "reflection"),
    Entry("diffraction_texture", "diffraction", "reflection_counts", "1", "reflection"),
    Entry("diffraction_texture", "diffraction", "texture_share", "1", "reflection"),
    Entry("diffraction_texture", "diffraction", "orientation_spread", "degree", "reflection"),
    Entry("diffraction_texture", "diffraction", "orientation_angle", "degree", "reflection"),
    Entry("diffraction_texture", "diffraction", "oriented_share", "1", "reflection"),
    Entry("diffraction_texture", "diffraction", "reflection_spacing" + _BETWEEN, "nm", "named"),
    Entry("diffraction_texture", "diffraction", "reflection_width" + _BETWEEN, "1/nm", "named"),
    Entry("diffraction_texture", "diffraction", "texture_share" + _BETWEEN, "1", "named"),
    Entry("diffraction_texture", "diffraction", "orientation_spread" + _BETWEEN, "degree", "named"),
    Entry("diffraction_texture", "diffraction", "oriented_share" + _BETWEEN, "1", "named"),
    Entry("depth_profile", "depth", "sputter_rate", "nm/s", "rated_technique"),
    Entry("depth_profile", "depth", "interface_area_ratio", "1"),
    Entry("depth_profile", "depth", "centroid", "nm", "species"),
    Entry("depth_profile", "depth", "centroid" + _MEASURED, "nm", "species"),
    Entry("depth_profile", "depth", "separation", "nm", "pair"),
    Entry("depth_profile", "depth", "separation" + _MEASURED, "nm", "pair"),
    Entry("depth_profile", "depth", "overlap", "1", "pair"),
    Entry("depth_profile", "depth", "overlap" + _MEASURED, "1", "pair"),
    Entry("depth_profile", "depth", "co_occurrence", "1", "pair"),
    Entry("depth_profile", "depth", "interlocking", "1", "pair"),
    Entry("depth_profile", "depth", "interlocking" + _MEASURED, "1", "pair"),
    Entry("depth_profile", "depth", "substrate_in_layer", "1", "species", roles=("substrate",)),
    Entry("depth_profile", "depth", "substrate_in_layer" + _MEASURED, "1", "species", roles=("substrate",)),
)
"""Every quantity of the summary. To add one: give it in a stage's dataset with its siblings, and add a row here."""


def summary_rows(results: SessionResults, table: Sequence[Entry] = TABLE) -> list[dict[str, Any]]:
    """Collect the summary of a session.

    Parameters
    ----------
    results : SessionResults
        The session's results.
    table : sequence of Entry
        The quantities.

    Returns
    -------
    list of dict
        One a number with the keys of :data:`COLUMNS`; numbers are floats (NaN where not measured, always flagged),
        `level` is an int or ``""``.
    """
    rows: list[dict[str, Any]] = []
    for sample in results.samples:
        for entry in table:
            dataset = results.dataset(sample, entry.stage)
            if dataset is not None:
                rows += [{"sample": sample, **row} for row in quantity_rows(dataset, entry)]
    return rows


def quantity_rows(dataset: xr.Dataset, entry: Entry) -> Iterator[dict[str, Any]]:
    """Give the rows of one quantity: a target after the other, each with its levels; none if it does not apply."""
    if entry.quantity not in dataset.variables:
        return
    variable = dataset[entry.quantity]
    targets = dataset[entry.target].values.astype(str).tolist() if entry.target else [""]
    levels = range(dataset.sizes["level"]) if entry.level else [None]
    for number, target in enumerate(targets):
        if entry.roles and str(dataset["role"].values[number]) not in entry.roles:
            continue
        for level in levels:
            at: dict[str, int] = {entry.target: number} if entry.target else {}
            if level is not None:
                at["level"] = level
            place = tuple(at[str(dim)] for dim in variable.dims)
            value = float(variable.values[place])
            siblings = {suffix: dataset[f"{entry.quantity}_{suffix}"].values[place] for suffix in SIBLINGS}
            flag = str(siblings["flag"])
            if not math.isfinite(value) and not flag:
                if entry.target in {"species", "pair"}:
                    continue  # the quantity does not apply, as voxel co-occurrence does not to states of XPS
                flag = "not_measured"
            yield {
                "technique": entry.technique,
                "quantity": entry.quantity,
                "target": target,
                "level": "" if level is None else level,
                "value": value,
                "std": float(siblings["std"]),
                "ci_low": float(siblings["lower"]),
                "ci_high": float(siblings["upper"]),
                "unit": entry.unit,
                "flag": flag,
            }


def write_summary(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write ``summary.csv``: UTF-8, one number a row, empty where a number could not be measured."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)

    replace_file(path, write)


def _written(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return f"{float(value):.10g}" if math.isfinite(value) else ""
    return value


def read_summary(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ``summary.csv`` as text."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))

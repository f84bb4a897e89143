"""The true numbers of a simulated session, keyed as `summary.csv` keys the measured ones."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthlock.simulate.layer import centroid, pair_truth
from depthlock.simulate.tem import TemTruth
from depthlock.simulate.tofsims import TofsimsTruth
from depthlock.simulate.worlds import SampleParameters
from depthlock.simulate.xps import XpsTruth

COLUMNS = ("sample", "technique", "quantity", "target", "level", "value", "unit")

SUBSTRATE_IONS = ("V-", "VO-", "VO2-", "VO3-")
"""Ions whose rise marks the end of the layer."""

PAIRED_IONS = ("SO2CF3-", "MgF2-", "V-", "CF3-", "MgF-", "MgF3-", "SO2-", "VO-", "VO2-")
"""Ions of which all pairs have a true separation and overlap."""


@dataclass(frozen=True)
class TrueValue:
    """One row of `truth.csv`; `level` is empty for what is not told by etch level."""

    sample: str
    technique: str
    quantity: str
    target: str
    level: str
    value: float
    unit: str


def sample_truth(
    sample: SampleParameters, tofsims: TofsimsTruth | None, xps: XpsTruth | None, images: list[TemTruth]
) -> list[TrueValue]:
    """All true numbers of a sample that can be stated, in a fixed order."""
    rows = []
    if tofsims is not None:
        rows += [TrueValue(sample.name, "tofsims", *row) for row in _tofsims(tofsims)]
    if xps is not None:
        rows += [TrueValue(sample.name, "xps", *row) for row in _xps(xps)]
    if images:
        rows += [TrueValue(sample.name, "tem", *row) for row in _tem(images)]
    rows += [TrueValue(sample.name, "depth", *row) for row in _depth(sample, tofsims, xps)]
    return [row for row in rows if np.isfinite(row.value)]


_Row = tuple[str, str, str, float, str]


def _tofsims(truth: TofsimsTruth) -> Iterator[_Row]:
    for label, total in truth.total_counts.items():
        yield "total_counts", label, "", total, "1"
        yield "mass_error", label, "", 0.0, "ppm"
        yield "mass_resolution", label, "", truth.mass_resolution[label], "1"
    for label in SUBSTRATE_IONS:
        yield "interface_time", label, "", truth.interface_time_s, "s"
        yield "interface_width", label, "", truth.interface_width_s, "s"


def _xps(truth: XpsTruth) -> Iterator[_Row]:
    for level in range(truth.etch_time_s.size):
        number = str(level)
        yield "charge_shift", "", number, float(truth.charge_shift[level]), "eV"
        for target, areas in truth.area.items():
            yield "area", target, number, float(areas[level]), "count * eV / s"
            yield "position", target, number, truth.position[target], "eV"
            yield "fwhm", target, number, truth.fwhm[target], "eV"
            yield "fraction", target, number, float(truth.fraction[target][level]), "1"
        for element, percent in truth.atomic_percent.items():
            yield "atomic_percent", element, number, float(percent[level]), "percent"


def _tem(images: list[TemTruth]) -> Iterator[_Row]:
    pooled = TemTruth(
        chords_nm=np.concatenate([image.chords_nm for image in images]),
        lattice_nm=images[0].lattice_nm,
        label=images[0].label,
    )
    for statistic, value in pooled.statistics().items():
        yield "cei_thickness", statistic, "", value, "nm"
    yield "lattice_spacing", "", "", pooled.lattice_nm, "nm"


def _depth(sample: SampleParameters, tofsims: TofsimsTruth | None, xps: XpsTruth | None) -> Iterator[_Row]:
    thickness = sample.layer.thickness_nm
    if tofsims is not None and sample.tofsims is not None:
        yield "sputter_rate", "tofsims", "", sample.tofsims.rates.layer_nm_s, "nm/s"
        for label, profile in tofsims.profiles.items():
            yield "centroid", label, "", centroid(profile, thickness), "nm"
        yield from _pairs({label: tofsims.profiles[label] for label in PAIRED_IONS}, thickness)
        for label in SUBSTRATE_IONS:
            yield "substrate_in_layer", label, "", tofsims.substrate_in_layer, "1"
    if xps is not None and sample.xps is not None:
        yield "sputter_rate", "xps", "", sample.xps.rate_nm_s, "nm/s"
        for target, profile in xps.profiles.items():
            yield "centroid", target, "", centroid(profile, thickness), "nm"
        for region in dict.fromkeys(target.split("/")[0] for target in xps.profiles):
            yield from _pairs(
                {one: profile for one, profile in xps.profiles.items() if one.startswith(f"{region}/")}, thickness
            )


def _pairs(profiles: dict[str, NDArray[np.float64]], thickness: float) -> Iterator[_Row]:
    for first, second in combinations(profiles, 2):
        numbers = pair_truth(profiles[first], profiles[second], thickness)
        for quantity, unit in (("separation", "nm"), ("overlap", "1"), ("interlocking", "1")):
            yield quantity, f"{first},{second}", "", numbers[quantity], unit


def write_truth(path: Path, rows: list[TrueValue]) -> None:
    """Write `truth.csv`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(
                (row.sample, row.technique, row.quantity, row.target, row.level, f"{row.value + 0.0:.8g}", row.unit)
            )

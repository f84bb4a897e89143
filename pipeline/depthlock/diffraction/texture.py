"""The stage `diffraction_texture`: spacing, texture share and orientation of named reflections."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.diffraction.cells import BINS_PER_PIXEL, LEAST_BINS
from depthlock.diffraction.combination import Combined, combine
from depthlock.diffraction.measured import UNITS, Measured, bounded
from depthlock.diffraction.orientation import belts, orientation_of, total_weights
from depthlock.diffraction.regroup import Pattern
from depthlock.diffraction.rings import Rings, fit_rings, out_of_round
from depthlock.model.options import DiffractionOptions
from depthlock.model.quantity import Quantity, assign, join_flags

MOST_BINS = 400
"""Bins across one reflection's window."""

MAP_BINS = 240
"""Bins in scattering vector of the map that is shown."""

COMBINED = -1
"""`pattern` of a number over all patterns."""

SECTOR = 10.0
"""Width in degree of the azimuths at which a ring's roundness is looked at."""

OFF = 0.01
"""Relative distance of all spacings from what was expected, from which the geometry is in doubt."""

WEDGE = 0.02
"""Share of a ring's total that may stand for azimuths no pixel saw before it is flagged."""


def measure_texture(patterns: Sequence[xr.Dataset], options: DiffractionOptions) -> xr.Dataset:
    """Measure the named reflections of every diffraction pattern of a sample.

    Parameters
    ----------
    patterns : sequence of xr.Dataset
        Contract `diffraction_pattern`.
    options : DiffractionOptions

    Returns
    -------
    xr.Dataset
        Contract `diffraction_texture`. Of several patterns, ``001`` is the reflection over all of them (`pattern` -1)
        and ``001 (pattern 2)`` that of the second; ``texture_share_between_patterns`` (named) and its like tell how far
        the patterns differ beyond counting. Errors are those of counting and of that spread; an error of the geometry
        moves all spacings together and is not among them.

    Raises
    ------
    MeasurementError
        If pyFAI is not installed, or no pixel of a pattern can be used.
    """
    found: list[Measured] = []
    pictures: dict[str, xr.Variable] = {}
    notes: list[str] = []
    for number, measured in enumerate(patterns):
        pattern = Pattern(measured, options.polarisation)
        low, high = pattern.reach()
        found.append(_measure(pattern, json.loads(str(measured.attrs["reflections"])), (low, high), options))
        whole = pattern.regroup(low, high, MAP_BINS, options.azimuth_step)
        level = np.where(whole.exposure > 0, whole.counts / np.where(whole.exposure > 0, whole.exposure, 1.0), np.nan)
        of_map = (f"map_azimuth_{number}", f"map_q_{number}")
        pictures[f"map_{number}"] = xr.Variable(of_map, level.astype(np.float32), {"units": "1"})
        pictures[of_map[0]] = xr.Variable(of_map[0], whole.azimuth, {"units": "degree"})
        pictures[of_map[1]] = xr.Variable(of_map[1], whole.q, {"units": "1/nm"})
        notes.append(_note(measured, pattern))
    grazing = ["incident_angle_degree" in one.attrs for one in patterns]
    result = _laid_out(found, combine(found, grazing) if len(found) > 1 else None).assign(pictures)
    return result.assign_attrs(
        patterns=len(found), sources=[str(one.attrs.get("source", "")) for one in patterns], notes=notes,
        grazing=[int(own) for own in grazing],
    )  # fmt: skip


def _laid_out(found: list[Measured], combined: Combined | None) -> xr.Dataset:
    """The numbers over all patterns first, then those of each; those of an only pattern go by the plain names."""
    names = [] if combined is None else list(combined.names)
    of_pattern = [COMBINED] * len(names)
    for number, one in enumerate(found):
        names += one.names if combined is None else [f"{name} (pattern {number + 1})" for name in one.names]
        of_pattern += [number] * len(one.names)
    size = max(one.azimuth.size for one in found)
    step = float(found[0].azimuth[1] - found[0].azimuth[0])
    result = xr.Dataset(
        coords={
            "reflection": ("reflection", names, {"units": "1"}),
            "pattern": ("reflection", of_pattern, {"units": "1"}),
            "azimuth": ("azimuth", (np.arange(size) + 0.5) * step, {"units": "degree"}),
        },
    )
    for name, units in UNITS.items():
        parts = [] if combined is None else [combined.quantities[name]]
        parts += [bounded(name, one.values[name], one.stds[name], one.flags[name]) for one in found]
        result = assign(result, name, ("reflection",), _joined(parts), units)
    unfilled = np.full((len(names) - sum(len(one.names) for one in found), size), np.nan)
    profile = np.concatenate([unfilled, *(_wide(one.profile, size) for one in found)])
    spread = np.concatenate([unfilled, *(_wide(one.profile_std, size) for one in found)])
    unseen = np.where(np.isfinite(profile), "", "not_measured")
    result = assign(result, "ring_intensity", ("reflection", "azimuth"), Quantity(profile, spread, flag=unseen), "1/nm")
    if combined is not None:
        result = result.assign_coords(named=("named", combined.names, {"units": "1"}))
        for name, spread_of in combined.between.items():
            result = assign(result, f"{name}_between_patterns", ("named",), spread_of, UNITS[name])
    return result


def _joined(parts: list[Quantity]) -> Quantity:
    value, std, lower, upper = (
        np.concatenate([part.arrays()[side] for part in parts]) for side in ("", "std", "lower", "upper")
    )
    return Quantity(value, std, lower, upper, np.concatenate([part.flags() for part in parts]))


def _measure(
    pattern: Pattern, reflections: dict[str, float], reach: tuple[float, float], options: DiffractionOptions
) -> Measured:
    names = list(reflections)
    expected = np.array([2.0 * np.pi / reflections[name] for name in names])
    number = max(2, round(pattern.span / options.azimuth_step))
    azimuth = (np.arange(number) + 0.5) * pattern.span / number
    nothing = np.full(len(names), np.nan)
    found = Measured(
        names, {name: nothing.copy() for name in UNITS}, {name: nothing.copy() for name in UNITS},
        {name: ["outside_detector"] * len(names) for name in UNITS}, azimuth,
        np.full((len(names), number), np.nan), np.full((len(names), number), np.nan),
    )  # fmt: skip
    totals, covariance = nothing.copy(), np.zeros((len(names), len(names)))
    for group in _groups(expected, reach, options):
        low = max(reach[0], float(expected[group].min()) * (1.0 - options.window))
        high = min(reach[1], float(expected[group].max()) * (1.0 + options.window))
        bins = int(np.clip(BINS_PER_PIXEL * (high - low) / pattern.pixel_q, LEAST_BINS, MOST_BINS * len(group)))
        data = pattern.regroup(low, high, bins, options.azimuth_step)
        rings = fit_rings(data, expected[group], options.search)
        own, spread = _fill(found, group, rings, pattern.incident is not None)
        round_ = ~out_of_round(pattern.regroup(low, high, bins, SECTOR, folded=False), rings, options.search)
        for k, at in enumerate(group):
            half = float(np.nan_to_num(rings.width[k]))
            full = rings.detected[k] and pattern.is_saturated(rings.position[k] - half, rings.position[k] + half)
            _flag(found, at, "" if round_[k] else "ring_not_round", "saturated" if full else "")
        totals[group] = own
        covariance[np.ix_(group, group)] = spread
    _shares(found, totals, covariance)
    ratio = found.values["reflection_spacing"] * expected / (2.0 * np.pi)
    known = np.isfinite(ratio)
    off = float(np.median(ratio[known])) - 1.0 if known.sum() > 1 else 0.0
    if abs(off) > OFF and np.all(np.abs(ratio[known] - 1.0 - off) < 0.25 * abs(off)):
        found.flags["reflection_spacing"] = [
            join_flags(flag, "spacings_off_together" if there else "")
            for flag, there in zip(found.flags["reflection_spacing"], known, strict=True)
        ]
    return found


def _groups(expected: NDArray[np.float64], reach: tuple[float, float], options: DiffractionOptions) -> list[list[int]]:
    """Reflections on the detector whose windows overlap, to be fitted together."""
    inside = [k for k in np.argsort(expected) if reach[0] < expected[k] * (1 - options.search)
              and expected[k] * (1 + options.search) < reach[1]]  # fmt: skip
    groups: list[list[int]] = []
    for k in inside:
        meets = groups and expected[k] * (1 - options.window) < expected[groups[-1][-1]] * (1 + options.window)
        if meets:
            groups[-1].append(int(k))
        else:
            groups.append([int(k)])
    return groups


def _fill(
    found: Measured, group: list[int], rings: Rings, fibre: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Write a group's quantities; return the rings' totals and their covariance."""
    n = len(group)
    totals, weights, assumed = np.full(n, np.nan), np.zeros((n, found.azimuth.size)), np.zeros(n)
    for k, at in enumerate(group):
        seen = np.isfinite(rings.intensity[k])
        spread = np.sqrt(np.clip(rings.covariance[:, k, k], 0.0, None))
        found.profile[at], found.profile_std[at] = rings.intensity[k], spread
        told = "" if rings.detected[k] else "not_detected"
        others = np.delete(rings.position, k)
        nearest = float(np.abs(others - rings.position[k]).min()) if n > 1 else np.inf
        if nearest < 2.0 * np.nan_to_num(rings.width[k]):
            told = join_flags(told, "overlapping_reflections")
        if not seen.any():
            continue
        weights[k], filled = total_weights(found.azimuth, rings.azimuth[k], seen, fibre)
        values = np.where(seen, rings.intensity[k], 0.0)
        totals[k] = float(weights[k] @ values)
        known = bool(rings.detected[k])
        oriented = orientation_of(rings.azimuth[k], rings.intensity[k], spread, 180.0, fibre) if known else None
        unseen = float(filled @ values)
        if oriented is not None:
            # An oriented ring may be brightest where it is not seen.
            beyond = float(belts(found.azimuth, fibre)[~seen] @ oriented.fitted[~seen])
            totals[k] += beyond - unseen
            unseen = max(unseen, beyond)
        # Nothing is known of what the unseen azimuths hold but that it goes on smoothly.
        assumed[k] = 0.5 * abs(unseen)
        wedge = "missing_wedge" if assumed[k] > 0.5 * WEDGE * abs(totals[k]) else ""
        spacing = 2.0 * np.pi / rings.position[k]
        _put(found, "reflection_spacing", at, spacing if known else np.nan,
             spacing * rings.position_std[k] / rings.position[k], told)  # fmt: skip
        _put(found, "reflection_width", at, rings.width[k], rings.width_std[k],
             join_flags(told, "at_bound" if known and not np.isfinite(rings.width_std[k]) else ""))  # fmt: skip
        _put(found, "reflection_counts", at, rings.counts[k], rings.counts_std[k], told)
        found.flags["texture_share"][at] = join_flags(told, wedge)
        for name in ("orientation_angle", "orientation_spread", "oriented_share"):
            if oriented is None:
                _put(found, name, at, np.nan, np.nan, told or "no_preferred_orientation")
                continue
            value, std = {"orientation_angle": oriented.angle, "orientation_spread": oriented.spread,
                          "oriented_share": oriented.share}[name]  # fmt: skip
            _put(found, name, at, value, std, join_flags(told, wedge))
    spread = np.einsum("ka,akl,la->kl", weights, np.nan_to_num(rings.covariance), weights)
    spread += np.diag(np.nan_to_num(assumed) ** 2)
    # What all azimuths share: the shapes of the rings and the background's curvature.
    shared = np.einsum("ska,ka->sk", rings.shape_slopes, weights)
    spread += shared.T @ rings.shape_covariance @ shared
    return totals, spread


def _flag(found: Measured, at: int, *reasons: str) -> None:
    for flags in found.flags.values():
        flags[at] = join_flags(flags[at], *reasons)


def _put(found: Measured, name: str, at: int, value: float, std: float, flag: str) -> None:
    found.values[name][at], found.stds[name][at], found.flags[name][at] = value, std, flag


def _shares(found: Measured, totals: NDArray[np.float64], covariance: NDArray[np.float64]) -> None:
    """Each reflection's total over the sum of all that are on the detector."""
    known = np.isfinite(totals)
    whole = float(totals[known].sum())
    if not known.any():
        return
    significant = whole > 3.0 * float(np.sqrt(covariance[np.ix_(known, known)].sum()))
    for at in np.flatnonzero(known):
        if not significant:
            found.flags["texture_share"][at] = join_flags(found.flags["texture_share"][at], "few_counts")
            continue
        share = float(totals[at] / whole)
        slope = np.where(known, -share / whole, 0.0)
        slope[at] += 1.0 / whole
        found.values["texture_share"][at] = share
        found.stds["texture_share"][at] = float(np.sqrt(max(float(slope @ covariance @ slope), 0.0)))
        if any("missing_wedge" in flag for flag in found.flags["texture_share"]):
            found.flags["texture_share"][at] = join_flags(found.flags["texture_share"][at], "missing_wedge")
        if known.sum() == 1:
            found.flags["texture_share"][at] = join_flags(found.flags["texture_share"][at], "single_reflection")
        elif not known.all():
            found.flags["texture_share"][at] = join_flags(found.flags["texture_share"][at], "reflections_left_out")


def _wide(rows: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.pad(rows, ((0, 0), (0, size - rows.shape[1])), constant_values=np.nan)


def _note(measured: xr.Dataset, pattern: Pattern) -> str:
    way = "transmission" if pattern.incident is None else f"grazing incidence, {np.degrees(pattern.incident):g} degree"
    intensity = measured["intensity"].values
    bad = int((~(np.isfinite(intensity) & (intensity >= 0))).sum())
    return (
        f"{measured.attrs.get('source', 'diffraction pattern')}: {way}; {bad} of {intensity.size} pixels are masked"
        f" (negative or not a number), {int(pattern.masked.sum()) - bad} lie below the film's horizon"
    )

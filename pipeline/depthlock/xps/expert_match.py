"""An expert's fit beside ours: components that lie at the same energy, and the expert's curves on our points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from depthlock.model.chemistry import Region
from depthlock.xps.curves import RATE_UNITS
from depthlock.xps.expert import ExpertFit, ExpertLine, expert_fits, has_expert
from depthlock.xps.windows import normal_name

SAME_EV = 0.5
"""An expert's line no farther than this from ours is the same line."""


def with_expert(
    fit: xr.Dataset,
    spectra: Mapping[str, xr.Dataset],
    levels: Mapping[str, Sequence[int]],
    regions: Sequence[Region],
) -> xr.Dataset:
    """`xps_fit` with what experts left in the files; unchanged where there is nothing.

    Parameters
    ----------
    fit : xr.Dataset
        `xps_fit`.
    spectra : mapping of str to xr.Dataset
        The blocks fitted.
    levels : mapping of str to sequence of int
        The sample's level of every level of a block.
    regions : sequence of Region
        For the splitting of doublets: an expert's two lines are one component here.

    Returns
    -------
    xr.Dataset
        Also expert_area (counts/s eV), expert_position (charge-referenced as ours) and expert_fwhm (eV) on
        (level, component), NaN where no expert's line lies within `SAME_EV`; expert_background and expert_envelope
        (counts/s) on (level, point); expert_whole (level, core_level), the area above the expert's background.
    """
    present = {key: block for key, block in spectra.items() if has_expert(block)}
    if not present:
        return fit
    count = fit.sizes["level"]
    by_component = {name: np.full((count, fit.sizes["component"]), np.nan) for name in ("area", "position", "fwhm")}
    on_points = {name: np.full((count, fit.sizes["point"]), np.nan) for name in ("background", "envelope")}
    whole = np.full((count, fit.sizes["core_level"]), np.nan)
    energy, window = fit["binding_energy"].values, fit["region_of_point"].values
    owners, core_levels = fit["region"].values, fit["core_level"].values
    for key, block in present.items():
        name = normal_name(str(block.attrs.get("region", key)))
        own = np.flatnonzero(window == name)
        for level, expert in zip(levels[key], expert_fits(block), strict=True):
            if expert is None or own.size == 0:
                continue
            for curve, values in (("background", expert.background), ("envelope", expert.envelope)):
                inside = np.interp(energy[own], expert.energy, values, left=np.nan, right=np.nan)
                on_points[curve][level, own] = inside
            low, high = energy[own].min(), energy[own].max()
            inside_window = [
                place
                for place, owner in enumerate(owners)
                if owner == name
                or low <= fit["position"].values[level, place] + fit["charge_shift"].values[level] <= high
            ]
            _match(by_component, fit, int(level), inside_window, expert, regions)
            whole[level, core_levels == name] = expert.whole
    if not (np.isfinite(by_component["area"]).any() or np.isfinite(whole).any()):
        return fit
    fit = fit.copy()
    units = {"area": "count * eV / s", "position": "eV", "fwhm": "eV"}
    for name, values in by_component.items():
        fit[f"expert_{name}"] = (("level", "component"), values, {"units": units[name]})
    for name, values in on_points.items():
        fit[f"expert_{name}"] = (("level", "point"), values, {"units": RATE_UNITS})
    fit["expert_whole"] = (("level", "core_level"), whole, {"units": "count * eV / s"})
    return fit


def _match(
    columns: dict[str, np.ndarray],
    fit: xr.Dataset,
    level: int,
    places: Sequence[int],
    expert: ExpertFit,
    regions: Sequence[Region],
) -> None:
    """Give every expert's line to the nearest of our lines, and sum those that a doublet of ours holds."""
    shift = float(fit["charge_shift"].values[level])
    splitting = {f"{region.name}/{state.name}": state.splitting for region in regions for state in region.components}
    slots: list[tuple[float, int, bool]] = []
    for place in places:
        position = float(fit["position"].values[level, place]) + shift
        slots.append((position, place, True))
        apart = splitting.get(str(fit["component"].values[place]))
        if apart is not None:
            slots.append((position + apart, place, False))
    pairs = sorted(
        (abs(line.position - position), number, slot)
        for number, line in enumerate(expert.lines)
        for slot, (position, _, _) in enumerate(slots)
        if abs(line.position - position) <= SAME_EV
    )
    taken_lines: set[int] = set()
    strongest: dict[int, ExpertLine] = {}
    for _, number, slot in pairs:
        if number in taken_lines:
            continue
        taken_lines.add(number)
        line = expert.lines[number]
        _, place, main = slots[slot]
        # Lines that an expert splits further (several states at one energy) add up.
        area = columns["area"][level, place]
        columns["area"][level, place] = line.area + (0.0 if np.isnan(area) else area)
        if main and (place not in strongest or line.area > strongest[place].area):
            strongest[place] = line
    for place, line in strongest.items():
        columns["position"][level, place] = line.position - shift
        columns["fwhm"][level, place] = line.fwhm

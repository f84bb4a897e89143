"""Which core levels a window holds, by its name and by its energies, and which windows belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depthlock.model.chemistry import Component, Region
from depthlock.xps.windows import Window, element_of, is_core_level, normal_name

INSIDE_EV = 0.7
"""A line counts as inside a window when it lies this far from its ends."""

JOIN_EV = 1.0
"""Windows closer than this are fitted together."""

MOST_UNASSIGNED = 3
"""Most peaks looked for in a window that the chemistry library does not know."""

UNASSIGNED = "unassigned"


@dataclass(frozen=True)
class Assignment:
    """Windows that are fitted together, their core levels, and whether each is reported.

    One window as a rule; several when they overlap or nearly so, because then each holds tails of the other's lines.
    With the background `auto`, `expert_shape` is the line shape of the analyst's fit in the file, whose background is
    then taken; empty without one.
    """

    windows: tuple[Window, ...]
    regions: tuple[Region, ...]
    reported: tuple[bool, ...]
    from_library: bool
    expert_shape: str = ""


def join_windows(windows: Sequence[Window]) -> list[tuple[Window, ...]]:
    """Sets of windows closer than `JOIN_EV` that were measured at the same levels, in the order of the input."""
    parent = list(range(len(windows)))
    for first, one in enumerate(windows):
        for second in range(first):
            other = windows[second]
            gap = max(one.energy[0], other.energy[0]) - min(one.energy[-1], other.energy[-1])
            if gap < JOIN_EV and np.array_equal(one.measured, other.measured):
                old, new = parent[first], parent[second]
                parent = [new if value == old else value for value in parent]
    return [
        tuple(sorted((windows[k] for k in range(len(windows)) if parent[k] == root), key=lambda w: float(w.energy[0])))
        for root in dict.fromkeys(parent)
    ]


def _lines_inside(component: Component, windows: Sequence[Window]) -> tuple[bool, bool]:
    """Whether the main line, and any line, of a component lies inside one of the windows."""

    def inside(energy: float) -> bool:
        return any(w.energy[0] + INSIDE_EV <= energy <= w.energy[-1] - INSIDE_EV for w in windows)

    main = inside(component.position)
    weak = component.splitting is not None and inside(component.position + component.splitting)
    return main, main or weak


def generic_region(window: Window) -> Region:
    """A region of unassigned peaks, where the mean spectrum stands highest above its ends' line.

    At most `MOST_UNASSIGNED` peaks, each at least a tenth of the largest and above the noise; the largest is called
    `unassigned`, the others by their energy.
    """
    from scipy.signal import find_peaks

    mean = window.rate[window.measured].mean(axis=0)
    energy = window.energy
    line = np.interp(energy, [energy[0], energy[-1]], [mean[:5].mean(), mean[-5:].mean()])
    width = max(1, round(0.8 / float(np.median(np.diff(energy)))))
    smooth = np.convolve(mean - line, np.ones(width) / width, mode="same")
    inner = slice(width + 1, energy.size - width - 1)
    noise = float(np.std(np.diff(mean))) / np.sqrt(2.0 * width)
    height = max(0.1 * float(smooth[inner].max()), 5.0 * noise)
    found, facts = find_peaks(smooth[inner], prominence=height)
    order = np.argsort(facts["prominences"])[::-1][:MOST_UNASSIGNED]
    places = found[order] if found.size else np.array([int(np.argmax(smooth[inner]))])
    positions = energy[inner][places]
    peaks = tuple(
        Component(
            name=UNASSIGNED if number == 0 else f"{UNASSIGNED} {position:.1f}",
            position=float(position),
            position_range=1.5,
            fwhm=1.6,
            fwhm_max=5.0,
            source="a peak of the window",
        )
        for number, position in enumerate(positions)
    )
    return Region(
        name=window.name,
        element=element_of(window.name),
        window=(float(energy[0]), float(energy[-1])),
        components=peaks,
    )


def assign_regions(windows: Sequence[Window], library: Sequence[Region]) -> list[Assignment]:
    """Find the core levels in every window, by its name and by its energies.

    A region named as a window belongs to it. Regions that lie inside by energy are modelled too (V 2p beside O 1s),
    and are reported there unless another window bears their name or has them already.
    """
    named = {window.name for window in windows}
    known = {normal_name(region.name) for region in library}
    taken: set[str] = set()
    result: list[Assignment] = []
    for joined in join_windows(windows):
        own_names = {window.name for window in joined}
        regions: list[Region] = []
        reported: list[bool] = []
        for region in library:
            name = normal_name(region.name)
            flags = [_lines_inside(component, joined) for component in region.components]
            if not any(any_line for _, any_line in flags):
                continue
            whole = any(main for main, _ in flags)
            mine = name in own_names or (name not in named and whole)
            if mine and name not in taken:
                taken.add(name)
                reported.append(True)
                # A region that is asked for keeps all its states, also those just outside.
                regions.append(region)
            else:
                inside = tuple(c for c, (_, any_line) in zip(region.components, flags, strict=True) if any_line)
                reported.append(False)
                regions.append(region.model_copy(update={"components": inside}))
        strangers = [w for w in joined if w.name not in known and is_core_level(w.name)]
        from_library = any(reported)
        if not from_library or (strangers and not regions):
            regions, reported = [generic_region(joined[0])], [True]
        result.append(Assignment(joined, tuple(regions), tuple(reported), from_library))
    return result

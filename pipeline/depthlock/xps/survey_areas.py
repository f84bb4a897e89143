"""Areas of survey lines above a background between two points, with the errors of counting and of that choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depthlock.model.chemistry import SurveyLine
from depthlock.xps.background import static_shirley
from depthlock.xps.shapes import FloatArray
from depthlock.xps.survey import FoundElement, single_lines

BELOW_EV, ABOVE_EV = 6.5, 7.5
"""Reach of a window below and above its line."""

END_EV = 1.6
"""Width over which a window's end is averaged."""

WHOLE_SPLITTING_EV = 25.0
"""Doublets wider than this are quantified by their stronger line."""

CHOICE_SHARE = 1.0 / np.sqrt(12.0)
"""Standard deviation for the choice of background, in units of the difference between a line and Shirley's step: that
of an even distribution between the two."""

OVERLAP_SHARE = 0.04
"""Another element's line in a window that is higher than this share of the window's own."""


@dataclass(frozen=True)
class SurveyWindow:
    """Where an element is quantified.

    Attributes
    ----------
    line : SurveyLine
    share : float
        Part of the level's intensity inside.
    low, high : float
        Binding energies without charge shift, eV.
    overlapped : str
        Elements with lines in the window, `;` between; empty for none.
    """

    line: SurveyLine
    share: float
    low: float
    high: float
    overlapped: str


def choose_window(found: FoundElement, others: Sequence[FoundElement], ends: tuple[float, float]) -> SurveyWindow:
    """The element's first line in the spectrum that no other element covers; its first one when all are covered.

    Parameters
    ----------
    found : FoundElement
    others : sequence of FoundElement
        All elements found.
    ends : (float, float)
        Of the spectrum, less its charge shift, eV.
    """
    windows = []
    for line in found.element.lines:
        whole = line.splitting <= WHOLE_SPLITTING_EV
        place = line.position + found.offset
        low, high = place - BELOW_EV, place + (line.splitting if whole else 0.0) + ABOVE_EV
        if low < ends[0] or high > ends[1]:
            continue
        own = found.amount * single_lines(line)[0][1]
        peaks = [position + found.offset for position, _ in single_lines(line)][: 2 if whole else 1]
        covering = []
        for other in others:
            near = [] if other is found else _strong_lines(other, low - 2.0, high + 2.0, OVERLAP_SHARE * own)
            if near:
                covering.append(other.element.element)
            for position in near:
                # A window ends halfway to a line that stands beside it.
                if position < peaks[0]:
                    low = max(low, 0.5 * (position + peaks[0]))
                elif position > peaks[-1]:
                    high = min(high, 0.5 * (position + peaks[-1]))
        windows.append(SurveyWindow(line, 1.0 if whole else line.strong_share, low, high, ";".join(covering)))
    free = [window for window in windows if not window.overlapped]
    return (free or windows)[0]


def _strong_lines(found: FoundElement, low: float, high: float, least: float) -> list[float]:
    """Energies of an element's lines between two energies that are higher than a limit."""
    return [
        position + found.offset
        for line in found.element.lines
        for position, factor in single_lines(line)
        if low <= position + found.offset <= high and found.amount * factor > least
    ]


def window_area(
    energy: FloatArray, rate: FloatArray, variance: FloatArray, low: float, high: float
) -> tuple[float, float]:
    """Area above the background between two energies, and its standard error, counts/s eV.

    Parameters
    ----------
    energy, rate, variance : ndarray (points,)
        Binding energy (ascending, even, eV), counts/s and its variance.
    low, high : float
        eV, as measured.

    Returns
    -------
    float, float
        Above Shirley's step where the intensity rises over the window, above a line where it falls. The error holds
        counting in the window and at its ends, and the choice between the two (`CHOICE_SHARE`).
    """
    step = float(energy[1] - energy[0])
    first, last = (int(np.clip(round((end - energy[0]) / step), 0, energy.size - 1)) for end in (low, high))
    inside = slice(first, last + 1)
    points = max(2, round(END_EV / step))
    half = points // 2
    at_low = slice(max(first - half, 0), first + half + 1)
    at_high = slice(max(last - half, 0), last + half + 1)
    ends = rate[at_low].mean(), rate[at_high].mean()
    x, y = energy[inside], rate[inside]
    line = np.interp(x, x[[0, -1]], ends)
    by_line = float(np.trapezoid(y - line, x))
    pair = (np.array([ends[0]]), np.array([ends[1]]))
    by_step = float(np.trapezoid(y - static_shirley(x, y[None], ends=pair)[0], x))
    width = float(x[-1] - x[0])
    counting = step**2 * variance[inside].sum()
    at_ends = 0.25 * width**2 * sum(variance[part].mean() / (part.stop - part.start) for part in (at_low, at_high))
    choice = CHOICE_SHARE * (by_step - by_line)
    value = by_step if ends[1] > ends[0] else by_line
    return value, float(np.sqrt(counting + at_ends + choice**2))

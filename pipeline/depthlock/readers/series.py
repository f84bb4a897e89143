"""What orders the levels of an etch series: etch time, another variable, or only the order of the blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Variables: TypeAlias = dict[str, tuple[float, str]]
"""Experimental variables of a spectrum: label to (value, unit), as written."""

_ETCH = re.compile(
    r"(etch|sputter|ion\s*gun|profil|mill)\w*[-_\s]*(time|duration)|(etch|sputter)\w*zeit", re.IGNORECASE
)
_ETCH_IF_TIMED = re.compile(r"^\s*(etch|sputter)(ing)?\s*$", re.IGNORECASE)
_UNIT_IN_LABEL = re.compile(r"(?:\[|\(|/)\s*([A-Za-z]+)\s*[\])]?\s*$")
#: Label of etch times that come from the session.
GIVEN = "etch time (session)"
_UNNAMED = re.compile(r"^(exp(erimental)?\.?\s*variable|value|none|)$", re.IGNORECASE)
_NO_SERIES = re.compile(r"^index$", re.IGNORECASE)
_SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "mins": 60.0,
            "minute": 60.0, "minutes": 60.0, "m": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0}  # fmt: skip
_NO_UNIT = frozenset({"", "d", "n", "none", "-", "a.u.", "arb. units"})
_ASSUMED = "unit not given in the file, seconds assumed"


def _seconds_a_unit(label: str, unit: str) -> tuple[float, bool] | None:
    """Return the unit in seconds and whether it was assumed; None if the unit is no time."""
    in_label = _UNIT_IN_LABEL.search(label)
    for word in (unit, in_label.group(1) if in_label else ""):
        if word.strip().lower() in _SECONDS:
            return _SECONDS[word.strip().lower()], False
    return (1.0, True) if unit.strip().lower() in _NO_UNIT else None


def etch_seconds(variables: Variables) -> tuple[float, str, bool]:
    """Find the etch time among the experimental variables of a spectrum.

    Returns
    -------
    tuple
        Seconds (NaN if there is none), the label, and whether the unit was missing and seconds were assumed.
    """
    for label, (value, unit) in variables.items():
        seconds = _seconds_a_unit(label, unit)
        if seconds is None:
            continue
        factor, assumed = seconds
        if _ETCH.search(label) or (_ETCH_IF_TIMED.search(label) and not assumed):
            return value * factor, label, assumed
    return np.nan, "", False


def order_of_levels(levels: Sequence[Variables]) -> tuple[Array, str, str, dict[str, tuple[Array, str]]]:
    """Find what orders the levels of a region.

    Parameters
    ----------
    levels
        The experimental variables of each level.

    Returns
    -------
    tuple
        Etch times in s (NaN where unknown), the name of the series coordinate (``"block order"`` or ``"none"`` without
        a variable), a remark on what was assumed, and all variables that differ between levels with their units.
    """
    found = [etch_seconds(variables) for variables in levels]
    etch = np.array([seconds for seconds, _, _ in found])
    varying: dict[str, tuple[Array, str]] = {}
    for label, (_, unit) in levels[0].items():
        values = np.array([variables.get(label, (np.nan, ""))[0] for variables in levels])
        if len(levels) > 1 and np.unique(values[np.isfinite(values)]).size > 1 and not _NO_SERIES.match(label):
            varying[label] = (values, unit)
    if np.isfinite(etch).any():
        label = next(name for seconds, name, _ in found if np.isfinite(seconds))
        remarks = [_ASSUMED] if any(assumed for _, _, assumed in found) else []
        if np.unique(etch).size < etch.size:
            remarks.append("several levels have the same etch time")
        return etch, label, "; ".join(remarks), varying
    for label, (values, unit) in varying.items():
        # CasaXPS calls a variable it knows nothing about "Exp Variable": in etched series it is the etch time.
        is_index = values[0] in (0, 1) and np.array_equal(values, np.arange(len(values)) + values[0])
        rises = bool(np.all(np.diff(values) > 0)) and values[0] >= 0
        seconds = _seconds_a_unit(label, unit)
        if _UNNAMED.match(label.strip()) and rises and not is_index and seconds is not None:
            remarks = ["the variable is not named as an etch time", *([_ASSUMED] if seconds[1] else [])]
            return values * seconds[0], label, "; ".join(remarks), varying
    named = [label for label in varying if not label.lower().startswith("position")] or list(varying)
    fallback = "block order" if len(levels) > 1 else "none"
    return etch, named[0] if named else fallback, "", varying

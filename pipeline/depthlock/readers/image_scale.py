"""Pixel sizes from what image files say about scale, in the spellings found in the wild."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_NANOMETRES = {
    "pm": 1e-3,
    "å": 0.1,
    "a": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "micron": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "m": 1e9,
}
"""Length units that microscopes write. Centimetre and inch are left out: they are printers' resolutions."""

_PRINTER = {"cm", "inch", "in", "dpi", "centimeter"}
_RECIPROCAL_MARKS = ("1/", "1_/_", "^-1", "**-1", "-1", "⁻¹")
_ANGLES = {"rad", "mrad", "µrad", "urad", "deg", "degree", "°"}

SMALLEST_NM, LARGEST_NM = 1e-4, 1e5
"""Pixel sizes outside of 0.1 pm to 0.1 mm are no microscope's."""


@dataclass(frozen=True)
class Axis:
    """One axis of a picture as its file describes it: length of a step, and its unit as written."""

    scale: float
    units: str


def _plain(units: str) -> str:
    # NCEM's EMD writes `[n_m]` and `[n_m^-1]`; mu has two code points.
    text = units.strip().strip("[]<>").replace("_", "").replace(" ", "").replace("μ", "u").replace("µ", "u")
    return text.lower() if text != "Å" else "å"


def is_reciprocal(units: str) -> bool:
    """Whether an axis is one of a diffraction pattern: reciprocal lengths or angles."""
    written = units.strip().lower()
    return any(mark in written for mark in _RECIPROCAL_MARKS) or _plain(units) in _ANGLES


def pixel_size_nm(axes: tuple[Axis, Axis]) -> tuple[tuple[float, float] | None, str]:
    """Pixel size (y, x) in nm, and, when there is none, why the file's scale is not used.

    Parameters
    ----------
    axes : tuple of Axis
        Along y and x.

    Returns
    -------
    size : tuple of float or None
    reason : str
        Empty when there is a size.
    """
    sizes: list[float] = []
    for axis in axes:
        unit = _plain(axis.units)
        if unit in {"", "none", "undefined", "px", "pixel", "pixels"}:
            return None, "the file has no scale"
        if unit in _PRINTER:
            return None, f"the file's scale is in {axis.units}, a resolution for printing"
        if unit not in _NANOMETRES:
            return None, f"the file's scale is in '{axis.units}', which is no length depthlock knows"
        size = axis.scale * _NANOMETRES[unit]
        if not (math.isfinite(size) and SMALLEST_NM <= abs(size) <= LARGEST_NM):
            return None, f"the file's scale, {axis.scale:g} {axis.units} a pixel, is no microscope's"
        sizes.append(abs(size))
    return (sizes[0], sizes[1]), ""


def frequency_step(axes: tuple[Axis, Axis]) -> tuple[float, float] | None:
    """Step (y, x) in 1/nm of a diffraction pattern's axes; None where they are no reciprocal lengths."""
    steps: list[float] = []
    for axis in axes:
        unit = _plain(axis.units)
        for mark in ("^-1", "**-1", "⁻¹", "-1"):
            unit = unit.removesuffix(mark)
        unit = unit.removeprefix("1/")
        if not is_reciprocal(axis.units) or unit not in _NANOMETRES or not math.isfinite(axis.scale) or not axis.scale:
            return None
        steps.append(abs(axis.scale) / _NANOMETRES[unit])
    return steps[0], steps[1]


def imagej_axes(file: Any) -> tuple[Axis, Axis] | None:
    """Axes (y, x) of a TIFF file that ImageJ calibrated; None for any other.

    ImageJ keeps the unit in its own description and pixels a unit in the resolution tags, then with the resolution
    unit 'none'. Where that tag says inch or centimetre, the numbers are a printer's, whatever the description says.

    Parameters
    ----------
    file : tifffile.TiffFile
    """
    described = file.imagej_metadata
    unit = described.get("unit") if isinstance(described, dict) else None
    if not isinstance(unit, str) or not unit.strip():
        return None
    tags = file.pages[0].tags
    printer = tags.get("ResolutionUnit")
    if printer is not None and int(printer.value) != 1:
        return None
    # The description is ASCII: what is not stands as Java's escape.
    written = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("\\u00C5", "Å").replace("\\u00c5", "Å")
    axes: list[Axis] = []
    for name in ("YResolution", "XResolution"):
        tag = tags.get(name)
        pixels, units = tag.value if tag is not None else (0, 0)
        if not pixels or not units:
            return None
        axes.append(Axis(units / pixels, written))
    return axes[0], axes[1]

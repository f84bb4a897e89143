"""The part of a measured window that is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from depthlock.model.chemistry import Region
from depthlock.model.errors import MeasurementError
from depthlock.xps.windows import Window

CROP_MARGIN_EV = 4.0
"""How far beyond the library's window data are still used, so that a charged sample keeps its peaks."""


def crop(window: Window, regions: Sequence[Region]) -> Window:
    """The window cut to the regions' fit windows and a margin, when it is wider than those."""
    low = min(min(region.window) for region in regions) - CROP_MARGIN_EV
    high = max(max(region.window) for region in regions) + CROP_MARGIN_EV
    return _cut(window, (window.energy >= low) & (window.energy <= high))


def _cut(window: Window, keep: NDArray[np.bool_]) -> Window:
    """The window's points that are kept; all of them when fewer than twenty are."""
    if keep.all() or keep.sum() < 20:
        return window
    return replace(
        window,
        energy=window.energy[keep],
        rate=window.rate[:, keep],
        exposure=window.exposure[:, keep],
        background=None if window.background is None else window.background[:, keep],
    )


def within_stated_background(window: Window) -> Window:
    """The part of a window that the fit in the file covered.

    Outside it exports repeat the data as background, and residuals of exactly zero are no noise.

    Raises
    ------
    MeasurementError
        When the file holds no background.
    """
    if window.background is None:
        raise MeasurementError(
            f"no background in {window.key}",
            expected="an export that holds one",
            where="options.xps_deconvolve.background: file",
            hint="choose active_shirley",
        )
    differs = np.flatnonzero(np.any(np.abs(window.rate - window.background) > 1e-6 * np.abs(window.rate), axis=0))
    if differs.size < 2:
        return window
    place = np.arange(window.energy.size)
    return _cut(window, (place >= differs[0]) & (place <= differs[-1]))


def between(window: Window, limits: Mapping[str, tuple[float, float]]) -> Window:
    """The part of a window that the session asks for.

    Raises
    ------
    MeasurementError
        When fewer than twenty points lie there.
    """
    if window.name not in limits:
        return window
    low, high = sorted(limits[window.name])
    keep = (window.energy >= low) & (window.energy <= high)
    if keep.sum() < 20:
        raise MeasurementError(
            f"{int(keep.sum())} points of {window.name} between {low:g} and {high:g} eV",
            expected=f"at least 20; it was measured from {window.energy[0]:g} to {window.energy[-1]:g} eV",
            where="options.xps_deconvolve.fit_windows",
            hint="give binding energies as measured, before charge reference",
        )
    return _cut(window, keep)

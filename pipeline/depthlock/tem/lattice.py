"""Lattice reflections of an image: found without being told the spacing, demodulated, and fitted.

Frequencies are in 1/nm, lengths in nm. An image is real, so +g and -g carry the same information: a reflection
stands for both signs, and the one with k_x >= 0 is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from depthlock.tem.windows import Spectra

CONTROL_AZIMUTH = np.deg2rad(35.0)
"""Azimuth between a reflection and its controls, which carry the amorphous power at the same |g|."""

LONGEST_SPACING, SHORTEST_SPACING = 0.8, 0.13
"""Range of lattice spacings in nm looked for without a hint; longer ones drown in the edges' own spectrum."""


VISIBLE = 18.0
"""Power over the ring's median from which a window shows fringes: noise reaches 12 in one of a thousand windows."""


@dataclass(frozen=True)
class Reflection:
    """One lattice reflection.

    Attributes
    ----------
    ky, kx : float
        Frequency in 1/nm.
    significance : float
        Peak of the averaged azimuthal ratio, in standard deviations of the ratio elsewhere.
    """

    ky: float
    kx: float
    significance: float

    @property
    def spacing(self) -> float:
        """Lattice spacing in nm."""
        return float(1.0 / np.hypot(self.ky, self.kx))

    @property
    def angle(self) -> float:
        """Azimuth of the frequency in degrees, from +x towards +y."""
        return float(np.rad2deg(np.arctan2(self.ky, self.kx)))


def azimuthal_ratio(spectra: Spectra) -> NDArray[np.float32]:
    """Power over the median of its ring, averaged over the windows: 1.44 where nothing is periodic.

    The ring's median in each window is the amorphous and shot-noise power at that |k|, so that a bright or strongly
    scattering window counts no more than another. Single windows are clipped at 40.
    """
    return np.asarray(np.mean([np.minimum(row, 40.0).mean(axis=0) for row in spectra.relative], axis=0))


def find_reflections(
    spectra: Spectra, *, hint: float | None = None, most: int = 4, significance: float = 9.0
) -> list[Reflection]:
    """Lattice reflections that stand out of their ring, strongest first.

    Parameters
    ----------
    spectra : Spectra
    hint : float, optional
        A lattice spacing in nm: widens the range looked at so that it is inside. It is not imposed.
    most : int
        Largest number of reflections.
    significance : float
        Least height over the ring, in robust standard deviations of the ratio over the whole plane.

    Returns
    -------
    list of Reflection
        Empty when nothing is periodic.
    """
    ratio = ndimage.gaussian_filter(azimuthal_ratio(spectra), 0.6)
    radius = np.hypot(spectra.ky[:, None], spectra.kx[None, :])
    longest = max(LONGEST_SPACING, 1.1 * hint) if hint else LONGEST_SPACING
    allowed = (radius >= 1 / longest) & (radius <= 1 / SHORTEST_SPACING)
    if allowed.sum() < 30:  # pixels too coarse to show a lattice
        return []
    values = ratio[allowed]
    centre = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - centre))) or 1e-6
    peaks = (ndimage.maximum_filter(ratio, 5, mode="nearest") == ratio) & allowed
    found: list[Reflection] = []
    step = spectra.kx[1] - spectra.kx[0]
    for row, column in sorted(zip(*np.nonzero(peaks), strict=True), key=lambda at: -ratio[at]):
        height = (ratio[row, column] - centre) / spread
        if height < significance or ratio[row, column] < 1.25 * centre or len(found) == most:
            break
        ky, kx = _peak_position(ratio, spectra, int(row), int(column))
        if all(min(np.hypot(ky - r.ky, kx - r.kx), np.hypot(ky + r.ky, kx + r.kx)) > 2.5 * step for r in found):
            found.append(Reflection(ky, kx, float(height)))
    return found


def _peak_position(ratio: NDArray[np.float32], spectra: Spectra, row: int, column: int) -> tuple[float, float]:
    """Centre of gravity of a peak above its surroundings, over 3 x 3 channels, in 1/nm."""
    rows = np.arange(max(row - 1, 0), min(row + 2, ratio.shape[0]))
    columns = np.arange(max(column - 1, 0), min(column + 2, ratio.shape[1]))
    patch = ratio[np.ix_(rows, columns)].astype(np.float64)
    weight = patch - patch.min() + 1e-12
    ky = float((weight.sum(axis=1) @ spectra.ky[rows]) / weight.sum())
    kx = float((weight.sum(axis=0) @ spectra.kx[columns]) / weight.sum())
    return ky, kx


def fringe_frequencies(spectra: Spectra, *, least: float = VISIBLE) -> NDArray[np.float64]:
    """Frequency in 1/nm of the strongest fringes of each window, whatever their direction.

    Parameters
    ----------
    spectra : Spectra
    least : float
        Power over the ring's median from which a window shows fringes.

    Returns
    -------
    ndarray, shape (n_windows_y, n_windows_x)
        NaN where a window shows none.
    """
    shape = spectra.power.shape[:2]
    frequencies = np.full(shape, np.nan)
    radius = np.hypot(spectra.ky[:, None], spectra.kx[None, :])
    allowed = (radius >= 1 / LONGEST_SPACING) & (radius <= 1 / SHORTEST_SPACING)
    if allowed.sum() < 30:
        return frequencies
    for line, relative in enumerate(spectra.relative):
        inside = np.where(allowed, relative, 0.0).reshape(len(relative), -1)
        at = inside.argmax(axis=1)
        for window in np.flatnonzero(inside[np.arange(len(inside)), at] >= least):
            row, column = (int(i) for i in np.unravel_index(at[window], radius.shape))
            frequencies[line, window] = np.hypot(*_peak_position(relative[window], spectra, row, column))
    return frequencies

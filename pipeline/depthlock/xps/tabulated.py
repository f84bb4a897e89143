"""Line shapes without a closed form, tabulated once on a grid in units of their full width."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.signal import fftconvolve

from depthlock.xps.shapes import GAUSS_SIGMA_OF_FWHM, FloatArray, LineShape

REACH = 60.0
"""Half width of the table in full widths; the line is zero outside."""

_GRID_STEP = 0.005

LA_FORMS = {"LA(1.53,243)": (1.53, 0.4995, 0.839)}
"""Exponent, and widths of Lorentzian and Gaussian over the full width, of CasaXPS's LA lines, as found by fitting
exported curves (they agree to 6e-5 of the height)."""


class TabulatedLine:
    """A unit-area line of fixed form with its cumulative and slope.

    Parameters
    ----------
    grid : ndarray (n,)
        Distances from the position in full widths, even steps.
    values : ndarray (n,)
        Line on the grid, any scale; its full width at half maximum is made 1 and its area 1.
    """

    def __init__(self, grid: FloatArray, values: FloatArray) -> None:
        rough = CubicSpline(grid, values)
        half = 0.5 * float(values.max())
        crossings = np.flatnonzero(np.diff(np.sign(values - half)) != 0)
        edges = [
            float(grid[k] + (half - values[k]) / (values[k + 1] - values[k]) * (grid[k + 1] - grid[k]))
            for k in crossings[[0, -1]]
        ]
        width = edges[1] - edges[0]
        area = float(rough.integrate(grid[0], grid[-1])) / width
        self._density = CubicSpline(grid / width, values / area)
        self._slope = self._density.derivative()
        cumulative = self._density.antiderivative()(grid / width)
        self._cumulative = CubicHermiteSpline(grid / width, cumulative, values / area)
        self._low, self._high = float(grid[0] / width), float(grid[-1] / width)

    def evaluate(self, distance: FloatArray, fwhm: FloatArray) -> LineShape:
        """The line at a distance (eV) from its position, as `pseudo_voigt` gives it; it has no mixing."""
        scaled = np.clip(distance / fwhm, self._low, self._high)
        inside = (scaled > self._low) & (scaled < self._high)
        nothing = np.zeros_like(scaled)
        return LineShape(
            density=np.where(inside, self._density(scaled), 0.0) / fwhm,
            cumulative=np.asarray(self._cumulative(scaled)),
            slope=np.where(inside, self._slope(scaled), 0.0) / fwhm**2,
            mixing_density=nothing,
            mixing_cumulative=nothing,
        )


@lru_cache(maxsize=8)
def tabulated_line(name: str) -> TabulatedLine:
    """A tabulated line by name: a Lorentzian to a power, convolved with a Gaussian (CasaXPS's LA).

    Parameters
    ----------
    name : str
        One of `LA_FORMS`.

    Returns
    -------
    TabulatedLine
    """
    exponent, lorentz, gauss = LA_FORMS[name]
    half = round(REACH / _GRID_STEP)
    grid = _GRID_STEP * np.arange(-half, half + 1)
    powered = (1.0 + 4.0 * (grid / lorentz) ** 2) ** -exponent
    sigma = gauss * GAUSS_SIGMA_OF_FWHM
    count = int(np.ceil(6.0 * sigma / _GRID_STEP))
    near = _GRID_STEP * np.arange(-count, count + 1)
    kernel = np.exp(-0.5 * (near / sigma) ** 2)
    convolved = fftconvolve(powered, kernel / kernel.sum(), mode="same")
    return TabulatedLine(np.asarray(grid, dtype=np.float64), np.asarray(convolved, dtype=np.float64))

"""Line shapes without a closed form (or without a closed cumulative), tabulated in units of their full width.

Fixed forms, by their CasaXPS names; all have their tail, where they have one, on the high-binding-energy side:

- ``GL(m)``: product of a Gaussian and a Lorentzian, exp(-4 ln 2 (1-m) x^2) / (1 + 4 m x^2).
- ``LA(alpha,beta,m)``: a Lorentzian to the power alpha on the high-energy side and beta on the other, convolved with a
  Gaussian whose full width is `GAUSS_OF_M` m times the Lorentzian's.
- ``LF(alpha,beta,w,m)``: the same with exponents that grow with the distance d from the line as 1 + d/(w F), F the
  Lorentzian's full width, so that the tail ends. CasaXPS publishes no formula for its damping: curves agree to about
  1 % of the height where w is fitted, not number by number.
- ``DS(alpha,m)``: Doniach and Sunjic (J. Phys. C 3, 1970, 285), convolved likewise. Its area is infinite: it counts
  within `DS_REACH` full widths.

Families with a fitted mixing: ``voigt`` (mixing = Lorentzian width over the sum of both widths) and ``gl_product``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.signal import fftconvolve
from scipy.special import voigt_profile

from depthlock.model.line_shapes import ShapeForm, parse_shape
from depthlock.xps.shapes import GAUSS_SIGMA_OF_FWHM, FloatArray, LineShape, pseudo_voigt

REACH = 60.0
"""Half width of the tables of convolved lines in full widths; the line is zero outside."""

DS_REACH = 15.0
"""The same for Doniach-Sunjic lines, whose area grows without end."""

GAUSS_OF_M = 0.839 / 0.4995 / 243.0
"""Gaussian over Lorentzian full width per unit of CasaXPS's m, from exported LA(1.53,243) curves, which it reproduces
to 6e-5 of the height; that the width is proportional to m is an assumption away from there."""

LA_EXPONENTS = (1.0, 1.15, 1.3, 1.53, 1.8, 2.2)
LA_WIDTHS = (30.0, 60.0, 90.0, 130.0, 180.0, 243.0, 340.0, 480.0)
"""Exponents and Gaussian widths m of the LA lines that `nearest_la` chooses from."""

_GRID_STEP = 0.005
_NODES = np.linspace(0.0, 1.0, 33)


class TabulatedLine:
    """A unit-area line of fixed form with its cumulative and slope.

    Parameters
    ----------
    grid : ndarray (n,)
        Distances from the position, ascending.
    values : ndarray (n,)
        Line on the grid, any scale; its full width at half maximum is made 1 and its area 1.

    Attributes
    ----------
    width : float
        Full width at half maximum in units of the grid.
    """

    def __init__(self, grid: FloatArray, values: FloatArray) -> None:
        self.width = full_width(grid, values)
        scaled = grid / self.width
        area = float(CubicSpline(scaled, values).integrate(scaled[0], scaled[-1]))
        self._density = CubicSpline(scaled, values / area)
        self._slope = self._density.derivative()
        self._cumulative = CubicHermiteSpline(scaled, self._density.antiderivative()(scaled), values / area)
        self._low, self._high = float(scaled[0]), float(scaled[-1])

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


class TabulatedFamily:
    """Symmetric unit-area lines of unit width that depend on a mixing from 0 to 1.

    Parameters
    ----------
    form : callable
        Line on a grid for a mixing, any scale and width.
    """

    def __init__(self, form: Callable[[FloatArray, float], FloatArray]) -> None:
        # Fine in the middle, far-reaching in the tails.
        half = np.sinh(np.linspace(0.0, np.arcsinh(2000.0 / 0.05), 500)) * 0.05
        self._grid = np.asarray(np.concatenate([-half[:0:-1], half]))
        rows, sums = [], []
        for mixing in _NODES:
            wide = form(self._grid, float(mixing))
            values = form(self._grid * full_width(self._grid, wide), float(mixing))
            spline = CubicSpline(self._grid, values)
            area = float(spline.integrate(self._grid[0], self._grid[-1]))
            rows.append(values / area)
            sums.append(spline.antiderivative()(self._grid) / area)
        self._rows = CubicSpline(_NODES, np.asarray(rows))
        self._sums = CubicSpline(_NODES, np.asarray(sums))

    def evaluate(self, distance: FloatArray, fwhm: FloatArray, mixing: float) -> LineShape:
        """The line at a distance (eV) from its position, with its derivatives to the mixing."""
        scaled = np.clip(distance / fwhm, self._grid[0], self._grid[-1])
        share = min(max(mixing, 0.0), 1.0)
        density = CubicSpline(self._grid, self._rows(share))
        changed = CubicSpline(self._grid, self._rows(share, 1))
        return LineShape(
            density=density(scaled) / fwhm,
            cumulative=CubicHermiteSpline(self._grid, self._sums(share), self._rows(share))(scaled),
            slope=density(scaled, 1) / fwhm**2,
            mixing_density=changed(scaled) / fwhm,
            mixing_cumulative=CubicHermiteSpline(self._grid, self._sums(share, 1), self._rows(share, 1))(scaled),
        )


def full_width(grid: FloatArray, values: FloatArray) -> float:
    """Full width at half maximum of a line with one maximum, in the grid's unit."""
    apex = int(np.argmax(values))
    near = CubicSpline(grid[max(apex - 2, 0) : apex + 3], values[max(apex - 2, 0) : apex + 3])
    turning = near.derivative().roots(extrapolate=False)
    height = max(float(values[apex]), *(float(near(place)) for place in turning))
    low, high = np.flatnonzero(values >= 0.5 * height)[[0, -1]]
    edges = [CubicSpline(grid[k - 2 : k + 2], values[k - 2 : k + 2] - 0.5 * height) for k in (low, high + 1)]
    ends = [
        float(edge.roots(extrapolate=False)[np.argmin(np.abs(edge.roots(extrapolate=False) - grid[k]))])
        for edge, k in zip(edges, (low, high), strict=True)
    ]
    return ends[1] - ends[0]


def gl_product(grid: FloatArray, mixing: float) -> FloatArray:
    """Product of a Gaussian and a Lorentzian; the grid is in units of CasaXPS's width."""
    return np.asarray(np.exp(-4.0 * np.log(2.0) * (1.0 - mixing) * grid**2) / (1.0 + 4.0 * mixing * grid**2))


def voigt(grid: FloatArray, mixing: float) -> FloatArray:
    """Voigt line whose Gaussian and Lorentzian full widths add up to 1."""
    return np.asarray(voigt_profile(grid, (1.0 - mixing) * GAUSS_SIGMA_OF_FWHM, 0.5 * mixing))


@lru_cache(maxsize=4)
def tabulated_family(name: str) -> TabulatedFamily:
    """`voigt` or `gl_product`."""
    return TabulatedFamily({"voigt": voigt, "gl_product": gl_product}[name])


@lru_cache(maxsize=128)
def tabulated_line(name: str) -> TabulatedLine:
    """A line of fixed form by its name: GL, LA, LF or DS with numbers.

    Parameters
    ----------
    name : str
        As `depthlock.model.line_shapes.parse_shape` reads it.

    Returns
    -------
    TabulatedLine
    """
    form = parse_shape(name)
    if form.kind == "GL":
        half = np.sinh(np.linspace(0.0, np.arcsinh(2000.0 / 0.05), 800)) * 0.05
        grid = np.asarray(np.concatenate([-half[:0:-1], half]))
        return TabulatedLine(grid, gl_product(grid, form.numbers[0] / 100.0))
    return _convolved(form)


def nearest_la(mixing: float, tail: float) -> str:
    """CasaXPS's LA that comes closest to a pseudo-Voigt with short tails, for programs that have no such line.

    Parameters
    ----------
    mixing, tail : float
        As in `depthlock.xps.shapes.pseudo_voigt`.

    Returns
    -------
    str
        Its curve differs by about 1 % of the height for the lines that are usual (mixing 0.1 to 0.6).
    """
    grid = np.linspace(-8.0, 8.0, 321)
    one = np.ones(1)
    aim = pseudo_voigt(grid, one, mixing * one, tail * one).density

    def misfit(name: str) -> float:
        return float(np.sum((tabulated_line(name).evaluate(grid, one).density - aim) ** 2))

    return min((f"LA({alpha:g},{m:g})" for alpha in LA_EXPONENTS for m in LA_WIDTHS), key=misfit)


def _convolved(form: ShapeForm) -> TabulatedLine:
    """A bare line convolved with a Gaussian, on an even grid in units of the bare Lorentzian's full width."""
    gauss = GAUSS_OF_M * form.numbers[-1]
    # The grid is of the order of the whole line's width, which the table is scaled to.
    unit = max(0.4, gauss)
    reach = DS_REACH if form.kind == "DS" else REACH
    grid = _GRID_STEP * unit * np.arange(-round(reach / _GRID_STEP), round(reach / _GRID_STEP) + 1)
    values = _bare(form, np.asarray(grid))
    sigma = gauss * GAUSS_SIGMA_OF_FWHM
    if sigma > 0.0:
        step = _GRID_STEP * unit
        count = int(np.ceil(6.0 * sigma / step))
        kernel = np.exp(-0.5 * (step * np.arange(-count, count + 1) / sigma) ** 2)
        values = np.asarray(fftconvolve(values, kernel / kernel.sum(), mode="same"))
    return TabulatedLine(np.asarray(grid, dtype=np.float64), np.maximum(values, 0.0))


def _bare(form: ShapeForm, grid: FloatArray) -> FloatArray:
    """The line before the convolution, of unit Lorentzian full width."""
    lorentz = 1.0 / (1.0 + 4.0 * grid**2)
    if form.kind == "DS":
        alpha = form.numbers[0]
        angle = 0.5 * np.pi * alpha - (1.0 - alpha) * np.arctan(2.0 * grid)
        return np.asarray(np.cos(angle) * lorentz ** (0.5 * (1.0 - alpha)))
    high = form.numbers[0]
    low = form.numbers[1] if len(form.numbers) > 2 else high
    exponent = np.where(grid > 0, high, low)
    if form.kind == "LF":
        exponent = exponent * (1.0 + np.abs(grid) / form.numbers[2])
    return np.asarray(lorentz**exponent)

"""The compiled inner loops of `depthlock.xps.evaluation`: pseudo-Voigt lines, and the columns of its Jacobian."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from depthlock.xps.batch_kernel import REACH, STEP, shape_tables
from depthlock.xps.shapes import GAUSS_SIGMA_OF_FWHM, SQUARED_PEAK, SQUARED_RATE, FloatArray, LineShape

_GAUSS_RATE = 1.0 / GAUSS_SIGMA_OF_FWHM**2
_LORENTZ_PEAK = 2.0 / np.pi
_SQUARED_ROOT = np.sqrt(SQUARED_RATE)


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _fill(
    energy: FloatArray,
    place: FloatArray,
    width: FloatArray,
    mixing: FloatArray,
    tail: FloatArray,
    tables: FloatArray,
    values: FloatArray,
) -> None:
    """The arrays of `LineShape` in their order, or its first two, (2 or 7, levels, lines, points)."""
    derivatives = values.shape[0] > 2
    for level in range(place.shape[0]):
        for line in range(place.shape[1]):
            inverse, centre = 1.0 / width[level, line], place[level, line]
            share, cut = mixing[line], tail[line]
            for i in range(energy.size):
                u = (energy[i] - centre) * inverse
                # Beyond the table the Lorentzian's cumulative is wrong by less than 0.4 %, the rest is exact.
                t = (min(max(u, -REACH), REACH) + REACH) * (1.0 / STEP)
                k = int(t)
                t -= k
                left = (k * STEP) - REACH
                # Hermite weights of values and slopes.
                f = t * (1.0 - t)
                w = t * t * (3.0 - 2.0 * t)
                d0, d1 = f * (1.0 - t) * STEP, -f * t * STEP
                a, b = tables[k, 0], tables[k + 1, 0]
                gauss = a + w * (b - a) - _GAUSS_RATE * (d0 * left * a + d1 * (left + STEP) * b)
                low, high = tables[k, 1], tables[k + 1, 1]
                gauss_sum = low + w * (high - low) + d0 * a + d1 * b
                low, high = tables[k, 2], tables[k + 1, 2]
                tail_sum = low + w * (high - low) + d0 * tables[k, 3] + d1 * tables[k + 1, 3]
                factor = 1.0 / (1.0 + 4.0 * u * u)
                tail_line = _LORENTZ_PEAK * factor
                tail_slope = -8.0 * u * factor * tail_line
                shorter, shorter_sum = 0.0, 0.0
                if cut > 0.0 or derivatives:
                    root = _SQUARED_ROOT * u
                    factor = 1.0 / (1.0 + root * root)
                    squared = SQUARED_PEAK * factor * factor
                    shorter = squared - tail_line
                    shorter_sum = 0.5 + (np.arctan(root) + root * factor) / np.pi - tail_sum
                    tail_slope += cut * (-4.0 * SQUARED_RATE * u * factor * squared - tail_slope)
                    tail_line += cut * shorter
                    tail_sum += cut * shorter_sum
                values[0, level, line, i] = (gauss + share * (tail_line - gauss)) * inverse
                values[1, level, line, i] = gauss_sum + share * (tail_sum - gauss_sum)
                if derivatives:
                    gauss_slope = -_GAUSS_RATE * u * gauss
                    values[2, level, line, i] = (gauss_slope + share * (tail_slope - gauss_slope)) * inverse * inverse
                    values[3, level, line, i] = (tail_line - gauss) * inverse
                    values[4, level, line, i] = tail_sum - gauss_sum
                    values[5, level, line, i] = share * shorter * inverse
                    values[6, level, line, i] = share * shorter_sum


def pseudo_voigt_lines(
    energy: FloatArray,
    place: FloatArray,
    width: FloatArray,
    mixing: FloatArray,
    tail: FloatArray,
    *,
    derivatives: bool,
) -> LineShape:
    """What `depthlock.xps.shapes.pseudo_voigt` gives, to 1e-7, for all lines at all levels.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, eV.
    place, width : ndarray (levels, lines)
        Where the lines are measured, and their full widths, eV.
    mixing, tail : ndarray (lines,)
        Share that is not Gaussian, and the part of it with short tails, 1.
    derivatives : bool
        Whether more than density and cumulative is wanted; the other arrays are empty if not.

    Returns
    -------
    LineShape
        Arrays (levels, lines, points).
    """
    values = np.empty((7 if derivatives else 2, *place.shape, energy.size))
    _fill(energy, place, width, mixing, tail, shape_tables(), values)
    if derivatives:
        return LineShape(*values)
    nothing = np.empty(0)
    return LineShape(values[0], values[1], nothing, nothing, nothing, nothing, nothing)


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def add_line_derivatives(
    columns: FloatArray,
    places: NDArray[np.intp],
    place: FloatArray,
    energy: FloatArray,
    width: FloatArray,
    height: FloatArray,
    rise: FloatArray,
    shape: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
) -> None:
    """Add the derivatives of all lines to the Jacobian's columns.

    Parameters
    ----------
    columns : ndarray (levels, columns, points)
        Grows.
    places : ndarray (6, lines)
        Columns of shift, position, splitting, width, mixing and tail; -1 for none.
    place, width : ndarray (levels, lines)
        As in `pseudo_voigt_lines`.
    energy : ndarray (points,)
    height, rise : ndarray (levels, lines)
        Area (counts/s eV) and Shirley step per area (1/eV).
    shape : tuple of ndarray (levels, lines, points)
        The fields of `LineShape`.
    """
    density, _, slope, mixing_density, mixing_cumulative, tail_density, tail_cumulative = shape
    for level in range(columns.shape[0]):
        for line in range(width.shape[1]):
            area, step, inverse = height[level, line], rise[level, line], 1.0 / width[level, line]
            by_width = columns[level, places[3, line]]
            by_mixing = columns[level, places[4, line]]
            for i in range(energy.size):
                moved = area * (slope[level, line, i] + step * density[level, line, i])
                distance = energy[i] - place[level, line]
                by_width[i] -= (area * density[level, line, i] + distance * moved) * inverse
                by_mixing[i] += area * (mixing_density[level, line, i] + step * mixing_cumulative[level, line, i])
            for kind in range(3):
                if places[kind, line] >= 0:
                    column = columns[level, places[kind, line]]
                    for i in range(energy.size):
                        column[i] -= area * (slope[level, line, i] + step * density[level, line, i])
            if places[5, line] >= 0:
                column = columns[level, places[5, line]]
                for i in range(energy.size):
                    column[i] += area * (tail_density[level, line, i] + step * tail_cumulative[level, line, i])

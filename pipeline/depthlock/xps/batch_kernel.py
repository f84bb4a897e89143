"""The compiled inner loop of `depthlock.xps.batch`."""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from depthlock.xps.shapes import GAUSS_SIGMA_OF_FWHM, FloatArray

REACH, STEP = 40.0, 0.01
"""Half length and step of the tables in full widths at half maximum."""

_GAUSS_PEAK = 1.0 / (GAUSS_SIGMA_OF_FWHM * np.sqrt(2.0 * np.pi))
_GAUSS_RATE = 1.0 / GAUSS_SIGMA_OF_FWHM**2
_LORENTZ_PEAK = 2.0 / np.pi
_ITERATIONS = 80
_QUIET = 1e-4
"""A step that lowers chi-square by less was the last: convergence is quadratic there, so that what remains is far
less than a hundredth of an error."""


@lru_cache(maxsize=1)
def shape_tables() -> FloatArray:
    """Gaussian, its cumulative, the Lorentzian's cumulative, and the Lorentzian, of unit width, (points, 4).

    Hermite interpolation with their known derivatives is good to 1e-8 in between.
    """
    grid = np.arange(-REACH, REACH + 1.5 * STEP, STEP)
    gauss = _GAUSS_PEAK * np.exp(-0.5 * _GAUSS_RATE * grid**2)
    return np.ascontiguousarray(
        np.stack(
            [
                gauss,
                ndtr(grid / GAUSS_SIGMA_OF_FWHM),
                0.5 + np.arctan(2.0 * grid) / np.pi,
                _LORENTZ_PEAK / (1.0 + 4.0 * grid**2),
            ],
            axis=1,
        )
    )


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _model(
    energy: FloatArray,
    ramp: FloatArray,
    p: FloatArray,
    component: NDArray[np.int64],
    width: NDArray[np.int64],
    share: FloatArray,
    distance: FloatArray,
    count: int,
    tables: FloatArray,
    model: FloatArray,
    jacobian: FloatArray,
) -> None:
    """Model (points,) and its derivatives (parameters, points)."""
    size = p.size
    mixing, step = p[size - 4], p[size - 3]
    points = energy.size
    for i in range(points):
        model[i] = p[size - 2] + p[size - 1] * ramp[i]
        jacobian[size - 1, i] = ramp[i]
    jacobian[: size - 2, :] = 0.0
    jacobian[size - 2, :] = 1.0
    for line in range(component.size):
        owner = component[line]
        place = p[count + owner] + distance[line]
        by_area, by_place = jacobian[owner], jacobian[count + owner]
        by_width, by_mixing, by_step = jacobian[width[line]], jacobian[size - 4], jacobian[size - 3]
        inverse = 1.0 / p[width[line]]
        part = share[line]
        height = p[owner] * part
        for i in range(points):
            u = (energy[i] - place) * inverse
            # Beyond the table the Lorentzian's cumulative is wrong by less than 0.4 %, the rest is exact.
            t = (min(max(u, -REACH), REACH) + REACH) * (1.0 / STEP)
            k = int(t)
            t -= k
            left = (k * STEP) - REACH
            right = left + STEP
            # Hermite weights of values and slopes.
            f = t * (1.0 - t)
            w = t * t * (3.0 - 2.0 * t)
            d0, d1 = f * (1.0 - t) * STEP, -f * t * STEP
            a, b = tables[k, 0], tables[k + 1, 0]
            gauss = a + w * (b - a) - _GAUSS_RATE * (d0 * left * a + d1 * right * b)
            low, high = tables[k, 1], tables[k + 1, 1]
            gauss_sum = low + w * (high - low) + d0 * a + d1 * b
            low, high = tables[k, 2], tables[k + 1, 2]
            lorentz_sum = low + w * (high - low) + d0 * tables[k, 3] + d1 * tables[k + 1, 3]
            factor = 1.0 / (1.0 + 4.0 * u * u)
            lorentz = _LORENTZ_PEAK * factor
            density = (gauss + mixing * (lorentz - gauss)) * inverse
            total = gauss_sum + mixing * (lorentz_sum - gauss_sum)
            slope = -_GAUSS_RATE * u * gauss * (1.0 - mixing) - 8.0 * u * factor * lorentz * mixing
            slope *= inverse * inverse
            moved = height * (slope + step * density)
            unit = density + step * total
            model[i] += height * unit
            by_area[i] += part * unit
            by_place[i] -= moved
            by_width[i] -= height * density * inverse + moved * u
            by_mixing[i] += height * ((lorentz - gauss) * inverse + step * (lorentz_sum - gauss_sum))
            by_step[i] += height * total


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _cost(rate: FloatArray, weight: FloatArray, model: FloatArray) -> float:
    total = 0.0
    for i in range(rate.size):
        difference = rate[i] - model[i]
        total += weight[i] * difference * difference
    return total


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _normal(
    rate: FloatArray,
    weight: FloatArray,
    model: FloatArray,
    jacobian: FloatArray,
    weighted: FloatArray,
    matrix: FloatArray,
    gradient: FloatArray,
) -> None:
    """Normal matrix and downhill gradient; `weighted` (points,) is room to work in."""
    for k in range(gradient.size):
        row = jacobian[k]
        total = 0.0
        for i in range(rate.size):
            value = weight[i] * row[i]
            weighted[i] = value
            total += value * (rate[i] - model[i])
        gradient[k] = total
        for m in range(k + 1):
            other = jacobian[m]
            total = 0.0
            for i in range(rate.size):
                total += weighted[i] * other[i]
            matrix[k, m] = total
            matrix[m, k] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _factor(matrix: FloatArray, factor: FloatArray) -> bool:
    """Cholesky factor of a positive definite matrix; False when it is none."""
    size = matrix.shape[0]
    for k in range(size):
        for m in range(k + 1):
            total = matrix[k, m]
            for j in range(m):
                total -= factor[k, j] * factor[m, j]
            if k == m:
                if total <= 0.0:
                    return False
                factor[k, k] = np.sqrt(total)
            else:
                factor[k, m] = total / factor[m, m]
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _solve(factor: FloatArray, right: FloatArray, result: FloatArray) -> None:
    size = right.size
    for k in range(size):
        total = right[k]
        for m in range(k):
            total -= factor[k, m] * result[m]
        result[k] = total / factor[k, k]
    for k in range(size - 1, -1, -1):
        total = result[k]
        for m in range(k + 1, size):
            total -= factor[m, k] * result[m]
        result[k] = total / factor[k, k]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fit_all(
    energy: FloatArray,
    ramp: FloatArray,
    rate: FloatArray,
    weight: FloatArray,
    value: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    component: NDArray[np.int64],
    width: NDArray[np.int64],
    share: FloatArray,
    distance: FloatArray,
    count: int,
    tables: FloatArray,
    covariance: FloatArray,
    chi_square: FloatArray,
    converged: NDArray[np.bool_],
) -> None:
    """Fit all spectra in place: bounded Levenberg-Marquardt, held parameters taken out of the normal matrix.

    Parameters
    ----------
    energy, ramp : ndarray (points,)
    rate, weight : ndarray (spectra, points)
    value : ndarray (spectra, parameters)
        Start; becomes the minimum.
    lower, upper : ndarray (parameters,)
    component, width, share, distance : ndarray (lines,)
        Owner, parameter of the width, share of the area and distance from the owner's position of every line.
    count : int
        Components.
    tables : ndarray
        Of `shape_tables`.
    covariance, chi_square, converged : ndarray
        Filled.
    """
    points, size = energy.size, value.shape[1]
    model, trial_model, room = np.empty(points), np.empty(points), np.empty(points)
    jacobian, trial_jacobian = np.empty((size, points)), np.empty((size, points))
    matrix, scaled, factor = np.empty((size, size)), np.empty((size, size)), np.zeros((size, size))
    gradient, right, step = np.empty(size), np.empty(size), np.empty(size)
    trial, unit = np.empty(size), np.empty(size)
    held = np.zeros(size, dtype=np.bool_)
    for number in range(rate.shape[0]):
        p, y, w = value[number], rate[number], weight[number]
        damping = 1e-3
        _model(energy, ramp, p, component, width, share, distance, count, tables, model, jacobian)
        current = _cost(y, w, model)
        for _ in range(_ITERATIONS):
            _normal(y, w, model, jacobian, room, matrix, gradient)
            for k in range(size):
                held[k] = (p[k] <= lower[k] and gradient[k] < 0.0) or (p[k] >= upper[k] and gradient[k] > 0.0)
                held[k] = held[k] or matrix[k, k] <= 0.0
                unit[k] = 0.0 if held[k] else 1.0 / np.sqrt(matrix[k, k])
                right[k] = gradient[k] * unit[k]
            gain = -1.0
            while damping < 1e8:
                for k in range(size):
                    for m in range(size):
                        scaled[k, m] = matrix[k, m] * unit[k] * unit[m]
                    scaled[k, k] = 1.0 + damping
                if _factor(scaled, factor):
                    _solve(factor, right, step)
                    for k in range(size):
                        trial[k] = min(max(p[k] + step[k] * unit[k], lower[k]), upper[k])
                    # Nearly every trial is taken, so that its derivatives are not wasted.
                    _model(
                        energy,
                        ramp,
                        trial,
                        component,
                        width,
                        share,
                        distance,
                        count,
                        tables,
                        trial_model,
                        trial_jacobian,
                    )
                    gain = current - _cost(y, w, trial_model)
                    if gain >= 0.0:
                        break
                damping *= 8.0
            if not gain >= 0.0:
                converged[number] = True
                break
            for k in range(size):
                p[k] = trial[k]
            model, trial_model = trial_model, model
            jacobian, trial_jacobian = trial_jacobian, jacobian
            current -= gain
            damping = max(damping * 0.05, 1e-12)
            if gain < _QUIET:
                converged[number] = True
                break
        chi_square[number] = current
        # Errors at the minimum; what lies at a bound is held there.
        _normal(y, w, model, jacobian, room, matrix, gradient)
        for k in range(size):
            held[k] = p[k] <= lower[k] or p[k] >= upper[k] or matrix[k, k] <= 0.0
            unit[k] = 0.0 if held[k] else 1.0 / np.sqrt(matrix[k, k])
        for k in range(size):
            for m in range(size):
                scaled[k, m] = matrix[k, m] * unit[k] * unit[m]
            scaled[k, k] = 1.0 + 1e-12
        if _factor(scaled, factor):
            for k in range(size):
                right[:] = 0.0
                right[k] = 1.0
                _solve(factor, right, step)
                for m in range(size):
                    covariance[number, m, k] = step[m] * unit[m] * unit[k]
        else:
            covariance[number, :, :] = np.nan

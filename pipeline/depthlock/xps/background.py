"""Backgrounds that stand outside the fit.

The active backgrounds (offset, slope, and the Shirley step or Tougaard tail raised by the components themselves) are
part of `depthlock.xps.evaluation`, which takes its matrix of losses from here; here are Shirley's iteration on the data
(Phys. Rev. B 5, 1972, 4709; Proctor and Sherwood, Anal. Chem. 54, 1982, 13) and Tougaard's integral with two- and
three-parameter cross sections (Surf. Interface Anal. 25, 1997, 137), which CasaXPS calls U 2 and U 3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.shapes import FloatArray

END_POINTS = 5
"""Points averaged at either end of a window."""


UNIVERSAL_STRENGTH = 2866.0
"""Tougaard's universal B, eV^2."""

UNIVERSAL_LOSS = (-1643.0, 0.0, 0.0)
"""C (eV^2), D (eV^2) and T0 (eV) of Tougaard's universal two-parameter cross section."""


def end_levels(rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean intensity at the low and the high end of the window.

    Parameters
    ----------
    rate : ndarray (levels, points)
        counts/s.

    Returns
    -------
    low, high : ndarray (levels,)
    """
    points = max(1, min(END_POINTS, rate.shape[1] // 8))
    return rate[:, :points].mean(axis=1), rate[:, -points:].mean(axis=1)


def static_shirley(
    energy: FloatArray,
    rate: FloatArray,
    iterations: int = 60,
    ends: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Shirley's background between the ends of the window.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, ascending, eV.
    rate : ndarray (levels, points)
        counts/s.
    iterations : int
        Most iterations; it ends when the background moves by less than 1e-9 of the step.
    ends : (ndarray (levels,), ndarray (levels,)), optional
        Intensity at the low and the high end; as `end_levels` finds them if absent.

    Returns
    -------
    ndarray (levels, points)
        counts/s. It falls towards higher binding energy where the window's ends do (on the flank of a stronger line).
        Where nothing rises above it, it is the straight line, because the iteration has no meaning there.
    """
    low, high = end_levels(rate) if ends is None else ends
    ramp = (energy - energy[0]) / (energy[-1] - energy[0])
    line = low[:, None] + (high - low)[:, None] * ramp
    background = line.copy()
    widths = np.diff(energy)
    for _ in range(iterations):
        signal = rate - background
        running = np.concatenate(
            [np.zeros((rate.shape[0], 1)), np.cumsum(0.5 * (signal[:, 1:] + signal[:, :-1]) * widths, axis=1)], axis=1
        )
        total = running[:, -1:]
        share = np.where(total > 0, np.clip(running / np.where(total > 0, total, 1.0), 0.0, 1.0), ramp[None, :])
        renewed = low[:, None] + (high - low)[:, None] * share
        change = np.max(np.abs(renewed - background))
        background = renewed
        if change <= 1e-9 * max(float(np.max(np.abs(high - low))), 1e-30):
            break
    return np.asarray(background)


def loss_cross_section(loss: FloatArray, coefficients: tuple[float, float, float]) -> FloatArray:
    """Tougaard's K(T)/B = T / ((C - T^2)^2 + D T^2) for T >= T0, and zero below.

    Parameters
    ----------
    loss : ndarray
        Energy loss T, eV, even steps from zero.
    coefficients : tuple
        C (eV^2), D (eV^2), T0 (eV). With D = 0 and C negative it is the two-parameter form T/(|C| + T^2)^2.

    Returns
    -------
    ndarray
        eV^-3.
    """
    c, d, gap = coefficients
    tolerance = 1e-3 * float(loss[1] - loss[0])
    bottom = (c - loss**2) ** 2 + d * loss**2
    return np.asarray(np.where((loss >= gap - tolerance) & (bottom > 0), loss / np.where(bottom > 0, bottom, 1.0), 0.0))


@lru_cache(maxsize=32)
def _loss_operator(energy: bytes, segment: bytes, coefficients: tuple[float, float, float]) -> FloatArray:
    points, windows = np.frombuffer(energy), np.frombuffer(segment, dtype=np.intp)
    widths = (
        np.gradient(points)
        if np.ptp(windows) == 0
        else np.concatenate([np.gradient(points[windows == number]) for number in np.unique(windows)])
    )
    apart = points[:, None] - points[None, :]
    c, d, gap = coefficients
    bottom = (c - apart**2) ** 2 + d * apart**2
    reaches = (apart > 0.0) & (apart >= gap) & (windows[:, None] == windows[None, :]) & (bottom > 0)
    kernel = np.where(reaches, UNIVERSAL_STRENGTH * apart / np.where(bottom > 0, bottom, 1.0), 0.0)
    return np.asarray(kernel * widths[None, :])


def loss_operator(
    energy: FloatArray, segment: NDArray[np.intp], coefficients: tuple[float, float, float]
) -> FloatArray:
    """The matrix that turns a spectrum into what its electrons lose, with the universal strength.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, ascending in each segment, eV.
    segment : ndarray (points,) of int
        No loss reaches from one window into another.
    coefficients : tuple
        As in `loss_cross_section`.

    Returns
    -------
    ndarray (points, points)
    """
    segment = np.ascontiguousarray(segment, dtype=np.intp)
    return _loss_operator(np.ascontiguousarray(energy).tobytes(), segment.tobytes(), coefficients)


def tougaard(
    energy: FloatArray,
    rate: FloatArray,
    coefficients: tuple[float, float, float] = UNIVERSAL_LOSS,
    *,
    scale: float | None = None,
    ends: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Tougaard's background: what electrons of the whole window lose on their way out.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, ascending, eV; an uneven axis is taken on even steps between.
    rate : ndarray (levels, points)
        counts/s.
    coefficients : tuple
        C, D and T0 as in `loss_cross_section`.
    scale : float, optional
        B (eV^2); if absent the background meets the data at the high end, level by level.
    ends : (ndarray (levels,), ndarray (levels,)), optional
        As in `static_shirley`; the low end's is taken off first.

    Returns
    -------
    ndarray (levels, points)
        counts/s.
    """
    low, high = end_levels(rate) if ends is None else ends
    even = np.linspace(energy[0], energy[-1], energy.size)
    step = float(even[1] - even[0])
    kernel = loss_cross_section(even - even[0], coefficients)
    result = np.empty_like(rate)
    for level, row in enumerate(rate):
        signal = np.interp(even, energy, row) - low[level]
        lost = np.convolve(signal, kernel)[: energy.size] * step
        factor = scale
        if factor is None:
            factor = (high[level] - low[level]) / lost[-1] if lost[-1] > 0 else 0.0
        result[level] = low[level] + factor * np.interp(energy, even, lost)
    return result

"""Profiles that instrument software exported: already dead-time corrected, with the number of pulses left out."""

from __future__ import annotations

import numpy as np

from depthlock.tofsims.exponential_gauss import FloatArray

CANDIDATE_SIDES = (
    32,
    50,
    64,
    96,
    100,
    128,
    150,
    192,
    200,
    256,
    300,
    320,
    384,
    400,
    512,
    600,
    640,
    768,
    800,
    1000,
    1024,
)
"""Rasters in use, in pixels a side."""

_SHOTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 32)
_TOLERANCE = 0.04


def invert_dead_time(ions: FloatArray, pulses: float) -> FloatArray:
    """Counts behind corrected values: ``C = N (1 - exp(-I / N))``, the inverse of ``I = -N ln(1 - C / N)``."""
    return np.asarray(-pulses * np.expm1(-ions / pulses), dtype=np.float64)


def find_pulses(intensity: FloatArray) -> float | None:
    """Number of pulses a point behind exported, dead-time corrected intensities.

    Parameters
    ----------
    intensity : ndarray, shape (ion, scan)
        Corrected ions; sums and ratios may be among them, they only dilute the test.

    Returns
    -------
    float or None
        The N for which inverting the correction gives whole numbers; None when the values are too small or too coarse
        to tell, or when they are whole numbers as they are.

    Notes
    -----
    A value is used where the correction shifts it by at least 0.3 counts, and below 2000, where the written digits
    (six in exports) still fix it to a few hundredths. Under a wrong N the fractional parts are even between 0 and 1
    and 8 % of them within 0.04; a right N brings 40-60 % there (sums over several channels stay uneven), and no other
    N comes near.
    """
    values = intensity[np.isfinite(intensity)]
    values = np.unique(values[(values > 30.0) & (values < 2000.0)])
    if values.size < 10 or float(np.mean(np.abs(values - np.round(values)) < 1e-6)) > 0.9:
        return None
    values = values[:: values.size // 4000 + 1]
    shares: list[tuple[float, float]] = []
    for pulses in sorted({float(side * side * shots) for side in CANDIDATE_SIDES for shots in _SHOTS}):
        counts = invert_dead_time(values, pulses)
        telling = (values - counts > 0.3) & (values < 0.7 * pulses)
        if telling.sum() >= 10:
            off = np.abs(counts[telling] - np.round(counts[telling]))
            shares.append((float(np.mean(off < _TOLERANCE)), pulses))
    if not shares:
        return None
    best, second = [*sorted(shares, reverse=True), (0.0, 0.0)][:2]
    return best[1] if best[0] > 0.3 and best[0] > 1.7 * second[0] else None


def incomplete_ends(intensity: FloatArray) -> tuple[int, int]:
    """Scans to drop at the start and the end because most channels that count elsewhere are empty there.

    Parameters
    ----------
    intensity : ndarray, shape (ion, scan)

    Returns
    -------
    tuple of int
        Numbers of scans to drop.
    """
    scans = intensity.shape[1]
    finite = np.isfinite(intensity)
    usual = np.nanmedian(np.where(finite, intensity, np.nan), axis=1) if scans else np.zeros(0)
    busy = np.nan_to_num(usual) >= 5.0
    if busy.sum() < 3 or scans < 10:
        return 0, 0
    empty = np.mean(~finite[busy] | (intensity[busy] <= 0), axis=0) > 0.5
    first = int(np.argmin(empty)) if not empty.all() else 0
    last = int(np.argmin(empty[::-1])) if not empty.all() else 0
    return first, last

"""From mass to flight time: calibration, resolution, an asymmetric peak shape, and the detector's dead time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_CORE_DECAY = 0.5
_TAIL_SHARE = 0.06
_TAIL_DECAY = 2.5


@dataclass(frozen=True)
class SpectrometerParameters:
    """A time-of-flight spectrometer: m/z = (slope * t + offset)^2 with t in microseconds.

    Attributes
    ----------
    slope, offset : float
        True calibration in sqrt(Da)/us and sqrt(Da).
    header_error_ppm : float
        Error of the masses by the header's calibration at m/z 60, in ppm.
    header_tilt_ppm : float
        How much more that error is at m/z 130 than at m/z 20, in ppm.
    resolution : float
        m / FWHM at m/z 100 (1).
    fixed_width_ns : float
        Part of the FWHM in ns that does not grow with flight time (pulse width).
    bin_width_ps : int
        Width of a stored flight-time bin in ps.
    dead_time_ns : float
        Non-extending dead time in ns; 0 for none.
    shots_per_pixel : int
        Pulses a pixel and frame (1).
    """

    slope: float = 0.3798407
    offset: float = -1.5871250
    header_error_ppm: float = 400.0
    header_tilt_ppm: float = 30.0
    resolution: float = 7000.0
    fixed_width_ns: float = 0.7
    bin_width_ps: int = 128
    dead_time_ns: float = 40.0
    shots_per_pixel: int = 2

    def flight_time_ns(self, mz: FloatArray) -> FloatArray:
        """Flight time in ns of the most probable ion of a mass in Da."""
        return (np.sqrt(mz) - self.offset) / self.slope * 1e3

    def fwhm_ns(self, mz: FloatArray) -> FloatArray:
        """FWHM of a peak in ns at masses in Da."""
        per_root = 1e3 / self.slope / (2.0 * self.resolution)
        growing = max((10.0 * per_root) ** 2 - self.fixed_width_ns**2, 0.0) / 100.0
        return np.asarray(np.sqrt(self.fixed_width_ns**2 + growing * np.asarray(mz)))

    def true_resolution(self, mz: FloatArray) -> FloatArray:
        """Resolution (m over FWHM) of a peak at masses in Da (1)."""
        root = np.sqrt(np.asarray(mz, dtype=float))
        return np.asarray(root / (2.0 * self.slope * self.fwhm_ns(mz) * 1e-3))

    def header_calibration(self) -> tuple[float, float]:
        """Slope and offset that the file states, wrong by the header's error."""
        low, high = np.sqrt(20.0), np.sqrt(130.0)
        wrong_low = low * (1.0 + 0.5e-6 * (self.header_error_ppm - 0.5 * self.header_tilt_ppm))
        wrong_high = high * (1.0 + 0.5e-6 * (self.header_error_ppm + 0.5 * self.header_tilt_ppm))
        time_low, time_high = (low - self.offset) / self.slope, (high - self.offset) / self.slope
        slope = float((wrong_high - wrong_low) / (time_high - time_low))
        return slope, float(wrong_low - slope * time_low)


@lru_cache(maxsize=1)
def _shape_constants() -> tuple[float, float]:
    """Mode and FWHM of the unscaled peak shape (Gaussian of standard deviation 1 with two exponential tails)."""
    step = 0.002
    x = np.arange(-8.0, 40.0, step)
    gauss = np.exp(-0.5 * x**2)
    curve = np.zeros_like(x)
    for share, decay in ((1.0 - _TAIL_SHARE, _CORE_DECAY), (_TAIL_SHARE, _TAIL_DECAY)):
        tail = np.exp(-np.arange(0.0, 40.0, step) / decay) / decay
        size = x.size + tail.size
        smeared = np.fft.irfft(np.fft.rfft(gauss, size) * np.fft.rfft(tail, size), size)[: x.size]
        curve += share * smeared
    top = int(np.argmax(curve))
    above = np.flatnonzero(curve >= 0.5 * curve[top])
    return float(x[top]), float((above[-1] - above[0]) * step)


def draw_flight_times_ns(mz: FloatArray, spectrometer: SpectrometerParameters, rng: np.random.Generator) -> FloatArray:
    """Arrival times in ns of ions of given masses in Da; the peak's mode sits on the calibration."""
    mode, fwhm = _shape_constants()
    decay = np.where(rng.random(mz.size) < _TAIL_SHARE, _TAIL_DECAY, _CORE_DECAY)
    shape = rng.standard_normal(mz.size) + decay * rng.standard_exponential(mz.size)
    return np.asarray(spectrometer.flight_time_ns(mz) + (shape - mode) / fwhm * spectrometer.fwhm_ns(mz), dtype=float)


def drifted_times_ns(times_ns: FloatArray, drift_ppm: FloatArray, spectrometer: SpectrometerParameters) -> FloatArray:
    """Flight times in ns of ions whose apparent mass is wrong by `drift_ppm`, as by another acceleration voltage."""
    if not drift_ppm.any():
        return times_ns
    start = -spectrometer.offset / spectrometer.slope * 1e3
    return np.asarray(start + (times_ns - start) * (1.0 + 0.5e-6 * drift_ppm), dtype=float)


def survives_dead_time(pulse: IntArray, time_ns: FloatArray, dead_time_ns: float) -> NDArray[np.bool_]:
    """Which ions a detector with non-extending dead time counts.

    Parameters
    ----------
    pulse : int array
        Number of the pulse (of one pixel) an ion belongs to.
    time_ns : array
        Its arrival after the pulse in ns.
    dead_time_ns : float
        After a counted ion, ions of the same pulse are lost for this long, in ns.
    """
    order = np.lexsort((time_ns, pulse))
    same = np.zeros(order.size, dtype=bool)
    same[1:] = pulse[order][1:] == pulse[order][:-1]
    times = time_ns[order]
    counted = np.ones(order.size, dtype=bool)
    # Only ions that follow another within the dead time can be lost; few do, so those chains are walked one by one.
    close = same.copy()
    close[1:] &= (times[1:] - times[:-1]) < dead_time_ns
    last_counted = -np.inf
    previous = -2
    for index in np.flatnonzero(close).tolist():
        if index != previous + 1:
            last_counted = times[index - 1]
        if times[index] - last_counted < dead_time_ns:
            counted[index] = False
        else:
            last_counted = times[index]
        previous = index
    kept = np.empty(order.size, dtype=bool)
    kept[order] = counted
    return kept

"""Peaks of a survey spectrum: a matched filter blind to level and slope, against the noise found in the data.

The filter is the negative second derivative of a Gaussian. Its sum and its first moment are zero, so that a background
of any height and slope gives no response, and a step only a tenth of a peak's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depthlock.xps.shapes import FloatArray

FILTER_SIGMA_EV = 1.6
"""Standard deviation of the filter's Gaussian: that of lines 3 to 4 eV wide, as surveys see them."""

PEAK_SIGMA = 5.0
"""Least response over its noise of a peak."""

LEAST_SHARE = 0.004
"""Least response of a peak over the intensity it stands on: below it are steps and the spectrum's own unevenness."""


@dataclass(frozen=True)
class FilteredSurvey:
    """A survey spectrum and its filtered form, on even energies.

    Attributes
    ----------
    energy : ndarray (points,)
        Binding energy as measured, ascending, eV.
    rate : ndarray (points,)
        counts/s.
    variance : ndarray (points,)
        Of the rate.
    response, noise : ndarray (points,)
        Height (counts/s) of a line of the filter's width that gives this response, and its standard deviation.
    peaks : ndarray of int
        Places of local maxima that are significant.
    """

    energy: FloatArray
    rate: FloatArray
    variance: FloatArray
    response: FloatArray
    noise: FloatArray
    peaks: np.ndarray

    @property
    def ratio(self) -> FloatArray:
        """Response over noise."""
        return np.asarray(self.response / self.noise)

    def position(self, place: int) -> float:
        """Energy of the maximum at a peak, by a parabola through three points, eV."""
        left, middle, right = self.response[place - 1 : place + 2]
        bend = left - 2.0 * middle + right
        offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
        return float(self.energy[place] + offset * (self.energy[1] - self.energy[0]))


def noise_scale(rate: FloatArray, exposure: FloatArray) -> float:
    """Variance of the counts over their mean, from the median of squared second differences: lines do not count.

    Parameters
    ----------
    rate, exposure : ndarray (points,)
        counts/s; seconds.
    """
    variance = np.maximum(rate, 0.5 / exposure) / exposure
    second = (rate[:-2] - 2.0 * rate[1:-1] + rate[2:]) ** 2 / (variance[:-2] + 4.0 * variance[1:-1] + variance[2:])
    return max(float(np.median(second)) / 0.4549, 1e-9)


def filter_survey(energy: FloatArray, rate: FloatArray, exposure: FloatArray) -> FilteredSurvey:
    """Filter a spectrum and find its peaks.

    Parameters
    ----------
    energy : ndarray (points,)
        Binding energy, ascending, eV.
    rate, exposure : ndarray (points,)
        counts/s; seconds.
    """
    from scipy.signal import find_peaks

    variance = noise_scale(rate, exposure) * np.maximum(rate, 0.5 / exposure) / exposure
    even = np.linspace(energy[0], energy[-1], energy.size)
    rate, variance = np.interp(even, energy, rate), np.interp(even, energy, variance)
    step = float(even[1] - even[0])
    sigma = max(FILTER_SIGMA_EV / step, 1.0)
    reach = int(np.ceil(4.0 * sigma))
    grid = np.arange(-reach, reach + 1) / sigma
    gauss = np.exp(-0.5 * grid**2)
    kernel = (1.0 - grid**2) * gauss
    kernel -= kernel.mean()
    # In units of the height of a line of the filter's own width.
    kernel /= float(kernel @ gauss)
    padded = np.pad(rate, reach, mode="reflect", reflect_type="odd")
    response = np.convolve(padded, kernel, mode="valid")
    noise = np.sqrt(np.convolve(np.pad(variance, reach, mode="edge"), kernel**2, mode="valid"))
    noise = np.maximum(noise, 1e-300)
    places, _ = find_peaks(response)
    good = (response[places] > PEAK_SIGMA * noise[places]) & (response[places] > LEAST_SHARE * np.abs(rate[places]))
    return FilteredSurvey(even, rate, variance, response, noise, places[good])

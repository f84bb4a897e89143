"""What the detector makes of X-ray lines: their width, and their shape on the channels of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from depthlock.model.xray_lines import LineFamily

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""

MN_KA = 5.8987
"""Energy in keV of Mn Ka, at which the resolution of a detector is told."""

USUAL_RESOLUTION = 0.130
"""FWHM in keV at Mn Ka of a detector that does not tell its own."""

SPREAD_PER_KEV = 2.5e-3
"""Increase of the squared FWHM in keV^2 per keV, from the Fano statistics of silicon."""


@dataclass(frozen=True)
class Detector:
    """Energy response.

    Attributes
    ----------
    resolution : float
        FWHM in keV at Mn Ka.
    offset : float
        Energy in keV by which lines at 0 keV appear too high.
    gain : float
        Relative error of the energy axis' step (1).
    """

    resolution: float = USUAL_RESOLUTION
    offset: float = 0.0
    gain: float = 0.0

    def fwhm(self, energy: float) -> float:
        """FWHM in keV at an energy in keV (Fiori & Newbury, Scanning Electron Microscopy 1978, I, 401)."""
        squared = self.resolution**2 + SPREAD_PER_KEV * (energy - MN_KA)
        return float(np.sqrt(max(squared, 0.03**2)))

    def shape(self, family: LineFamily, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of a family's counts in every channel.

        Parameters
        ----------
        family : LineFamily
        edges : ndarray, shape (n + 1,)
            Edges of the channels in keV.

        Returns
        -------
        ndarray, shape (n,)
            Adds up to 1 where the channels cover all lines.
        """
        share = np.zeros(edges.size - 1)
        for energy, weight in zip(family.energies, family.weights, strict=True):
            sigma = self.fwhm(energy) / FWHM
            share += weight * np.diff(ndtr((edges - energy * (1.0 + self.gain) - self.offset) / sigma))
        return share

"""What a simulated TOF-SIMS profile is made of, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depthlock.simulate.depth_response import DepthResponse, SputterRates
from depthlock.simulate.flight_time import SpectrometerParameters

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TofsimsParameters:
    """A TOF-SIMS depth profile of one sample.

    Attributes
    ----------
    pixels : int
        Pixels along x and along y (1).
    scans : int
        Sputter cycles (1).
    scan_interval_s : float
        Sputter time between two scans in s; the first scan is at 0 s.
    frames : int
        Analysis rasters a cycle (1).
    field_of_view_um : float
        Edge of the raster in um.
    ions : float
        Expected number of ions that reach the detector, background included (1).
    background : float
        Share of them that belongs to no peak (1).
    response : DepthResponse
        Depth response.
    rates : SputterRates
        Sputter rates.
    spectrometer : SpectrometerParameters
        Calibration, resolution, dead time.
    transient_s : float
        Decay time in s of the excess of the very surface.
    drift : float
        Relative change of all yields over the whole profile (1).
    domain_length_px : float
        Lateral correlation length of the domains in px.
    domain_contrast : float
        Standard deviation of the logarithm of their strength (1).
    domain_correlation : float
        Lateral correlation of inorganic with organic domains: 1 interlocked, 0 independent, -1 apart.
    domain_nodes : int
        Independent domain patterns from the surface to the substrate (1).
    topography_nm : float
        Standard deviation of the local layer thickness in nm over the raster.
    lateral_drift_px : tuple of float
        Way of the sample under the raster from the first to the last scan, along y and x in px.
    lateral_wander_px : float
        Size of a random walk on top of it, from the first to the last scan in px.
    yields : dict
        Factors on the yield of single ions, by label (1).
    mass_drift_ppm : float
        Even change of all apparent masses from the first to the last scan in ppm, as supplies warm up.
    charging_ppm : float
        Change of all apparent masses in ppm where the substrate comes up, as its surface charges otherwise.
    """

    pixels: int = 64
    scans: int = 120
    scan_interval_s: float = 4.0
    frames: int = 1
    field_of_view_um: float = 40.0
    ions: float = 1.3e6
    background: float = 0.05
    response: DepthResponse = field(default_factory=DepthResponse)
    rates: SputterRates = field(default_factory=SputterRates)
    spectrometer: SpectrometerParameters = field(default_factory=SpectrometerParameters)
    transient_s: float = 6.0
    drift: float = -0.03
    domain_length_px: float = 5.0
    domain_contrast: float = 0.35
    domain_correlation: float = 0.0
    domain_nodes: int = 4
    topography_nm: float = 0.0
    lateral_drift_px: tuple[float, float] = (0.0, 0.0)
    lateral_wander_px: float = 0.0
    yields: dict[str, float] = field(default_factory=dict)
    mass_drift_ppm: float = 0.0
    charging_ppm: float = 0.0

    @property
    def sputter_time_s(self) -> FloatArray:
        """Sputter time of every scan in s, shape (scan,)."""
        return np.arange(self.scans, dtype=np.float64) * self.scan_interval_s


@dataclass(frozen=True)
class TofsimsTruth:
    """What is true of a simulated profile.

    Attributes
    ----------
    expected : dict
        Expected ions a scan without dead time, of the isotopologue that the label names, shape (scan,).
    total_counts : dict
        Their sums (1).
    interface_time_s, interface_width_s : float
        Half-way crossing and 16-84 % time of the substrate's rise, the same for all ions of vanadium, in s.
    substrate_in_layer : float
        Mean level of vanadium ions in the layer over the plateau (1).
    mass_resolution : dict
        m / FWHM by label (1).
    profiles : dict
        True profile inside the layer by label, on midpoints of equal depth steps.
    lost_to_dead_time : float
        Share of ions not counted (1).
    thickness_nm : array, shape (pixel,)
        Local thickness of the layer in nm: the interface's topography.
    lateral_path_px : array, shape (scan, 2)
        Place of the sample under the raster along y and x in px, 0 in the first scan.
    mass_drift_ppm : ndarray, shape (scan,)
        Apparent over exact mass less 1, in ppm.
    """

    expected: dict[str, FloatArray]
    total_counts: dict[str, float]
    interface_time_s: float
    interface_width_s: float
    substrate_in_layer: float
    mass_resolution: dict[str, float]
    profiles: dict[str, FloatArray]
    lost_to_dead_time: float
    thickness_nm: FloatArray
    lateral_path_px: FloatArray
    mass_drift_ppm: FloatArray

"""A detector's picture regrouped on scattering vector and azimuth by pyFAI, with counts that stay Poisson."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError

UNSPLIT = ("no", "histogram", "cython")
"""Every pixel goes to one bin as a whole: with shared pixels neighbouring bins would no longer be independent."""

UPWARDS = {"top": 4, "bottom": 1, "right": 6, "left": 8}
"""pyFAI's `sample_orientation` by the side of the picture that the film's normal points to; sides are folded."""


@dataclass(frozen=True)
class Regrouped:
    """Counts on scattering vector and azimuth.

    Attributes
    ----------
    q : ndarray, shape (n_q,)
        Mean scattering vector in 1/nm of the pixels in each bin; the bin's centre where there are none.
    azimuth : ndarray, shape (n_azimuth,)
        Bin centres in degree: 0 to 90 from the film's normal at grazing incidence, 0 to 180 in
        transmission, from the picture's right towards its bottom.
    counts : ndarray, shape (n_azimuth, n_q)
        Sum of the pixels' counts; Poisson.
    exposure : ndarray, shape (n_azimuth, n_q)
        Sum of the pixels' solid angles over that in the beam's centre (and of the polarisation's factor), so that
        counts / exposure is the corrected intensity; 0 where no pixel lies.
    moment : ndarray, shape (n_azimuth, n_q)
        Mean azimuth of the pixels in degree times the exposure, so that moment / exposure is their
        mean; it is not the bin's centre where the missing wedge or an edge cuts the bin.
    """

    q: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    counts: NDArray[np.float64]
    exposure: NDArray[np.float64]
    moment: NDArray[np.float64]


class Pattern:
    """A picture with its geometry, ready to be regrouped.

    Parameters
    ----------
    measured : xr.Dataset
        Contract `diffraction_pattern`.
    polarisation : float or None
        pyFAI's polarisation factor: 1 horizontal, 0 none, -1 vertical; no correction if None.
    """

    def __init__(self, measured: xr.Dataset, polarisation: float | None = None) -> None:
        geometry = json.loads(str(measured.attrs["geometry"]))
        angle = measured.attrs.get("incident_angle_degree")
        self.counts = measured["intensity"].values.astype(np.float64)
        self.masked = ~(np.isfinite(self.counts) & (self.counts >= 0))
        self.saturated = np.asarray(measured["saturated"].values, bool) if "saturated" in measured else None
        self.polarisation = polarisation
        self.incident = None if angle is None else float(np.radians(float(angle)))
        self.orientation = UPWARDS[str(measured.attrs.get("normal", "top"))]
        size = max(geometry["pixel1"], geometry["pixel2"])
        self.pixel_q = 2e-9 * np.pi / geometry["wavelength"] * size / geometry["dist"]
        self._integrator = _integrator(geometry, self.counts.shape, self.incident is not None)
        if self.incident is not None:
            # What leaves below the film's horizon went through film and substrate.
            horizon = 2.0e-9 * np.pi / geometry["wavelength"] * np.sin(self.incident)
            self.masked = self.masked | (self._fibre_array("qoop_nm^-1") < horizon)
            self._angle = np.abs(self._fibre_array("chigi_deg"))
        else:
            self._angle = np.degrees(self._integrator.array_from_unit(unit="chi_rad")) % 180.0

    @property
    def span(self) -> float:
        """Largest azimuth in degree."""
        return 180.0 if self.incident is None else 90.0

    def reach(self) -> tuple[float, float]:
        """Smallest and largest scattering vector of the used pixels, in 1/nm."""
        q = self._integrator.array_from_unit(unit="q_nm^-1")
        if self.masked.all():
            raise MeasurementError(
                "every pixel of the diffraction pattern is masked or below the film's horizon",
                expected="pixels with counts of zero or more",
                hint="check `centre`, `normal` and `incident_angle` in the session",
            )
        return float(q[~self.masked].min()), float(q[~self.masked].max())

    def is_saturated(self, low: float, high: float) -> bool:
        """Whether pixels between two scattering vectors in 1/nm hold more than they can count."""
        if self.saturated is None or not self.saturated.any():
            return False
        q = self._integrator.array_from_unit(unit="q_nm^-1")[self.saturated]
        return bool(((q > low) & (q < high)).any())

    def regroup(self, low: float, high: float, bins: int, step: float, *, folded: bool = True) -> Regrouped:
        """Counts between two scattering vectors in 1/nm, on `bins` bins, with azimuths about `step` degree wide.

        Without `folded`, the two sides that are one lattice direction are kept apart: the azimuths of the second one
        follow, from `span` on.
        """
        number = max(2, round(self.span / step))
        common: dict[str, Any] = {
            "mask": self.masked.astype(np.int8), "correctSolidAngle": True, "method": UNSPLIT,
            "polarization_factor": self.polarisation,
        }  # fmt: skip
        summed = self._folded if folded else self._sides
        counts, exposure, pixels = summed(np.where(self.masked, 0.0, self.counts), low, high, bins, number, common)
        pixel_q = self._integrator.array_from_unit(unit="q_nm^-1")
        angles, vectors = (summed(of, low, high, bins, number, common)[0] for of in (self._angle, pixel_q))
        moment = exposure * angles / np.maximum(pixels, 1.0)
        edges = np.linspace(low, high, bins + 1)
        azimuth = (np.arange(counts.shape[0]) + 0.5) * self.span / number
        held = pixels.sum(axis=0)
        q = np.where(held > 0, vectors.sum(axis=0) / np.maximum(held, 1.0), 0.5 * (edges[1:] + edges[:-1]))
        return Regrouped(q, azimuth, counts, exposure, moment)

    def _folded(
        self, picture: NDArray[np.float64], low: float, high: float, bins: int, number: int, common: dict[str, Any]
    ) -> NDArray[np.float64]:
        """Sums of a picture, of its exposure and of its pixels; (3, n_azimuth, n_q)."""
        sides = self._sides(picture, low, high, bins, number, common)
        return np.asarray(sides[:, :number] + sides[:, number:])

    def _sides(
        self, picture: NDArray[np.float64], low: float, high: float, bins: int, number: int, common: dict[str, Any]
    ) -> NDArray[np.float64]:
        """The same, one side after the other: (3, 2 n_azimuth, n_q)."""
        if self.incident is None:
            found = self._integrator.integrate2d(
                picture, bins, 2 * number, unit="q_nm^-1", radial_range=(low, high), azimuth_range=(-180.0, 180.0),
                error_model="poisson", **common,
            )  # fmt: skip
            whole = np.stack([found.sum_signal, found.sum_normalization, found.count]).astype(np.float64)
            return np.concatenate([whole[:, number:], whole[:, :number]], axis=1)
        found = self._integrator.integrate2d_grazing_incidence(
            picture, npt_ip=2 * number, unit_ip="chigi_deg", ip_range=(-90.0, 90.0), npt_oop=bins,
            unit_oop="qtot_nm^-1", oop_range=(low, high), sample_orientation=self.orientation,
            incident_angle=self.incident, tilt_angle=0.0, angle_unit="rad", error_model="poisson", **common,
        )  # fmt: skip
        whole = np.stack([found.sum_signal.T, found.sum_normalization.T, found.count.T]).astype(np.float64)
        return np.concatenate([whole[:, number:], whole[:, number - 1 :: -1]], axis=1)

    def _fibre_array(self, unit: str) -> NDArray[np.float64]:
        from pyFAI.units import get_unit_fiber

        told = get_unit_fiber(unit, incident_angle=self.incident, tilt_angle=0.0, sample_orientation=self.orientation)
        return np.asarray(self._integrator.array_from_unit(unit=told), dtype=np.float64)


def _integrator(geometry: dict[str, float], shape: tuple[int, ...], grazing: bool) -> Any:
    _pyfai()
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator
    from pyFAI.integrator.fiber import FiberIntegrator

    placed = {key: geometry[key] for key in ("dist", "poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")}
    detector = Detector(geometry["pixel1"], geometry["pixel2"], max_shape=shape)
    return (FiberIntegrator if grazing else AzimuthalIntegrator)(detector=detector, **placed)


def _pyfai() -> ModuleType:
    try:
        import pyFAI
    except ImportError as error:
        raise MeasurementError(
            "diffraction patterns need the package pyFAI, which is not installed",
            hint='pip install "depthlock[diffraction]"',
        ) from error
    module: ModuleType = pyFAI
    return module

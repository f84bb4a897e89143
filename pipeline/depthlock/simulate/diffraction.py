"""Simulated GIWAXS and transmission patterns: rings with preferred orientation on an amorphous background, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ring:
    """A reflection.

    Attributes
    ----------
    name : str
    spacing : float
        Lattice spacing in nm.
    width : float
        FWHM in 1/nm, Gaussian.
    intensity : float
        Total over all directions, in counts a pixel times 1/nm for an isotropic ring.
    oriented : float
        Share of it that is oriented.
    direction, spread : float
        Of the oriented part: angle from the film's normal and FWHM in degree.
    """

    name: str
    spacing: float
    width: float
    intensity: float
    oriented: float = 0.0
    direction: float = 0.0
    spread: float = 20.0


@dataclass(frozen=True)
class Setup:
    """A flat detector square to the beam; lengths in m, the centre in pixels from the middle of the first one."""

    shape: tuple[int, int] = (400, 420)
    distance: float = 0.15
    pixel_size: float = 344e-6
    centre: tuple[float, float] = (205.0, 380.0)
    wavelength: float = 0.1e-9
    incident_angle: float | None = 0.2

    @property
    def settings(self) -> dict[str, object]:
        """As a session gives it, in nm and degree."""
        told: dict[str, object] = {
            "distance": self.distance * 1e9, "pixel_size": self.pixel_size * 1e9, "centre": self.centre,
            "wavelength": self.wavelength * 1e9,
        }  # fmt: skip
        return told if self.incident_angle is None else {**told, "incident_angle": self.incident_angle}

    def scattering(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Of every pixel: q in 1/nm, angle of q from the film's normal in degree, relative solid angle, above horizon.

        In transmission the angle is the azimuth around the beam. The film's normal points to the picture's top.
        """
        rows, columns = np.indices(self.shape)
        right = (columns - self.centre[0]) * self.pixel_size
        up = (self.centre[1] - rows) * self.pixel_size
        away = np.sqrt(self.distance**2 + right**2 + up**2)
        k = 2e-9 * np.pi / self.wavelength
        along, side, lift = k * (self.distance / away - 1.0), k * right / away, k * up / away
        q = np.sqrt(along**2 + side**2 + lift**2)
        solid = (self.distance / away) ** 3
        if self.incident_angle is None:
            return q, np.degrees(np.arctan2(lift, side)), solid, np.ones(self.shape, dtype=bool)
        tilt = np.radians(self.incident_angle)
        # The beam falls onto the film: its normal leans towards the source.
        normal = lift * np.cos(tilt) - along * np.sin(tilt)
        flat = np.sqrt(np.clip(q**2 - normal**2, 0.0, None))
        return q, np.degrees(np.arctan2(flat, normal)), solid, normal >= k * np.sin(tilt)


def simulate_pattern(
    setup: Setup, rings: Sequence[Ring], background: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Counts of a pattern, shape `setup.shape`.

    Parameters
    ----------
    setup : Setup
    rings : sequence of Ring
    background : float
        Counts a pixel of the amorphous halo at its maximum; it falls off with q.
    rng : numpy.random.Generator
    """
    q, angle, solid, above = setup.scattering()
    expected = background * (0.3 + 0.7 * np.exp(-0.5 * ((q - 14.0) / 9.0) ** 2))
    for ring in rings:
        sigma = ring.width / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        radial = np.exp(-0.5 * ((q - 2.0 * np.pi / ring.spacing) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))
        expected += ring.intensity * radial * density(ring, angle, setup.incident_angle is not None)
    return rng.poisson(np.where(above, expected * solid, 0.02 * background)).astype(np.float64)


def density(ring: Ring, angle: NDArray[np.float64], fibre: bool) -> NDArray[np.float64]:
    """A ring's intensity by angle in degree, over that of an isotropic one of the same total."""
    fine = (np.arange(3600) + 0.5) * (90.0 if fibre else 180.0) / 3600
    belt = np.sin(np.radians(fine)) if fibre else np.ones(fine.size)
    mean = float(belt @ _directions(ring, fine, fibre) / belt.sum())
    return np.asarray(1.0 - ring.oriented + ring.oriented * _directions(ring, angle, fibre) / mean)


def _directions(ring: Ring, angle: NDArray[np.float64], fibre: bool) -> NDArray[np.float64]:
    sigma = ring.spread / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    images = [ring.direction + turn for turn in (-360.0, -180.0, 0.0, 180.0, 360.0)]
    images += [-image for image in images] if fibre else []
    return np.asarray(sum(np.exp(-0.5 * ((angle - image) / sigma) ** 2) for image in images))

"""Simulated STEM-EDS of a layer on a crystal in cross-section, with its exact truth: maps and spectrum images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from depthlock.model.xray_lines import line_families
from depthlock.simulate.lateral import smooth_field
from depthlock.simulate.tem_lines import BoundaryLines, chord_ends, draw_lines

FloatArray = NDArray[np.float64]

_FINE = 3
"""Points of the true specimen a pixel and axis."""

_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class ElementCounts:
    """Mean counts a pixel of one element.

    Attributes
    ----------
    crystal, layer, outside : float
        Counts a pixel in the crystal, in the layer (its mean) and outside (1).
    gradient : float
        Relative excess at the layer's outer boundary over its mean, opposite at the inner one (1).
    patchiness : float
        Relative standard deviation of the counts over the layer (1).
    patch_nm : float
        Size of the patches in nm.
    """

    crystal: float
    layer: float
    outside: float = 0.0
    gradient: float = 0.0
    patchiness: float = 0.0
    patch_nm: float = 3.0


def _usual_counts() -> dict[str, ElementCounts]:
    return {
        "F": ElementCounts(0.02, 1.5),
        "C": ElementCounts(0.1, 1.0, 0.1),
        "Mg": ElementCounts(0.1, 0.8),
        "O": ElementCounts(3.0, 1.2, 0.02),
        "V": ElementCounts(2.0, 0.1),
    }


@dataclass(frozen=True)
class EdsParameters:
    """Element maps.

    Attributes
    ----------
    rows, columns : int
        Pixels along y and x (1).
    pixel_nm : float
        Size of a pixel in nm.
    thickness_nm : float
        Mean thickness of the layer in nm.
    orientation_deg : float
        Direction from the crystal outwards, against the x axis towards y, in degrees.
    offset_nm : float
        Distance of the crystal's edge from the image's centre, inwards, in nm.
    curvature_per_nm : float
        Curvature of the crystal's edge in 1/nm.
    inner_roughness_nm, outer_roughness_nm : tuple of float
        Standard deviation and correlation length in nm of the crystal's edge and of the thickness.
    probe_nm : float
        FWHM of the probe in nm.
    dead : float
        Share of pixels that count nothing (1).
    counts : dict
        Mean counts a pixel by element.
    """

    rows: int = 96
    columns: int = 96
    pixel_nm: float = 0.4
    thickness_nm: float = 12.0
    orientation_deg: float = -80.0
    offset_nm: float = 4.0
    curvature_per_nm: float = 0.004
    inner_roughness_nm: tuple[float, float] = (0.3, 8.0)
    outer_roughness_nm: tuple[float, float] = (0.4, 5.0)
    probe_nm: float = 0.6
    dead: float = 0.0
    counts: dict[str, ElementCounts] = field(default_factory=_usual_counts)


@dataclass(frozen=True)
class EdsTruth:
    """What is true of simulated maps.

    Attributes
    ----------
    thickness : float
        Mean chord in nm along the normal of the smoothed crystal edge, of those wholly in the image; NaN if none is.
    edge_blur : float
        Standard deviation of the blur of a straight boundary by probe and pixel in nm.
    distance : array, shape (rows, columns)
        Height above the crystal's edge of every pixel's centre, along the mean normal, in nm.
    depth_fraction : array, shape (rows, columns)
        0 at the crystal's edge and 1 at the outer boundary.
    intensity : dict
        Expected counts of every pixel, by element, without dead pixels.
    """

    thickness: float
    edge_blur: float
    distance: FloatArray
    depth_fraction: FloatArray
    intensity: dict[str, FloatArray]


def simulate_maps(parameters: EdsParameters, rng: np.random.Generator) -> tuple[xr.Dataset, EdsTruth]:
    """Simulate element maps, and an annular dark-field image beside them.

    Parameters
    ----------
    parameters : EdsParameters
    rng : numpy Generator

    Returns
    -------
    xr.Dataset
        Contract `eds_maps`.
    EdsTruth
    """
    truth = _truth(parameters, rng)
    alive = rng.random((parameters.rows, parameters.columns)) >= parameters.dead
    counts = [rng.poisson(expected * alive) for expected in truth.intensity.values()]
    fraction = truth.depth_fraction
    bright = np.where(fraction < 0, 1.0, np.where(fraction < 1, 0.45, 0.05))
    haadf = gaussian_filter(bright, parameters.probe_nm / _FWHM / parameters.pixel_nm)
    haadf = 1000.0 * haadf + rng.normal(0.0, 30.0, haadf.shape)
    coords = _coordinates(parameters)
    names = list(truth.intensity)
    dataset = xr.Dataset(
        {
            "counts": (("element", "y", "x"), np.array(counts, dtype=np.float32), {"units": "1"}),
            "haadf": (("y", "x"), haadf.astype(np.float32), {"units": "1"}),
        },
        {
            **coords,
            "element": ("element", names, {"units": "1"}),
            "line": ("element", ["Ka"] * len(names), {"units": "1"}),
        },
        {"pixel_size_nm": [parameters.pixel_nm] * 2, "source": "simulated"},
    )
    return dataset, truth


def simulate_spectra(
    parameters: EdsParameters,
    rng: np.random.Generator,
    *,
    background: float = 0.02,
    step_kev: float = 0.01,
    highest_kev: float = 6.5,
    resolution_kev: float = 0.13,
    offset_kev: float = 0.0,
) -> tuple[xr.Dataset, EdsTruth]:
    """Simulate a spectrum image: the elements' K lines, and an L line of 1/3 of its counts where the axis holds one.

    Parameters
    ----------
    parameters : EdsParameters
    rng : numpy Generator
    background : float
        Counts of bremsstrahlung a pixel in a channel of 10 eV at 1 keV, in crystal and layer.
    step_kev, highest_kev, resolution_kev, offset_kev : float
        Channels, FWHM at Mn Ka, and an error of the energy axis, in keV.

    Returns
    -------
    xr.Dataset
        Contract `eds_spectra`.
    EdsTruth
        `intensity` are the expected counts of the K lines.
    """
    truth = _truth(parameters, rng)
    edges = np.arange(-0.2, highest_kev + step_kev, step_kev)
    centres = 0.5 * (edges[1:] + edges[:-1])
    expected = np.zeros((parameters.rows, parameters.columns, centres.size))
    for element, intensity in truth.intensity.items():
        for family in line_families()[element]:
            strength = 1.0 if family.shell == "K" else 1.0 / 3.0
            for energy, weight in zip(family.energies, family.weights, strict=True):
                sigma = np.sqrt(max(resolution_kev**2 + 2.5e-3 * (energy - 5.8987), 9e-4)) / _FWHM
                share = np.diff(ndtr((edges - energy - offset_kev) / sigma))
                expected += strength * weight * intensity[..., None] * share
    inside = (truth.depth_fraction < 1).astype(float)
    at = np.maximum(centres, 0.05)
    bremsstrahlung = background * step_kev / 0.01 * np.exp(-((0.25 / at) ** 2)) / at**0.7 * (centres > 0.1)
    expected += inside[..., None] * bremsstrahlung
    counts = rng.poisson(expected).astype(np.uint16)
    dataset = xr.Dataset(
        {"counts": (("y", "x", "energy"), counts, {"units": "1"})},
        {**_coordinates(parameters), "energy": ("energy", centres, {"units": "keV"})},
        {"pixel_size_nm": [parameters.pixel_nm] * 2, "source": "simulated", "resolution_keV": resolution_kev},
    )
    return dataset, truth


def _coordinates(parameters: EdsParameters) -> dict[str, Any]:
    sizes = {"y": parameters.rows, "x": parameters.columns}
    return {axis: (axis, np.arange(size) * parameters.pixel_nm, {"units": "nm"}) for axis, size in sizes.items()}


def _truth(parameters: EdsParameters, rng: np.random.Generator) -> EdsTruth:
    half = 0.75 * parameters.pixel_nm * float(np.hypot(parameters.rows, parameters.columns))
    lines = draw_lines(
        half,
        parameters.thickness_nm,
        parameters.curvature_per_nm,
        parameters.inner_roughness_nm,
        parameters.outer_roughness_nm,
        rng,
    )
    along, height = _places(parameters, _FINE)
    inner = np.interp(along, lines.along, lines.inner)
    outer = np.interp(along, lines.along, lines.outer)
    fraction = (height - inner) / (outer - inner)
    blur = parameters.probe_nm / _FWHM / parameters.pixel_nm * _FINE
    intensity = {}
    for element, mean in parameters.counts.items():
        layer = mean.layer * (1.0 + mean.gradient * (2.0 * fraction - 1.0))
        if mean.patchiness:
            layer = layer * _patches(fraction.shape, mean, parameters, rng)
        field_ = np.where(fraction < 0, mean.crystal, np.where(fraction < 1, layer, mean.outside))
        seen = gaussian_filter(field_, blur, mode="nearest")
        intensity[element] = seen.reshape(parameters.rows, _FINE, parameters.columns, _FINE).mean(axis=(1, 3))
    along, height = _places(parameters, 1)
    inner = np.interp(along, lines.along, lines.inner)
    outer = np.interp(along, lines.along, lines.outer)
    sigma = np.hypot(parameters.probe_nm / _FWHM, parameters.pixel_nm / np.sqrt(12.0))
    return EdsTruth(
        thickness=_mean_chord(lines, parameters),
        edge_blur=float(sigma),
        distance=height - inner,
        depth_fraction=(height - inner) / (outer - inner),
        intensity=intensity,
    )


def _mean_chord(lines: BoundaryLines, parameters: EdsParameters) -> float:
    """Mean in nm of the chords whose both ends lie in the image."""
    starts, ends = chord_ends(lines)
    whole = _imaged(starts, parameters) & _imaged(ends, parameters)
    return float(np.mean(np.hypot(*(ends - starts)[:, whole]))) if whole.any() else float("nan")


def _patches(
    shape: tuple[int, ...], mean: ElementCounts, parameters: EdsParameters, rng: np.random.Generator
) -> FloatArray:
    field_ = smooth_field((shape[0], shape[1]), mean.patch_nm / parameters.pixel_nm * _FINE, rng)
    return np.asarray(np.maximum(1.0 + mean.patchiness * field_, 0.0))


def _places(parameters: EdsParameters, fine: int) -> tuple[FloatArray, FloatArray]:
    """Distance along the edge's axis and height over it of every point in nm."""
    at = [
        ((np.arange(count * fine) + 0.5) / fine - count / 2.0) * parameters.pixel_nm
        for count in (parameters.rows, parameters.columns)
    ]
    y, x = np.meshgrid(*at, indexing="ij")
    turn = np.deg2rad(parameters.orientation_deg)
    height = np.cos(turn) * x + np.sin(turn) * y + parameters.offset_nm
    return -np.sin(turn) * x + np.cos(turn) * y, height


def _imaged(places: FloatArray, parameters: EdsParameters) -> NDArray[np.bool_]:
    """Whether places, (along, height) in nm of shape (2, n), lie in the image."""
    turn = np.deg2rad(parameters.orientation_deg)
    along, height = places[0], places[1] - parameters.offset_nm
    x = np.cos(turn) * height - np.sin(turn) * along
    y = np.sin(turn) * height + np.cos(turn) * along
    half_width, half_height = (0.5 * size * parameters.pixel_nm for size in (parameters.columns, parameters.rows))
    return np.asarray((np.abs(x) < half_width) & (np.abs(y) < half_height))

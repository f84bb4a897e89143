"""Simulated HRTEM of a layer on a crystal in cross-section, with the exact truth of the imaged piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from depthlock.simulate.lateral import smooth_field
from depthlock.simulate.tem_lines import BoundaryLines, chord_ends, draw_lines

FloatArray = NDArray[np.float64]

_WAVELENGTH_NM = 0.00251
"""Of 200 keV electrons."""


@dataclass(frozen=True)
class TemParameters:
    """An image.

    Attributes
    ----------
    pixels : int
        Pixels along x and along y (1).
    pixel_nm : float
        Size of a pixel in nm.
    orientation_deg : float
        Direction from the crystal outwards, against the x axis towards y, in degrees.
    offset_nm : float
        Distance of the layer's middle from the image's centre in nm.
    curvature_per_nm : float
        Curvature of the crystal's edge in 1/nm.
    inner_roughness_nm, outer_roughness_nm : tuple of float
        Standard deviation and correlation length in nm of the crystal's edge and of the thickness.
    overlap_nm : float
        Standard deviation of the boundaries' blur by projection in nm.
    brightness : tuple of float
        Outside, layer, crystal, relative to the beam (1).
    outside : str
        ``"vacuum"`` or ``"embedding"``.
    speckle : float
        Contrast of the layer's amorphous speckle (1).
    lattice_nm, lattice_deg : float
        Spacing of the stronger reflection in nm, and the direction of its vector against the outward normal in degrees.
    second_nm, second_deg : float
        The weaker reflection, its direction counted from the first.
    fringe_contrast : float
        Amplitude of the stronger fringes (1).
    patchiness : float
        Standard deviation of the fringes' strength over the crystal (1).
    defocus_nm : float
        Defocus in nm, negative under focus.
    fresnel : float
        Height of the fringes along the outer boundary (1).
    illumination : float
        Largest deviation of the light from its mean over the image (1).
    dose_e_per_a2 : float
        Electrons a square Angstrom.
    """

    pixels: int = 1024
    pixel_nm: float = 0.035
    orientation_deg: float = 20.0
    offset_nm: float = 0.0
    curvature_per_nm: float = 0.0
    inner_roughness_nm: tuple[float, float] = (0.25, 6.0)
    outer_roughness_nm: tuple[float, float] = (0.5, 3.0)
    overlap_nm: float = 0.15
    brightness: tuple[float, float, float] = (1.0, 0.86, 0.72)
    outside: str = "vacuum"
    speckle: float = 0.06
    lattice_nm: float = 0.38
    lattice_deg: float = 30.0
    second_nm: float = 0.27
    second_deg: float = 62.0
    fringe_contrast: float = 0.10
    patchiness: float = 0.2
    defocus_nm: float = -60.0
    fresnel: float = 0.05
    illumination: float = 0.08
    dose_e_per_a2: float = 800.0


@dataclass(frozen=True)
class TemTruth:
    """What is true of an image.

    Attributes
    ----------
    chords_nm : array, shape (position,)
        Thickness in nm at equal steps of the imaged edge.
    lattice_nm : float
        Spacing of the stronger reflection in nm.
    label : int8 array, shape (y, x)
        0 outside, 1 layer, 2 crystal.
    """

    chords_nm: FloatArray
    lattice_nm: float
    label: NDArray[np.int8]

    def statistics(self) -> dict[str, float]:
        """Mean, standard deviation, 5 and 95 % of the chords in nm."""
        low, high = np.percentile(self.chords_nm, [5.0, 95.0])
        return {
            "mean": float(self.chords_nm.mean()),
            "sd": float(self.chords_nm.std(ddof=1)),
            "p05": float(low),
            "p95": float(high),
        }


def simulate_image(
    parameters: TemParameters, thickness_nm: float, rng: np.random.Generator
) -> tuple[xr.Dataset, TemTruth]:
    """An image (contract `tem_image`, detector counts) of a piece of a layer, and its truth.

    Parameters
    ----------
    parameters : TemParameters
        Microscope and specimen.
    thickness_nm : float
        Mean thickness of the sample's layer in nm; the imaged piece differs by chance.
    rng : numpy Generator
        Draws roughness, speckle and noise.
    """
    size, pixel = parameters.pixels, parameters.pixel_nm
    middle = 0.5 * (size - 1) * pixel
    lines = draw_lines(
        1.5 * middle,
        thickness_nm,
        parameters.curvature_per_nm,
        parameters.inner_roughness_nm,
        parameters.outer_roughness_nm,
        rng,
    )
    turn = np.deg2rad(parameters.orientation_deg)
    normal, tangent = (np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))
    axis = np.arange(size, dtype=np.float64) * pixel - middle
    y, x = axis[:, None], axis[None, :]
    along = tangent[0] * x + tangent[1] * y
    height = normal[0] * x + normal[1] * y - parameters.offset_nm + 0.5 * thickness_nm
    inner, outer = _distance(along, height, lines, lines.inner), _distance(along, height, lines, lines.outer)
    electrons = _intensity(parameters, along, height, inner, outer, rng)
    electrons *= _light(parameters, x / middle, y / middle, rng)
    counts = _detected(electrons * parameters.dose_e_per_a2 * (10.0 * pixel) ** 2, rng)
    label = np.where(inner < 0.0, 2, np.where(outer < 0.0, 1, 0)).astype(np.int8)
    starts, ends = chord_ends(lines)
    imaged = np.ones(starts.shape[1], dtype=bool)
    for point in (starts, ends):
        shifted = point[1] + parameters.offset_nm - 0.5 * thickness_nm
        for first, second in ((tangent[0], normal[0]), (tangent[1], normal[1])):
            # points without a chord are NaN and compare as outside
            imaged &= np.abs(first * point[0] + second * shifted) <= middle
    length = np.hypot(*(ends - starts))
    truth = TemTruth(chords_nm=length[imaged & np.isfinite(length)], lattice_nm=parameters.lattice_nm, label=label)
    coordinate = np.arange(size) * pixel
    dataset = xr.Dataset(
        {"image": (("y", "x"), counts.astype(np.float32), {"units": "1"})},
        coords={"y": ("y", coordinate, {"units": "nm"}), "x": ("x", coordinate, {"units": "nm"})},
        attrs={
            "pixel_size_nm": [pixel, pixel],
            "scale_source": "simulated",
            "source": "simulated",
            "title": "simulated",
        },
    )
    return dataset, truth


def _distance(along: FloatArray, height: FloatArray, lines: BoundaryLines, boundary: FloatArray) -> FloatArray:
    """Distance in nm above a boundary, by its height and slope."""
    slope = np.gradient(boundary, lines.along)
    above = height - np.interp(along, lines.along, boundary)
    return np.asarray(above / np.sqrt(1.0 + np.interp(along, lines.along, slope) ** 2))


def _intensity(
    parameters: TemParameters,
    along: FloatArray,
    height: FloatArray,
    inner: FloatArray,
    outer: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Relative intensity without uneven light and noise."""
    blur = max(parameters.overlap_nm, 1e-3)
    crystal, outside = ndtr(-inner / blur), ndtr(outer / blur)
    layer = np.clip(1.0 - crystal - outside, 0.0, 1.0)
    bright_outside, bright_layer, bright_crystal = parameters.brightness
    speckle = parameters.speckle * _speckle(parameters, rng)
    # amorphous matter also covers the crystal, thinner
    image = bright_layer * layer * (1.0 + speckle)
    image += bright_crystal * crystal * (1.0 + 0.5 * speckle + _fringes(parameters, along, height, rng))
    if parameters.outside == "embedding":
        image += bright_outside * outside * (1.0 + 0.8 * parameters.speckle * _speckle(parameters, rng))
    else:
        image += bright_outside * outside
    image += parameters.fresnel * _fresnel_fringe(outer, parameters)
    return np.asarray(np.maximum(image, 0.01))


def _fresnel_fringe(above: FloatArray, parameters: TemParameters) -> FloatArray:
    """Fringes along the outer boundary, of largest height 1; bright outside in under focus.

    A weak phase step out of focus: odd about the edge, so that the edge stays where the brightness is half way.
    """
    frequency = np.arange(0.0025, 4.0, 0.005)
    transfer = np.sin(np.pi * _WAVELENGTH_NM * abs(parameters.defocus_nm) * frequency**2) / frequency
    transfer *= np.exp(-2.0 * (np.pi * parameters.overlap_nm * frequency) ** 2 - frequency**2 / 9.0)
    distance = np.linspace(0.0, 10.0, 501)
    fringe = np.sin(2.0 * np.pi * distance[:, None] * frequency) @ transfer
    fringe *= -np.sign(parameters.defocus_nm) / np.abs(fringe).max()
    return np.asarray(np.sign(above) * np.interp(np.abs(above), distance, fringe, right=0.0))


def _speckle(parameters: TemParameters, rng: np.random.Generator) -> FloatArray:
    """White noise of unit variance seen through the contrast transfer function."""
    size = parameters.pixels
    gx = np.fft.rfftfreq(size, parameters.pixel_nm)[None, :]
    gy = np.fft.fftfreq(size, parameters.pixel_nm)[:, None]
    squared = gx**2 + gy**2
    transfer = np.sin(np.pi * _WAVELENGTH_NM * parameters.defocus_nm * squared - 0.1) * np.exp(-squared / 9.0)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * transfer, s=(size, size))
    return np.asarray(field / field.std())


def _fringes(parameters: TemParameters, along: FloatArray, height: FloatArray, rng: np.random.Generator) -> FloatArray:
    shape = (parameters.pixels, parameters.pixels)
    total = np.zeros(shape)
    first = parameters.lattice_deg
    reflections = (
        (parameters.lattice_nm, first, parameters.fringe_contrast),
        (parameters.second_nm, first + parameters.second_deg, 0.6 * parameters.fringe_contrast),
    )
    for spacing, degrees, amplitude in reflections:
        direction = np.deg2rad(degrees)
        path = (np.cos(direction) * height + np.sin(direction) * along) / spacing
        strength = smooth_field(shape, 6.0 / parameters.pixel_nm, rng) * parameters.patchiness
        total += amplitude * np.maximum(1.0 + strength, 0.0) * np.cos(2.0 * np.pi * (path + rng.random()))
    return total


def _light(parameters: TemParameters, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Uneven illumination around 1: a slope and a bowl; x and y run from -1 to 1."""
    turn = rng.uniform(0.0, 2.0 * np.pi)
    slope = np.cos(turn) * x + np.sin(turn) * y
    bowl = 0.5 - 0.5 * (x**2 + y**2)
    return np.asarray(1.0 + parameters.illumination * (0.7 * slope + 0.3 * bowl))


def _detected(electrons: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Detector counts: dose noise, a slight blur between pixels, gain, offset, read-out noise."""
    size = electrons.shape[0]
    drawn = rng.poisson(electrons).astype(float)
    ky, kx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    spread = np.exp(-2.0 * (np.pi * 0.4) ** 2 * (kx**2 + ky**2))
    smeared = np.fft.irfft2(np.fft.rfft2(drawn) * spread, s=electrons.shape)
    gain = 4000.0 / max(float(electrons.mean()), 1e-9)
    counts = smeared * gain + 100.0 + rng.normal(0.0, 3.0, electrons.shape)
    return np.clip(np.round(counts), 0.0, 65535.0)


def write_tiff(path: Path, image: xr.Dataset) -> None:
    """Write the image as 16-bit TIFF with its scale in nm, told as ImageJ and as Digital Micrograph tell it."""
    from tifffile import imwrite

    pixel = float(image.attrs["pixel_size_nm"][0])
    exported = [
        (270, "s", 0, "ImageJ=1.53t\nunit=nm\n", False),
        (65003, "s", 0, "nm", False),
        (65004, "s", 0, "nm", False),
        (65006, "d", 1, 0.0, False),
        (65007, "d", 1, 0.0, False),
        (65009, "d", 1, pixel, False),
        (65010, "d", 1, pixel, False),
    ]
    imwrite(
        path,
        image["image"].to_numpy().astype(np.uint16),
        resolution=(1.0 / pixel, 1.0 / pixel),
        metadata=None,
        software="depthlock simulate",
        extratags=exported,
        compression="zlib",
        predictor=True,
    )

"""Amorphous contamination lying over a lattice, where there is no outside: a mode of its own.

The lattice shines through, so its amplitude says little (AUC 0.53 on labelled graphene images) and what is added to it
says all: the variance of the texture that is left when the lattice is taken out (AUC 0.99).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from depthlock.model.errors import MeasurementError

BAND = (0.03, 0.3)
"""Frequencies in 1/pixel between which the texture is looked at."""

BACKGROUND = 25.0
"""Width (sigma) in pixels of the background taken off."""

PEAK, STRONG = 6.0, 30.0
"""Power over the median of its ring from which a frequency belongs to the lattice; and to its strongest reflections."""

LOWEST = 0.05
"""Frequency in 1/pixel below which nothing is taken for lattice."""

RING, RING_SHARE = 0.01, 0.03
"""Half width in 1/pixel of a lattice ring, and its least power over the strongest ring's."""

SURE, POSSIBLE = 0.6, 0.4
"""Log variance, from 0 (clean) to 1 (the strongest), of a patch's core and of what hangs on it."""

CLEAN_LEVEL, TOP_LEVEL = 0.25, 0.999
"""Least height of the clean area's peak in the histogram, over the highest; and the share that counts as strongest."""

LEAST_CONTRAST = 1.3
"""Log variance of the strongest texture over the clean area's below which nothing stands out: noise reaches 1.1."""

EDGE = 0.45
"""Height of a patch's edge between the clean variance and the patch's own: it is a blurred step, seen from outside."""

FINE = 0.6
"""Width over which the variance is taken at the edges, in grains."""

CLOSED, OPENED, LEAST_AREA, LARGEST_HOLE = 3.0, 2.0, 5.0, 25.0
"""Gaps and necks (radius in grains) that are closed and cut, smallest patch and largest hole (in grains squared)."""


@dataclass(frozen=True)
class Contamination:
    """Amorphous patches over a lattice.

    Attributes
    ----------
    mask : ndarray of bool, shape (n_y, n_x)
    texture : ndarray, shape (n_y, n_x)
        Log variance without the lattice, 0 in the clean area and 1 where it is strongest.
    contrast : float
        Log variance of the strongest texture over the clean area's.
    flag : str
        ``"no_contrast"`` when nothing stands out, and the mask is empty.
    """

    mask: NDArray[np.bool_]
    texture: NDArray[np.float64]
    contrast: float
    flag: str


def amorphous_over_lattice(image: NDArray[np.floating], *, grain: float = 4.0) -> Contamination:
    """Where amorphous matter lies over a crystal that fills the image.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        No scale is needed.
    grain : float
        Width (sigma) in pixels over which the variance is taken: about a grain of the texture.

    Returns
    -------
    Contamination

    Raises
    ------
    MeasurementError
        When the image is smaller than 64 pixels, flat, or not finite.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 64 or not np.all(np.isfinite(values)) or np.ptp(values) == 0:
        raise MeasurementError(
            f"an image of {' x '.join(map(str, values.shape))} without contrast or with missing pixels",
            expected="a grey image with contrast, of at least 64 x 64 pixels",
            hint="export it again",
        )
    values = values - ndimage.gaussian_filter(values, BACKGROUND)
    power = _without_lattice(_periodic(values / values.std())) ** 2
    variance = ndimage.gaussian_filter(power, grain)
    height = np.log(variance + 1e-6)
    clean, top = _clean_level(height), float(np.quantile(height, TOP_LEVEL))
    texture = (height - clean) / max(top - clean, 1e-6)
    # Whether anything stands out is asked away from the border, where some of a lattice that breaks off is left.
    margin = round(3 * grain)
    contrast = float(np.quantile(height[margin:-margin, margin:-margin], TOP_LEVEL)) - clean
    if contrast < LEAST_CONTRAST:
        return Contamination(np.zeros(values.shape, dtype=np.bool_), texture, contrast, "no_contrast")
    rough = _rough_patches(texture)
    edges = ndimage.gaussian_filter(power, FINE * grain) > _edge_level(variance, rough, float(np.exp(clean)), grain)
    near = ndimage.binary_dilation(rough, iterations=max(1, round(0.5 * grain)))
    return Contamination(_tidied(near & edges, grain), texture, contrast, "")


def _periodic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The periodic part of an image, whose spectrum has no cross of the borders (Moisan 2011).

    J. Math. Imaging Vis. 39, 161. What the borders' jumps spread over all frequencies would read as texture once the
    lattice is out.
    """
    jump = np.zeros_like(values)
    for axis in (0, 1):
        step = np.take(values, -1, axis) - np.take(values, 0, axis)
        first, last = (slice(None),) * axis + (0,), (slice(None),) * axis + (-1,)
        jump[first] += step
        jump[last] -= step
    ky, kx = (2.0 * np.cos(2.0 * np.pi * fft.fftfreq(n)) for n in values.shape)
    laplacian = ky[:, None] + kx[None, :] - 4.0
    laplacian[0, 0] = 1.0
    smooth = fft.fft2(jump) / laplacian
    smooth[0, 0] = 0.0
    return np.asarray(values - fft.ifft2(smooth).real)


def _without_lattice(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The texture band of an image without its lattice: the reflections seen, and their rings.

    A second grain, or the rim of one, has its reflections on the same rings even where too few to be seen.
    """
    ky, kx = (fft.fftfreq(n) for n in values.shape)
    radius = np.hypot(ky[:, None], kx[None, :])
    tapered = values * np.outer(*(np.hanning(n) for n in values.shape))
    power = ndimage.gaussian_filter(np.abs(fft.fft2(tapered)) ** 2, 1.0, mode="wrap")
    ring = np.round(radius * min(values.shape) / 2).astype(int)
    floor = ndimage.median(power, ring, np.arange(ring.max() + 1))[ring]
    peaks = (power > PEAK * floor) & (radius > LOWEST)
    notch = ndimage.gaussian_filter(ndimage.binary_dilation(peaks, iterations=2).astype(np.float64), 1.0, mode="wrap")
    for length in _ring_lengths(radius, power, (power > STRONG * floor) & (radius > LOWEST)):
        notch = np.maximum(notch, np.exp(-0.5 * ((radius - length) / RING) ** 4))
    band = (1.0 - np.exp(-0.5 * (radius / BAND[0]) ** 4)) * np.exp(-0.5 * (radius / BAND[1]) ** 4)
    return np.asarray(fft.ifft2(fft.fft2(values) * (1.0 - notch) * band).real)


def _ring_lengths(
    radius: NDArray[np.float64], power: NDArray[np.float64], strong: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Lengths in 1/pixel of the reflections, from the power of the strong frequencies by radius."""
    if not strong.any():
        return np.empty(0)
    by_radius, edges = np.histogram(radius[strong], bins=128, range=(0.0, 0.5), weights=power[strong])
    middles = np.asarray(0.5 * (edges[1:] + edges[:-1]), dtype=np.float64)
    return np.asarray(middles[by_radius > RING_SHARE * by_radius.max()])


def _clean_level(height: NDArray[np.float64]) -> float:
    """The lowest well-populated peak of the histogram: contamination may cover more of the image than it leaves."""
    counts, edges = np.histogram(height, bins=60)
    smooth = np.concatenate([[0.0], ndimage.gaussian_filter1d(counts.astype(np.float64), 1.5), [0.0]])
    middle = smooth[1:-1]
    peak = (middle >= smooth[:-2]) & (middle >= smooth[2:]) & (middle > CLEAN_LEVEL * middle.max())
    first = int(np.argmax(peak))
    return float(0.5 * (edges[first] + edges[first + 1]))


def _rough_patches(texture: NDArray[np.float64]) -> NDArray[np.bool_]:
    """What is possibly contamination and hangs on a sure core."""
    from skimage.filters import apply_hysteresis_threshold

    return np.asarray(apply_hysteresis_threshold(texture, POSSIBLE, SURE) > 0)  # type: ignore[no-untyped-call]


def _edge_level(
    variance: NDArray[np.float64], rough: NDArray[np.bool_], clean: float, grain: float
) -> NDArray[np.float64]:
    """The variance at a patch's edge: between the clean one and the mean of the patch within two grains.

    One threshold for all would lose faint patches or widen strong ones, whose variance is blurred outwards.
    """
    weight = ndimage.gaussian_filter(rough.astype(np.float64), 2.0 * grain)
    own = ndimage.gaussian_filter(variance * rough, 2.0 * grain) / np.maximum(weight, 1e-6)
    return np.asarray(clean + EDGE * (own - clean))


def _tidied(mask: NDArray[np.bool_], grain: float) -> NDArray[np.bool_]:
    """Patches closed over small gaps, without specks and pinholes, and cut from the thin rims of crystal grains."""
    from skimage.morphology import disk, remove_small_holes, remove_small_objects

    margin = int(np.ceil(CLOSED * grain)) + 4
    inner = (slice(margin, -margin),) * 2
    first = disk(max(1, round(0.75 * grain)))  # type: ignore[no-untyped-call]
    mask = ndimage.binary_closing(np.pad(mask, margin, mode="edge"), first)[inner]
    mask = remove_small_objects(mask, max_size=int(LEAST_AREA * grain**2))
    mask = remove_small_holes(mask, max_size=int(LARGEST_HOLE * grain**2))
    wide: NDArray[np.bool_] = np.pad(mask, margin, mode="edge")
    wide = ndimage.binary_closing(wide, disk(round(CLOSED * grain)))  # type: ignore[no-untyped-call]
    wide = ndimage.binary_opening(wide, disk(round(OPENED * grain)))  # type: ignore[no-untyped-call]
    return wide[inner]

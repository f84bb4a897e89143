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

PEAK = 6.0
"""Power over the median of its ring from which a frequency belongs to the lattice."""

LOWEST = 0.05
"""Frequency in 1/pixel below which nothing is taken for lattice."""

SURE, POSSIBLE = 0.7, 0.5
"""Log variance, from 0 (clean) to 1 (the strongest half percent), of a patch's core and of what hangs on it."""

CLEAN_LEVEL, TOP_LEVEL = 0.25, 0.995
"""Least height of the clean area's peak in the histogram, over the highest; and the share that counts as strongest."""

LEAST_CONTRAST = 1.5
"""Log variance of the strongest texture over the clean area's below which nothing stands out: noise reaches 1.2."""


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
    residue = _band(values / values.std())
    variance = np.log(ndimage.gaussian_filter(residue**2, grain) + 1e-6)
    # At the border, where the lattice breaks off, some of it is left.
    margin = round(3 * grain)
    within = variance[margin:-margin, margin:-margin]
    clean, top = _clean_level(within), float(np.quantile(within, TOP_LEVEL))
    contrast = top - clean
    texture = (variance - clean) / max(contrast, 1e-6)
    if contrast < LEAST_CONTRAST:
        return Contamination(np.zeros(values.shape, dtype=bool), texture, contrast, "no_contrast")
    return Contamination(_patches(texture, grain), texture, contrast, "")


def _band(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The texture band of an image without the frequencies of its lattice."""
    ky, kx = (fft.fftfreq(n) for n in values.shape)
    radius = np.hypot(ky[:, None], kx[None, :])
    tapered = values * np.outer(*(np.hanning(n) for n in values.shape))
    power = ndimage.gaussian_filter(np.abs(fft.fft2(tapered)) ** 2, 1.0, mode="wrap")
    ring = np.round(radius * min(values.shape) / 2).astype(int)
    floor = ndimage.median(power, ring, np.arange(ring.max() + 1))[ring]
    peaks = (power > PEAK * floor) & (radius > LOWEST)
    notch = ndimage.gaussian_filter(ndimage.binary_dilation(peaks, iterations=2).astype(np.float64), 1.0, mode="wrap")
    lattice = fft.ifft2(fft.fft2(values) * notch).real
    band = (1.0 - np.exp(-0.5 * (radius / BAND[0]) ** 4)) * np.exp(-0.5 * (radius / BAND[1]) ** 4)
    return np.asarray(fft.ifft2(fft.fft2(values - lattice) * band).real)


def _clean_level(variance: NDArray[np.float64]) -> float:
    """The lowest well-populated peak of the histogram: contamination may cover more of the image than it leaves."""
    counts, edges = np.histogram(variance, bins=60)
    smooth = np.concatenate([[0.0], ndimage.gaussian_filter1d(counts.astype(np.float64), 1.5), [0.0]])
    middle = smooth[1:-1]
    peak = (middle >= smooth[:-2]) & (middle >= smooth[2:]) & (middle > CLEAN_LEVEL * middle.max())
    first = int(np.argmax(peak))
    return float(0.5 * (edges[first] + edges[first + 1]))


def _patches(texture: NDArray[np.float64], grain: float) -> NDArray[np.bool_]:
    """Patches with a sure core, closed over gaps of a grain, without specks and pinholes."""
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import disk, remove_small_holes, remove_small_objects

    mask = apply_hysteresis_threshold(texture, POSSIBLE, SURE)  # type: ignore[no-untyped-call]
    reach = max(1, round(0.75 * grain))
    wide = np.pad(mask, reach + 2, mode="edge")
    inner = slice(reach + 2, -reach - 2)
    closed = ndimage.binary_closing(wide, disk(reach))[inner, inner]  # type: ignore[no-untyped-call]
    closed = remove_small_objects(closed, max_size=int(5 * grain**2))
    return np.asarray(remove_small_holes(closed, max_size=int(25 * grain**2)), dtype=bool)

"""The image's spectrum, taken once: Bragg amplitudes with their noise floor, lattice removed, texture bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from depthlock.tem.lattice import CONTROL_AZIMUTH, Reflection

NOTCH = 0.22
"""Width (sigma) in 1/nm of the notch that takes a reflection out of the image: a crystal over 0.7 nm wide fits in."""


@dataclass(frozen=True)
class Demodulated:
    """A complex amplitude on a coarser grid.

    Attributes
    ----------
    amplitude : ndarray, shape (n_y, n_x), complex64
        Local Fourier coefficient at the frequency, in units of the image (half a fringe's amplitude).
    step : tuple of float
        Grid step in nm; the first point lies on the first pixel's centre.
    """

    amplitude: NDArray[np.complex64]
    step: tuple[float, float]


class ImageSpectrum:
    """FFT of a mean-free image, zero-padded so that borders do not wrap around.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x), float32
    pixel : tuple of float
        Pixel size in nm along y and x.
    margin : float
        Padding in nm.
    """

    def __init__(self, image: NDArray[np.float32], pixel: tuple[float, float], *, margin: float = 3.0) -> None:
        self.pixel = pixel
        self.shape = image.shape
        self.padded = tuple(
            int(fft.next_fast_len(n + int(np.ceil(margin / p)), real=True))
            for n, p in zip(image.shape, pixel, strict=True)
        )
        # A slowly varying background would leak through the borders into every band.
        sigma = [1.0 / p for p in pixel]
        background = _coarse_blur(image, sigma)
        self._spectrum: NDArray[np.complex64] = fft.rfft2(image - background, s=self.padded)
        self.background = background
        self._ky = fft.fftfreq(self.padded[0], pixel[0])
        self._kx = fft.rfftfreq(self.padded[1], pixel[1])

    def _band(self, rows: NDArray[np.int_], columns: NDArray[np.int_]) -> NDArray[np.complex64]:
        """Spectrum at signed bins; negative columns come from the Hermitian half."""
        stored = columns >= 0
        band = np.empty((rows.size, columns.size), dtype=np.complex64)
        band[:, stored] = self._spectrum[np.ix_(rows % self.padded[0], columns[stored])]
        band[:, ~stored] = self._spectrum[np.ix_(-rows % self.padded[0], -columns[~stored])].conj()
        return band

    def demodulate(self, ky: float, kx: float, sigma: float) -> Demodulated:
        """Local amplitude at a frequency, averaged over a Gaussian of standard deviation `sigma` nm.

        The band around the frequency is cut out and transformed back at its own size, so the result has about
        four points per sigma and costs little. Near the border the average is over what lies inside.
        """
        half = 1.0 / sigma  # exp(-2 pi^2) of the Gaussian window is left at this frequency
        sizes = [int(2 * np.ceil(half * n * p)) for n, p in zip(self.padded, self.pixel, strict=True)]
        sizes = [min(int(fft.next_fast_len(s)), n) for s, n in zip(sizes, self.padded, strict=True)]
        centres = [round(k * n * p) for k, n, p in zip((ky, kx), self.padded, self.pixel, strict=True)]
        rows, columns = (np.arange(-(s // 2), s - s // 2) + c for s, c in zip(sizes, centres, strict=True))
        band = self._band(rows, columns)
        # Frequencies counted from the wanted one, not from the nearest bin.
        offset_y = rows / (self.padded[0] * self.pixel[0]) - ky
        offset_x = columns / (self.padded[1] * self.pixel[1]) - kx
        window = np.exp(-2 * (np.pi * sigma) ** 2 * (offset_y[:, None] ** 2 + offset_x[None, :] ** 2))
        amplitude = fft.ifft2(fft.ifftshift(band * window.astype(np.float32)))
        scale = sizes[0] * sizes[1] / (self.padded[0] * self.padded[1])
        step = tuple(n * p / s for n, p, s in zip(self.padded, self.pixel, sizes, strict=True))
        inside = [int((n - 1) * p / h) + 1 for n, p, h in zip(self.shape, self.pixel, step, strict=True)]
        amplitude = amplitude[: inside[0], : inside[1]] * scale
        cover = [self._cover(axis, inside[axis], step[axis], sigma) for axis in (0, 1)]
        amplitude = amplitude / (cover[0][:, None] * cover[1][None, :])
        # The band was counted from the nearest bin: turn the rest of the carrier out.
        rest = [k - c / (n * p) for k, c, n, p in zip((ky, kx), centres, self.padded, self.pixel, strict=True)]
        carrier_y = np.exp(-2j * np.pi * rest[0] * step[0] * np.arange(inside[0]))
        carrier_x = np.exp(-2j * np.pi * rest[1] * step[1] * np.arange(inside[1]))
        return Demodulated(
            (amplitude * carrier_y[:, None] * carrier_x[None, :]).astype(np.complex64), (step[0], step[1])
        )

    def _cover(self, axis: int, count: int, step: float, sigma: float) -> NDArray[np.float64]:
        """Share of the Gaussian that lies inside the image, at each point of the coarse grid."""
        from scipy.special import ndtr

        at = np.arange(count) * step
        low, high = -0.5 * self.pixel[axis], (self.shape[axis] - 0.5) * self.pixel[axis]
        cover: NDArray[np.float64] = ndtr((high - at) / sigma) - ndtr((low - at) / sigma)
        return cover

    def lattice_removed(self, reflections: list[Reflection]) -> NDArray[np.float32]:
        """The image with its reflections (both signs) notched out."""
        rest = fft.irfft2(self._spectrum * self._notches(reflections), s=self.padded)
        return np.asarray(rest[: self.shape[0], : self.shape[1]] + self.background, dtype=np.float32)

    def texture(self, reflections: list[Reflection], low: float, high: float) -> NDArray[np.float32]:
        """The lattice-free image between two frequencies in 1/nm (Gaussian shoulders of 15 %)."""
        radius = np.hypot(self._ky[:, None].astype(np.float32), self._kx[None, :].astype(np.float32))
        band = np.clip((radius / low - 0.85) / 0.3, 0, 1) * np.clip((1.15 - radius / high) / 0.3, 0, 1)
        band *= self._notches(reflections)
        rest = fft.irfft2(self._spectrum * band, s=self.padded)
        return np.asarray(rest[: self.shape[0], : self.shape[1]], dtype=np.float32)

    def _notches(self, reflections: list[Reflection]) -> NDArray[np.float32]:
        keep = np.ones(self._spectrum.shape, dtype=np.float32)
        for reflection in reflections:
            for sign in (1, -1):
                distance_y = (self._ky - sign * reflection.ky)[:, None] / NOTCH
                distance_x = (self._kx - sign * reflection.kx)[None, :] / NOTCH
                rows, columns = np.abs(distance_y[:, 0]) < 5, np.abs(distance_x[0]) < 5
                hole = 1 - np.exp(-0.5 * (distance_y[rows] ** 2 + distance_x[:, columns] ** 2))
                keep[np.ix_(rows, columns)] *= hole.astype(np.float32)
        return keep


def _coarse_blur(image: NDArray[np.float32], sigma: list[float]) -> NDArray[np.float32]:
    """Gaussian blur by a wide kernel, in three running means (cost independent of the width)."""
    blurred = image
    for _ in range(3):
        for axis in (0, 1):
            width = 2 * round(sigma[axis]) + 1
            blurred = ndimage.uniform_filter1d(blurred, width, axis=axis, mode="nearest")
    return blurred


@dataclass(frozen=True)
class BraggMap:
    """Bragg power of all reflections on a coarse grid, and the amorphous power at the same frequencies.

    Attributes
    ----------
    power, floor : ndarray, shape (n_y, n_x), float32
        Sum over reflections of |amplitude|^2, and of that of the controls (smoothed over 2 nm).
    step : tuple of float
        Grid step in nm.
    """

    power: NDArray[np.float32]
    floor: NDArray[np.float32]
    step: tuple[float, float]

    @property
    def amplitude(self) -> NDArray[np.float32]:
        """Bragg amplitude above the floor, in units of the image."""
        amplitude: NDArray[np.float32] = np.sqrt(np.maximum(self.power - self.floor, 0))
        return amplitude


def bragg_map(spectrum: ImageSpectrum, reflections: list[Reflection], sigma: float = 0.6) -> BraggMap:
    """Demodulate every reflection and its controls at +-35 degrees (moved when they meet another reflection)."""
    powers, floors = [], []
    step = (1.0, 1.0)
    for reflection in reflections:
        peak = spectrum.demodulate(reflection.ky, reflection.kx, sigma)
        step = peak.step
        powers.append(np.abs(peak.amplitude) ** 2)
        for ky, kx in control_frequencies(reflection, reflections):
            floors.append(0.5 * np.abs(spectrum.demodulate(ky, kx, sigma).amplitude) ** 2)
    floor = ndimage.gaussian_filter(np.sum(floors, axis=0), [2.0 / h for h in step], mode="nearest")
    return BraggMap(np.sum(powers, axis=0).astype(np.float32), floor.astype(np.float32), step)


def control_frequencies(
    reflection: Reflection, reflections: list[Reflection], *, clearance: float = 0.7
) -> list[tuple[float, float]]:
    """Two frequencies (1/nm) of the same |g| at about +-35 degrees, moved off other reflections by `clearance`."""
    found = []
    for sign in (1, -1):
        candidates = []
        for extra in np.deg2rad([0.0, 8.0, -8.0, 16.0, -16.0]):
            turn = sign * (CONTROL_AZIMUTH + extra)
            ky = reflection.ky * np.cos(turn) + reflection.kx * np.sin(turn)
            kx = reflection.kx * np.cos(turn) - reflection.ky * np.sin(turn)
            distance = min(np.hypot(ky - other * r.ky, kx - other * r.kx) for r in reflections for other in (1, -1))
            candidates.append((min(float(distance), clearance), (float(ky), float(kx))))
        found.append(max(candidates, key=lambda candidate: candidate[0])[1])
    return found

"""The image's spectrum, taken once: Bragg amplitudes with their noise floor, lattice removed, texture bands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from depthlock.tem.background import Background
from depthlock.tem.field import Field
from depthlock.tem.lattice import CONTROL_AZIMUTH, Reflection
from depthlock.tem.threads import on_threads, thread_count

NOTCH = 0.22
"""Width (sigma) in 1/nm of the notch that takes a reflection out of the image: a crystal over 0.7 nm wide fits in."""

COHERENT = 2.5
"""Length in nm (sigma) over which a crystal's fringes keep their phase."""

FINEST = 10.0
"""Frequency in 1/nm up to which the brightness is kept: finer than any boundary, and coarser than most pixels."""

ROWS = 256
"""Rows of an image that a thread takes at once."""


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
        self.background = Background.of(image, pixel)
        y, x = (np.arange(n) * p for n, p in zip(image.shape, pixel, strict=True))
        rest = np.zeros(self.padded, dtype=np.float32)

        def fill(start: int) -> None:
            rows = slice(start, min(start + ROWS, image.shape[0]))
            np.subtract(image[rows], self.background.rows(y[rows], x), out=rest[rows, : image.shape[1]])

        on_threads(fill, range(0, image.shape[0], ROWS))
        self._spectrum: NDArray[np.complex64] = fft.rfft2(rest, workers=thread_count(), overwrite_x=True)

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

    def brightness(self, reflections: list[Reflection], limit: float = FINEST) -> Field:
        """The image up to a frequency in 1/nm with its reflections (both signs) notched out."""
        field = self._filtered(limit, lambda ky, kx: _notches(ky, kx, reflections))
        y, x = (np.arange(n) * h for n, h in zip(field.values.shape, field.step, strict=True))

        def fill(start: int) -> None:
            rows = slice(start, start + ROWS)
            field.values[rows] += self.background.rows(y[rows], x)

        on_threads(fill, range(0, y.size, ROWS))
        return field

    def texture(self, reflections: list[Reflection], low: float, high: float) -> Field:
        """Square of the lattice-free image between two frequencies in 1/nm (Gaussian shoulders of 15 %)."""

        def band(ky: NDArray[np.float32], kx: NDArray[np.float32]) -> NDArray[np.float32]:
            radius = np.hypot(ky[:, None], kx[None, :])
            weight = np.clip((radius / low - 0.85) / 0.3, 0, 1) * np.clip((1.15 - radius / high) / 0.3, 0, 1)
            return np.asarray(weight * _notches(ky, kx, reflections))

        # Half as fine again as the band: what the square's upper frequencies fold onto is no texture's size.
        field = self._filtered(1.5 * high, band)
        np.square(field.values, out=field.values)
        return field

    def _filtered(
        self, limit: float, weight: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
    ) -> Field:
        """The weighted image transformed back on a grid just fine enough for frequencies up to `limit`."""
        sizes = [
            min(int(fft.next_fast_len(int(np.ceil(2 * limit * n * p)) + 1, real=True)), n)
            for n, p in zip(self.padded, self.pixel, strict=True)
        ]
        step = [n * p / s for n, p, s in zip(self.padded, self.pixel, sizes, strict=True)]
        ky = fft.fftfreq(sizes[0], step[0]).astype(np.float32)
        kx = fft.rfftfreq(sizes[1], step[1]).astype(np.float32)
        rows = np.round(ky * (self.padded[0] * self.pixel[0])).astype(int)
        band = self._spectrum[rows, : kx.size] * weight(ky, kx)
        band *= np.float32(sizes[0] * sizes[1] / (self.padded[0] * self.padded[1]))
        values = fft.irfft2(band, s=sizes, workers=thread_count(), overwrite_x=True)
        extent = [(n - 1) * p for n, p in zip(self.shape, self.pixel, strict=True)]
        inside = [int(e / h + 1e-9) + 1 for e, h in zip(extent, step, strict=True)]
        values = np.ascontiguousarray(values[: inside[0], : inside[1]], dtype=np.float32)
        return Field(values, (step[0], step[1]), (extent[0], extent[1]))


def _notches(ky: NDArray[np.float32], kx: NDArray[np.float32], reflections: list[Reflection]) -> NDArray[np.float32]:
    """1 but for a hole at each reflection and its opposite."""
    keep = np.ones((ky.size, kx.size), dtype=np.float32)
    for reflection in reflections:
        for sign in (1, -1):
            distance_y = (ky - sign * reflection.ky) / NOTCH
            distance_x = (kx - sign * reflection.kx) / NOTCH
            rows, columns = np.flatnonzero(np.abs(distance_y) < 5), np.flatnonzero(np.abs(distance_x) < 5)
            hole = 1 - np.exp(-0.5 * (distance_y[rows, None] ** 2 + distance_x[None, columns] ** 2))
            keep[np.ix_(rows, columns)] *= hole.astype(np.float32)
    return keep


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

    @classmethod
    def nothing(cls, shape: tuple[int, ...], step: tuple[float, float]) -> BraggMap:
        """The map of an image without reflections."""
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32), step)


def bragg_map(spectrum: ImageSpectrum, reflections: list[Reflection], sigma: float = 0.6) -> BraggMap:
    """Demodulate every reflection and its controls at +-35 degrees (moved when they meet another reflection)."""
    peaks = [(reflection.ky, reflection.kx) for reflection in reflections]
    controls = [control for reflection in reflections for control in control_frequencies(reflection, reflections)]
    bands = on_threads(lambda at: spectrum.demodulate(*at, sigma), peaks + controls)
    powers = [np.abs(band.amplitude) ** 2 for band in bands]
    step = bands[0].step
    floor = 0.5 * np.sum(powers[len(peaks) :], axis=0)
    floor = ndimage.gaussian_filter(floor, [2.0 / h for h in step], mode="nearest")
    return BraggMap(np.sum(powers[: len(peaks)], axis=0).astype(np.float32), floor.astype(np.float32), step)


def coherent_amplitude(
    spectrum: ImageSpectrum, reflections: list[Reflection], sigma: float = 0.6
) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Bragg amplitude in phase with the crystal nearby, on a coarse grid, and the grid's step in nm.

    Unlike a modulus it is linear in the crystal's share and of mean 0 where there is none, so that half of it is the
    crystal's edge whatever the noise. The reflections count by their strength nearby: sum Re(A S*) / sqrt(sum |S|^2),
    S the amplitude averaged over COHERENT nm.

    Parameters
    ----------
    spectrum : ImageSpectrum
    reflections : list of Reflection
        Refined: their phases must hold over COHERENT nm.
    sigma : float
        nm.
    """
    bands = on_threads(lambda one: spectrum.demodulate(one.ky, one.kx, sigma), reflections)
    step = bands[0].step
    width = [COHERENT / h for h in step]

    def nearby(band: Demodulated) -> NDArray[np.complex64]:
        parts = (
            ndimage.gaussian_filter(part, width, mode="nearest") for part in (band.amplitude.real, band.amplitude.imag)
        )
        return np.asarray(next(parts) + 1j * next(parts), dtype=np.complex64)

    crystal = on_threads(nearby, bands)
    pairs = list(zip(bands, crystal, strict=True))
    projected = np.sum([(band.amplitude * mean.conj()).real for band, mean in pairs], axis=0)
    norm = np.sqrt(np.sum([np.abs(mean) ** 2 for mean in crystal], axis=0))
    return np.asarray(projected / np.maximum(norm, 1e-12), dtype=np.float32), step


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

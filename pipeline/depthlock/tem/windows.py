"""Power spectra of overlapping Hann windows of an image, on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from depthlock.tem.threads import on_threads

WINDOW = 3.8
"""Side in nm of the windows of the power spectra (SCIENCE 4: windows of about 3.8 nm)."""

ROWS = 8
"""Rows of windows that are transformed together, and that make one Dask block."""

SIDE_BY_SIDE = 16
"""Windows of a row that are transformed at once: what they take stays in the processor's cache."""


@dataclass(frozen=True)
class Spectra:
    """Power spectra of overlapping windows.

    Attributes
    ----------
    power : ndarray, shape (n_windows_y, n_windows_x, n_ky, n_kx), float32
        |FFT|^2 of the windowed, mean-free image over the window's energy; ky ascending, kx >= 0.
    ky, kx : ndarray
        Frequencies in 1/nm.
    y, x : ndarray
        Window centres in nm.
    """

    power: NDArray[np.float32]
    ky: NDArray[np.float64]
    kx: NDArray[np.float64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]

    @cached_property
    def relative(self) -> NDArray[np.float32]:
        """Power of each window over the median of its ring; shape of `power`."""
        members = rings(self.ky, self.kx, float(self.kx[1] - self.kx[0]))
        relative = np.empty_like(self.power)

        def fill(first: int) -> None:
            rows = slice(first, first + ROWS)
            power, over = (array[rows].reshape(-1, array.shape[2] * array.shape[3]) for array in (self.power, relative))
            for ring in members:
                values = np.take(power, ring, axis=-1)
                floor = np.median(values, axis=-1, keepdims=True)
                over[:, ring] = values / np.where(floor > 0, floor, np.inf)

        on_threads(fill, range(0, len(self.power), ROWS))
        return relative


@dataclass(frozen=True)
class WindowGrid:
    """Where the windows lie, and their spectra a row at a time.

    Attributes
    ----------
    pixel : tuple of float
        Pixel size in nm along y and x.
    size : tuple of int
        Pixels of a window.
    rows, columns : ndarray of int
        First pixel of each window.
    limit : float
        Largest |ky| and kx kept, 1/nm.
    """

    pixel: tuple[float, float]
    size: tuple[int, int]
    rows: NDArray[np.int_]
    columns: NDArray[np.int_]
    limit: float

    @classmethod
    def lay(
        cls, shape: tuple[int, int], pixel: tuple[float, float], window: float, step: float, limit: float
    ) -> WindowGrid:
        """Lay windows of about `window` nm, of a length whose FFT is fast, every `step` nm over `shape` pixels."""
        sides = [int(np.clip(_fast_side(window / p), 8, n)) for p, n in zip(pixel, shape, strict=True)]
        hops = [max(1, round(step / p)) for p in pixel]
        rows, columns = (np.arange(0, n - m + 1, h) for n, m, h in zip(shape, sides, hops, strict=True))
        return cls(pixel, (sides[0], sides[1]), rows, columns, limit)

    @property
    def frequencies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequencies ky (ascending) and kx (from 0) in 1/nm, up to the limit."""
        ky = fft.fftshift(fft.fftfreq(self.size[0], self.pixel[0]))
        kx = fft.rfftfreq(self.size[1], self.pixel[1])
        return ky[np.abs(ky) <= self.limit], kx[kx <= self.limit]

    @property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Window centres y and x in nm from the first pixel's centre."""
        y, x = (
            np.asarray((starts + (n - 1) / 2) * p, dtype=np.float64)
            for starts, n, p in zip((self.rows, self.columns), self.size, self.pixel, strict=True)
        )
        return y, x

    @property
    def blocks(self) -> list[slice]:
        """Rows of windows that are transformed together."""
        return [slice(first, min(first + ROWS, self.rows.size)) for first in range(0, self.rows.size, ROWS)]

    def cut(self, image: Any, block: slice) -> tuple[Any, NDArray[np.int_]]:
        """The rows of an image (of any kind) that a block of windows covers, and where in them each row starts."""
        rows = self.rows[block]
        return image[rows[0] : rows[-1] + self.size[0]], rows - rows[0]

    def block_power(
        self, band: NDArray[np.floating], starts: NDArray[np.int_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Power and mean of some rows of windows.

        The taper is a product, so the transform along x of a row of pixels serves all the windows that share it.

        Parameters
        ----------
        band : ndarray, shape (n_y, n_x)
            The rows of the image that the windows cover.
        starts : ndarray of int, shape (n_rows,)
            First pixel of each row of windows, counted from the band's own.

        Returns
        -------
        power : ndarray, shape (n_rows, n_windows, n_ky, n_kx)
        mean : ndarray, shape (n_rows, n_windows)
            Mean under the taper, in units of the image.
        """
        tapers = [np.hanning(n + 2)[1:-1].astype(np.float32) for n in self.size]
        ky = fft.fftshift(fft.fftfreq(self.size[0], self.pixel[0]))
        kept_y = fft.fftshift(np.arange(self.size[0]))[np.abs(ky) <= self.limit]
        centre, n_kx = int(np.flatnonzero(kept_y == 0)[0]), self.frequencies[1].size
        # What a mean of 1 leaves in the spectrum.
        offset = np.outer(fft.fft(tapers[0])[kept_y], fft.rfft(tapers[1])[:n_kx])
        scale = np.float32(1.0 / np.prod([float((taper**2).sum()) for taper in tapers]))
        whole = float(tapers[0].sum()) * float(tapers[1].sum())
        power = np.empty((starts.size, self.columns.size, kept_y.size, n_kx), dtype=np.float32)
        mean = np.empty(power.shape[:2], dtype=np.float32)
        tiles = np.lib.stride_tricks.sliding_window_view(band, self.size[1], axis=1)
        for first in range(0, self.columns.size, SIDE_BY_SIDE):
            some = slice(first, first + SIDE_BY_SIDE)
            along_x = np.ascontiguousarray(fft.rfft(tiles[:, self.columns[some]] * tapers[1])[..., :n_kx])
            for row, start in enumerate(starts):
                window = along_x[start : start + self.size[0]] * tapers[0][:, None, None]
                spectrum = fft.fft(window, axis=0, overwrite_x=True)[kept_y].transpose(1, 0, 2)
                mean[row, some] = window_mean = spectrum[:, centre, 0].real / whole
                spectrum -= window_mean[:, None, None] * offset
                power[row, some] = (spectrum.real**2 + spectrum.imag**2) * scale
        return power, mean


def rings(
    ky: NDArray[np.float64], kx: NDArray[np.float64], width: float, k_range: tuple[float, float] = (0.0, np.inf)
) -> list[NDArray[np.intp]]:
    """Channels of a plane of spectra, flattened, by distance from 0: rings of `width`, within a range of k, in 1/nm."""
    radius = np.hypot(np.asarray(ky)[:, None], np.asarray(kx)[None, :]).ravel()
    ring = np.round(radius / width).astype(int)
    inside = (radius >= k_range[0]) & (radius <= k_range[1])
    return [np.flatnonzero(inside & (ring == number)) for number in np.unique(ring[inside])]


def _fast_side(side: float) -> int:
    """The length nearest to `side` pixels whose FFT is fast: one of a large prime factor takes three times as long."""
    above = int(fft.next_fast_len(max(1, round(side)), real=True))
    below = int(fft.prev_fast_len(max(1, round(side)), real=True))
    return above if above - side <= side - below else below


def windowed_spectra(
    image: NDArray[np.float32],
    pixel: tuple[float, float],
    *,
    limit: float,
    window: float = WINDOW,
    step: float | None = None,
) -> Spectra:
    """Hann-windowed power spectra on a regular grid of windows.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
    pixel : tuple of float
        Pixel size in nm along y and x.
    limit : float
        Largest frequency kept, 1/nm.
    window : float
        Side of a window in nm.
    step : float, optional
        Distance of the windows in nm; half a window if absent.

    Returns
    -------
    Spectra
        The memory beside the result is that of one row of windows a thread.
    """
    shape = (image.shape[0], image.shape[1])
    grid = WindowGrid.lay(shape, pixel, window, window / 2 if step is None else step, limit)
    ky, kx = grid.frequencies
    power = np.empty((grid.rows.size, grid.columns.size, ky.size, kx.size), dtype=np.float32)

    def fill(block: slice) -> None:
        power[block], _ = grid.block_power(*grid.cut(image, block))

    on_threads(fill, grid.blocks)
    y, x = grid.centres
    return Spectra(power, ky, kx, y, x)

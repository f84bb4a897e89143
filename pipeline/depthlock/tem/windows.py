"""Power spectra of overlapping Hann windows of an image, on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from depthlock.tem.threads import on_threads

WINDOW = 3.8
"""Side in nm of the windows of the power spectra (SCIENCE 4: windows of about 3.8 nm)."""


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

    def taper(self) -> NDArray[np.float32]:
        """The Hann window, shape `size`."""
        sides = [np.hanning(n + 2)[1:-1] for n in self.size]
        return np.outer(*sides).astype(np.float32)

    def row_power(self, band: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Power and mean of one row of windows.

        Parameters
        ----------
        band : ndarray, shape (size[0], n_x)
            The rows of the image that the windows cover.

        Returns
        -------
        power : ndarray, shape (n_windows, n_ky, n_kx)
        mean : ndarray, shape (n_windows,)
            Mean under the taper, in units of the image.
        """
        taper = self.taper()
        tiles = np.lib.stride_tricks.sliding_window_view(band, self.size[1], axis=1)[:, self.columns]
        tiles = tiles.transpose(1, 0, 2)
        mean = np.einsum("tyx,yx->t", tiles, taper) / float(taper.sum())
        spectrum = np.abs(fft.rfft2((tiles - mean[:, None, None]) * taper)) ** 2 / float((taper**2).sum())
        ky = fft.fftshift(fft.fftfreq(self.size[0], self.pixel[0]))
        kx = fft.rfftfreq(self.size[1], self.pixel[1])
        kept = fft.fftshift(spectrum, axes=1)[:, np.abs(ky) <= self.limit][:, :, kx <= self.limit]
        return kept.astype(np.float32, copy=False), mean.astype(np.float32)


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

    def fill(row: int) -> None:
        top = grid.rows[row]
        power[row], _ = grid.row_power(image[top : top + grid.size[0]])

    on_threads(fill, range(grid.rows.size))
    y, x = grid.centres
    return Spectra(power, ky, kx, y, x)

"""Diffraction of every place: windowed power spectra of an image, or a 4D-STEM scan, and the maps made of them.

Both are a lazy `pyxem.signals.Diffraction2D` on Dask, the place as navigation and the pattern as signal, calibrated in
nm and 1/nm, so that everything below, and all of pyxem, takes either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.tem.windows import WINDOW, WindowGrid, rings

if TYPE_CHECKING:
    from pyxem.signals import LazyDiffraction2D, PolarDiffraction2D

STEP = 0.5
"""Distance in nm of the windows."""

LIMIT = 4.5
"""Largest frequency in 1/nm."""

LATTICE_RANGE = (1.25, LIMIT)
"""Frequencies in 1/nm of lattice spacings: the longer ones drown in the edges' own spectrum."""


BLOCK = 32 * 2**20
"""Bytes of a scan's patterns in one Dask block."""


def windowed_diffraction(
    image: Any, pixel: tuple[float, float], *, window: float = WINDOW, step: float = STEP, limit: float = LIMIT
) -> LazyDiffraction2D:
    """Hann-windowed power spectra of an image as a scan of diffraction patterns.

    Parameters
    ----------
    image : array, shape (n_y, n_x)
        numpy or Dask; nothing is computed yet.
    pixel : tuple of float
        Pixel size in nm along y and x.
    window, step : float
        Side and distance of the windows in nm.
    limit : float
        Largest frequency in 1/nm.

    Returns
    -------
    LazyDiffraction2D
        float32, navigation (y, x) in nm, signal (ky, kx) in 1/nm: |FFT|^2 over the taper's energy and the window's
        mean, so that the shot noise of counted electrons has the level 1.
    """
    import dask.array as da
    from dask.delayed import delayed

    grid = WindowGrid.lay((int(image.shape[0]), int(image.shape[1])), pixel, window, step, limit)
    ky, kx = _full_plane(grid)
    blocks = []
    for rows in grid.blocks:
        band, starts = grid.cut(image, rows)
        block = delayed(_block_of_patterns, pure=True)(band, grid, starts)
        shape = (starts.size, grid.columns.size, ky.size, kx.size)
        blocks.append(da.from_delayed(block, shape, dtype=np.float32))  # type: ignore[no-untyped-call]
    y, x = grid.centres
    hops = [float(np.diff(axis).mean()) if axis.size > 1 else step for axis in (y, x)]
    return _signal(
        da.concatenate(blocks, axis=0),  # type: ignore[no-untyped-call]
        (hops[0], hops[1]),
        (float(ky[1] - ky[0]), float(kx[1] - kx[0])),
        (float(-ky[0] / (ky[1] - ky[0])), float(-kx[0] / (kx[1] - kx[0]))),
        (float(y[0]), float(x[0])),
    )


def scan_diffraction(
    patterns: Any,
    scan_step: tuple[float, float],
    k_step: tuple[float, float],
    centre: tuple[float, float] | None = None,
) -> LazyDiffraction2D:
    """A measured 4D-STEM scan in the same form.

    Parameters
    ----------
    patterns : array, shape (n_y, n_x, n_ky, n_kx)
        numpy or Dask, for instance the `data` of what rsciio reads.
    scan_step : tuple of float
        Distance of the probe positions in nm along y and x.
    k_step : tuple of float
        1/nm a detector pixel along ky and kx.
    centre : tuple of float, optional
        The direct beam (row, column) in pixels; the brightest place of the mean pattern, to a tenth of a pixel,
        if absent.

    Raises
    ------
    MeasurementError
        When the array has not four dimensions, or a step is not positive.
    """
    import dask.array as da

    steps = np.array([*scan_step, *k_step], dtype=float)
    if patterns.ndim != 4 or not np.all(np.isfinite(steps)) or np.any(steps <= 0):
        raise MeasurementError(
            f"an array of {patterns.ndim} dimensions with steps of {steps.tolist()}",
            expected="a 4D-STEM scan: positions y, x and a pattern ky, kx at each, with positive steps",
            hint="give the scan step in nm and the detector's in 1/nm",
        )
    lazy = da.asarray(patterns)  # type: ignore[no-untyped-call]
    lazy = lazy.rechunk(("auto", "auto", -1, -1), block_size_limit=BLOCK)
    if centre is None:
        centre = _direct_beam(np.asarray(lazy.mean(axis=(0, 1)).compute(), dtype=np.float64))
    return _signal(lazy, scan_step, k_step, centre, (0.0, 0.0))


def polar_spectra(
    signal: LazyDiffraction2D, *, k_range: tuple[float, float] = LATTICE_RANGE, radii: int = 14, azimuths: int = 72
) -> PolarDiffraction2D:
    """Every pattern on radius and azimuth: pyxem's azimuthal integration, as a mean, still lazy."""
    return signal.get_azimuthal_integral2d(
        npt=radii, npt_azim=azimuths, radial_range=k_range, mean=True, show_progressbar=False
    )


def crystallinity_map(
    signal: LazyDiffraction2D, *, k_range: tuple[float, float] = LATTICE_RANGE, ground: float = 0.0
) -> xr.DataArray:
    """Largest power over the median of its ring, at every place; `ground` as in :func:`ring_contrast`.

    Returns
    -------
    xr.DataArray
        dims y, x in nm, units ``"1"``. Shot noise and amorphous matter read about 9, fringes tens to thousands.
    """
    import dask.array as da

    ky, kx = (axis.axis for axis in signal.axes_manager.signal_axes[::-1])
    data = da.asarray(signal.data)  # type: ignore[no-untyped-call]
    data = data.rechunk((*data.chunks[:-2], -1, -1))
    contrast = data.map_blocks(ring_contrast, ky, kx, k_range, ground, dtype=np.float32, drop_axis=(2, 3))
    return _map_of(contrast.compute(), signal)


def virtual_annulus(signal: LazyDiffraction2D, inner: float, outer: float) -> xr.DataArray:
    """Power between two frequencies in 1/nm at every place: a virtual annular detector (pyxem's virtual image)."""
    import hyperspy.api as hs

    roi = hs.roi.CircleROI(cx=0.0, cy=0.0, r=outer, r_inner=inner)
    image = signal.get_integrated_intensity(roi)
    image.compute(show_progressbar=False)
    return _map_of(image.data, signal)


def ring_contrast(
    power: NDArray[np.floating],
    ky: NDArray[np.float64],
    kx: NDArray[np.float64],
    k_range: tuple[float, float] = LATTICE_RANGE,
    ground: float = 0.0,
) -> NDArray[np.float32]:
    """Azimuthal maximum over median of patterns, largest over the rings within `k_range`.

    Parameters
    ----------
    power : ndarray, shape (..., n_ky, n_kx)
        Whole patterns, or the half with kx >= 0 of a real image's.
    ky, kx : ndarray
        1/nm.
    k_range : tuple of float
        1/nm.
    ground : float
        Added to the median: for counted electrons one, so that single ones beside nothing do not read as spots.

    Returns
    -------
    ndarray, shape (...)
    """
    width = min(abs(float(ky[1] - ky[0])), abs(float(kx[1] - kx[0])))
    flat = power.reshape(*power.shape[:-2], -1)
    best = np.zeros(power.shape[:-2], dtype=np.float32)
    for members in rings(ky, kx, width, k_range):
        if members.size < 8:  # the corner of a plane is no ring
            continue
        values = np.take(flat, members, axis=-1)
        peak = values.max(axis=-1)
        floor = np.median(values, axis=-1, overwrite_input=True)
        # Few counted electrons can leave a median of nothing beside bright spots.
        floor = np.where(floor > 0, floor, values.mean(axis=-1))
        floor = floor + ground
        best = np.maximum(best, (peak / np.where(floor > 0, floor, np.inf)).astype(np.float32))
    return best


def _full_plane(grid: WindowGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frequencies of the whole plane, symmetric about 0."""
    planes = []
    for n, p in zip(grid.size, grid.pixel, strict=True):
        step = 1.0 / (n * p)
        # Below the Nyquist frequency, which an even number of pixels has on one side only.
        most = min(int(grid.limit / step + 1e-9), (n - 1) // 2)
        planes.append(np.asarray(np.arange(-most, most + 1) * step, dtype=np.float64))
    return planes[0], planes[1]


def _block_of_patterns(band: NDArray[np.floating], grid: WindowGrid, starts: NDArray[np.int_]) -> NDArray[np.float32]:
    """Whole-plane patterns of several rows of windows: the half at kx < 0 is the other one turned by 180 degrees."""
    full_y, full_x = _full_plane(grid)
    ky, _ = grid.frequencies
    middle, half_y, half_x = int(np.argmin(np.abs(ky))), full_y.size // 2, full_x.size // 2
    power, mean = grid.block_power(np.asarray(band, dtype=np.float32), starts)
    half = power[:, :, middle - half_y : middle + half_y + 1, : half_x + 1]
    # An image without a mean (background taken off) has no shot-noise level.
    half = np.asarray(half / np.where(mean > 0, mean, 1.0)[..., None, None], dtype=np.float32)
    return np.concatenate([half[:, :, ::-1, :0:-1], half], axis=3)


def _direct_beam(pattern: NDArray[np.float64]) -> tuple[float, float]:
    """Centre of gravity of what is over half the maximum, around the maximum."""
    from scipy import ndimage

    labels, _ = ndimage.label(pattern >= 0.5 * pattern.max())
    disk = labels == labels[np.unravel_index(int(np.argmax(pattern)), pattern.shape)]
    row, column = ndimage.center_of_mass(np.where(disk, pattern, 0.0))
    return float(row), float(column)


def _signal(
    data: Any,
    scan_step: tuple[float, float],
    k_step: tuple[float, float],
    centre: tuple[float, float],
    first: tuple[float, float],
) -> LazyDiffraction2D:
    import warnings

    with warnings.catch_warnings():
        # pyxem imports names that hyperspy has moved; its users can do nothing about it.
        warnings.simplefilter("ignore")
        from pyxem.signals import LazyDiffraction2D

    signal = LazyDiffraction2D(data)
    manager = signal.axes_manager
    # hyperspy counts axes from the fastest: x before y.
    for axis, name, scale, offset in zip(manager.navigation_axes, "xy", scan_step[::-1], first[::-1], strict=True):
        axis.name, axis.scale, axis.offset, axis.units = name, scale, offset, "nm"
    for axis, name, scale, zero in zip(manager.signal_axes, ("kx", "ky"), k_step[::-1], centre[::-1], strict=True):
        axis.name, axis.scale, axis.offset, axis.units = name, scale, -zero * scale, "1/nm"
    return signal


def _map_of(values: Any, signal: LazyDiffraction2D) -> xr.DataArray:
    x, y = (axis.axis for axis in signal.axes_manager.navigation_axes)
    coords = {"y": ("y", y, {"units": "nm"}), "x": ("x", x, {"units": "nm"})}
    shaped = np.asarray(values).reshape(len(y), len(x))
    return xr.DataArray(shaped, dims=("y", "x"), coords=coords, attrs={"units": "1"})

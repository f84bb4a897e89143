"""Counts of a stretch of flight time by scan and channel, corrected for dead time in groups of pixels of like rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from depthlock.tofsims.counting import correct_dead_time
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.field_of_view import FieldOfView
from depthlock.tofsims.mass_drift import MassDrift, steady_ions
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.raster import Raster
from depthlock.tofsims.spectrum import IonSlice

NEGLIGIBLE_RATE = 2e-5
"""Ions a pulse and dead time below which the correction is far under the counting error of any profile."""

_MOST_GROUPS = 8
_FEWEST_PULSES = 300
"""Pulses a group and scan below which the correction of a few counts would be too noisy."""

_MOST_BLOCKS = 12
_IONS_A_BLOCK = 3.0
"""Ions a pixel that an image of half a block should hold."""


@dataclass(frozen=True)
class Detector:
    """What must be known of the detector and its clock to count ions.

    Attributes
    ----------
    dead_bins : int or None
        Dead time in mass bins; None when nobody knows it.
    shots_per_pixel : float or None
        Pulses a pixel, frame and scan; None when nobody knows.
    drift : MassDrift or None
        Drift of flight times over the scans, which is taken out before ions are counted; None when it is not measured.
    """

    dead_bins: int | None
    shots_per_pixel: float | None
    drift: MassDrift | None = None

    @property
    def known(self) -> bool:
        """Whether counts can be corrected."""
        return self.dead_bins is not None and self.shots_per_pixel is not None

    def pulses(self, raster: Raster) -> float:
        """Pulses of the whole measurement; infinite where the dead time cannot be corrected."""
        if self.dead_bins is None or self.shots_per_pixel is None:
            return np.inf
        return raster.scans * raster.frames * raster.pixels * self.shots_per_pixel


@dataclass(frozen=True)
class Window:
    """Ions of a stretch of flight time.

    Attributes
    ----------
    edges : ndarray, shape (channel + 1,)
        In mass bins.
    counts : ndarray, shape (scan, channel)
        As detected.
    ions : ndarray, shape (scan, channel)
        Expected ions without dead time.
    variance : ndarray, shape (scan, channel)
        Of `ions`; channels are uncorrelated.
    pulses : ndarray, shape (scan,)
        Pulses a scan; NaN when unknown.
    rate : float
        Largest number of ions a pulse and window in a group of pixels of one scan; NaN when pulses are unknown.
    uneven : float
        What correcting in groups of like rate changed against correcting all pixels together, relative.
    saturated : bool
        Whether some channel was full.
    corrected : bool
        Whether the dead time was corrected or is negligible.
    """

    edges: FloatArray
    counts: FloatArray
    ions: FloatArray
    variance: FloatArray
    pulses: FloatArray
    rate: float
    uneven: float
    saturated: bool
    corrected: bool


def read_window(
    events: xr.Dataset, view: FieldOfView, detector: Detector, low: int, channel: int, channels: int
) -> Window:
    """Read `channels` channels of `channel` mass bins from mass bin `low` on.

    Parameters
    ----------
    events : xr.Dataset
        A `tofsims_events` dataset.
    view : FieldOfView
        Which of its ions count, and where they belong.
    detector : Detector
        Dead time and pulses.
    low, channel, channels : int
        First mass bin, mass bins a channel, number of channels.

    Returns
    -------
    Window

    Notes
    -----
    The correction is not linear, so it is applied to pixels of like rate. Groups are formed on the smoothed image of
    the other half of the scans: sorting pixels by the very counts that are corrected would sort their noise.
    """
    fine = _finer(channel)
    width = channel // fine
    dead = -(-detector.dead_bins // width) if detector.dead_bins is not None else 0
    raster = view.raster
    steady = steady_ions(events, raster, detector.drift, low - dead * width, low + channels * channel)
    ions, scan, place = _counted(steady, view)
    edges = low + channel * np.arange(channels + 1, dtype=np.float64)
    column = (ions.mass_bin - low) // width + dead
    size = channels * fine + dead
    flat = np.bincount(scan * size + column, weights=ions.count, minlength=raster.scans * size)
    table = flat.reshape(raster.scans, size).astype(np.float64)
    counts = _coarse(table[:, dead:], fine)
    if detector.shots_per_pixel is None:
        unknown = np.full(raster.scans, np.nan)
        return Window(
            edges, counts, counts.copy(), counts.copy(), unknown, np.nan, 0.0, saturated=False, corrected=False
        )
    shots = raster.frames * detector.shots_per_pixel
    pulses = view.pixels.astype(np.float64) * shots
    mean_rate = float(table.sum()) / max(float(pulses.sum()), 1.0)
    if detector.dead_bins is None or mean_rate < NEGLIGIBLE_RATE:
        known = detector.dead_bins is not None
        return Window(
            edges, counts, counts.copy(), counts.copy(), pulses, mean_rate, 0.0, saturated=False, corrected=known
        )
    number = int(np.clip(np.median(pulses) / _FEWEST_PULSES, 1, _MOST_GROUPS))
    groups, block = _rate_groups(ions.count, view, scan, place, number)
    chosen = groups[block[scan], scan % 2, place]
    grouped = np.bincount(
        (scan * number + chosen) * size + column, weights=ions.count, minlength=raster.scans * number * size
    ).reshape(raster.scans, number, size)
    group_pulses = _group_pixels(groups, block, view, number) * shots
    result = correct_dead_time(grouped, group_pulses, dead)
    even = correct_dead_time(table, pulses, dead).ions[:, dead:].sum()
    corrected = _coarse(result.ions.sum(axis=1)[:, dead:], fine)
    variance = _coarse(result.variance.sum(axis=1)[:, dead:], fine)
    return Window(
        edges=edges,
        counts=counts,
        ions=corrected,
        variance=variance,
        pulses=pulses,
        rate=float(np.max(-np.log1p(-np.minimum(grouped.sum(axis=2) / np.maximum(group_pulses, 1.0), 0.999)))),
        uneven=float(corrected.sum() / even - 1.0) if even > 0 else 0.0,
        saturated=result.saturated,
        corrected=True,
    )


def summed(window: Window, used: NDArray[np.bool_]) -> CountData:
    """Ions a channel over the used scans, with the variance that the dead-time correction gave them."""
    total = window.ions[used].sum(axis=0)
    variance = window.variance[used].sum(axis=0)
    ratio = max(float(variance.sum()) / max(float(total.sum()), 1e-12), 1.0) if total.sum() > 0 else 1.0
    return CountData(total, np.full(total.size, ratio), np.zeros(total.size))


def _finer(channel: int) -> int:
    """Into how many parts a channel is cut for the correction.

    The logarithm of a noisy share is biased by the share over twice the live pulses; in fine channels shares are small.
    """
    return next(parts for parts in (4, 3, 2, 1) if channel % parts == 0)


def _coarse(table: FloatArray, parts: int) -> FloatArray:
    """Sums of `parts` neighbouring columns."""
    return np.asarray(table.reshape(table.shape[0], -1, parts).sum(axis=2), dtype=np.float64)


def _classes(rate: FloatArray, number: int, fewest: int) -> NDArray[np.int64]:
    """Class of each pixel by equal steps of the rate; a class of fewer than `fewest` / 2 pixels joins the next."""
    low, high = np.percentile(rate, [1.0, 99.0])
    if high <= low:
        return np.zeros(rate.size, dtype=np.int64)
    step = np.clip((rate - low) / (high - low) * number, 0, number - 1).astype(np.int64)
    sizes = np.bincount(step, minlength=number)
    joined = np.zeros(number, dtype=np.int64)
    current, gathered = 0, 0
    for k in range(number):
        joined[k] = current
        gathered += int(sizes[k])
        if gathered >= fewest / 2 and sizes[k + 1 :].sum() >= fewest / 2:
            current, gathered = current + 1, 0
    return np.asarray(joined[step], dtype=np.int64)


def _counted(ions: IonSlice, view: FieldOfView) -> tuple[IonSlice, NDArray[np.int64], NDArray[np.int64]]:
    """The ions that count, with their scan and place in the sample."""
    counted, scan, place = view.locate(ions.pixel_id)
    return IonSlice(ions.mass_bin[counted], ions.pixel_id[counted], ions.count[counted]), scan, place


def _group_pixels(
    groups: NDArray[np.int64], block: NDArray[np.int64], view: FieldOfView, number: int
) -> NDArray[np.int64]:
    """Pixels that were measured in each group, shape (scan, group)."""
    if view.lag is None:
        pixels = [[np.bincount(half[view.inside], minlength=number) for half in pair] for pair in groups]
        return np.asarray(np.stack(pixels)[block, np.arange(block.size) % 2], dtype=np.int64)
    visits = [
        np.bincount(groups[block[scan], scan % 2], weights=view.visits(scan), minlength=number)
        for scan in range(block.size)
    ]
    return np.rint(np.stack(visits)).astype(np.int64)


def _rate_groups(
    count: NDArray[np.int64], view: FieldOfView, scan: NDArray[np.int64], place: NDArray[np.int64], number: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group of each pixel, and the block of each scan.

    Returns
    -------
    groups : ndarray, shape (block, 2, pixel)
        For scans of each parity, formed on scans of the other parity in the same block: structure changes with depth.
    block : ndarray, shape (scan,)
    """
    raster, inside = view.raster, view.inside
    pixels = max(int(inside.sum()), 1)
    per_half = float(count.sum()) / (2.0 * pixels)
    blocks = int(np.clip(per_half / _IONS_A_BLOCK, 1, max(min(_MOST_BLOCKS, raster.scans // 4), 1)))
    block = np.arange(raster.scans) * blocks // raster.scans
    parity = scan % 2 if raster.scans > 1 else np.ones_like(scan)
    index = (block[scan] * 2 + parity) * raster.pixels + place
    images = np.bincount(index, weights=count, minlength=blocks * 2 * raster.pixels)
    images = images.reshape(blocks, 2, raster.rows, raster.columns)
    groups = np.zeros((blocks, 2, raster.pixels), dtype=np.int64)
    for which in range(blocks):
        for half in (0, 1):
            image = images[which, 1 - half]
            mean = float(image.sum()) / pixels
            # Smooth until a pixel stands on some 30 ions, so that groups follow the sample and not the noise.
            wanted = np.ceil(np.sqrt(30.0 / mean)) if mean > 0 else 1.0
            span = int(np.clip(wanted, 1, max(min(raster.rows, raster.columns) // 8, 1)))
            smooth = _smoothed_inside(image, inside.reshape(image.shape), span).ravel()
            groups[which, half, inside] = _classes(smooth[inside], number, pixels // number)
    return groups, block


def _smoothed_inside(image: FloatArray, inside: NDArray[np.bool_], span: int) -> FloatArray:
    """Mean over `span` x `span` pixels, of the pixels inside only."""
    smooth = uniform_filter(image, span, mode="nearest")
    if inside.all():
        return np.asarray(smooth, dtype=np.float64)
    share = uniform_filter(inside.astype(np.float64), span, mode="nearest")
    return np.asarray(np.divide(smooth, share, out=np.zeros_like(smooth), where=share > 0), dtype=np.float64)

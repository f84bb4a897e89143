"""Where a boundary lies in one stretch of the layer after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.eds.slabs import Profiles, Slabs, Which, levels, slab_shapes

REACH = 4.0
"""Largest local departure of a boundary from its mean place, in its blur or pixels."""

COARSE = np.linspace(-1.0, 1.0, 33)
"""Moves that are tried first, over the largest."""

FINE = np.linspace(-3.5, 3.5, 15)
"""Moves that are tried around the best of them, in standard deviations."""

LEAST_ERROR = 0.02
"""Error of a place at least, in pixels."""


@dataclass(frozen=True)
class Pixels:
    """Pixels of a straightened layer.

    Attributes
    ----------
    counts : ndarray, shape (n_channels, n)
    distance, along : ndarray, shape (n,)
        Distance from the crystal's edge and arc length along it in nm.
    """

    counts: NDArray[np.float64]
    distance: NDArray[np.float64]
    along: NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """Places of a boundary in stretches.

    Attributes
    ----------
    along : ndarray, shape (n,)
        Arc length of the stretches' middles in nm.
    place, variance : ndarray, shape (n,)
        Distance from the crystal's edge in nm, and its error's variance in nm^2.
    """

    along: NDArray[np.float64]
    place: NDArray[np.float64]
    variance: NDArray[np.float64]


def local_places(
    pixels: Pixels, profiles: Profiles, slabs: Slabs, which: Which, length: float, step: float
) -> Places | None:
    """Places of a boundary in stretches of some length.

    Parameters
    ----------
    pixels : Pixels
    profiles : Profiles
        Of the same channels: they give the levels in crystal, layer and outside, and the counts' scatter.
    slabs : Slabs
        Fitted to all stretches together.
    which : str
        ``inner`` or ``outer``.
    length : float
        Length of a stretch in nm.
    step : float
        Width of a pixel in nm.

    Returns
    -------
    Places or None
        None where fewer than two stretches are seen. In each the boundary is moved to where the counts of the fitted
        slabs describe it best.
    """
    place = getattr(slabs, which)
    reach = REACH * max(getattr(slabs, f"{which}_blur"), step)
    near = np.abs(pixels.distance - place) < 2.0 * reach
    stretch = np.floor(pixels.along[near] / length).astype(int)
    if stretch.size == 0 or np.ptp(stretch) == 0:
        return None
    first = int(stretch.min())
    stretch -= first
    size = int(stretch.max()) + 1
    amounts, counts, distance = levels(profiles, slabs), pixels.counts[:, near], pixels.distance[near]

    def mean_and_variance(moves: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        gain = np.zeros(moves.shape)
        for number, move in enumerate(moves):
            expected = np.maximum(amounts @ slab_shapes(distance - move[stretch], slabs).T, 1e-4)
            terms = ((counts * np.log(expected) - expected) / profiles.scale[:, None]).sum(axis=0)
            gain[number] = np.bincount(stretch, weights=terms, minlength=size)
        weight = np.exp(gain - gain.max(axis=0))
        weight /= weight.sum(axis=0)
        mean = np.asarray((moves * weight).sum(axis=0), dtype=np.float64)
        variance = ((moves - mean) ** 2 * weight).sum(axis=0)
        return mean, np.asarray(np.maximum(variance, (LEAST_ERROR * step) ** 2), dtype=np.float64)

    best, variance = mean_and_variance(np.repeat(reach * COARSE[:, None], size, axis=1))
    # What is narrower than the coarse moves looks like a third of their step.
    width = np.maximum(np.sqrt(variance), 0.3 * reach * float(COARSE[1] - COARSE[0]))
    best, variance = mean_and_variance(best + width * FINE[:, None])
    seen = np.bincount(stretch, minlength=size) > 0
    along: NDArray[np.float64] = (first + 0.5 + np.arange(size, dtype=np.float64)) * length
    return Places(along[seen], place + best[seen], variance[seen])

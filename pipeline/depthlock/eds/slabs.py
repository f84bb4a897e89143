"""Crystal, layer and outside along the normal: three slabs with blurred boundaries, fitted to counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.special import ndtr

from depthlock.model.quantity import Quantity

Which = Literal["inner", "outer"]

WIDTH_16_84 = 2.0
"""16-84 % width of a Gaussian's integral over its standard deviation (1.99)."""

HALF_CHI2_95 = 0.5 * 3.8415
"""Fall of the logarithmic likelihood at the ends of a 95 % interval of one parameter."""


@dataclass(frozen=True)
class Slabs:
    """Positions in nm outward from the edge, and standard deviations of the boundaries' blur in nm.

    `outer` is infinite where nothing lies outside the layer.
    """

    inner: float
    inner_blur: float
    outer: float
    outer_blur: float


@dataclass(frozen=True)
class Profiles:
    """Counts of several channels in bins of the distance.

    Attributes
    ----------
    distance, pixels : ndarray, shape (n_bins,)
        Mean distance of the bin's pixels in nm, and their number.
    counts : ndarray, shape (n_channels, n_bins)
    scale : ndarray, shape (n_channels,)
        Variance of the counts over their mean.
    """

    distance: NDArray[np.float64]
    pixels: NDArray[np.float64]
    counts: NDArray[np.float64]
    scale: NDArray[np.float64]

    def channels(self, numbers: list[int]) -> Profiles:
        """Only some channels."""
        return replace(self, counts=self.counts[numbers], scale=self.scale[numbers])

    def between(self, low: float, high: float) -> Profiles:
        """Only bins between two distances."""
        keep = (self.distance >= low) & (self.distance <= high)
        return replace(self, distance=self.distance[keep], pixels=self.pixels[keep], counts=self.counts[:, keep])


def slab_shapes(distance: NDArray[np.float64], slabs: Slabs) -> NDArray[np.float64]:
    """Share of each slab at a distance.

    Returns
    -------
    ndarray, shape (n, 4)
        Crystal, layer falling linearly from its inner boundary, layer rising linearly to its outer one, outside. The
        layer's two add up to an even one. Where nothing lies outside, the layer reaches to the last distance.
    """
    open_end = not np.isfinite(slabs.outer)
    end = float(distance.max()) if open_end else slabs.outer
    thickness = max(end - slabs.inner, 1e-6)
    a = (distance - slabs.inner) / slabs.inner_blur
    crystal = ndtr(-a)
    if open_end:
        beyond = np.zeros_like(distance)
        last = np.zeros_like(distance)
    else:
        b = (distance - end) / slabs.outer_blur
        beyond = ndtr(b)
        last = slabs.outer_blur * _ramp(b)
    rising = np.clip((slabs.inner_blur * _ramp(a) - last) / thickness - beyond, 0.0, None)
    even = np.clip(1.0 - crystal - beyond, 0.0, None)
    return np.column_stack([crystal, np.clip(even - rising, 0.0, None), rising, beyond])


def _ramp(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the normal distribution function."""
    return np.asarray(z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))


def levels(profiles: Profiles, slabs: Slabs) -> NDArray[np.float64]:
    """Counts a pixel of every channel in each slab, of largest Poisson likelihood; shape (n_channels, 4)."""
    shapes = slab_shapes(profiles.distance, slabs) * profiles.pixels[:, None]
    used = shapes.sum(axis=0) > 1e-3 * profiles.pixels.sum() / max(profiles.distance.size, 1)
    found = np.zeros((len(profiles.counts), 4))
    for number, counts in enumerate(profiles.counts):
        expected = np.maximum(counts, 1.0)
        amounts = np.zeros(int(used.sum()))
        for _ in range(4):
            root = 1.0 / np.sqrt(np.maximum(expected, 0.3))
            amounts = nnls(shapes[:, used] * root[:, None], counts * root)[0]
            expected = shapes[:, used] @ amounts
        found[number, used] = amounts
    return found


def expected_counts(profiles: Profiles, slabs: Slabs) -> NDArray[np.float64]:
    """Expected counts, shape (n_channels, n_bins)."""
    shapes = slab_shapes(profiles.distance, slabs) * profiles.pixels[:, None]
    return np.asarray(levels(profiles, slabs) @ shapes.T)


def log_likelihood(profiles: Profiles, slabs: Slabs) -> float:
    """Quasi-Poisson logarithmic likelihood at the best levels."""
    expected = np.maximum(expected_counts(profiles, slabs), 1e-6)
    terms = profiles.counts * np.log(expected) - expected
    return float(np.sum(terms / profiles.scale[:, None]))


def dispersed(profiles: Profiles, slabs: Slabs, least: NDArray[np.float64]) -> Profiles:
    """With the scale at which what the slabs leave over is noise, at least `least` (n_channels,)."""
    expected = np.maximum(expected_counts(profiles, slabs), 0.5)
    left = np.sum((profiles.counts - expected) ** 2 / expected, axis=1)
    scale = left / max(profiles.distance.size - 6, 1)
    return replace(profiles, scale=np.maximum(scale, least))


@dataclass(frozen=True)
class Boundary:
    """A fitted boundary: its position and its blur in nm, each a scalar quantity."""

    position: Quantity
    blur: Quantity


def fit_boundary(profiles: Profiles, slabs: Slabs, which: Which, step: float) -> Slabs:
    """Slabs with the likeliest position and blur of one boundary, with the other held.

    Parameters
    ----------
    profiles : Profiles
    slabs : Slabs
        Start.
    which : str
        ``inner`` or ``outer``.
    step : float
        Width of a pixel in nm.
    """
    start = _position_and_blur(slabs, which)
    found = minimize(
        lambda x: -log_likelihood(profiles, _with(slabs, which, x[0], x[1], step)),
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": start + np.array([[0.0, 0.0], [step, 0.0], [0.0, 0.4]]),
            "xatol": 0.003 * step,
            "fatol": 0.003,
            "maxfev": 120,
        },
    )
    return _with(slabs, which, found.x[0], found.x[1], step)


def boundary_interval(profiles: Profiles, slabs: Slabs, which: Which, step: float) -> Boundary:
    """Position and blur of a fitted boundary with their profile-likelihood intervals; arguments as `fit_boundary`."""
    position, log_blur = _position_and_blur(slabs, which)
    best = log_likelihood(profiles, slabs)

    def fall(move: float, widening: float) -> float:
        return log_likelihood(profiles, _with(slabs, which, position + move, log_blur + widening, step)) - best

    moves = np.linspace(-2.4, 2.4, 13) * _reach(lambda move: fall(move, 0.0), step)
    widenings = np.linspace(-2.4, 2.4, 9) * _reach(lambda widening: fall(0.0, widening), 0.5)
    surface = np.array([[fall(move, widening) for widening in widenings] for move in moves])
    x = _from_profile(position + moves, surface.max(axis=1))
    w = _from_profile(log_blur + widenings, surface.max(axis=0))
    blur = float(np.exp(log_blur))
    return Boundary(
        Quantity(position, x[0], min(x[1], position), max(x[2], position)),
        Quantity(blur, blur * w[0], min(float(np.exp(w[1])), blur), max(float(np.exp(w[2])), blur)),
    )


def _position_and_blur(slabs: Slabs, which: Which) -> NDArray[np.float64]:
    return np.array([getattr(slabs, which), np.log(getattr(slabs, f"{which}_blur"))])


def _with(slabs: Slabs, which: Which, position: float, log_blur: float, step: float) -> Slabs:
    blur = float(np.exp(np.clip(log_blur, np.log(0.15 * step), np.log(30.0 * step))))
    if which == "inner":
        return replace(slabs, inner=float(position), inner_blur=blur)
    return replace(slabs, outer=float(position), outer_blur=blur)


def _reach(fall: Callable[[float], float], start: float) -> float:
    """Distance at which the likelihood has fallen by the 95 % limit, from its curvature there."""
    move = start
    for _ in range(12):
        drop = -0.5 * (fall(move) + fall(-move))
        if drop <= 1e-3:
            move *= 4.0
            continue
        wanted = move * float(np.sqrt(HALF_CHI2_95 / drop))
        if 0.7 < wanted / move < 1.4:
            return wanted
        move = float(np.clip(wanted, move / 6.0, move * 6.0))
    return move


def _from_profile(at: NDArray[np.float64], profile: NDArray[np.float64]) -> tuple[float, float, float]:
    """Standard deviation, and 95 % interval, from the fall of a profile likelihood around its maximum."""
    top = int(np.argmax(profile))
    drop = profile[top] - profile
    left = np.interp(-HALF_CHI2_95, -drop[: top + 1], at[: top + 1]) if top else at[0]
    right = np.interp(HALF_CHI2_95, drop[top:], at[top:]) if top < at.size - 1 else at[-1]
    weight = np.exp(-np.minimum(drop, 50.0))
    mean = float(np.sum(weight * at) / weight.sum())
    spread = float(np.sqrt(np.sum(weight * (at - mean) ** 2) / weight.sum()))
    return max(spread, float(right - left) / 6.0), float(left), float(right)

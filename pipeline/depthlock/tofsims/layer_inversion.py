"""A non-negative profile behind a blurred one: forward fit, smoothness by marginal likelihood, Laplace samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.quasi_poisson import CountData

MOST_NODES = 120
"""Nodes of a profile: closer ones than scans, or than a blur resolves, cost time and say nothing."""

ROUGHNESSES = np.geomspace(0.01, 8.0, 10)
"""Standard deviations of the logarithm's change over one blur length that are compared."""

WALK = 1.3
"""Order of the prior's difference operator. Layers have steps, for which a random walk (1) stands, and stretches that
are smooth, as its integral (2) is; in between, intervals hold both and stay narrow."""

LEVEL_STD = 3.0
"""Prior standard deviation of the profile's mean logarithm about that of the data."""

LOWEST = -12.0
"""Logarithm of the profile over its mean below which nothing is told apart from zero."""


@dataclass(frozen=True)
class Inversion:
    """Samples of a profile.

    Attributes
    ----------
    samples : ndarray, shape (sample, cell)
        In the units of the data.
    fitted : ndarray, shape (scan,)
        What the most probable profile looks like blurred.
    chi_square : float
        Mean squared residual over its variance.
    roughness : float
        Most probable standard deviation of the logarithm's change over one blur length.
    """

    samples: FloatArray
    fitted: FloatArray
    chi_square: float
    roughness: float


@dataclass(frozen=True)
class _Basis:
    """Logarithms at nodes, linear in between; `differences` of order `WALK` have unit variance at a roughness of 1."""

    hats: FloatArray
    differences: FloatArray
    level: FloatArray

    def precision(self, roughness: float) -> FloatArray:
        """Prior precision of the nodes: a fractional walk of that roughness about a level."""
        walk = self.differences.T @ self.differences / roughness**2
        return np.asarray(walk + np.outer(self.level, self.level) / LEVEL_STD**2)


@dataclass(frozen=True)
class _Mode:
    nodes: FloatArray
    mean: FloatArray
    curvature: FloatArray
    evidence: float


def invert(
    data: CountData, blurs: Sequence[FloatArray], blur_length: float, samples: int, random: np.random.Generator
) -> Inversion:
    """Sample the profiles that, blurred, explain counts.

    Parameters
    ----------
    data : CountData
        Shape (scan,).
    blurs : sequence of ndarray, shape (scan, cell)
        Weights with which the cells are seen, by equally likely depth responses; the first is the best one.
    blur_length : float
        Length of the blur, in cells.
    samples : int
        Number of samples, spread evenly over `blurs`.
    random : numpy Generator

    Returns
    -------
    Inversion

    Notes
    -----
    The logarithm of the profile is a fractional random walk (precision: a power of the squared difference operator)
    whose roughness is chosen by marginal likelihood (Laplace's approximation), averaged over those that the counts
    allow. Variances are widened where residuals exceed them.
    """
    scale = max(float(np.mean(np.maximum(data.values, 0.0))), 1e-9)
    basis = _basis(blurs[0].shape[1], blur_length)
    modes = _compared(data, blurs[0], basis, scale)
    best = max(modes, key=lambda roughness: modes[roughness].evidence)
    freedom = max(data.values.size - _effective(modes[best], basis, best), 1.0)
    misfit = float(np.sum((data.values - modes[best].mean) ** 2 / data.variance(modes[best].mean)) / freedom)
    if misfit > 1.0 + 2.0 * np.sqrt(2.0 / freedom):
        data = replace(data, dispersion=data.dispersion * misfit)
        modes = _compared(data, blurs[0], basis, scale)
        best = max(modes, key=lambda roughness: modes[roughness].evidence)
    roughnesses = np.array(list(modes))
    evidence = np.array([modes[one].evidence for one in modes])
    weight = np.exp(evidence - evidence.max())
    drawn = []
    for part, blur in zip(np.array_split(np.arange(samples), len(blurs)), blurs, strict=True):
        roughness = float(random.choice(roughnesses, p=weight / weight.sum()))
        mode = _mode(data, blur, basis, roughness, scale, modes[roughness].nodes)
        factor = np.linalg.cholesky(mode.curvature)
        normal = random.standard_normal((basis.hats.shape[1], part.size))
        nodes = mode.nodes[:, np.newaxis] + np.linalg.solve(factor.T, normal)
        drawn.append(scale * np.exp(np.clip(basis.hats @ nodes, LOWEST, -LOWEST)).T)
    return Inversion(np.concatenate(drawn), modes[best].mean, misfit, best)


def _basis(cells: int, blur_length: float) -> _Basis:
    count = int(np.clip(np.ceil(4.0 * cells / blur_length), 8, min(MOST_NODES, cells)))
    places = np.linspace(0.0, cells - 1.0, count)
    hats = np.stack([np.interp(np.arange(cells), places, unit) for unit in np.eye(count)], axis=1)
    step = max((places[1] - places[0]) / blur_length, 1e-9)
    first = np.diff(np.eye(count), axis=0)
    values, vectors = np.linalg.eigh(first.T @ first)
    differences = (vectors * np.maximum(values, 0.0) ** (0.5 * WALK)) @ vectors.T
    return _Basis(hats, differences / step ** (WALK - 0.5), np.full(count, 1.0 / count))


def _compared(data: CountData, blur: FloatArray, basis: _Basis, scale: float) -> dict[float, _Mode]:
    """The most probable profile at every roughness, the smooth ones first, each from the one before."""
    modes: dict[float, _Mode] = {}
    nodes = np.zeros(basis.hats.shape[1])
    for roughness in ROUGHNESSES:
        mode = _mode(data, blur, basis, float(roughness), scale, nodes)
        modes[float(roughness)] = mode
        nodes = mode.nodes
    return modes


def _effective(mode: _Mode, basis: _Basis, roughness: float) -> float:
    """Parameters that the counts determine rather than the prior."""
    prior = basis.precision(roughness)
    return float(len(prior) - np.trace(np.linalg.solve(mode.curvature, prior)))


def _mode(data: CountData, blur: FloatArray, basis: _Basis, roughness: float, scale: float, start: FloatArray) -> _Mode:
    """Damped Fisher scoring on the logarithm of the profile."""
    prior = basis.precision(roughness)

    def forward(nodes: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        cells = scale * np.exp(np.clip(basis.hats @ nodes, LOWEST, -LOWEST))
        mean = blur @ cells
        return cells, mean, 0.5 * data.deviance(mean) + 0.5 * float(nodes @ prior @ nodes)

    nodes = start.copy()
    cells, mean, cost = forward(nodes)
    damping, curvature = 1e-3, prior
    for _ in range(60):
        jacobian = (blur * cells) @ basis.hats
        weight = 1.0 / data.variance(mean)
        curvature = (jacobian * weight[:, np.newaxis]).T @ jacobian + prior
        gradient = jacobian.T @ (weight * (data.values - mean)) - prior @ nodes
        while damping < 1e8:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            trial = nodes + np.clip(step, -2.0, 2.0)
            tried = forward(trial)
            if tried[2] <= cost:
                break
            damping *= 6.0
        else:
            break
        gained = cost - tried[2]
        nodes, (cells, mean, cost) = trial, tried
        damping = max(0.2 * damping, 1e-9)
        if gained < 1e-3:
            break
    evidence = -cost + 0.5 * float(np.linalg.slogdet(prior)[1] - np.linalg.slogdet(curvature)[1])
    return _Mode(nodes, mean, curvature, evidence)

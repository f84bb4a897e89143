"""How likely a path of the sample is, given images of what it carries: structure that moves, fades and changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.tofsims.exponential_gauss import FloatArray

_TAPER = 0.3
"""Share of an image's side that is faded in and out, so that what leaves it does not come in on the other side."""

_FINEST = 0.35
"""Cycles a cell above which images hold only noise."""

_RING = 1.5
"""Width in cycles an image of the rings of wave numbers that share one power."""

_LEAST_POWER = 0.05
"""Power over the noise's from which a ring tells anything."""

_DEPENDENT = 3.0
"""How often one piece of evidence is counted: wave numbers of a tapered image are linked to their neighbours, and real
structure changes otherwise than by the law of its coherence."""


@dataclass(frozen=True)
class Structure:
    """What images show, in wave numbers.

    Attributes
    ----------
    waves : ndarray, shape (2, wave)
        Wave numbers along y and x, in radians a cell; one of each pair of opposite ones.
    transform : complex ndarray, shape (block, wave)
        Fourier transforms of the images; noise has unit power.
    ring : ndarray of int64, shape (wave,)
        Ring of each wave number.
    power : ndarray, shape (ring,)
        Power of the structure where it is strongest.
    strength : ndarray, shape (block,)
        Amplitude of the structure in each block.
    """

    waves: FloatArray
    transform: NDArray[np.complex128]
    ring: NDArray[np.int64]
    power: FloatArray
    strength: FloatArray


def structure_of(images: FloatArray) -> Structure | None:
    """Spectra of images of noise of unit variance a cell; None where they hold nothing but noise.

    Parameters
    ----------
    images : ndarray, shape (block, y, x)
    """
    from scipy.signal.windows import tukey

    shape = images.shape[1:]
    window = np.outer(*(tukey(size, _TAPER) for size in shape))
    centred = images - (images * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    ky, kx = np.meshgrid(*(2.0 * np.pi * np.fft.fftfreq(size) for size in shape), indexing="ij")
    length = np.hypot(ky, kx)
    half = ((ky > 0) | ((ky == 0) & (kx > 0))) & (length < 2.0 * np.pi * _FINEST)
    transform = (np.fft.fft2(centred * window) / np.sqrt(np.sum(window**2)))[:, half]
    ring = (length[half] * max(shape) / (2.0 * np.pi * _RING)).astype(np.int64)
    ring = np.unique(ring, return_inverse=True)[1].astype(np.int64)
    number = np.bincount(ring)
    excess = np.stack([np.bincount(ring, weights=np.abs(one) ** 2) / number for one in transform]) - 1.0
    power = np.maximum(excess.mean(axis=0), 0.0)
    share = np.ones(len(images))
    for _ in range(5):
        share = np.maximum(excess @ (number * power) / max(float(number @ power**2), 1e-12), 0.0)
        power = np.maximum(share @ excess / max(float(share @ share), 1e-12), 0.0)
    told = np.append(power * share.max(initial=0.0) > _LEAST_POWER, False)
    rings = int(np.argmin(told))
    if rings == 0:
        return None
    seen = ring < rings
    waves = np.stack([ky[half][seen], kx[half][seen]])
    return Structure(waves, transform[:, seen], ring[seen], power[:rings], np.sqrt(share))


@dataclass(frozen=True)
class Registration:
    """The likelihood of a path, for structure of one depth of coherence.

    The transform of a block is that of the sample, turned by its place, and noise. The sample's structure is a Gaussian
    process over the blocks, so the likelihood is that of a normal distribution after the transforms are turned back; it
    compares all pairs of blocks at once, each as much as it can tell.

    Attributes
    ----------
    structure : Structure
    weight : ndarray, shape (ring, block, block)
        Identity minus the inverse of the blocks' covariance.
    constant : float
        What of the log-likelihood does not depend on the path.
    information : ndarray, shape (2, block, block)
        Expected information on the path along y and x, in 1/cell^2.
    """

    structure: Structure
    weight: FloatArray
    constant: float
    information: FloatArray

    @classmethod
    def of(cls, structure: Structure, coherence: float) -> Registration:
        """For structure that is forgotten over `coherence` blocks."""
        blocks = structure.strength.size
        apart = np.subtract.outer(np.arange(blocks), np.arange(blocks))
        alike = np.outer(structure.strength, structure.strength) * np.exp(-0.5 * (apart / coherence) ** 2)
        covariance = structure.power[:, np.newaxis, np.newaxis] * alike + np.eye(blocks)
        weight = np.eye(blocks) - np.linalg.inv(covariance)
        number = np.bincount(structure.ring)
        constant = -float(number @ np.linalg.slogdet(covariance)[1]) / _DEPENDENT
        information = []
        for wave in structure.waves:
            curvature = np.bincount(structure.ring, weights=wave**2) / _DEPENDENT
            links = 2.0 * np.einsum("r,rbc->bc", curvature, weight * covariance)
            np.fill_diagonal(links, 0.0)
            information.append(np.diag(links.sum(axis=1)) - links)
        return cls(structure, weight, constant, np.stack(information))

    def likelihood(self, path: FloatArray) -> tuple[float, FloatArray]:
        """Log-likelihood of a path, shape (block, 2) in cells, and its gradient."""
        one = self.structure
        turned = one.transform * np.exp(1j * (path @ one.waves))
        explained = np.empty_like(turned)
        for ring, weight in enumerate(self.weight):
            here = one.ring == ring
            explained[:, here] = weight @ turned[:, here]
        product = np.conj(turned) * explained
        gradient = 2.0 * product.imag @ one.waves.T / _DEPENDENT
        return float(product.real.sum()) / _DEPENDENT + self.constant, gradient

    def most_likely(self, start: FloatArray, prior: FloatArray, steps: int) -> FloatArray:
        """The path of highest posterior density near a start, by Fisher scoring.

        Parameters
        ----------
        start : ndarray, shape (block, 2)
            In cells.
        prior : ndarray, shape (block, block)
            Covariance of the path along either axis.
        steps : int
            Most steps.
        """
        path = start
        for _ in range(steps):
            step = prior @ self.drive(path, prior) - path
            path = path + np.clip(step, -1.0, 1.0)
            if float(np.abs(step).max()) < 0.01:
                break
        return path

    def drive(self, path: FloatArray, prior: FloatArray) -> FloatArray:
        """What the prior's covariance turns into the next path, shape (block, 2)."""
        _, gradient = self.likelihood(path)
        unit = np.eye(len(path))
        pulled = [one @ path[:, axis] + gradient[:, axis] for axis, one in enumerate(self.information)]
        return np.stack(
            [np.linalg.solve(unit + one @ prior, pull) for one, pull in zip(self.information, pulled, strict=True)],
            axis=1,
        )

    def evidence(self, path: FloatArray, prior: FloatArray) -> float:
        """Log-likelihood with the path integrated out about its most likely course."""
        likelihood, _ = self.likelihood(path)
        spread = float(np.sum(path * self.drive(path, prior)))
        unit = np.eye(len(path))
        narrowing = sum(float(np.linalg.slogdet(unit + one @ prior)[1]) for one in self.information)
        return likelihood - 0.5 * (spread + narrowing)

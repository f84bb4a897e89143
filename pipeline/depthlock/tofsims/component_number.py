"""How many components a spectrum image holds: principal components that an independent half of the ions confirms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from depthlock.tofsims.counting import correct_dead_time
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.spectrum_image import grouped

_DIRECTIONS = 12
"""Principal components looked at."""

CONFIRMED = 4.0
"""Standard errors from which another component is confirmed; some 20 tables are looked at."""

FITTED_ENTRIES = 250_000
"""Voxels times peaks of a table at most that components are fitted to."""


@dataclass(frozen=True)
class ComponentNumber:
    """The number of components, and the voxels at which they stand out most.

    Attributes
    ----------
    number : int
        At least 1.
    steps : tuple of int
        Voxels of the table, along scans, y and x, that make one voxel there: the smallest ones, of tables that can be
        fitted, in which all components are seen, as small voxels hold the purest mixtures.
    significance : ndarray, shape (direction,)
        How far each further component stands out in the other half at these voxels, in standard errors.
    """

    number: int
    steps: tuple[int, int, int]
    significance: FloatArray


def split_counts(
    counts: FloatArray, pulses: FloatArray | None, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Split counts into two independent halves of the same expectation.

    Parameters
    ----------
    counts : ndarray, shape (voxel, peak)
        Whole numbers.
    pulses : ndarray, shape (voxel,), or None
        Pulses of each voxel, each of which gives at most one ion of a peak; None where they are not known.
    rng : numpy Generator

    Notes
    -----
    Thinning a Poisson count binomially gives independent Poisson counts. With a dead time a count is binomial over the
    pulses; drawing half of the pulses (hypergeometric) then gives independent binomial counts.
    """
    whole = np.rint(counts).astype(np.int64)
    if pulses is None:
        half = rng.binomial(whole, 0.5)
    else:
        empty = np.maximum(np.rint(pulses).astype(np.int64)[:, np.newaxis] - whole, 0)
        half = rng.hypergeometric(whole, empty, (whole + empty) // 2)
    return half.astype(np.float64), (whole - half).astype(np.float64)


def find_number(
    counts: FloatArray, shape: tuple[int, int, int], pulses: FloatArray | None, rng: np.random.Generator
) -> ComponentNumber:
    """Find the number of components at voxels of several sizes.

    Parameters
    ----------
    counts : ndarray, shape (voxel, peak)
    shape : tuple of int
        Voxels along scans, y and x.
    pulses : ndarray, shape (voxel,), or None
        Pulses of each voxel where the dead time is known.
    rng : numpy Generator

    Notes
    -----
    A structure stands out best at voxels of its own size: the noise of all voxels together grows with their number.
    So layers, patches and what fills everything are looked for at voxels from the smallest to a whole scan.
    """
    halves = split_counts(counts, pulses, rng)
    parts = None if pulses is None else (pulses // 2, pulses - pulses // 2)
    found = []
    for steps in _groupings(shape):
        tables = [grouped(half, shape, steps) for half in halves]
        shots = None if parts is None else [grouped(part, shape, steps) for part in parts]
        z = significance(tables[0], tables[1], shots)
        confirmed = int(np.argmin(np.append(z > CONFIRMED, False)))
        found.append((max(confirmed, 1), tables[0].size, ComponentNumber(0, steps, z)))
    number = max(seen for seen, _, _ in found)
    # Too large a table is no choice, but the coarsest always is.
    smallest = min(size for _, size, _ in found)
    fitted = [one for one in found if one[1] <= max(FITTED_ENTRIES, smallest)]
    return replace(max(fitted, key=lambda one: one[:2])[2], number=number)


def _groupings(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    sides = [1]
    while sides[-1] < max(shape[1:]):
        sides.append(2 * sides[-1])
    return [(scan, side, side) for scan in (1, 2, 4, 8) for side in sides if shape[0] >= 4 * scan or scan == 1]


def significance(one: FloatArray, other: FloatArray, pulses: list[FloatArray] | None) -> FloatArray:
    """How far one component more than the first few stands out, in standard errors.

    Parameters
    ----------
    one, other : ndarray, shape (voxel, peak)
        Independent halves of the counts.
    pulses : list of ndarray or None
        Pulses of the voxels in both halves.

    Returns
    -------
    ndarray, shape (direction,)
        Entry r tests whether the mean of the counts has a rank of at most r: large where it has not.

    Notes
    -----
    The other half is projected on the principal directions of the first. Of the first half's noise it knows nothing,
    so that the projection is unbiased with a covariance that its own counts give, also where they crowd in a few
    voxels. Its rank is tested with that covariance (Kleibergen and Paap, J. Econometrics 133 (2006) 97); Fisher's
    root turns the chi-square into standard errors.
    """
    variance = other
    if pulses is not None:
        one = correct_dead_time(one, pulses[0], 0).ions
        corrected = correct_dead_time(other, pulses[1], 0)
        other, variance = corrected.ions, corrected.variance
    scale = poisson_scale(one + other)
    images, spectra, _ = principal_components(one * scale, min(_DIRECTIONS, *(size // 2 for size in one.shape)))
    projected = images.T @ ((other * scale) @ spectra)
    covariance = _covariance(images, spectra, variance * scale**2)
    left, _, right = np.linalg.svd(projected)
    z = []
    for rank in range(projected.shape[0]):
        rest = np.kron(left[:, rank:], right[rank:].T)
        over = rest.T @ projected.ravel()
        spread = rest.T @ covariance @ rest
        # Directions without a single ion have no spread, and nothing over.
        spread += 1e-9 * (np.trace(spread) + 1e-300) * np.eye(over.size)
        z.append(np.sqrt(2.0 * over @ np.linalg.solve(spread, over)) - np.sqrt(2.0 * over.size - 1.0))
    return np.array(z)


def _covariance(images: FloatArray, spectra: FloatArray, variance: FloatArray) -> FloatArray:
    """Covariance of the entries of ``images.T @ table @ spectra``, row by row, for a table of independent entries."""
    number = images.shape[1]
    squares = [
        (table[:, :, np.newaxis] * table[:, np.newaxis, :]).reshape(-1, number**2) for table in (images, spectra)
    ]
    both = (squares[0].T @ variance) @ squares[1]
    return np.asarray(both.reshape((number,) * 4).transpose(0, 2, 1, 3).reshape(number**2, number**2))


def poisson_scale(counts: FloatArray) -> FloatArray:
    """Factors that give all counts of a table about the same noise.

    One over the root of mean image times mean spectrum: Keenan and Kotula, Surf. Interface Anal. 36 (2004) 203.
    Voxels and peaks without counts get zero.
    """
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(float(counts.sum()), 1e-300)
    return np.asarray(np.where(expected > 0, 1.0 / np.sqrt(np.where(expected > 0, expected, 1.0)), 0.0))


def principal_components(scaled: FloatArray, most: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Principal components of a scaled table, not centred.

    Returns
    -------
    images : ndarray, shape (voxel, component)
        Of unit length.
    spectra : ndarray, shape (peak, component)
        Of unit length.
    squares : ndarray, shape (component,)
        Squared singular values, the largest first.
    """
    # The table is tall: the small matrix of peaks with peaks holds all that is asked for.
    squares, spectra = np.linalg.eigh(scaled.T @ scaled)
    squares, spectra = squares[::-1][:most], spectra[:, ::-1][:, :most]
    images = scaled @ spectra
    return images / np.maximum(np.linalg.norm(images, axis=0), 1e-300), spectra, np.maximum(squares, 0.0)

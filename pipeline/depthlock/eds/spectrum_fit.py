"""The lines in a spectrum, together: Poisson likelihood with known line shapes on a smooth background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from depthlock.eds.detector import Detector
from depthlock.model.xray_lines import LineFamily, line_families

LOWEST, HIGHEST = 0.15, 20.0
"""Energies in keV between which a spectrum is fitted: below stand noise and the zero peak."""

LARGEST = 3.0
"""Errors larger than this many usual ones are not believed."""

DETECTED = 8.0
"""Standard deviations from which an element nobody named is taken to be there."""

MOST_FOUND = 12
"""Largest number of such elements."""

USUAL_ERRORS = (0.005, 0.001, 0.05)
"""Usual errors of a file's offset (keV), gain (relative) and resolution (relative)."""

SEEN = 3.0
"""Standard deviations from which an element's main lines count as seen."""

SPACIOUS = 10.0
"""Energy in keV below which detectors are efficient; above, an element's next shell is taken."""

LEAST_SHARE = 0.9
"""Share of a family's counts that the energy axis must cover for the family to be fitted."""


@dataclass(frozen=True)
class SpectrumFit:
    """Lines and background that describe a spectrum.

    Attributes
    ----------
    families : tuple of LineFamily
        Fitted families.
    channels : slice
        Channels fitted, n of them.
    design : ndarray, shape (n, n_families + n_background)
        Counts a channel for an amount of 1.
    amounts : ndarray, shape (n_families + n_background,)
        Counts of the families, then of the background.
    covariance : ndarray
        Of `amounts` without the bound at 0, from the Fisher information.
    detector : Detector
        With the fitted energy axis and resolution.
    misfit : ndarray, shape (n_families,)
        Mean squared departure over the Poisson variance within a FWHM of each family's main line; 1 where the shapes
        are right.
    """

    families: tuple[LineFamily, ...]
    channels: slice
    design: NDArray[np.float64]
    amounts: NDArray[np.float64]
    covariance: NDArray[np.float64]
    detector: Detector
    misfit: NDArray[np.float64]

    @property
    def shape_error(self) -> NDArray[np.float64]:
        """Relative standard error of the families' counts from shapes that are not quite right, shape (n_families,)."""
        count = len(self.families)
        variance = np.maximum(self.misfit - 1.0, 0.0) * np.diag(self.covariance)[:count]
        return np.asarray(np.sqrt(variance) / np.maximum(self.amounts[:count], 1.0))

    @property
    def expected(self) -> NDArray[np.float64]:
        """Expected counts, shape (n,)."""
        return np.asarray(self.design @ self.amounts)

    @property
    def background(self) -> NDArray[np.float64]:
        """Expected counts of the background, shape (n,)."""
        count = len(self.families)
        return np.asarray(self.design[:, count:] @ self.amounts[count:])

    @property
    def significance(self) -> NDArray[np.float64]:
        """Amounts of the families over their standard deviations."""
        count = len(self.families)
        return np.asarray(self.amounts[:count] / np.sqrt(np.diag(self.covariance)[:count]))

    def filters(self) -> NDArray[np.float64]:
        """Weights that turn any spectrum's counts into unbiased counts of the families.

        Returns
        -------
        ndarray, shape (n_families, n)
            The weighted least-squares solution with this spectrum's Poisson weights: the first step of the Poisson
            fit, linear in the counts, so that what holds for pixels holds for their sums.
        """
        weighted = self.design / _floored(self.expected)[:, None]
        return np.asarray((self.covariance @ weighted.T)[: len(self.families)])


def fit_spectrum(
    spectrum: NDArray[np.float64], energies: NDArray[np.float64], elements: Sequence[str], resolution: float
) -> SpectrumFit | None:
    """Fit the lines of elements, and of those that stand out beside them, to a spectrum.

    Parameters
    ----------
    spectrum : ndarray, shape (n,)
        Counts.
    energies : ndarray, shape (n,)
        Centres of the channels in keV, in equal steps.
    elements : sequence of str
        Symbols of the elements to be fitted in any case.
    resolution : float
        FWHM in keV at Mn Ka to start from.

    Returns
    -------
    SpectrumFit or None
        None where the axis covers no line of the elements, or holds no counts.
    """
    start, stop = (int(at) for at in np.searchsorted(energies, (LOWEST, HIGHEST)))
    channels = slice(start, stop)
    counts = spectrum[channels]
    families = families_on(energies, elements)
    if not families or counts.sum() < 1:
        return None
    step = float(energies[1] - energies[0])
    edges = np.append(energies[channels] - step / 2, energies[stop - 1] + step / 2)
    background = _background_shapes(energies[channels])
    candidates = {
        name: found[0] for name in line_families() if name not in elements and (found := families_on(energies, (name,)))
    }
    told = Detector(resolution)
    for _ in range(MOST_FOUND + 1):
        detector = _calibrated(counts, edges, families, background, told)
        fit = _fit(counts, edges, channels, families, background, detector)
        newcomer = _standing_out(counts, edges, fit, candidates)
        if newcomer is None:
            break
        candidates.pop(newcomer)
        families = (*families, *families_on(energies, (newcomer,)))
    families = _consistent(fit)
    detector = _calibrated(counts, edges, families, background, told)
    return _fit(counts, edges, channels, families, background, detector)


def main_family(families: Sequence[LineFamily], element: str) -> LineFamily | None:
    """The family an element is measured by: that of highest energy below 10 keV, where lines lie far apart."""
    own = sorted((family for family in families if family.element == element), key=lambda one: one.energies[0])
    low = [family for family in own if family.energies[0] < SPACIOUS]
    return low[-1] if low else own[0] if own else None


def _consistent(fit: SpectrumFit) -> tuple[LineFamily, ...]:
    """Families without those of elements whose main family is not seen: they would take counts from a neighbour."""
    seen = {
        family.element: bool(significance > SEEN)
        for family, significance in zip(fit.families, fit.significance, strict=True)
        if family == main_family(fit.families, family.element)
    }
    return tuple(
        family for family in fit.families if seen[family.element] or family == main_family(fit.families, family.element)
    )


def families_on(energies: NDArray[np.float64], elements: Sequence[str]) -> tuple[LineFamily, ...]:
    """The families of elements whose lines lie on an energy axis."""
    low, high = max(float(energies[0]), 0.2), min(float(energies[-1]), HIGHEST)
    table = line_families()
    return tuple(
        family
        for element in elements
        for family in table.get(element, ())
        if sum(w for e, w in zip(family.energies, family.weights, strict=True) if low < e < high) >= LEAST_SHARE
    )


def _background_shapes(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hat functions on knots several line widths apart: bremsstrahlung is smooth, absorption bends it at low energy."""
    knots = [float(energies[0])]
    while knots[-1] < energies[-1]:
        knots.append(knots[-1] + max(0.15, 0.35 * knots[-1]))
    hats = np.eye(len(knots))
    return np.column_stack([np.interp(energies, knots, hat) for hat in hats])


def _amounts(
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
    families: tuple[LineFamily, ...],
    background: NDArray[np.float64],
    detector: Detector,
    steps: int = 6,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Amounts of largest Poisson likelihood, none negative, and the design: by reweighted least squares."""
    design = np.column_stack([*(detector.shape(family, edges) for family in families), background])
    expected = np.maximum(counts, 1.0)
    for _ in range(steps):
        root = 1.0 / np.sqrt(_floored(expected))
        amounts = nnls(design * root[:, None], counts * root)[0]
        expected = design @ amounts
    return amounts, design


def _fit(
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
    channels: slice,
    families: tuple[LineFamily, ...],
    background: NDArray[np.float64],
    detector: Detector,
) -> SpectrumFit:
    amounts, design = _amounts(counts, edges, families, background, detector)
    information = design.T @ (design / _floored(design @ amounts)[:, None])
    covariance = np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)
    expected = design @ amounts
    squares = (counts - expected) ** 2 / _floored(expected)
    centres = 0.5 * (edges[1:] + edges[:-1])
    near = [np.abs(centres - one.energies[0]) < detector.fwhm(one.energies[0]) for one in families]
    misfit = np.array([float(squares[window].mean()) if window.any() else 1.0 for window in near])
    return SpectrumFit(families, channels, design, amounts, covariance, detector, misfit)


def _floored(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected counts, at least half a one: an empty channel carries no infinite weight."""
    return np.maximum(expected, 0.5)


def _calibrated(
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
    families: tuple[LineFamily, ...],
    background: NDArray[np.float64],
    detector: Detector,
) -> Detector:
    """Energy axis and resolution that describe the spectrum best, by Gauss-Newton; the file's where it is silent."""
    unit = np.array(USUAL_ERRORS)

    def at(x: NDArray[np.float64]) -> Detector:
        offset, gain, widening = x * unit
        return replace(detector, offset=offset, gain=gain, resolution=detector.resolution * float(np.exp(widening)))

    x = np.zeros(3)
    for _ in range(4):
        amounts, design = _amounts(counts, edges, families, background, at(x), steps=3)
        lines = amounts[: len(families)]
        now = design[:, : len(families)] @ lines
        slopes = []
        for number in range(3):
            moved = at(x + 0.2 * np.eye(3)[number])
            shapes = np.column_stack([moved.shape(family, edges) for family in families])
            slopes.append((shapes @ lines - now) / 0.2)
        root = 1.0 / np.sqrt(_floored(design @ amounts))
        tangent = np.column_stack([design, *slopes]) * root[:, None]
        pull = np.hstack([np.zeros((3, design.shape[1])), np.eye(3)])
        target = np.concatenate([(counts - design @ amounts) * root, -x])
        change = np.linalg.lstsq(np.vstack([tangent, pull]), target, rcond=None)[0][-3:]
        x = np.clip(x + np.clip(change, -2.0, 2.0), -LARGEST, LARGEST)
    return at(x)


def _standing_out(
    counts: NDArray[np.float64], edges: NDArray[np.float64], fit: SpectrumFit, candidates: dict[str, LineFamily]
) -> str | None:
    """The element whose lines explain most of what is left over, by the score test; None below DETECTED.

    An element is looked for by its shell of highest energy on the axis, where lines lie far apart.
    """
    weight = 1.0 / _floored(fit.expected)
    left = (counts - fit.expected) * weight
    # Where the model is not perfect, what is left over is larger than its Poisson noise.
    excess = max(1.0, float(np.mean((counts - fit.expected) ** 2 * weight)))
    best, best_score = None, DETECTED
    for name, family in candidates.items():
        shape = fit.detector.shape(family, edges)
        own = float(shape @ (shape * weight))
        shared = fit.design.T @ (shape * weight)
        free = own - float(shared @ fit.covariance @ shared)
        if free <= 0.02 * own:
            continue  # not to be told from what is fitted already
        score = float(shape @ left) / np.sqrt(free * excess)
        if score > best_score:
            best, best_score = name, score
    return best

"""Peaks of one shape on a straight background: model and fit of a stretch of spectrum, and a test for more peaks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.model.ions import Ion
from depthlock.model.quantity import NORMAL_95
from depthlock.tofsims.calibration import Calibration
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.peak_shape import PeakShape, PeakWidths
from depthlock.tofsims.peaks import Peak, shape_of, shape_rows
from depthlock.tofsims.quasi_poisson import CountData, CountFit, CountProblem, ParameterRow, fit_counts, table

_RIPPLE = 0.02
"""Relative deviation of the file's peaks from the formula at one place, which strong peaks just cannot exclude."""

_RIPPLE_APART = 0.35
_RIPPLE_PLACES = np.arange(-1.4, 2.11, _RIPPLE_APART)
"""Places in FWHM from the maximum at which they deviate independently."""

PULLING = 1.5
"""Distance in FWHM up to which a neighbour pulls a peak's maximum."""


@dataclass(frozen=True)
class Component:
    """A peak in the fit of a stretch of spectrum.

    Attributes
    ----------
    label : str
        Formula, or the measured mass for an unknown one.
    position : float
        Expected position in mass bins.
    position_std : float
        Its error in mass bins.
    counts : float
        Ions at the start of the fit.
    """

    label: str
    position: float
    position_std: float
    counts: float


@dataclass(frozen=True)
class PeakModel:
    """Expected counts a channel: peaks of one shape on a straight background.

    Parameters are five of the shape, the log of the width over the expected one, the background at both ends, and
    for every component its offset over the width and its ions in units of `unit`.
    """

    edges: FloatArray
    components: tuple[Component, ...]
    fwhm: float
    unit: float

    def width(self, theta: FloatArray) -> float:
        """FWHM in mass bins."""
        return self.fwhm * float(np.exp(theta[5]))

    def shares(self, theta: FloatArray) -> FloatArray:
        """Share of each component in each channel, shape (component, channel)."""
        shape, width = shape_of(theta[:5]), self.width(theta)
        return np.stack(
            [
                shape.shares(self.edges, one.position + float(theta[8 + 2 * k]) * self.fwhm, width)
                for k, one in enumerate(self.components)
            ]
        )

    def background(self, theta: FloatArray) -> FloatArray:
        """Background a channel."""
        ramp = np.linspace(0.0, 1.0, self.edges.size - 1)
        return np.asarray((theta[6] * (1.0 - ramp) + theta[7] * ramp) * self.unit / ramp.size, dtype=np.float64)

    def __call__(self, theta: FloatArray) -> FloatArray:
        """Expected counts a channel."""
        return np.maximum(self.unit * theta[9::2] @ self.shares(theta) + self.background(theta), 1e-6)


@dataclass(frozen=True)
class Surroundings:
    """What is known of the file when an ion's peak is fitted."""

    calibration: Calibration
    shape: PeakShape
    widths: PeakWidths
    peaks: tuple[Peak, ...]
    elements: tuple[str, ...]


def fit_region(ion: Ion, around: Surroundings) -> tuple[int, int, int]:
    """First mass bin, mass bins a channel, and number of channels of the stretch that is fitted about an ion."""
    centre = float(around.calibration.scale.position(ion.mz))
    fwhm = around.widths.fwhm(centre)
    width = max(int(fwhm / 9.0), 1)
    # Channels are cut into up to four parts for the dead time.
    width = width if width < 4 else width // 4 * 4
    # A late tail is longer than an early one, and a header may leave the peak off its place by some of its width.
    low = int(np.floor((centre - 4.5 * fwhm) / width)) * width
    return low, width, int(np.ceil(11.0 * fwhm / width))


def expected_component(label: str, mz: float, counts: float, around: Surroundings) -> Component:
    """The component of a formula, where the mass scale puts it and as sure as the scale is."""
    scale = around.calibration.scale
    error = scale.relative_std(mz) * around.calibration.coverage / NORMAL_95
    error = max(error, 1e-6) / scale.relative_per_bin(mz)
    return Component(label, float(scale.position(mz)), error, counts)


def _rows(model: PeakModel, around: Surroundings, level: float) -> list[ParameterRow]:
    """Fit parameters in the order of `PeakModel`."""
    # Where widths scatter between ions, as on rough samples, shapes do too; where they do not, both are known well, and
    # a close neighbour cannot hide in a broader peak.
    scatter = 1.3 * around.widths.scatter
    rows: list[ParameterRow] = shape_rows(around.shape, float(np.clip(8.0 * around.widths.scatter, 0.15, 0.6)))
    rows.append((0.0, -1.0, 1.0, 0.0, scatter, 1e-4))
    rows += [(level, 0.0, 2.0, 0.0, np.inf, 1e-5), (level, 0.0, 2.0, 0.0, np.inf, 1e-5)]
    for one in model.components:
        rows.append((0.0, -1.0, 1.0, 0.0, one.position_std / model.fwhm, 1e-4))
        rows.append((one.counts / model.unit, 0.0, 3.0, 0.0, np.inf, 1e-5))
    return rows


def fit_components(
    components: tuple[Component, ...],
    edges: FloatArray,
    data: CountData,
    around: Surroundings,
    fwhm: float,
    start: FloatArray | None = None,
) -> tuple[PeakModel, CountFit]:
    """Fit components to a stretch of spectrum, from `start` (a fit of the first of them) if given.

    Parameters
    ----------
    components : tuple of Component
    edges : ndarray, shape (channel + 1,)
        In mass bins.
    data : CountData
        Ions a channel.
    around : Surroundings
        Shape and width, which are priors here.
    fwhm : float
        Expected FWHM in mass bins.
    start : ndarray or None
        Parameters.
    """
    unit = max(float(data.values.sum()), 10.0)
    if start is None:
        components = (replace(components[0], counts=0.5 * unit), *components[1:])
    model = PeakModel(edges, components, fwhm, unit)
    parameters = table(_rows(model, around, float(np.percentile(data.values, 10)) * data.values.size / unit))
    if start is not None:
        parameters.start[: start.size] = np.clip(start, parameters.lower[: start.size], parameters.upper[: start.size])
    return model, fit_counts(CountProblem(model, data, parameters), iterations=40)


@dataclass(frozen=True)
class ScoreTest:
    """What one more peak would hold, to first order, with all parameters of the fit following.

    Built once for a fit; `ask` is then a product of small matrices for each position.
    """

    model: PeakModel
    fit: CountFit
    data: CountData
    columns: FloatArray
    weight: FloatArray
    inverse: NDArray[np.floating]

    @classmethod
    def of(
        cls, model: PeakModel, fit: CountFit, data: CountData, prior_std: FloatArray, released: bool = False
    ) -> ScoreTest:
        """Prepare the test on a fit; `released` lets amounts that stand at zero vary too."""
        theta = fit.parameters
        loose = fit.free.copy()
        loose[9::2] |= released
        free = np.flatnonzero(loose)
        columns = np.empty((fit.mean.size, free.size))
        for n, k in enumerate(free):
            moved = theta.copy()
            moved[k] += 1e-5
            columns[:, n] = (model(moved) - fit.mean) / 1e-5
        # Half a count a channel keeps an empty channel from looking infinitely precise.
        weight = 1.0 / (data.variance(fit.mean) + 0.05)
        information = (columns * weight[:, np.newaxis]).T @ columns + np.diag(1.0 / prior_std[free] ** 2)
        return cls(model, fit, data, columns, weight, np.linalg.pinv(information, hermitian=True))

    def ask(self, position: float) -> tuple[float, float]:
        """Ions of a peak at `position` in mass bins, and their standard error."""
        theta = self.fit.parameters
        shape = shape_of(theta[:5])
        column = shape.shares(self.model.edges, position, self.model.width(theta))
        linked = self.columns.T @ (self.weight * column)
        information = float(self.weight @ column**2 - linked @ self.inverse @ linked)
        if information <= 1e-12:
            return 0.0, np.inf
        return float((self.weight * column) @ (self.data.values - self.fit.mean)) / information, information**-0.5


def prior_errors(model: PeakModel, around: Surroundings) -> FloatArray:
    """Standard deviations of the priors of all fit parameters; infinite where there is none."""
    return table(_rows(model, around, 0.0)).prior_std


def score_test(model: PeakModel, fit: CountFit, data: CountData, around: Surroundings) -> ScoreTest:
    """The score test on a fit of `fit_components`."""
    return ScoreTest.of(model, fit, data, prior_errors(model, around))


@dataclass(frozen=True)
class OwnErrors:
    """Standard errors of the first component.

    Attributes
    ----------
    ions : float
    offset : float
        Of its place in mass bins.
    pull : float
        Mass bins by which neighbours may pull the maximum of the peak in the spectrum.
    """

    ions: float
    offset: float
    pull: float


def own_errors(model: PeakModel, fit: CountFit, data: CountData, around: Surroundings) -> OwnErrors:
    """Errors of the first component's ions and place, as all others allow.

    Notes
    -----
    Amounts that stand at their bound zero are let free: a neighbour that happens to be fitted with no ions has an error
    all the same, and the ion shares it. To counting is added what a shape that is not quite the file's would move: the
    fit's linear answer to peaks that differ from the formula at single places. A peak that stands alone keeps its ions
    whatever its shape; one on the flank of another does not.
    """
    test = ScoreTest.of(model, fit, data, prior_errors(model, around), released=True)
    loose = fit.free.copy()
    loose[9::2] = True
    answer = test.inverse @ (test.columns * test.weight[:, np.newaxis]).T
    moved = answer @ _ripples(model, fit.parameters)
    variance = np.diag(test.inverse) + np.sum(moved**2, axis=1)
    error = np.zeros(loose.size)
    error[loose] = np.sqrt(variance)
    own = max(float(fit.parameters[9]), float(error[9]))
    apart = np.array([one.position - model.components[0].position for one in model.components[1:]])
    share = np.hypot(fit.parameters[11::2], error[11::2]) / own
    near = np.abs(apart) < PULLING * model.fwhm
    pull = float(np.sqrt(np.sum((share * apart)[near] ** 2)))
    return OwnErrors(float(error[9]) * model.unit, float(error[8]) * model.fwhm, pull)


def _ripples(model: PeakModel, theta: FloatArray) -> FloatArray:
    """Change of the expected counts by a ripple of all peaks at one place each, shape (channel, place)."""
    centres = 0.5 * (model.edges[1:] + model.edges[:-1])
    shares = model.shares(theta)
    change = np.zeros((centres.size, _RIPPLE_PLACES.size))
    for k, one in enumerate(model.components):
        place = (centres - one.position - float(theta[8 + 2 * k]) * model.fwhm) / model.width(theta)
        hats = np.maximum(1.0 - np.abs(place[:, np.newaxis] - _RIPPLE_PLACES) / _RIPPLE_APART, 0.0)
        # What a place has more, the rest has less: the peak keeps its ions.
        even = hats - shares[k] @ hats / max(float(shares[k].sum()), 1e-12)
        change += model.unit * float(theta[9 + 2 * k]) * shares[k][:, np.newaxis] * even
    return _RIPPLE * change

"""Lines of a spectrum fitted together: overlaps, background, an energy axis that is off, elements nobody named."""

from __future__ import annotations

import numpy as np
import pytest

from depthlock.eds.detector import Detector
from depthlock.eds.spectrum_fit import SpectrumFit, fit_spectrum, main_family
from depthlock.model.xray_lines import line_families

ENERGIES = -0.2 + 0.01 * np.arange(1020)
EDGES = np.append(ENERGIES - 0.005, ENERGIES[-1] + 0.005)
TRUE = {"C K": 4000.0, "O K": 30000.0, "F K": 3000.0, "Mg K": 5000.0, "V K": 12000.0, "V L": 4000.0, "Cu K": 6000.0}


def spectrum(detector: Detector, amounts: dict[str, float]) -> np.ndarray:
    at = np.maximum(ENERGIES, 0.05)
    expected = 150.0 * np.exp(-((0.2 / at) ** 2)) / at**0.7 * (ENERGIES > 0.1)
    for label, amount in amounts.items():
        element, shell = label.split()
        (family,) = [one for one in line_families()[element] if one.shell == shell]
        expected = expected + amount * detector.shape(family, EDGES)
    return expected


def fitted(counts: np.ndarray, elements: tuple[str, ...]) -> SpectrumFit:
    fit = fit_spectrum(counts, ENERGIES, elements, 0.130)
    assert fit is not None
    return fit


@pytest.mark.parametrize("seed", range(3))
def test_lines_are_right_within_their_errors(seed: int) -> None:
    detector = Detector(resolution=0.137, offset=0.006)
    counts = np.random.default_rng(seed).poisson(spectrum(detector, TRUE)).astype(float)
    fit = fitted(counts, ("C", "O", "F", "Mg", "V"))
    assert fit.detector.resolution == pytest.approx(0.137, abs=0.004)
    assert fit.detector.offset == pytest.approx(0.006, abs=0.003)
    found = {f"{family.element} {family.shell}": number for number, family in enumerate(fit.families)}
    assert "Cu K" in found, "an element nobody named stands out by its own lines"
    for label, true in TRUE.items():
        number = found[label]
        error = np.sqrt(fit.covariance[number, number])
        assert abs(fit.amounts[number] - true) < 4.0 * error + 0.03 * true, label


def test_vanadium_on_oxygen_is_told() -> None:
    detector = Detector()
    counts = spectrum(detector, TRUE)
    fit = fitted(counts, ("O", "V"))
    labels = [family.label for family in fit.families]
    o, v = labels.index("O Ka"), labels.index("V La")
    correlation = fit.covariance[o, v] / np.sqrt(fit.covariance[o, o] * fit.covariance[v, v])
    assert correlation < -0.3
    family = main_family(fit.families, "V")
    assert family is not None
    assert family.label == "V Ka"


def test_lines_that_are_not_there_take_nothing_from_their_neighbour() -> None:
    counts = spectrum(Detector(), {"O K": 30000.0})
    fit = fitted(counts, ("O", "V"))
    assert [family.label for family in fit.families if family.element == "V"] == ["V Ka"]
    assert fit.amounts[0] == pytest.approx(30000.0, rel=0.01)


def test_filters_are_unbiased_for_any_part_of_the_data() -> None:
    whole = spectrum(Detector(), TRUE)
    fit = fitted(whole, ("C", "O", "F", "Mg", "V"))
    amounts = np.random.default_rng(1).uniform(0.0, 5.0, fit.design.shape[1])
    found = fit.filters() @ (fit.design @ amounts)
    np.testing.assert_allclose(found, amounts[: len(fit.families)], atol=1e-6)


def test_no_line_on_the_axis_is_none() -> None:
    assert fit_spectrum(np.ones(50), 30.0 + 0.01 * np.arange(50), ("F",), 0.13) is None
    assert fit_spectrum(np.zeros(1020), ENERGIES, ("F",), 0.13) is None


def test_lines_of_another_shape_are_told() -> None:
    """A detector that loses a tenth of a line's charge leaves a tail that no Gaussian describes."""
    rng = np.random.default_rng(2)
    energies = np.arange(-0.1, 5.0, 0.01)
    edges = np.append(energies - 0.005, energies[-1] + 0.005)
    (family,) = line_families()["Si"]
    shape = Detector(0.13).shape(family, edges)
    tail = 0.1 * np.convolve(shape, np.exp(-np.arange(60) / 10.0)[::-1] / 10.0, mode="full")[59 : 59 + shape.size]
    clean, tailed = (
        fit_spectrum(rng.poisson(1e5 * counts + 5.0).astype(float), energies, ("Si",), 0.13)
        for counts in (shape, 0.9 * shape + tail)
    )
    assert clean is not None
    assert tailed is not None
    assert clean.misfit[0] < 2.0
    assert tailed.misfit[0] > 3.0
    assert clean.shape_error[0] < tailed.shape_error[0]

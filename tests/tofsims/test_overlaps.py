import numpy as np
import pytest

from depthlock.model.ions import Ion
from depthlock.tofsims.calibration import Calibration
from depthlock.tofsims.lookalikes import Lookalike
from depthlock.tofsims.overlaps import fit_peak
from depthlock.tofsims.peak_model import Surroundings, fit_region
from depthlock.tofsims.peak_shape import PeakShape, PeakWidths
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.spectrum import MassScale

SCALE = MassScale(0.38, -1.55, 100.0, np.diag([1e-14, 1e-12]))
SHAPE = PeakShape(0.5, 0.02, 3.0, 0.02, 1.5)


def surroundings(resolution):
    per_bin = SCALE.relative_per_bin(62.0)
    origin = float(SCALE.position(0.0))
    width = 1.0 / (resolution * per_bin)
    widths = PeakWidths(0.0, width / (float(SCALE.position(62.0)) - origin), origin, 0.015)
    none = np.zeros(0)
    calibration = Calibration(SCALE, ("F-", "CN-"), none, none, none, 0.0, 1.96, "")
    return Surroundings(calibration, SHAPE, widths, (), ("C", "F", "H", "Mg", "N", "O", "S", "V"))


def fitted(amounts, resolution, seed, wings=0.0):
    """The fit about the first of some ions, whose peaks may have wider wings than the file's shape."""
    around = surroundings(resolution)
    ion = Ion.parse(next(iter(amounts)))
    low, channel, channels = fit_region(ion, around)
    edges = low + channel * np.arange(channels + 1, dtype=np.float64)
    expected = np.full(channels, 0.3)
    for label, ions in amounts.items():
        place = float(SCALE.position(Ion.parse(label).mz))
        width = around.widths.fwhm(place)
        core, wide = SHAPE.shares(edges, place, width), SHAPE.shares(edges, place, 1.5 * width)
        expected += ions * ((1.0 - wings) * core + wings * wide)
    counts = np.random.default_rng(seed).poisson(expected).astype(np.float64)
    return fit_peak(ion, edges, CountData(counts, np.ones(channels), np.zeros(channels)), around)


@pytest.mark.parametrize("wings", [0.0, 0.04])
@pytest.mark.parametrize(
    ("amounts", "resolution"),
    [
        ({"MgF2-": 4000, "NO3-": 2200, "C2F2-": 130}, 8400.0),
        ({"MgF2-": 11000, "NO3-": 600}, 4500.0),
        ({"V-": 11000, "SF-": 900}, 2400.0),
    ],
)
def test_what_stands_beside_a_peak_does_not_bias_it(amounts, resolution, wings):
    fits = [fitted(amounts, resolution, seed, wings) for seed in range(8)]
    true = next(iter(amounts.values()))
    pulls = np.array([(fit.ions[0] - true) / np.sqrt(fit.covariance[0, 0]) for fit in fits])
    assert np.abs(pulls).max() < 3.3
    assert abs(pulls.mean()) < 1.0


def test_a_lone_peak_keeps_its_ions_whatever_its_wings():
    for seed in range(3):
        fit = fitted({"MgF2-": 20000}, 8000.0, seed, wings=0.04)
        assert fit.flag == ""
        assert fit.ions[0] == pytest.approx(20000, abs=4.0 * np.sqrt(20000))
        assert np.sqrt(fit.covariance[0, 0]) < 0.03 * 20000


def test_only_simple_ions_are_suspected_in_a_lone_peak():
    fit = fitted({"SO2CF3-": 20000}, 5000.0, 0, wings=0.04)
    assert [one.label for one in fit.components] == ["SO2CF3-"]


def test_what_is_known_to_stand_beside_a_peak_is_not_counted_as_it():
    main = Ion.parse("SO2CF3-")
    sulphur, oxygen = main.mz + 1.99580, main.mz + 2.00425
    around = surroundings(7500.0)
    heavy = Ion("SO2CF3- M+2", main.formula, -1, sulphur)
    low, channel, channels = fit_region(heavy, around)
    edges = low + channel * np.arange(channels + 1, dtype=np.float64)
    place, beside = (float(SCALE.position(mz)) for mz in (sulphur, oxygen))
    width = around.widths.fwhm(place)
    expected = 0.3 + 1250 * SHAPE.shares(edges, place, width) + 115 * SHAPE.shares(edges, beside, width)
    known = [Lookalike("isotopes of SO2CF3-", oxygen, 1.0)]
    pulls = []
    for seed in range(6):
        counts = np.random.default_rng(seed).poisson(expected).astype(np.float64)
        data = CountData(counts, np.ones(channels), np.zeros(channels))
        fit = fit_peak(heavy, edges, data, around, main.mz, known)
        pulls.append((fit.ions[0] - 1250) / np.sqrt(fit.covariance[0, 0]))
    assert np.abs(np.mean(pulls)) < 0.8


def test_a_hidden_neighbour_may_pull_the_maximum():
    hidden = fitted({"MgF2-": 4000, "NO3-": 120}, 5000.0, 1)
    lone = fitted({"MgF2-": 40000}, 12000.0, 1)
    assert hidden.pull / hidden.fwhm > 0.01
    assert lone.pull / lone.fwhm < 0.005

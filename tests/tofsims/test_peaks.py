import numpy as np
import pytest
from scipy.stats import t as student

from depthlock.model.ions import Ion
from depthlock.tofsims.calibrants import calibrant_ions
from depthlock.tofsims.calibration import calibrate, file_calibration
from depthlock.tofsims.peak_shape import PeakShape
from depthlock.tofsims.peaks import find_peaks, measure_peak, measure_widths
from depthlock.tofsims.shape_measurement import measure_shape
from depthlock.tofsims.spectrum import MassScale, Spectrum

TRUE = MassScale(0.38, -1.55, 100.0, np.zeros((2, 2)))
IONS = ["H-", "C-", "CH-", "O-", "OH-", "F-", "C2-", "C2H-", "CN-", "S-", "Cl-", "C3-", "SO2-", "SO3-", "CF3-", "PO3-"]
SHAPE = PeakShape(0.5, 0.08, 3.0, 0.0, 1.0)


def spectrum_of(labels, resolution, seed=0, counts=4000, background=20_000):
    rng = np.random.default_rng(seed)
    grid = np.linspace(-6, 40, 20001)
    inverse = SHAPE.cumulative(grid)
    bins = [rng.uniform(TRUE.position(0.9), TRUE.position(150.0), background)]
    for label in labels:
        mz = Ion.parse(label).mz
        fwhm = 1.0 / (resolution * TRUE.relative_per_bin(mz))
        x = np.interp(rng.random(counts), inverse, grid) - SHAPE.mode
        bins.append(TRUE.position(mz) + x * fwhm / SHAPE.fwhm)
    mass_bin, number = np.unique(np.floor(np.concatenate(bins)).astype(int), return_counts=True)
    return Spectrum(mass_bin, number)


def header_of(ppm):
    return MassScale(TRUE.slope * (1 + 0.5e-6 * ppm), TRUE.offset * (1 + 0.5e-6 * ppm), 100.0, np.zeros((2, 2)))


@pytest.mark.parametrize("resolution", [3000, 9000])
def test_peaks_shape_and_widths(resolution):
    spectrum = spectrum_of(IONS, resolution)
    peaks = find_peaks(spectrum, TRUE)
    strong = [peak for peak in peaks if peak.counts > 1000]
    assert len(strong) == len(IONS)
    shape = measure_shape(spectrum, peaks)
    measured = [measure_peak(spectrum, peak, shape) for peak in strong]
    assert shape.delay + shape.late_share * shape.late_tail == pytest.approx(0.74, abs=0.2)
    exact = [TRUE.position(Ion.parse(label).mz) for label in IONS]
    pulls = [
        (m.position - p) / np.hypot(m.position_std, 0.01 * m.fwhm) for m, p in zip(measured, sorted(exact), strict=True)
    ]
    assert np.abs(pulls).max() < 4
    widths = measure_widths(measured, float(TRUE.position(0.0)))
    place = float(TRUE.position(60.0))
    assert 1.0 / (widths.fwhm(place) * TRUE.relative_per_bin(60.0)) == pytest.approx(resolution, rel=0.06)


def test_symmetric_wings_are_part_of_the_shape():
    rng = np.random.default_rng(4)
    width = [1.0 / (6000 * TRUE.relative_per_bin(Ion.parse(label).mz)) for label in IONS]
    places = [
        TRUE.position(Ion.parse(label).mz) + one / 2.5 * rng.standard_t(8, 60_000)
        for label, one in zip(IONS, width, strict=True)
    ]
    mass_bin, number = np.unique(np.floor(np.concatenate(places)).astype(int), return_counts=True)
    spectrum = Spectrum(mass_bin, number)
    shape = measure_shape(spectrum, find_peaks(spectrum, TRUE))
    edges = np.linspace(-2.0, 2.0, 41)
    true = np.diff(student.cdf(edges * 2.5, 8))
    fwhm = 2.0 * np.interp(-0.5, -student.pdf(np.linspace(0, 3, 3001), 8) / student.pdf(0, 8), np.linspace(0, 3, 3001))
    found = shape.shares(edges, 0.0, fwhm / 2.5)
    assert 0.5 * np.abs(found - true).sum() < 0.006


@pytest.mark.parametrize("ppm", [-5000, -2000, -400, 0, 1000, 2000])
def test_calibration_without_trust_in_the_header(ppm):
    spectrum = spectrum_of(IONS, 5000, seed=3)
    header = header_of(ppm)
    found = find_peaks(spectrum, header)
    shape = measure_shape(spectrum, found)
    peaks = [measure_peak(spectrum, peak, shape) for peak in found if peak.counts > 100]
    calibration = calibrate(peaks, calibrant_ions([], "-"), header)
    assert calibration.flag == ""
    assert len(calibration.ions) >= 12
    assert calibration.header_shift == pytest.approx(ppm, abs=15, rel=0.005)
    for mz in (19.0, 50.9, 133.0):
        error = abs(float(calibration.scale.mz(TRUE.position(mz))) / mz - 1) * 1e6
        assert error < max(4.0 * calibration.scale.relative_std(mz) * 1e6, 3.0)


def test_a_spectrum_without_known_ions_is_not_trusted():
    rng = np.random.default_rng(2)
    mass_bin, number = np.unique(rng.integers(60_000, 200_000, 5000), return_counts=True)
    spectrum = Spectrum(mass_bin, number)
    peaks = [peak for peak in find_peaks(spectrum, TRUE) if peak.counts > 100]
    assert calibrate(peaks, calibrant_ions([], "-"), TRUE).flag == "calibration_not_trusted"


def measured_peaks(spectrum, header):
    found = find_peaks(spectrum, header)
    return [measure_peak(spectrum, peak, SHAPE) for peak in found if peak.counts > 60]


def lines_at(masses, seed):
    """Narrow peaks at any masses."""
    rng = np.random.default_rng(seed)
    bins = [TRUE.position(mz) + rng.normal(size=2000) / (5000 * TRUE.relative_per_bin(mz)) / 2.355 for mz in masses]
    mass_bin, number = np.unique(np.floor(np.concatenate(bins)).astype(int), return_counts=True)
    return Spectrum(mass_bin, number)


@pytest.mark.parametrize("seed", range(3))
def test_ions_of_the_other_polarity_do_not_calibrate(seed):
    peaks = measured_peaks(spectrum_of(IONS, 5000, seed=seed), header_of(100))
    assert calibrate(peaks, calibrant_ions([], "+"), header_of(100)).flag != ""


@pytest.mark.parametrize("seed", range(4))
def test_peaks_of_unknown_masses_do_not_calibrate(seed):
    rng = np.random.default_rng(seed)
    masses = rng.integers(8, 140, 12) * (1.0 + rng.normal(0.0, 4e-4, 12))
    assert calibrate(measured_peaks(lines_at(masses, seed), TRUE), calibrant_ions([], "-"), TRUE).flag != ""


@pytest.mark.parametrize("shift", [150e-6, 400e-6])
def test_two_scales_that_fit_as_well_are_told(shift):
    masses = np.array([Ion.parse(label).mz for label in IONS])
    masses[::2] *= 1.0 + shift
    calibration = calibrate(measured_peaks(lines_at(masses, 0), TRUE), calibrant_ions([], "-"), TRUE)
    assert "calibration_ambiguous" in calibration.flag


@pytest.mark.parametrize(("ppm", "flag"), [(10, ""), (200, "calibration_off"), (2000, "calibration_off")])
def test_the_files_own_scale_is_kept_and_judged(ppm, flag):
    header = header_of(ppm)
    peaks = measured_peaks(spectrum_of(IONS, 5000, seed=3), header)
    calibration = file_calibration(peaks, calibrant_ions([], "-"), header)
    assert calibration.flag == flag
    assert (calibration.scale.slope, calibration.scale.offset) == (header.slope, header.offset)
    assert np.median(calibration.residual) == pytest.approx(ppm, abs=5, rel=0.005)
    assert calibration.scale.relative_std(50.0) >= 20e-6
    assert calibration.scale.relative_std(50.0) > 0.9e-6 * ppm


def test_a_file_scale_that_nothing_confirms_is_told():
    peaks = measured_peaks(spectrum_of(["O-"], 5000), TRUE)
    assert file_calibration(peaks, calibrant_ions([], "-"), TRUE).flag == "calibration_not_trusted"


def test_too_few_ions_are_told():
    spectrum = spectrum_of(["O-", "CN-", "SO2-"], 5000)
    found = find_peaks(spectrum, TRUE)
    peaks = [measure_peak(spectrum, peak, SHAPE) for peak in found if peak.counts > 100]
    assert "calibration_few_ions" in calibrate(peaks, calibrant_ions([], "-"), TRUE).flag


def test_dead_time_pulls_a_peak_to_short_times_and_the_mean_correction_puts_it_back():
    rng = np.random.default_rng(0)
    pulses, rate = 20_000, 0.7
    first = [np.min(rng.normal(5000, 20, n)) for n in rng.poisson(rate, pulses) if n]
    mass_bin, number = np.unique(np.floor(first).astype(int), return_counts=True)
    spectrum = Spectrum(mass_bin, number)
    restored = spectrum.without_dead_time(1000, pulses)
    assert np.average(mass_bin, weights=number) < 4997
    assert np.average(restored.mass_bin, weights=restored.counts) == pytest.approx(5000, abs=1.5)
    assert restored.counts.sum() == pytest.approx(rate * pulses, rel=0.03)

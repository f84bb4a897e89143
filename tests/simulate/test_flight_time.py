import numpy as np
import pytest

from depthlock.simulate.flight_time import SpectrometerParameters, draw_flight_times_ns, survives_dead_time


def naive_dead_time(pulse, time, dead):
    kept = np.zeros(len(time), dtype=bool)
    for number in np.unique(pulse):
        last = -np.inf
        for index in sorted(np.flatnonzero(pulse == number), key=lambda i: time[i]):
            if time[index] - last >= dead:
                kept[index] = True
                last = time[index]
    return kept


def test_dead_time_equals_the_naive_walk():
    rng = np.random.default_rng(4)
    for _ in range(20):
        pulse = rng.integers(0, 12, 200)
        time = rng.uniform(0.0, 400.0, 200)
        dead = float(rng.uniform(1.0, 120.0))
        np.testing.assert_array_equal(survives_dead_time(pulse, time, dead), naive_dead_time(pulse, time, dead))


def test_loss_in_a_peak_is_that_of_the_binomial():
    # all ions of a pulse fall within the dead time: N (1 - exp(-lambda)) are counted (Stephan et al. 1994)
    rng = np.random.default_rng(5)
    pulses, mean = 200_000, 0.35
    drawn = rng.poisson(mean, pulses)
    pulse = np.repeat(np.arange(pulses), drawn)
    counted = survives_dead_time(pulse, rng.normal(22000.0, 1.0, pulse.size), 40.0).sum()
    expected = pulses * -np.expm1(-mean)
    assert abs(counted - expected) < 4 * np.sqrt(pulses * np.exp(-mean) * -np.expm1(-mean))
    assert -pulses * np.log(1 - counted / pulses) == pytest.approx(pulses * mean, rel=0.01)


def test_second_peak_is_corrected_by_the_pulses_left():
    # N' = N minus what was counted within the dead time before
    rng = np.random.default_rng(6)
    pulses = 300_000
    early, late = rng.poisson(0.3, pulses), rng.poisson(0.2, pulses)
    pulse = np.concatenate([np.repeat(np.arange(pulses), early), np.repeat(np.arange(pulses), late)])
    time = np.concatenate([np.full(early.sum(), 100.0), np.full(late.sum(), 120.0)]) + rng.random(pulse.size)
    kept = survives_dead_time(pulse, time, 40.0)
    first, second = kept[: early.sum()].sum(), kept[early.sum() :].sum()
    left = pulses - first
    assert -pulses * np.log(1 - second / left) == pytest.approx(pulses * 0.2, rel=0.015)


def test_header_is_off_by_what_was_asked():
    spectrometer = SpectrometerParameters(header_error_ppm=300.0, header_tilt_ppm=40.0)
    slope, offset = spectrometer.header_calibration()
    for mz, ppm in ((20.0, 280.0), (130.0, 320.0)):
        read = (spectrometer.flight_time_ns(np.array([mz]))[0] * 1e-3 * slope + offset) ** 2
        assert (read / mz - 1.0) * 1e6 == pytest.approx(ppm, abs=0.2)


@pytest.mark.parametrize("mz", [12.0, 51.0, 133.0])
def test_peak_has_its_mode_on_the_calibration_and_the_stated_resolution(mz):
    spectrometer = SpectrometerParameters(resolution=6000.0)
    assert spectrometer.true_resolution(np.array(100.0)) == pytest.approx(6000.0, rel=1e-6)
    times = draw_flight_times_ns(np.full(1_000_000, mz), spectrometer, np.random.default_rng(1))
    mass = (times * 1e-3 * spectrometer.slope + spectrometer.offset) ** 2
    fwhm = mz / float(spectrometer.true_resolution(np.array(mz)))
    counts, edges = np.histogram(mass, np.arange(mz - 3 * fwhm, mz + 5 * fwhm, 0.05 * fwhm))
    middle = 0.5 * (edges[1:] + edges[:-1])
    top = np.argmax(np.convolve(counts, np.ones(3), "same"))
    near = slice(top - 6, top + 7)
    fit = np.polyfit(middle[near] - mz, counts[near], 2)
    assert -fit[1] / (2 * fit[0]) == pytest.approx(0.0, abs=0.05 * fwhm)
    above = middle[counts > 0.5 * np.polyval(fit, -fit[1] / (2 * fit[0]))]
    assert above[-1] - above[0] == pytest.approx(fwhm, rel=0.06)
    assert (mass > mz + fwhm).mean() > 2 * (mass < mz - fwhm).mean()  # asymmetric, with its tail to heavy masses

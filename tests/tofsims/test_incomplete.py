import numpy as np
import pytest
from tofsims_stores import random_store

from depthlock.tofsims.incomplete import missing_lines, odd_scans
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.scan_survey import survey_scans

TIME = np.arange(80.0)


def sputtered(scale=400.0):
    """Expected ions by band and scan: a strong surface transient, a thin layer, an interface."""
    transient = 1.0 + 8.0 * np.exp(-TIME / 1.5)
    thin = np.exp(-0.5 * ((TIME - 30.0) / 0.7) ** 2)
    rise = 1.0 / (1.0 + np.exp(-(TIME - 50.0) / 1.5))
    return scale * np.stack([transient, 0.2 + 5.0 * thin, 0.1 + rise, 1.1 - rise, 1.0 + 0.0 * TIME, transient - rise])


@pytest.mark.parametrize("seed", range(5))
def test_dropped_short_and_flashed_scans_are_found_anywhere_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    expected = sputtered()
    assert not np.any(odd_scans(rng.poisson(expected)))
    expected[:, [20, 21, 45]] *= 0.5
    expected[:, 35] = 0.0
    expected[:, -1] *= 0.2
    expected[:, [40, 70]] *= 2.0
    short, bright = odd_scans(rng.poisson(expected))
    assert np.flatnonzero(short).tolist() == [20, 21, 35, 45, 79]
    assert np.flatnonzero(bright).tolist() == [40, 70]


def test_counting_noise_is_no_fault():
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert not np.any(odd_scans(rng.poisson(sputtered(4.0)) + 1))


def test_lines_without_ions_at_the_edge_are_found_and_a_dark_sample_is_not():
    lines = np.full(64, 500.0)
    lines[:2], lines[-1] = 20.0, 100.0
    assert missing_lines(lines) == (2, 1)
    dark = 500.0 / (1.0 + np.exp(-(np.arange(64.0) - 6.0)))
    assert missing_lines(dark) == (0, 0)
    assert missing_lines(np.zeros(64)) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_survey_equals_naive_sums(seed):
    events = random_store(seed, chunk=13)
    raster = raster_of(events)
    survey = survey_scans(events, raster)
    image = np.zeros((raster.scans, raster.rows, raster.columns))
    shape = tuple(events.attrs["row_shape"])
    for pixel, count in zip(events["pixel_id"].values, events["count"].values, strict=True):
        scan, _, y, x = np.unravel_index(int(pixel), shape)
        image[scan, y, x] += count
    assert np.array_equal(survey.totals, image.sum(axis=(1, 2)))
    assert np.array_equal(survey.rows, image.sum(axis=(0, 2)))
    assert np.array_equal(survey.columns, image.sum(axis=(0, 1)))
    assert survey.cell == 1
    assert np.array_equal(survey.images, image)

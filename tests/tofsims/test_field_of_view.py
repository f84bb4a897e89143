import numpy as np
import pytest
from tofsims_stores import random_store

from depthlock.tofsims.field_of_view import FieldOfView, seen_throughout, whole_raster
from depthlock.tofsims.raster import Raster, raster_of
from depthlock.tofsims.volume import ion_volume
from depthlock.tofsims.windows import Detector, read_window

RASTER = Raster(scans=6, frames=2, rows=5, columns=4)


def random_view(seed):
    rng = np.random.default_rng(seed)
    return FieldOfView(
        RASTER,
        rng.random(RASTER.pixels) < 0.8,
        rng.integers(-1, 2, (RASTER.scans, 2)),
        rng.integers(-2, 3, (2, RASTER.pixels)),
        rng.random(RASTER.scans) < 0.8,
    )


def naive_place(view, pixel_id):
    """Scan and place of one ion, or None."""
    scan, _, y, x = np.unravel_index(pixel_id, (RASTER.scans, RASTER.frames, RASTER.rows, RASTER.columns))
    y, x = y - view.shift[scan, 0], x - view.shift[scan, 1]
    if not (0 <= y < RASTER.rows and 0 <= x < RASTER.columns and view.whole[scan]):
        return None
    place = y * RASTER.columns + x
    scan = scan - view.lag[scan % 2, place]
    return (scan, place) if view.inside[place] and 0 <= scan < RASTER.scans else None


@pytest.mark.parametrize("seed", range(4))
def test_ions_are_placed_as_one_by_one(seed):
    view = random_view(seed)
    every = np.arange(RASTER.scans * RASTER.frames * RASTER.pixels)
    counted, scan, place = view.locate(every)
    naive = [naive_place(view, pixel) for pixel in every]
    assert [one is not None for one in naive] == counted.tolist()
    assert [one for one in naive if one is not None] == list(zip(scan, place, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_visits_count_what_can_be_placed(seed):
    view = random_view(seed)
    still = FieldOfView(RASTER, view.inside, np.zeros_like(view.shift), view.lag, view.whole)
    every = np.arange(RASTER.scans * RASTER.frames * RASTER.pixels)
    _, scan, place = still.locate(every)
    table = np.zeros((RASTER.scans, RASTER.pixels), dtype=int)
    np.add.at(table, (scan, place), 1)
    for number in range(RASTER.scans):
        assert np.array_equal(still.visits(number) * RASTER.frames, table[number])
    assert np.array_equal(still.pixels * RASTER.frames, table.sum(axis=1))


def test_the_whole_raster_changes_nothing():
    view = whole_raster(RASTER)
    every = np.arange(RASTER.scans * RASTER.frames * RASTER.pixels)
    counted, scan, place = view.locate(every)
    assert np.array_equal(every[counted], every)
    assert np.array_equal(scan, RASTER.scan_of(every))
    assert np.array_equal(place, RASTER.place_of(every))
    assert np.all(view.pixels == RASTER.pixels)


def test_pixels_seen_throughout():
    shift = np.array([[0, 0], [1, 0], [0, -2]] * 2)
    seen = seen_throughout(RASTER, shift).reshape(5, 4)
    expected = np.zeros((5, 4), dtype=bool)
    expected[:4, 2:] = True
    assert np.array_equal(seen, expected)


def test_windows_and_volumes_hold_the_same_ions_and_the_pulses_of_the_pixels_in_view():
    events = random_store(3)
    raster = raster_of(events)
    view = FieldOfView(
        raster,
        np.arange(raster.pixels) % 3 > 0,
        np.array([[0, 0], [0, 1], [1, 1], [1, 0]]),
        None,
        np.ones(raster.scans, dtype=bool),
    )
    window = read_window(events, view, Detector(2, 5.0), 20, 5, 10)
    volume = ion_volume(events, 20, 70, view=view)
    assert np.array_equal(window.counts.sum(axis=1), volume.sum(("y", "x")).values)
    assert 0 < window.counts.sum() < ion_volume(events, 20, 70).sum()
    assert np.all(window.pulses == view.inside.sum() * raster.frames * 5.0)

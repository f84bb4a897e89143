from itertools import pairwise

import dask
import numpy as np
import pytest
from tofsims_stores import random_store

from depthlock.model.errors import MeasurementError
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.spectrum import ions_between, total_spectrum
from depthlock.tofsims.volume import ion_volume


def naive(events, low, high):
    cycles, frames, rows, columns = events.attrs["row_shape"]
    cube = np.zeros((cycles, rows, columns), dtype=int)
    bins, indptr = events["mass_bin"].values, events["indptr"].values
    for k, bin_ in enumerate(bins):
        for e in range(indptr[k], indptr[k + 1]):
            if low <= bin_ < high:
                cycle, _, y, x = np.unravel_index(int(events["pixel_id"][e]), (cycles, frames, rows, columns))
                cube[cycle, y, x] += int(events["count"][e])
    return cube


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_naive_volume(seed):
    events = random_store(seed)
    low, high = 20, 70
    cube = ion_volume(events, low, high)
    assert cube.dims == ("scan", "y", "x")
    assert dask.is_dask_collection(cube.data)
    assert np.array_equal(cube.values, naive(events, low, high))


def test_binning_keeps_the_counts_and_the_coordinates():
    events = random_store(7)
    fine, coarse = ion_volume(events, 0, 200), ion_volume(events, 0, 200, bin_y=2, bin_x=3)
    assert coarse.shape == (fine.shape[0], -(-fine.shape[1] // 2), -(-fine.shape[2] // 3))
    assert int(coarse.sum()) == int(fine.sum()) == int(events["count"].sum())
    assert int(coarse[1, 0, 0]) == int(fine[1, :2, :3].sum())
    assert coarse["y"].values[0] == pytest.approx(0.25)
    assert coarse["y"].attrs["units"] == "micrometer"


def test_an_empty_window_is_refused_and_a_window_without_ions_is_zero():
    events = random_store(2)
    with pytest.raises(MeasurementError, match=r"mass bins 5\.\.5"):
        ion_volume(events, 5, 5)
    assert int(ion_volume(events, 10_000, 10_010).sum()) == 0


@pytest.mark.parametrize("seed", range(3))
def test_total_spectrum_and_slices_equal_naive_sums(seed):
    events = random_store(seed, chunk=7)
    indptr, count = events["indptr"].values, events["count"].values
    spectrum = total_spectrum(events)
    naive_counts = [int(count[a:b].sum()) for a, b in pairwise(indptr)]
    assert spectrum.counts.tolist() == naive_counts
    part = ions_between(events, 30, 60)
    inside = [(b, n) for b, n in zip(events["mass_bin"].values, naive_counts, strict=True) if 30 <= b < 60]
    assert part.count.sum() == sum(n for _, n in inside)
    assert set(part.mass_bin) == {b for b, _ in inside}
    edges = np.array([0.0, 30.0, 60.0, 61.5, 200.0])
    assert spectrum.histogram(edges).sum() == pytest.approx(count.sum())
    assert spectrum.histogram(edges)[1] == pytest.approx(part.count.sum())


def test_a_shape_that_does_not_fit_its_mode_is_refused():
    events = random_store(1)
    events.attrs["acquisition_mode"] = "image_2d"
    with pytest.raises(MeasurementError, match="row_shape"):
        raster_of(events)

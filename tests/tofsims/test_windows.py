import dask.array as da
import numpy as np
import pytest
import xarray as xr

from depthlock.tofsims.field_of_view import whole_raster
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.windows import Detector, read_window

PIXELS, SCANS, SHOTS, DEAD = 24, 40, 4, 300


def store(rate_of_pixel, seed=0):
    """One peak, 20 bins wide, seen by a detector that is blind for longer than the peak."""
    rng = np.random.default_rng(seed)
    pulses = np.repeat(np.arange(SCANS * PIXELS**2), SHOTS)
    rate = np.tile(np.ravel(rate_of_pixel), SCANS).repeat(SHOTS)
    arrived = rng.poisson(rate)
    hit = np.flatnonzero(arrived)
    first = np.array([rng.normal(1000, 4, n).min() for n in arrived[hit]])
    table = np.stack([np.floor(first).astype(int), pulses[hit]])
    cells, count = np.unique(table, axis=1, return_counts=True)
    bins, start = np.unique(cells[0], return_index=True)
    one = {"units": "1"}
    return xr.Dataset(
        {
            "mass_bin": ("bin", bins, one),
            "indptr": ("bin_edge", np.append(start, cells.shape[1]), one),
            "pixel_id": ("event", da.from_array(cells[1], chunks=1 << 16), one),
            "count": ("event", da.from_array(count, chunks=1 << 16), one),
        },
        coords={"sputter_time": ("scan", np.arange(SCANS) * 1.0, {"units": "s"})},
        attrs={
            "polarity": "-",
            "row_shape": [SCANS, 1, PIXELS, PIXELS],
            "acquisition_mode": "depth_profile",
            "mass_bin_width_ps": 100.0,
            "calibration_slope": 0.38,
            "calibration_offset": 0.0,
        },
    )


@pytest.mark.parametrize("kind", ["even", "half bright"])
def test_the_correction_is_right_where_rates_vary_laterally(kind):
    rate = np.full((PIXELS, PIXELS), 0.3)
    if kind == "half bright":
        rate[:, : PIXELS // 2] = 1.0
        rate[:, PIXELS // 2 :] = 0.05
    events = store(rate)
    window = read_window(events, whole_raster(raster_of(events)), Detector(DEAD, float(SHOTS)), 960, 4, 20)
    truth = float(rate.sum()) * SCANS * SHOTS
    error = np.sqrt(window.variance.sum())
    assert window.counts.sum() < 0.9 * truth
    assert window.ions.sum() == pytest.approx(truth, abs=3.5 * error + 0.004 * truth)
    assert np.all(window.pulses == PIXELS**2 * SHOTS)
    assert (window.uneven > 0.05) == (kind == "half bright")
    per_scan = window.ions.sum(axis=1)
    assert per_scan.var() == pytest.approx(window.variance.sum(axis=1).mean(), rel=0.6)


def test_without_known_pulses_nothing_is_corrected_and_that_is_said():
    events = store(np.full((PIXELS, PIXELS), 0.2))
    for detector in (Detector(None, 1.0), Detector(DEAD, None)):
        window = read_window(events, whole_raster(raster_of(events)), detector, 960, 4, 20)
        assert not window.corrected
        assert np.array_equal(window.ions, window.counts)

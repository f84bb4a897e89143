"""Profiles from volumes of chosen masses."""

import numpy as np
import pytest
import xarray as xr

from depthlock.model.chemistry import IonEntry
from depthlock.model.errors import MeasurementError
from depthlock.model.options import ProfileOptions
from depthlock.tofsims.profile import reduce_profile

IONS = (IonEntry(ion="V-", role="substrate"), IonEntry(ion="F-"))


def volume_of(counts: np.ndarray, pulses: float = np.nan, times: bool = True) -> xr.Dataset:
    scans = counts.shape[1]
    one = {"units": "1"}
    return xr.Dataset(
        {"counts": (("ion", "scan", "y", "x"), counts, one), "pulses": ("scan", np.full(scans, pulses), one)},
        coords={
            "ion": ("ion", ["V-", "F-"], one), "mz": ("ion", [50.94, 19.0], {"units": "Da"}),
            "sputter_time": ("scan", 4.0 * np.arange(scans) if times else np.full(scans, np.nan), {"units": "s"}),
            "y": ("y", np.arange(counts.shape[2]) * 1.0, one), "x": ("x", np.arange(counts.shape[3]) * 1.0, one),
        },
        attrs={"source": "volume.txt"},
    )  # fmt: skip


def rising(rng: np.random.Generator, level: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Expected ions of V- and F- a pixel by scan, and Poisson counts on (ion, scan, y, x)."""
    rise = 1.0 / (1.0 + np.exp(-(np.arange(80) - 40.0) / 4.0))
    mean = level * np.stack([0.02 + rise, 1.05 - rise])
    return mean, rng.poisson(np.broadcast_to(mean[:, :, None, None], (2, 80, 10, 12)))


def test_a_profile_with_its_interface_comes_out_of_a_volume():
    mean, counts = rising(np.random.default_rng(1))
    found = reduce_profile(volume_of(counts), ProfileOptions(ions=IONS))
    pull = (found["intensity"].values - 120 * mean) / found["intensity_std"].values
    assert np.mean(np.abs(pull) < 1.96) == pytest.approx(0.95, abs=0.04)
    time = found.sel(ion="V-")
    assert float(time["interface_time_lower"]) < 160.0 < float(time["interface_time_upper"])
    assert "pulses_unknown" in str(time["total_counts_flag"].values)


@pytest.mark.parametrize("stated", ["file", "session"])
def test_dead_time_is_restored_where_the_pulses_are_known(stated):
    rng = np.random.default_rng(2)
    mean, _ = rising(rng, 1.5)
    seen = rng.binomial(3, np.broadcast_to(-np.expm1(-mean / 3.0)[:, :, None, None], (2, 80, 10, 12)))
    options = ProfileOptions(ions=IONS, shots_per_pixel=3 if stated == "session" else None)
    found = reduce_profile(volume_of(seen, 3.0 if stated == "file" else np.nan), options)
    total = found["total_counts"].values
    assert np.abs(total - 120 * mean.sum(axis=1)) == pytest.approx(
        0.0, abs=3.5 * found["total_counts_std"].values.max()
    )
    assert found["counts"].values == pytest.approx(seen.sum(axis=(2, 3)))
    assert total[0] > 1.15 * seen[0].sum()


def test_scans_without_times_need_the_time_of_a_scan():
    _, counts = rising(np.random.default_rng(3))
    bare = reduce_profile(volume_of(counts, times=False), ProfileOptions(ions=IONS))
    assert "no_sputter_axis" in str(bare["interface_time_flag"].values[0])
    told = reduce_profile(volume_of(counts, times=False), ProfileOptions(ions=IONS, scan_time=4.0))
    assert float(told["interface_time"][0]) == pytest.approx(160.0, abs=6.0)


def test_a_region_of_interest_counts_its_pixels_only():
    _, counts = rising(np.random.default_rng(4))
    area = {"include": [{"polygon": [[0, 0], [6, 0], [6, 10], [0, 10]], "unit": "px"}]}
    found = reduce_profile(volume_of(counts), ProfileOptions(ions=IONS, region_of_interest=area))
    assert found["counts"].values == pytest.approx(counts[:, :, :, :6].sum(axis=(2, 3)))
    mask = {"include": [{"ion": "Cl-", "above": 0.5}]}
    with pytest.raises(MeasurementError, match="image of Cl-, which the volume does not hold"):
        reduce_profile(volume_of(counts), ProfileOptions(ions=IONS, region_of_interest=mask))

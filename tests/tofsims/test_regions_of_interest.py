import numpy as np
import pytest
from pydantic import ValidationError
from tofsims_stores import options

from depthlock.model.errors import MeasurementError
from depthlock.model.regions_of_interest import Area, RegionOfInterest
from depthlock.simulate.event_table import EventTable
from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.tofsims import simulate_events
from depthlock.simulate.tofsims_parameters import TofsimsParameters
from depthlock.tofsims.field_of_view import view_of
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.regions_of_interest import ion_mask, largest_rectangle, polygon_mask, region_mask
from depthlock.tofsims.volume import ion_volume


def naive_inside(corners, y, x):
    """Whether a ray to the right crosses the outline an odd number of times."""
    crossings = 0
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            crossings += 1
    return crossings % 2 == 1


@pytest.mark.parametrize("seed", range(4))
def test_polygon_equals_the_naive_rule(seed):
    corners = np.random.default_rng(seed).uniform(0, 12, (5, 2))
    mask = polygon_mask(corners, (12, 12))
    naive = [[naive_inside(corners, y + 0.5, x + 0.5) for x in range(12)] for y in range(12)]
    assert np.array_equal(mask, naive)


def test_polygons_in_micrometres_and_their_differences():
    region = RegionOfInterest(
        include=(Area(polygon=((0, 0), (4, 0), (4, 2), (0, 2))),),
        exclude=(Area(polygon=((0, 0), (2, 0), (2, 2), (0, 2)), unit="px"),),
    )
    mask = region_mask(region, (8, 8), 0.5, lambda _: np.zeros((8, 8)), "file")
    expected = np.zeros((8, 8), dtype=bool)
    expected[:4, :8] = True
    expected[:2, :2] = False
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize(
    ("polygon", "unit", "pitch", "told"),
    [
        (((0, 0), (9, 0), (0, 4)), "px", 0.5, r"corner \[9, 0\] lies outside"),
        (((0, 0), (4, 0), (0, -1)), "µm", 0.5, r"corner \[0, -1\] lies outside"),
        (((0, 0), (4, 0), (0, 4)), "µm", None, "no pixel size"),
        (((0, 0), (4, 4), (8, 8)), "px", None, "holds no pixel"),
    ],
)
def test_polygons_that_do_not_fit_are_refused(polygon, unit, pitch, told):
    region = RegionOfInterest(include=(Area(polygon=polygon, unit=unit),))
    with pytest.raises(MeasurementError, match=told):
        region_mask(region, (8, 8), pitch, lambda _: np.zeros((8, 8)), "file")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ion": "V-"}, "no level"),
        ({"ion": "V-", "polygon": [[0, 0], [1, 0], [0, 1]], "above": 0.5}, "not both"),
        ({"ion": "V-", "above": 0.7, "below": 0.5}, "'above' to be smaller"),
        ({"ion": "Q7-", "above": 0.7}, "Q7"),
    ],
)
def test_areas_that_mean_nothing_are_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        Area.model_validate(given)


def test_an_ion_mask_follows_the_ion_and_not_its_noise():
    expected = np.full((40, 40), 0.2)
    expected[:, 20:] = 1.0
    image = np.random.default_rng(1).poisson(expected).astype(float)
    mask = ion_mask(image, Area(ion="V-", above=0.5))
    assert mask[:, 24:].mean() > 0.95
    assert mask[:, :16].mean() < 0.02
    half = ion_mask(image, Area(ion="V-", below=0.5, of="quantile"))
    assert half.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_rectangle_equals_a_search_through_all(seed):
    inside = np.random.default_rng(seed).random((7, 6)) < 0.8
    rows, columns = largest_rectangle(inside)
    assert inside[rows, columns].all()
    areas = [
        (b - a) * (d - c)
        for a in range(7) for b in range(a + 1, 8) for c in range(6) for d in range(c + 1, 7)
        if inside[a:b, c:d].all()
    ]  # fmt: skip
    assert (rows.stop - rows.start) * (columns.stop - columns.start) == max(areas)


@pytest.fixture(scope="module")
def measured() -> tuple[EventTable, LayerParameters]:
    layer = LayerParameters()
    parameters = TofsimsParameters(pixels=32, scans=110, ions=4e5)
    return simulate_events(parameters, layer, np.random.default_rng(8))[0], layer


def test_a_profile_of_a_region_holds_its_counts_its_pulses_and_says_so(measured):
    events = measured[0].to_dataset()
    half = RegionOfInterest(include=(Area(polygon=((0, 0), (16, 0), (16, 32), (0, 32)), unit="px"),))
    chosen, everything = (
        reduce_profile(events, options("V-", "SO2CF3-", region_of_interest=region)) for region in (half, None)
    )
    assert np.all(chosen["pulses"].values * 2 == everything["pulses"].values)
    assert any("512 of 1024 pixels" in note for note in chosen.attrs["notes"])
    volume = ion_volume(events, int(chosen["bin_low"][0]), int(chosen["bin_high"][0]))
    assert np.array_equal(volume.values[:, :, :16].sum(axis=(1, 2)), chosen["counts"].values[0])
    seen = ion_volume(events, int(chosen["bin_low"][0]), int(chosen["bin_high"][0]), view=view_of(events, chosen))
    assert np.array_equal(seen.sum(("y", "x")).values, chosen["counts"].values[0])
    ratio = chosen["total_counts"].values / everything["total_counts"].values
    assert ratio == pytest.approx([0.5, 0.5], abs=0.06)
    assert "region" not in everything


def test_dropped_scans_inside_the_profile_are_left_out(measured):
    events = measured[0].to_dataset()
    scan = measured[0].pixel_id.astype(int) // 1024
    rng = np.random.default_rng(0)
    count = np.where((scan == 30) & (rng.random(scan.size) < 0.6), 0, measured[0].count)
    broken = events.assign(count=("event", count.astype(np.uint32), {"units": "1"})).chunk({"event": 1 << 20})
    profile = reduce_profile(broken, options("V-"))
    assert np.flatnonzero(profile["used_scans"].values == 0).tolist() == [30]
    assert any("1 incomplete scans were dropped: 30" in note for note in profile.attrs["notes"])

"""Image stacks (.ita) and analyses of SurfaceLab 7 (.itax): exact profiles, and pickles that stay shut."""

from __future__ import annotations

from pathlib import Path

import iontof_files as made
import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.options import EventsOptions
from depthlock.readers import iontof_images, registry
from depthlock.readers.event_conversion import convert_to_events
from depthlock.readers.iontof_volume import open_volume

PULSES = made.NX * made.NY * made.SHOTS


@pytest.mark.parametrize("later", [False, True])
def test_ita_gives_profiles_and_images(tmp_path: Path, later: bool) -> None:
    counts = made.images(1)
    path = tmp_path / "x.ita"
    path.write_bytes(made.container(made.ita_tree(counts, later)))
    profile = check(registry.read(path), "tofsims_export")
    assert profile["ion"].values.tolist() == ["total", "SO2CF3-", "V-"]
    assert profile["kind"].values.tolist() == ["total", "ion", "ion"]
    sums = counts.sum(axis=(2, 3))
    assert profile["intensity"].values[0].tolist() == sums[0].tolist()
    expected = -PULSES * np.log(1 - sums[1:] / PULSES)
    assert np.allclose(profile["intensity"].values[1:], expected, rtol=1e-12)
    assert np.all(expected > sums[1:])
    assert profile["sputter_time"].values.tolist() == [0.0, 10.0, 20.0]
    assert profile.attrs["corrected"] == 1
    assert profile.attrs["polarity"] == "-"
    assert profile["mz"].values[1:].tolist() == [132.9577, 50.9445]
    parsed = iontof_images.parse(path)
    planes = np.array(list(iontof_images.image_planes(path, parsed, 2)))
    assert np.array_equal(planes, counts[2])


def test_volume_is_lazy(tmp_path: Path) -> None:
    counts = made.images(6)
    path = tmp_path / "x.ita"
    path.write_bytes(made.container(made.ita_tree(counts)))
    volume = check(open_volume(path, scans_at_once=2), "tofsims_volume")
    assert volume["counts"].chunks is not None
    assert volume["counts"].chunks[:2] == ((1, 1, 1), (2, 1))
    assert np.array_equal(volume["counts"].values, counts)
    assert volume["counts"].sel(ion="V-").isel(scan=2).values.tolist() == counts[2, 2].tolist()
    assert volume["x"].values.tolist() == pytest.approx([0.0, 2.0, 4.0, 6.0, 8.0])
    assert volume["pulses"].values.tolist() == [made.SHOTS] * 3


def test_without_shots_nothing_is_corrected(tmp_path: Path) -> None:
    counts = made.images(2)
    tree = made.ita_tree(counts)
    settings = tree.path("propend")
    left_out = ("Registration.Raster.ShotsPerPixel", "Analysis.SputterTime")
    settings.children = [child for child in settings.children if child.name not in left_out]
    (tmp_path / "x.ita").write_bytes(made.container(tree))
    profile = registry.read(tmp_path / "x.ita")
    assert np.array_equal(profile["intensity"], counts.sum(axis=(2, 3)))
    assert profile.attrs["corrected"] == 0
    assert "not corrected" in profile.attrs["notes"][-1]
    assert np.isnan(profile["sputter_time"]).all()
    assert profile.attrs["sputter_time_source"] == "none"


def test_saturated_and_uneven_stacks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ita"
    counts = made.images(3)
    counts[2, 1] = made.SHOTS
    path.write_bytes(made.container(made.ita_tree(counts)))
    with pytest.raises(ReadError, match=r"'V-' counts 40 ions in a scan of 40 pulses"):
        registry.read(path)
    tree = made.ita_tree(made.images(4))
    del tree.path(f"{made.REDUCED}/ImageStackScans/Image[1]").children[-1]
    path.write_bytes(made.container(tree))
    with pytest.raises(ReadError, match="2, 3 scans"):
        registry.read(path)


def test_images_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "x.ita"
    for shape, message in (((3, 5), "holds 60 bytes"), ((9, 9), "more than 80 bytes")):
        counts = np.ones((3, 3, *shape), int)
        path.write_bytes(made.container(made.ita_tree(counts)))
        with pytest.raises(ReadError, match=message) as caught:
            registry.read(path)
        assert f"{path}: byte " in caught.value.where


def test_ita_is_no_event_file(tmp_path: Path) -> None:
    path = tmp_path / "x.ita"
    path.write_bytes(made.container(made.ita_tree(made.images(5))))
    facts = registry.describe(path)
    assert "no single ions" in facts["holds"]
    assert facts["intervals"][2] == "V- (50.9000 to 50.9700)"
    assert "not been checked" in facts["caution"]
    with pytest.raises(ReadError, match="no single ions"):
        convert_to_events(path, tmp_path / "events.h5", EventsOptions())


def test_itax_without_its_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    profiles = np.arange(12.0).reshape(3, 4) + 0.25
    path = tmp_path / "x.itax"
    path.write_bytes(made.container(made.itax_tree(profiles)))
    profile = check(registry.read(path), "tofsims_export")
    assert np.array_equal(profile["intensity"], profiles)
    assert profile["ion"].values.tolist() == ["total", "SO2CF3-", "V-"]
    assert profile["sputter_time"].values.tolist() == [0.0, 7.5, 15.0, 22.5]
    facts = registry.describe(path)
    assert "3 depth profiles" in facts["holds"]
    assert ".grd" in facts["notes"][0]
    assert not (tmp_path / "pickle_was_opened").exists()


def test_itax_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.itax"
    path.write_bytes(made.container(made.itax_tree(np.ones((3, 4)), times=False)))
    with pytest.raises(ReadError, match="no sputter time outside of its Python pickles") as caught:
        registry.read(path)
    assert "export the depth profile as text" in caught.value.hint
    empty = made.Node("root")
    empty.path("CommonDataObjects/MeasurementOptions/Options").add("pickle", b"\x80\x04N.")
    path.write_bytes(made.container(empty))
    with pytest.raises(ReadError, match="neither raw ions nor image stacks") as caught:
        registry.find(path)
    assert ".grd" in caught.value.hint

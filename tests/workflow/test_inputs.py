"""Raw files as a stage gets them: several files of one region joined, settings of the session applied."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from raw_files import write_spectrum

from depthlock.model.errors import ReadError
from depthlock.model.session_file import load_session
from depthlock.workflow.inputs import arguments_of
from depthlock.workflow.plan import make_plan
from depthlock.workflow.stages import STAGES, stage_named


def arguments(session: Path, stage: str) -> dict[str, object]:
    plan = make_plan(load_session(session))
    return arguments_of(stage_named(stage, STAGES), plan.job(f"one.{stage}"), plan)


def test_files_of_one_region_are_levels_in_order_of_etch_time(small_session: Path) -> None:
    text = small_session.read_text()
    small_session.write_text(text.replace("etch_times: [0]}, {file: one/f1s_b", "etch_times: [90]}, {file: one/f1s_b"))
    spectra = arguments(small_session, "xps_deconvolve")["spectra"]
    assert list(spectra) == ["F 1s"]
    region = spectra["F 1s"]
    assert region["etch_time"].values.tolist() == [60.0, 90.0]
    second = np.loadtxt(small_session.parent / "one" / "f1s_b.csv", delimiter=",", skiprows=1)[:, 1]
    np.testing.assert_array_equal(region["counts"].values[0], second)
    assert region["counts"].shape == (2, 60)
    assert region.attrs["sample"] == "one"


def test_levels_that_cannot_be_ordered_or_joined_are_refused(small_session: Path) -> None:
    text = small_session.read_text()
    small_session.write_text(text.replace(", etch_times: [60 s]", ""))
    with pytest.raises(ReadError, match="this one has no etch time") as caught:
        arguments(small_session, "xps_deconvolve")
    assert "f1s_b.csv" in caught.value.where
    small_session.write_text(text)
    write_spectrum(small_session.parent / "one" / "f1s_b.csv", 2, energies=61)
    with pytest.raises(ReadError, match=r"other energies here \(682-694 eV, 61 points\)"):
        arguments(small_session, "xps_deconvolve")


def test_the_sessions_pixel_size_stands_on_the_image(small_session: Path) -> None:
    text = small_session.read_text()
    more = "pixel_size: 0.5 angstrom, pixel_size_std: 0.02, lattice_spacing: 0.38 nm"
    small_session.write_text(text.replace("pixel_size: 0.05 nm", more))
    (image,) = arguments(small_session, "tem_thickness")["images"]
    assert image.attrs["pixel_size_nm"] == pytest.approx([0.05, 0.05])
    assert image["x"].values[-1] == pytest.approx(31 * 0.05)
    assert image["x"].attrs["units"] == "nm"
    assert (image.attrs["pixel_size_std"], image.attrs["lattice_spacing_nm"]) == (0.02, 0.38)


def test_a_burnt_in_bar_gives_the_scale_when_asked_for(small_session: Path) -> None:
    from tifffile import imwrite

    picture = np.random.default_rng(1).integers(80, 140, (120, 160), dtype=np.uint8)
    picture[100:104, 20:70] = 255
    imwrite(small_session.parent / "one" / "layer.tif", picture)
    text = small_session.read_text()
    small_session.write_text(text.replace("pixel_size: 0.05 nm", "scale_bar: 10 nm, pixel_size_std: 0.02"))
    (image,) = arguments(small_session, "tem_thickness")["images"]
    assert image.attrs["pixel_size_nm"] == pytest.approx([0.2, 0.2])
    assert image.attrs["pixel_size_std"] == pytest.approx(np.hypot(0.02, 0.01), rel=0.1)
    assert image["x"].values[-1] == pytest.approx(159 * 0.2)
    assert image["drawn_over"].values[100:104, 20:70].all()
    imwrite(small_session.parent / "one" / "layer.tif", picture[:90])
    with pytest.raises(ReadError, match="no burnt-in scale bar") as caught:
        arguments(small_session, "tem_thickness")
    assert "session.yaml" in caught.value.where


def test_hints_stand_on_the_image_in_pixels(small_session: Path) -> None:
    text = small_session.read_text()
    hints = "hints: {layer_at: [50 %, 4], crystal: [[[1, 2], [0.5 nm, 3]]]}"
    small_session.write_text(text.replace("pixel_size: 0.05 nm", f"pixel_size: 0.05 nm, {hints}"))
    (image,) = arguments(small_session, "tem_thickness")["images"]
    told = json.loads(image.attrs["hints"])
    assert told == {"layer_at": [[4.0, 15.5]], "crystal": [[[2.0, 1.0], [3.0, pytest.approx(10.0)]]]}
    small_session.write_text(text.replace("pixel_size: 0.05 nm", "pixel_size: 0.05 nm, hints: {layer_at: [50, 4]}"))
    with pytest.raises(ReadError, match="32 x 32 pixels") as caught:
        arguments(small_session, "tem_thickness")
    assert "session.yaml" in caught.value.where
    assert "layer_at" in str(caught.value)


def test_hand_drawn_labels_and_a_lattice_as_ruler_stand_on_the_image(small_session: Path) -> None:
    labels = np.repeat(np.array([0, 1, 1, 2]), 8)[None].repeat(32, axis=0)
    np.save(small_session.parent / "one" / "labels.npy", labels)
    text = small_session.read_text()
    more = "pixel_size: 0.05 nm, calibrate_with: 0.38 nm, labels: one/labels.npy"
    small_session.write_text(text.replace("pixel_size: 0.05 nm", more))
    (image,) = arguments(small_session, "tem_thickness")["images"]
    np.testing.assert_array_equal(image["labels"], labels)
    assert image.attrs["calibrate_with_nm"] == pytest.approx(0.38)
    assert image.attrs["labels_source"] == "labels.npy"
    before = make_plan(load_session(small_session)).job("one.tem_thickness").key_sha256
    np.save(small_session.parent / "one" / "labels.npy", labels[:, ::-1])
    assert make_plan(load_session(small_session)).job("one.tem_thickness").key_sha256 != before
    np.save(small_session.parent / "one" / "labels.npy", labels[1:])
    with pytest.raises(ReadError, match="31 x 32 pixels") as caught:
        arguments(small_session, "tem_thickness")
    assert "labels.npy" in caught.value.where
    assert "session.yaml" in caught.value.where


def test_events_come_as_a_path(small_session: Path) -> None:
    assert arguments(small_session, "tofsims_events") == {"source": small_session.parent / "one" / "profile.h5"}


def test_a_series_variable_of_the_session_takes_the_place_of_etch_times(small_session: Path) -> None:
    text = small_session.read_text()
    series = "series: {name: state of charge, unit: '%', values: [VALUE]}"
    first, second = series.replace("VALUE", "90"), series.replace("VALUE", "20")
    session = text.replace("etch_times: [60 s]", first).replace("etch_times: [0]", second)
    small_session.write_text(session)
    region = arguments(small_session, "xps_deconvolve")["spectra"]["F 1s"]
    assert region["series"].values.tolist() == [20.0, 90.0]
    assert region["series"].attrs["long_name"] == "state of charge"
    assert region.attrs["series_coordinate"] == "state of charge"
    small_session.write_text(session.replace("[20]", "[20, 30]"))
    with pytest.raises(ReadError, match="2 values"):
        arguments(small_session, "xps_deconvolve")

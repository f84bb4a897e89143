"""Sessions with diffraction: entries, their errors, what makes a run stale, the whole way to the figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.options import DiffractionOptions
from depthlock.model.session_file import load_session
from depthlock.report.diffraction_figures import draw_pattern
from depthlock.simulate.diffraction import Ring, Setup, simulate_pattern
from depthlock.workflow import store
from depthlock.workflow.check import check_inputs
from depthlock.workflow.inputs import arguments_of
from depthlock.workflow.plan import make_plan
from depthlock.workflow.stages import stage_named
from depthlock.workflow.summary import TABLE, quantity_rows

pytest.importorskip("pyFAI")

from depthlock.diffraction.texture import measure_texture

RINGS = (Ring("001", 1.15, 0.35, 15.0, 0.7, 0.0, 20.0), Ring("110", 0.35, 0.5, 30.0))
INLINE = "distance: 150 mm, pixel_size: 344 um, centre: [205, 380], wavelength: 0.1 nm, incident_angle: 0.2"
NAMED = 'reflections: {"001": 1.15 nm, "110": 3.5 angstrom}'
WHOLE = f"{{file: a.tif, {INLINE}, {NAMED}}}"
PONI = f"{{file: a.tif, geometry: setup.poni, incident_angle: 0.2 degree, {NAMED}}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    counts = simulate_pattern(Setup(), RINGS, 10.0, np.random.default_rng(1))
    tifffile.imwrite(tmp_path / "a.tif", counts.astype(np.int32))
    lines = ["poni_version: 2.1", "Detector: Detector",
             'Detector_config: {"pixel1": 0.000344, "pixel2": 0.000344, "max_shape": [400, 420], "orientation": 3}',
             "Distance: 0.15", f"Poni1: {380.5 * 344e-6}", f"Poni2: {205.5 * 344e-6}", "Rot1: 0", "Rot2: 0", "Rot3: 0",
             "Wavelength: 1e-10"]  # fmt: skip
    (tmp_path / "setup.poni").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def session(folder: Path, entry: str) -> Path:
    path = folder / "session.yaml"
    path.write_text(f"session: giwaxs\nsamples:\n  A:\n    diffraction:\n      - {entry}\n", encoding="utf-8")
    return path


def test_a_pattern_goes_from_the_file_to_summary_and_figure(folder: Path) -> None:
    plan = make_plan(load_session(session(folder, WHOLE)))
    (checked,) = check_inputs(plan)
    assert checked.holds == "400 x 420 pixels, reflections 001, 110"
    patterns = arguments_of(stage_named("diffraction_texture"), plan.job("A.diffraction_texture"), plan)["patterns"]
    store.save(measure_texture(patterns, DiffractionOptions()), folder / "t.nc", "diffraction_texture", {})
    found = store.load(folder / "t.nc", "diffraction_texture")
    rows = [row for entry in TABLE if entry.stage == "diffraction_texture" for row in quantity_rows(found, entry)]
    (share,) = [row for row in rows if (row["quantity"], row["target"]) == ("texture_share", "001")]
    assert abs(share["value"] - 1 / 3) < 4 * share["std"]
    assert len(draw_pattern(found, 0, "A").axes) == 2


def test_a_poni_says_the_same_as_the_session(folder: Path) -> None:
    for entry in (WHOLE, PONI):
        plan = make_plan(load_session(session(folder, entry)))
        (pattern,) = arguments_of(stage_named("diffraction_texture"), plan.job("A.diffraction_texture"), plan)[
            "patterns"
        ]
        found = measure_texture([pattern], DiffractionOptions())
        assert float(found["reflection_spacing"][1]) == pytest.approx(0.35, abs=1e-4)


def test_another_geometry_makes_the_run_stale(folder: Path) -> None:
    key = make_plan(load_session(session(folder, PONI))).job("A.diffraction_texture").key_sha256
    poni = folder / "setup.poni"
    poni.write_text(poni.read_text().replace("Distance: 0.15", "Distance: 0.16"))
    assert make_plan(load_session(session(folder, PONI))).job("A.diffraction_texture").key_sha256 != key


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (WHOLE.replace("distance: 150 mm, ", ""), "no 'distance'"),
        (WHOLE.replace("wavelength: 0.1 nm", "wavelength: 0.1 eV"), "does not fit"),
        (WHOLE.replace("wavelength: 0.1 nm", "wavelength: 0.1 nm, photon_energy: 12 keV"), "either 'wavelength'"),
        (WHOLE.replace("distance", "geometry: setup.poni, distance"), "together"),
        (WHOLE.replace(NAMED, "reflections: {}"), "reflections"),
        (WHOLE.replace('"001": 1.15 nm', '"001": 1.15 s'), "does not fit"),
        (WHOLE.replace("angle: 0.2", "angle: -0.2"), "incident_angle"),
        (PONI.replace("setup.poni", "stup.poni"), "did you mean 'setup.poni'"),
    ],
)
def test_wrong_entries_are_told(folder: Path, entry: str, told: str) -> None:
    with pytest.raises(SessionError) as caught:
        load_session(session(folder, entry))
    assert told in caught.value.message


@pytest.mark.parametrize(("before", "after"), [("[400, 420]", "[40, 42]"), ("Wavelength: 1e-10", "Wavelength: long")])
def test_a_wrong_poni_is_told(folder: Path, before: str, after: str) -> None:
    poni = folder / "setup.poni"
    poni.write_text(poni.read_text().replace(before, after))
    with pytest.raises(DepthlockError, match="poni"):
        check_inputs(make_plan(load_session(session(folder, PONI))))

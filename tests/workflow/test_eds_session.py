"""Sessions with STEM-EDS: entries, their errors with line and key, and what makes a run stale."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from depthlock.model.errors import DepthlockError, SessionError
from depthlock.model.session_file import load_session
from depthlock.simulate.eds import EdsParameters, simulate_maps
from depthlock.workflow.check import check_inputs
from depthlock.workflow.drafts import draft_session
from depthlock.workflow.inputs import arguments_of
from depthlock.workflow.map_files import element_maps
from depthlock.workflow.plan import make_plan
from depthlock.workflow.stages import stage_named


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    data, _ = simulate_maps(EdsParameters(rows=60, columns=60), np.random.default_rng(1))
    for element in data["element"].values:
        tifffile.imwrite(tmp_path / f"{element}.tif", data["counts"].sel(element=element).values.astype(np.uint16))
    tifffile.imwrite(tmp_path / "haadf.tif", data["haadf"].values)
    return tmp_path


def session(folder: Path, entry: str) -> Path:
    path = folder / "session.yaml"
    path.write_text(f"session: eds\nsamples:\n  A:\n    eds:\n      - {entry}\n", encoding="utf-8")
    return path


WHOLE = "{maps: {F: F.tif, V: V.tif, O: O.tif}, haadf: haadf.tif, pixel_size: 0.4 nm, k_factors: {F: 1.1, O: 1.0}}"


def test_maps_reach_the_stage(maps: Path) -> None:
    plan = make_plan(load_session(session(maps, WHOLE)))
    (checked,) = check_inputs(plan)
    assert checked.holds == "maps of F, V, O, 60 x 60 pixels, 0.4 nm a pixel"
    job = plan.job("A.eds_profile")
    assert job.options["ions"], "the library's ions name the substrate"
    (data,) = arguments_of(stage_named("eds_profile"), job, plan)["measured"]
    assert data["element"].values.tolist() == ["F", "V", "O"]
    assert data.attrs["pixel_size_nm"] == [0.4, 0.4]
    assert data.attrs["k_factors"] == '{"F": 1.1, "O": 1.0}'
    assert "haadf" in data


def test_what_a_map_holds_makes_the_run_stale(maps: Path) -> None:
    before = make_plan(load_session(session(maps, WHOLE))).job("A.eds_profile").key_sha256
    moved = WHOLE.replace("F.tif", "other/F.tif")
    (maps / "other").mkdir()
    (maps / "F.tif").rename(maps / "other" / "F.tif")
    assert make_plan(load_session(session(maps, moved))).job("A.eds_profile").key_sha256 == before
    swapped = moved.replace("V: V.tif, O: O.tif", "V: O.tif, O: V.tif")
    assert make_plan(load_session(session(maps, swapped))).job("A.eds_profile").key_sha256 != before


@pytest.mark.parametrize(
    ("entry", "told", "key"),
    [
        ("{pixel_size: 0.4 nm}", "either 'file'", "eds[0]"),
        ("{file: F.tif, haadf: haadf.tif}", "stands beside 'maps'", "eds[0]"),
        ("{maps: {Ff: F.tif}}", "no chemical element", "eds[0].maps"),
        ("{maps: {F: G.tif}}", "there is no file 'G.tif'", "eds[0].maps.F"),
        ("{maps: {F: F.tif}, haadf: had.tif}", "did you mean 'haadf.tif'", "eds[0].haadf"),
        ("{maps: {F: F.tif}, k_factors: {F: -1}}", "greater than 0", "eds[0].k_factors"),
        ("{file: F.tif, pixelsize: 1 nm}", "pixel_size", "eds[0].pixelsize"),
        ("{file: F.tif}", "tem data", "eds[0].file"),
        ("{maps: {F: F.tif, C: F.tif}, pixel_size: 1 nm}", "content of that of F", "eds[0].maps.C"),
        ("{maps: {F: F.tif}}", "have no scale", "eds[0].maps"),
    ],
)
def test_mistakes_are_told_with_their_place(maps: Path, entry: str, told: str, key: str) -> None:
    path = session(maps, entry)
    with pytest.raises(DepthlockError) as caught:
        check_inputs(make_plan(load_session(path)))
    assert told in caught.value.message
    assert key in caught.value.message
    assert f"{path}:5" in caught.value.message


def test_an_unknown_substrate_is_told(maps: Path) -> None:
    path = session(maps, WHOLE)
    path.write_text(path.read_text() + "options: {eds_profile: {substrate: [Vn]}}\n", encoding="utf-8")
    with pytest.raises(SessionError, match="no chemical element"):
        load_session(path)


def test_maps_and_spectra_are_drafted(maps: Path, real_data: Path) -> None:
    own = maps / "A"
    own.mkdir()
    for path in maps.glob("*.tif"):
        path.rename(own / (f"eds_{path.name}" if path.stem != "haadf" else path.name))
    film = maps / "film"
    film.mkdir()
    for path in (real_data / "eds").glob("*.hspy"):
        shutil.copy(path, film)
    shutil.copy(real_data / "eds" / "P45_the_default_job.bcf", film)
    draft = draft_session(maps)
    (maps / "session.yaml").write_text(draft.text, encoding="utf-8")
    loaded = load_session(maps / "session.yaml")
    mapped, spectra = sorted(loaded.session.samples["film"].eds, key=lambda entry: entry.file or "")
    assert set(mapped.maps or {}) == {"Er", "Sr", "Ti", "Y"}
    assert spectra.file == "film/P45_the_default_job.bcf"
    (entry,) = loaded.session.samples["A"].eds
    assert set(entry.maps or {}) == {"C", "F", "Mg", "O", "V"}
    assert entry.haadf == "A/haadf.tif"
    assert "give its pixel_size" in draft.text


def test_images_of_samples_called_b_and_c_are_no_maps(tmp_path: Path) -> None:
    for name in ("B", "C"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.arange(400, dtype=np.uint16).reshape(20, 20) + ord(name))
    assert element_maps(tmp_path) == []

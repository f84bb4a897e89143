"""A wrong session points to file, line, key, and the nearest valid one."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import SessionError
from depthlock.model.session_file import json_schema, load_session

GOOD = """\
session: mg-v2o5-cei
output: results            # relative to this file
chemistry: mg-tfsi-v2o5
ions: [SO2CF3-, MgF2-, {ion: V-, role: substrate, window_ppm: 150}]
samples:
  B-V2O5:
    tofsims: {file: B/profile.h5}
    xps: [{file: B/etch.vms}]
    tem: [{file: B/hrtem.tif, pixel_size: 30 pm, lattice_spacing: 0.38 nm}]
    options:
      tem_thickness: {bootstrap: 7}
options:
  tem_thickness: {seed: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "B").mkdir()
    for name in ("profile.h5", "etch.vms", "hrtem.tif"):
        (tmp_path / "B" / name).write_bytes(b"x")
    return tmp_path


def fault_of(folder: Path, text: str) -> str:
    path = folder / "session.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SessionError) as caught:
        load_session(path)
    return str(caught.value)


def test_the_session_of_the_design_is_read(folder: Path) -> None:
    path = folder / "session.yaml"
    path.write_text(GOOD, encoding="utf-8")
    loaded = load_session(path)
    sample = loaded.session.samples["B-V2O5"]
    assert sample.tem[0].pixel_size == pytest.approx(0.03)
    assert [entry.role for entry in loaded.session.ions] == ["other", "other", "substrate"]
    assert loaded.results == folder / "results" / "mg-v2o5-cei"


def test_options_of_a_sample_lie_on_those_of_the_session(folder: Path) -> None:
    path = folder / "session.yaml"
    path.write_text(GOOD, encoding="utf-8")
    options = load_session(path).session.options_of("B-V2O5").tem_thickness
    assert (options.bootstrap, options.seed) == (7, 3)


@pytest.mark.parametrize(
    ("old", "new", "line", "parts"),
    [
        ("pixel_size", "pixel_sze", 9, ("samples.B-V2O5.tem[0].pixel_sze", "did you mean 'pixel_size'?")),
        ("30 pm", "30 eV", 9, ("samples.B-V2O5.tem[0].pixel_size", "'30 eV'", "does not fit", "'nm'")),
        ("30 pm", "thirty", 9, ("'thirty'", "number with a unit")),
        ("30 pm", "30 pm, scale_bar: 5 nm", 9, ("'scale_bar' and 'pixel_size' together",)),
        ("30 pm", "30 pm, hints: {}", 9, ("hints that say nothing", "layer_at")),
        ("30 pm", "30 pm, hints: {layer: [[[1, 2]]]}", 9, ("hints.layer[0]", "2")),
        ("30 pm", "30 pm, hints: {layer_at: [1, eV]}", 9, ("hints.layer_at[0][1]", "'eV'", "40 %")),
        ("30 pm", "30 pm, hints: {layer_at: [1, 2]}, labels: l.png", 9, ("'labels' and 'hints' together",)),
        ("30 pm", "-1 nm", 9, ("pixel_size", "greater than 0")),
        ("role: substrate", "role: substrat", 4, ("ions[2].role", "did you mean 'substrate'?", "organic")),
        ("MgF2-", "Xx-", 4, ("ions[1]", "'Xx-' is no ion")),
        ("bootstrap: 7", "bootstrap: many", 11, ("tem_thickness.bootstrap", "'many'", "a whole number")),
        (
            "  tem_thickness: {seed",
            "  tem_thicknes: {seed",
            13,
            ("options.tem_thicknes", "did you mean 'tem_thickness'?"),
        ),
        ("ions: [SO2CF3-, MgF2-, {ion: V-, role: substrate, window_ppm: 150}]", "ions: V-", 4, ("'V-'", "a list")),
        ("  B-V2O5:", "  ../B:", 6, ("'../B'", "starts with a letter or digit")),
        ("etch.vms", "etsh.vms", 8, ("no file 'B/etsh.vms'", "did you mean 'B/etch.vms'?")),
        ("file: B/profile.h5", "file: B", 7, ("'B' is a folder", "name a file in it: etch.vms")),
        ("B/etch.vms", "~nobody-of-that-name/etch.vms", 8, ("cannot be a path",)),
        ("B/etch.vms", '"B/a\\0b"', 8, ("cannot be a path", "null")),
        ("B/etch.vms", "B/" + "x" * 5000, 8, ("cannot be a path",)),
        ("30 pm", ".inf", 9, ("pixel_size", "a finite number")),
        ("30 pm", "1e400 nm", 9, ("pixel_size", "a finite number")),
        ("30 pm", "1e300 nm", 9, ("pixel_size", "less than or equal to 1000000")),
        ("  B-V2O5:", "  5:", 6, ("samples[5]: found 5", "'5'")),
        ("  B-V2O5:", "  figures:", 6, ("samples.figures", "results folder's own")),
        ("  B-V2O5:", "  'B.':", 6, ("'B.' ends with '.'",)),
        ("  B-V2O5:", "  aux:", 6, ("device on Windows",)),
        ("SO2CF3-, MgF2-", "SO2CF3-, CF3SO2-", 4, ("ions[1]", "'CF3SO2-' is the same ion as 'SO2CF3-'")),
        ("tofsims: {file: B/profile.h5}", "tofsims: [{file: B/profile.h5}]", 7, ("such as {file: ...}",)),
        ("output: results ", "output: B/etch.vms ", 2, ("etch.vms is a file", "name another 'output:'")),
        (
            "tem_thickness: {seed: 3}",
            "tofsims_profile: {first_time: 9 s, last_time: 3 s}",
            13,
            ("options.tofsims_profile", "first_time is 9 s and last_time 3 s"),
        ),
    ],
)
def test_each_fault_is_told_with_its_place(folder: Path, old: str, new: str, line: int, parts: tuple[str, ...]) -> None:
    assert GOOD.count(old) == 1
    message = fault_of(folder, GOOD.replace(old, new))
    assert f"session.yaml:{line}: " in message
    for part in parts:
        assert part in message


def test_all_faults_are_told_at_once(folder: Path) -> None:
    message = fault_of(folder, GOOD.replace("seed: 3", "seed: -1").replace("output", "outptu"))
    assert "outptu" in message
    assert "options.tem_thickness.seed" in message


def test_how_many_entries_are_lacking_is_told(folder: Path) -> None:
    area = "{include: [{polygon: [[0, 0], [1, 1]], unit: µm}]}"
    text = GOOD + f"  tofsims_profile: {{region_of_interest: {area}}}\n"
    assert "at least 3 entries" in fault_of(folder, text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "an empty file"),
        ("- a\n- b\n", "session.yaml:1: a list"),
        ("hello", "session.yaml:1: a single value"),
        ("session: x\n\tsamples: {}\n", "indent with blanks"),
        ("session: x\nsamples: {}\n", "at least one entry"),
        ("session: x\nsamples:\n", "found nothing"),
        ("session: x\nsamples: {A: {tofsims: {file: a}}\n", "session.yaml:3"),
        ("session: x\nsession: y\n", "session.yaml:2: the key 'session' stands twice"),
        ("samples: {}\n", "the key 'session' is missing"),
        ("session: x\nsamples: {A: {}}\n", "a sample without data"),
    ],
)
def test_what_is_no_session_is_refused(folder: Path, text: str, part: str) -> None:
    assert part in fault_of(folder, text)


def test_a_missing_session_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="there is no such session file"):
        load_session(tmp_path / "none.yaml")


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    path.write_bytes(b"session: x\n# f\xfcr\n")
    with pytest.raises(SessionError, match=r"session.yaml:2: byte 14 is not UTF-8") as caught:
        load_session(path)
    assert "save it as UTF-8" in caught.value.message


def test_samples_that_are_one_folder_elsewhere_are_refused(folder: Path) -> None:
    message = fault_of(folder, GOOD.replace("options:\n  tem", "  b-v2o5: {xps: {file: B/etch.vms}}\noptions:\n  tem"))
    assert "session.yaml:12: samples.b-v2o5: 'b-v2o5' and 'B-V2O5'" in message


def test_options_are_checked_where_sample_and_session_meet(folder: Path) -> None:
    text = GOOD.replace("tem_thickness: {seed: 3}", "tofsims_profile: {first_time: 9 s}")
    message = fault_of(folder, text.replace("tem_thickness: {bootstrap: 7}", "tofsims_profile: {last_time: 3 s}"))
    assert "session.yaml:11: samples.B-V2O5.options.tofsims_profile: first_time is 9 s" in message


def test_a_photon_energy_takes_a_unit(folder: Path) -> None:
    path = folder / "session.yaml"
    path.write_text(GOOD.replace("B/etch.vms", "B/etch.vms, photon_energy: 1.4866 keV"), encoding="utf-8")
    assert load_session(path).session.samples["B-V2O5"].xps[0].photon_energy == pytest.approx(1486.6)


def test_a_link_that_leads_nowhere_is_told(folder: Path) -> None:
    (folder / "B" / "etch.vms").unlink()
    try:
        (folder / "B" / "etch.vms").symlink_to(folder / "gone.vms")
    except OSError:
        pytest.skip("this system makes no links")
    assert "is a link to" in fault_of(folder, GOOD)


def test_the_schema_knows_every_top_level_key() -> None:
    keys = set(json_schema()["properties"])
    assert {"session", "output", "chemistry", "ions", "samples", "options"} <= keys

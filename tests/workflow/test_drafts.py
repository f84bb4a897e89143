"""A session drafted from a folder of raw files is valid and plans."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from depthlock.model.errors import SessionError
from depthlock.model.session_file import load_session
from depthlock.workflow.check import check_inputs
from depthlock.workflow.drafts import draft_session
from depthlock.workflow.jobs import Plan
from depthlock.workflow.plan import make_plan


def test_a_draft_is_a_session_that_plans(small_session: Path) -> None:
    folder = small_session.parent
    small_session.unlink()
    (folder / "two" / "notes.pdf").write_bytes(b"%PDF-1.7")
    (folder / "one" / "f1s_b.csv").unlink()
    draft = draft_session(folder)
    assert draft.samples == {"one": 3, "two": 1}
    assert list(draft.passed_over) == ["two/notes.pdf"]
    assert "a PDF document" in draft.passed_over["two/notes.pdf"]
    assert draft.text.startswith("# yaml-language-server: $schema=")
    target = folder / "drafted.yaml"
    target.write_text(draft.text)
    loaded = load_session(target)
    assert loaded.session.samples["one"].tofsims.file == "one/profile.h5"
    assert not loaded.session.samples["one"].tem, "an image without a scale waits for it"
    assert "# - {file: one/layer.tif}  # give its pixel_size" in draft.text
    jobs = {job.name for job in make_plan(loaded).jobs}
    assert {"one.tofsims_profile", "one.xps_deconvolve", "two.xps_deconvolve", "report"} <= jobs
    assert "one.tem_thickness" not in jobs


def drafted(folder: Path) -> Plan:
    draft = draft_session(folder)
    (folder / "drafted.yaml").write_text(draft.text, encoding="utf-8")
    return make_plan(load_session(folder / "drafted.yaml"))


def test_a_draft_passes_the_check(tmp_path: Path, real_data: Path) -> None:
    # Files of one region without etch times in one folder, several samples in one file, a spectrum of another method.
    for name in ("tfsi_casaxps", "casaxps_vamas", "formats"):
        shutil.copytree(real_data / "xps" / name, tmp_path / name)
    plan = drafted(tmp_path)
    assert len(check_inputs(plan)) == sum(len(job.raw) for job in plan.jobs) > 20
    assert "20240228_Au_MPPipTFSIIol3_O_1s" in plan.samples
    assert "RW_WS2" in plan.samples
    assert "aes_staib.vms: " in (tmp_path / "drafted.yaml").read_text().partition("# Passed over:")[2]


def test_a_copy_and_an_unscaled_image_beside_others_wait(small_session: Path) -> None:
    folder = small_session.parent
    small_session.unlink()
    shutil.copy(folder / "one" / "f1s_a.csv", folder / "one" / "f1s_copy.csv")
    (folder / "figures").mkdir()
    (folder / "figures" / "f1s.csv").write_bytes((folder / "two" / "f1s.csv").read_bytes() + b"\n")
    plan = drafted(folder)
    text = (folder / "drafted.yaml").read_text()
    assert "#   one/f1s_copy.csv: it has the content of one/f1s_a.csv" in text
    assert "      # - {file: one/layer.tif}  # give its pixel_size" in text
    assert "sample figures" in plan.samples
    assert check_inputs(plan)


def test_a_folder_without_raw_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no raw file that depthlock reads"):
        draft_session(tmp_path)
    with pytest.raises(SessionError, match="no such folder"):
        draft_session(tmp_path / "none")


def test_diffraction_and_scans_wait_for_what_their_files_lack(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    from hyperspy.signals import Signal2D

    counts = np.random.default_rng(0).poisson(5.0, (40, 50)).astype(np.int32)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fabio.edfimage.EdfImage(data=counts + len(name)).write(str(tmp_path / name / "giwaxs.edf"))
    fabio.edfimage.EdfImage(data=counts + 9).write(str(tmp_path / "two" / "giwaxs.edf"))
    (tmp_path / "one" / "setup.poni").write_text("poni_version: 2\n")
    scan = Signal2D((np.arange(2400) % 251).astype(np.uint8).reshape(3, 2, 20, 20))
    for axis, unit in zip(scan.axes_manager._axes, ("nm", "nm", "cm", "cm"), strict=True):
        axis.units = unit
    scan.save(str(tmp_path / "two" / "scan.blo"))
    draft = draft_session(tmp_path)
    assert draft.samples == {"one": 1, "two": 2}
    assert not draft.passed_over
    assert "- {file: one/giwaxs.edf, geometry: one/setup.poni}  # name its reflections" in draft.text
    assert "- {file: two/giwaxs.edf}  # give its geometry, a .poni, or distance" in draft.text
    assert "- {file: two/scan.blo}  # give its detector_step" in draft.text

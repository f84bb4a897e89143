"""The report is one page that stands alone, shows every number, and names every flag."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthlock.model.options import ReportOptions
from depthlock.report.contents import Results
from depthlock.report.report import _stems, write_report


@pytest.fixture(scope="module")
def folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("report")
    write_report(results, written, ReportOptions(figure_formats=("png", "svg", "pdf")))
    return written


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert page.count("data:image/png;base64,") == 10


def test_names_from_the_session_are_escaped(page: str) -> None:
    assert "L &lt;2&gt;" in page
    assert "L <2>" not in page.replace("L &lt;2&gt;", "")


def test_every_number_and_flag_is_told(page: str) -> None:
    assert page.count('<tr class="flagged">') == 2
    assert "cannot be told from SF- at this mass resolution and calibration" in page
    assert "there is no measured thickness" in page
    assert "not measured" in page
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]+", "", page))


def test_what_a_stage_notes_is_told(page: str) -> None:
    assert page.count("<li>of the other polarity and left out: Mg+</li>") == 1


def test_samples_do_not_share_figure_files() -> None:
    assert _stems(["a b", "a_b", "A+B", "c"]) == {"a b": "a_b", "a_b": "a_b_2", "A+B": "A_B_3", "c": "c"}


def test_every_figure_is_a_file_in_every_format(folder: Path) -> None:
    stems = {
        "depth_profiles",
        "comparison",
        "B_tofsims",
        "B_mass_peaks",
        "B_components",
        "B_maps",
        "B_xps",
        "B_xps_areas",
        "B_tem_0",
        "B_tem_crystal_0",
    }
    found = {path.name for path in (folder / "figures").iterdir()}
    assert found == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg", "pdf")}


def test_a_figure_shows_something(folder: Path) -> None:
    for path in (folder / "figures").glob("*.png"):
        picture = np.asarray(Image.open(path).convert("L"))
        inked = (picture < 250).mean()
        assert 0.01 < inked < 0.9, path.name


def test_the_same_results_give_the_same_svg(results: Results, folder: Path, tmp_path: Path) -> None:
    write_report(results, tmp_path, ReportOptions(figure_formats=("png", "svg", "pdf")))
    first, second = ((written / "figures" / "B_xps.svg").read_bytes() for written in (folder, tmp_path))
    assert first == second


def test_xps_fits_are_written_for_other_programs(folder: Path, results: Results) -> None:
    measured = [sample for sample in results.samples if results.dataset(sample, "xps_deconvolve") is not None]
    assert measured
    written = sorted(path.relative_to(folder / "exports").as_posix() for path in (folder / "exports").rglob("*.*"))
    names = ("xps_components.csv", "xps_curves.csv", "xps_fit.nxs", "xps_fit.vms")
    assert written == sorted(f"{sample}/{name}" for sample in measured for name in names)

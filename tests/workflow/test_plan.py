"""From a session to jobs: which stages a sample has, what fills their options, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import DepthlockError, ReadError, SessionError
from depthlock.model.session_file import load_session
from depthlock.workflow.files import write_json
from depthlock.workflow.jobs import Plan, read_plan, write_plan
from depthlock.workflow.plan import make_plan
from depthlock.workflow.reasons import reasons
from depthlock.workflow.stages import STAGES, stage_named


def plan_of(session: Path, **more: object) -> Plan:
    return make_plan(load_session(session), **more)


def test_a_sample_has_the_stages_that_its_files_allow(small_session: Path) -> None:
    plan = plan_of(small_session)
    assert [job.name for job in plan.jobs] == [
        "one.tofsims_events", "one.tofsims_profile", "one.tofsims_components", "one.xps_deconvolve",
        "one.tem_thickness", "one.depth_profile", "one.tofsims_maps",
        "two (b).xps_deconvolve", "two (b).depth_profile", "compare", "report",
    ]  # fmt: skip
    assert list(plan.job("one.depth_profile").upstream) == [
        "one.tofsims_profile", "one.xps_deconvolve", "one.tem_thickness", "one.tofsims_events",
    ]  # fmt: skip
    assert len(plan.job("report").upstream) == 10
    alone = plan_of(small_session, samples=["two (b)"])
    assert [job.name for job in alone.jobs] == ["two (b).xps_deconvolve", "two (b).depth_profile", "report"]
    assert not load_session(small_session).results.exists(), "planning writes nothing"


def test_options_come_from_session_sample_and_library(small_session: Path) -> None:
    text = small_session.read_text().replace(
        "tofsims: {file: one/profile.h5}",
        "tofsims: {file: one/profile.h5, dead_time: 0.04 us}\n    options: {tofsims_profile: {window_ppm: 500}}",
    )
    small_session.write_text(
        "ions: [MgF2-, {ion: V-, role: other}]\noptions: {tofsims_profile: {window_ppm: 300, calibration: file}}\n"
        + text
    )
    plan = plan_of(small_session)
    options = plan.job("one.tofsims_profile").options
    assert (options["window_ppm"], options["calibration"], options["dead_time"]) == (500.0, "file", 40.0)
    assert [(ion["ion"], ion["role"]) for ion in options["ions"]] == [("MgF2-", "inorganic"), ("V-", "other")]
    assert "V" in options["elements"]
    assert "F 1s" in [region["name"] for region in plan.job("two (b).xps_deconvolve").options["regions"]]
    assert plan.job("one.xps_deconvolve").options["sensitivity"]["factors"]["C 1s"] == 1


def test_a_plan_survives_its_file(small_session: Path) -> None:
    plan = plan_of(small_session)
    write_plan(plan)
    assert read_plan(plan.file) == plan
    assert read_plan(plan.file).job("report").key_sha256 == plan.job("report").key_sha256


def test_a_file_of_another_technique_is_refused(small_session: Path) -> None:
    small_session.write_text(
        small_session.read_text().replace("tem: [{file: one/layer.tif", "tem: [{file: one/f1s_a.csv")
    )
    with pytest.raises(SessionError, match=r"the file holds xps data") as caught:
        plan_of(small_session)
    assert "session.yaml:6: samples.one.tem[0].file" in caught.value.message
    assert "put it under 'xps:'" in caught.value.message


def test_data_that_would_count_twice_are_refused(small_session: Path) -> None:
    one = small_session.parent / "one"
    (one / "f1s_b.csv").write_bytes((one / "f1s_a.csv").read_bytes())
    with pytest.raises(SessionError, match=r"f1s_b.csv has the content of f1s_a.csv") as caught:
        plan_of(small_session)
    assert "session.yaml:5: samples.one.xps[1].file" in caught.value.message


def test_a_file_that_no_stage_takes_is_refused(small_session: Path, real_data: Path) -> None:
    spectrum = real_data / "tofsims" / "surfacelab_spectra" / "N_Ru-Rh_Bi1_2.txt"
    small_session.write_text(small_session.read_text().replace("one/profile.h5", str(spectrum)))
    with pytest.raises(SessionError, match="a kind that no stage takes yet"):
        plan_of(small_session)


def test_every_broken_file_is_told_at_once(small_session: Path) -> None:
    (small_session.parent / "one" / "f1s_a.csv").write_bytes(b"")
    (small_session.parent / "two" / "f1s.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(ReadError) as caught:
        plan_of(small_session)
    assert "session.yaml:5: samples.one.xps[0].file" in caught.value.message
    assert "0 bytes" in caught.value.message
    assert "samples.two (b).xps" in caught.value.message


def test_unknown_names_are_answered_with_the_nearest(small_session: Path) -> None:
    with pytest.raises(SessionError, match="did you mean 'one'"):
        plan_of(small_session, samples=["on"])
    with pytest.raises(DepthlockError, match="did you mean 'xps_deconvolve'"):
        stage_named("xps_deconvolute")
    small_session.write_text("chemistry: mg-tfsi\n" + small_session.read_text())
    with pytest.raises(SessionError, match=r"session\.yaml:1: chemistry: chemistry library 'mg-tfsi' is unknown"):
        plan_of(small_session)


def test_every_stage_of_the_table_can_be_called() -> None:
    """Each function exists and takes what the table says, and each contract is known."""
    import inspect

    from depthlock.model.contracts import CONTRACTS
    from depthlock.model.options import Options

    for stage in STAGES:
        parameters = list(inspect.signature(stage.load_function()).parameters)
        takes = [take.argument for take in stage.takes]
        if stage.gives == "file":
            assert len(parameters) == 3, stage.name
        else:
            assert parameters == [*takes, "options"], stage.name
            assert stage.gives in CONTRACTS, stage.name
        assert type(Options.model_fields[stage.name].get_default()) is stage.options


def test_reasons_name_what_changed(small_session: Path) -> None:
    plan = plan_of(small_session)
    job = plan.job("one.tofsims_profile")
    for name in job.outputs:
        (plan.results_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (plan.results_folder / name).touch()
    made = {
        **job.key,
        "code": "other",
        "options": {**job.options, "dead_time": 7.0, "ions": [*job.options["ions"][:-1]]},
    }
    made["options"]["elements"] = ["Xx", *job.options["elements"][1:]]
    write_json(plan.results_folder / job.done_file, made)
    assert reasons(plan)[job.name] == [
        "dead_time: 7.0 -> default",
        f"elements[0]: Xx -> {job.options['elements'][0]}",
        f"ions: {len(job.options['ions']) - 1} entries -> {len(job.options['ions'])} entries",
        "the code of tofsims_profile has changed",
        "one.tofsims_events runs before it",
    ]

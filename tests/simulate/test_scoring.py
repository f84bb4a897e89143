import numpy as np
import pytest

from depthlock.simulate.scoring import coverage, missing, score

SUMMARY = """sample,technique,quantity,target,level,value,std,ci_low,ci_high,unit,flag
B,tofsims,interface_time,V-,,101,1,99,103,s,
B,xps,area,F 1s/MgF2,0,200,5,190,210,CPS eV,
B,xps,area,F 1s/MgF2,1,,,,,CPS eV,not_detected
B,xps,area,F 1s/MgF2,2,90,2,86,94,CPS eV,poor_fit
B,depth,separation,"MgF2-,SO2CF3-",,3.1,0.2,2.7,3.5,nm,
B,depth,overlap,"MgF2-,SO2CF3-",,0.4,0.05,0.3,0.5,1,
B,tem,porosity,,,1,1,0,2,1,
"""
TRUTH = """sample,technique,quantity,target,level,value,unit
B,tofsims,interface_time,V-,,100,s
B,xps,area,F 1s/MgF2,0,250,CPS eV
B,xps,area,F 1s/MgF2,1,3,CPS eV
B,xps,area,F 1s/MgF2,2,100,CPS eV
B,depth,separation,"SO2CF3-,MgF2-",,-3.0,nm
B,depth,overlap,"SO2CF3-,MgF2-",,0.45,1
B,tem,lattice_spacing,,,0.38,nm
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "summary.csv").write_text(SUMMARY, encoding="utf-8")
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    return tmp_path / "summary.csv", tmp_path / "truth.csv"


def test_score_joins_by_key_and_turns_pairs(files):
    table = score(*files).set_index(["quantity", "level"])
    assert len(table) == 6
    assert table.loc[("interface_time", ""), "error"] == pytest.approx(1.0)
    assert table.loc[("separation", ""), "truth"] == pytest.approx(3.0)
    assert table.loc[("overlap", ""), "truth"] == pytest.approx(0.45)
    assert table["inside"].tolist() == [True, False, False, False, True, True]
    assert table["flagged"].tolist() == [False, False, True, True, False, False]
    assert table.loc[("area", "0"), "pull"] == pytest.approx(-10.0)
    assert not table.loc[("area", "1"), "measured"]


def test_coverage_counts_what_is_not_flagged(files):
    table = coverage(score(*files)).set_index("quantity")
    area = table.loc["area"]
    assert area["numbers"] == 3
    assert area["flagged"] == pytest.approx(2 / 3)
    assert area["measured"] == pytest.approx(2 / 3)
    assert area["coverage"] == 0.0
    assert area["silently_wrong"] == 1
    assert table.loc["separation", "coverage"] == 1.0
    assert np.isnan(table.loc["separation", "pull_sd"])


def test_missing_names_what_the_summary_lacks(files):
    lacking = missing(*files)
    assert lacking["quantity"].tolist() == ["lattice_spacing"]
    assert len(missing(*files, quantities=("overlap",))) == 0

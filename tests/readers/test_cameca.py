"""Cameca image stacks: counts by mass, with the polarity that the voltages mean."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry

CN = "tofsims/cameca/OpenMIMS_doc_051117_05-32dRe-03b.im"


def test_counts_and_polarity(real_data: Path) -> None:
    profile = check(registry.read(real_data / CN), "tofsims_export")
    assert profile["ion"].values.tolist() == ["^12C-", "^13C-", "^12C^14N-", "^12C^15N-"]
    assert profile["kind"].values.tolist() == ["ion"] * 4
    assert int(profile["intensity"].sum()) == 676561463
    assert profile["mz"].values[2] == pytest.approx(26.0033, abs=1e-4)
    # Natural carbon has 1.08 % of 13C and nitrogen 0.37 % of 15N; this sample was labelled with neither carbon.
    assert float(profile["intensity"][1, 0] / profile["intensity"][0, 0]) == pytest.approx(0.0103, abs=2e-4)
    facts = registry.describe(real_data / CN)
    assert facts["field of view"] == "19.991 um"
    assert facts["axes"] == "1 frames x 256 y x 256 x"


def test_a_signal_without_a_mass(real_data: Path) -> None:
    profile = registry.read(real_data / "tofsims/cameca/RTIimage.im")
    assert profile["ion"].values.tolist() == ["^12C2-", "signal without a mass"]
    assert profile["kind"].values.tolist() == ["ion", "other"]


def test_without_the_package(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("sims"):
            raise ImportError("no sims")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert registry.find(real_data / CN).name == "cameca"
    with pytest.raises(ReadError, match="needs the package 'sims'"):
        registry.read(real_data / CN)


def test_cut_files(real_data: Path, tmp_path: Path) -> None:
    raw = (real_data / CN).read_bytes()
    for length in (40, 3000, 25000, 100_000, len(raw) - 5):
        (tmp_path / "x.im").write_bytes(raw[:length])
        with pytest.raises(ReadError, match="damaged or cut short"):
            registry.read(tmp_path / "x.im")

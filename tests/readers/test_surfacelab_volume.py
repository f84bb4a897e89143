"""Volumes as text: rows x y z counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.model.ions import Ion
from depthlock.readers import registry, surfacelab_volume

COUNTS = np.random.default_rng(4).poisson(2.0, (3, 4, 5))


def rows(separator: str = "\t", first: int = 0) -> list[str]:
    return [
        separator.join(str(n) for n in (x + first, y + first, z + first, COUNTS[z, y, x]))
        for z in range(3)
        for y in range(4)
        for x in range(5)
    ]


@pytest.mark.parametrize(("separator", "first", "end"), [("\t", 0, "\r\n"), (" ", 1, "\n"), (", ", 0, "\n")])
def test_volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: str, first: int, end: str) -> None:
    monkeypatch.setattr(surfacelab_volume, "ROWS_AT_ONCE", 7)
    path = tmp_path / "sample (SO_2CF_3-).txt"
    path.write_text(end.join(["# exported volume", *rows(separator, first), ""]), newline="")
    assert registry.find(path).name == "surfacelab_volume"
    volume = check(registry.read(path), "tofsims_volume")
    assert np.array_equal(volume["counts"].values[0], COUNTS)
    assert volume["ion"].values.tolist() == ["SO2CF3-"]
    assert volume["mz"].values[0] == pytest.approx(Ion.parse("SO2CF3-").mz)
    assert registry.describe(path)["axes"] == "3 z x 4 y x 5 x"


def test_a_name_in_the_remarks_and_none(tmp_path: Path) -> None:
    path = tmp_path / "volume.txt"
    path.write_text("\n".join(["# V-", *rows()]))
    assert registry.read(path)["ion"].values.tolist() == ["V-"]
    path.write_text("\n".join(rows()))
    volume = registry.read(path)
    assert volume["ion"].values.tolist() == ["volume"]
    assert np.isnan(volume["mz"].values[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "59 rows for 5 x 4 x 3 voxels"),
        (lambda lines: [*lines[:20], lines[21], lines[20], *lines[22:]], r"row 21 is \(1, 0, 1\)"),
        (lambda lines: [*lines[:59], "4\t3"], "row 60 has no four numbers"),
        (lambda lines: [*lines[:30], "a\tb\tc\td", *lines[31:]], "no four numbers"),
        (lambda lines: [*lines[:30], lines[30] + ".5e99999", *lines[31:]], "no four numbers"),
        (lambda lines: [*lines[:30], lines[30][:6] + "-1", *lines[31:]], "negative"),
    ],
)
def test_faults(tmp_path: Path, change: object, message: str) -> None:
    path = tmp_path / "x.txt"
    assert callable(change)
    path.write_text("\n".join(change(rows())))
    with pytest.raises(ReadError, match=message):
        registry.read(path)

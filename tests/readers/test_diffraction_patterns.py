"""Diffraction patterns: EDF, CBF and TIFF of detectors, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from depthlock.model.errors import ReadError
from depthlock.readers import registry

fabio = pytest.importorskip("fabio")

COUNTS = np.random.default_rng(0).poisson(30.0, (40, 50)).astype(np.int32)


@pytest.mark.parametrize(("suffix", "kind"), [("edf", "edfimage.EdfImage"), ("cbf", "cbfimage.CbfImage")])
def test_detector_files(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"a.{suffix}"
    module, _, name = kind.partition(".")
    counts = COUNTS.copy()
    counts[3, 4] = -2
    getattr(getattr(fabio, module), name)(data=counts).write(str(path))
    assert registry.find(path).name == "diffraction_patterns"
    assert np.array_equal(registry.read(path)["intensity"].values, counts)
    assert registry.describe(path)["masked pixels"] == 1
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ReadError):
        registry.read(path, reader="diffraction_patterns")


def test_pictures_are_patterns_only_where_the_session_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, COUNTS)
    assert registry.find(path).name == "images"
    reader = registry.find(path, "diffraction")
    assert reader.name == "diffraction_patterns"
    assert np.array_equal(registry.read(path, reader=reader)["intensity"].values, COUNTS)


def test_colours_and_stacks_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((40, 50, 3), dtype=np.uint8), photometric="rgb")
    with pytest.raises(ReadError, match=r"no picture of counts|no diffraction pattern"):
        registry.read(path, reader="diffraction_patterns")
    tifffile.imwrite(path, np.stack([COUNTS, COUNTS + 1]))
    with pytest.raises(ReadError, match="stack of 2"):
        registry.read(path, reader="diffraction_patterns")
    assert np.array_equal(registry.read(path, reader="diffraction_patterns", frame=1)["intensity"].values, COUNTS + 1)


def test_the_largest_number_is_a_mark_or_too_many_counts(tmp_path: Path) -> None:
    counts = COUNTS.astype(np.uint16)
    counts[3, 4] = 65535
    tifffile.imwrite(tmp_path / "a.tif", counts)
    found = registry.read(tmp_path / "a.tif", reader="diffraction_patterns")
    assert np.isnan(found["intensity"].values[3, 4])
    assert not found["saturated"].any()
    counts[3, 5] = 60000
    tifffile.imwrite(tmp_path / "b.tif", counts)
    assert np.flatnonzero(registry.read(tmp_path / "b.tif", reader="diffraction_patterns")["saturated"]) == [154]

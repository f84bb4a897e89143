"""A 4D-STEM scan that was cut short is refused before any stage runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import stem_scans


def test_a_scan_cut_short_is_refused(real_data: Path, tmp_path: Path) -> None:
    whole = real_data / "tem" / "readers" / "test1.blo"
    stem_scans.read(whole)
    cut = tmp_path / "cut.blo"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(ReadError, match="cannot be read to the end"):
        stem_scans.read(cut)

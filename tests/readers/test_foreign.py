"""Formats that depthlock knows by sight only: the message says what to export."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry


@pytest.mark.parametrize(
    "lines",
    [
        ("RawFileFormatVersion: 4.0", "Technique: +TofSIMS", "SecIonPolarity: +"),
        ("SoftwareVersion: WinCadence 4.2", "SpecBinSize: 0.138", "Mass/Time: 0.38", "MassOffset: -1.6"),
    ],
)
def test_raw_files_of_phi_are_refused_with_the_way_out(tmp_path: Path, lines: tuple[str, ...]) -> None:
    path = tmp_path / "x.raw"
    header = "\r\n".join(["SOFH", *lines, "EOFH", ""]).encode()
    path.write_bytes(header.ljust(4096, b"\0") + bytes(range(256)) * 8)
    with pytest.raises(ReadError, match=r"raw file of PHI's TOF-SIMS \(.raw, version .*4\.") as caught:
        registry.find(path)
    assert "tof-sims-sparse-hdf5" in caught.value.hint

"""Damaged spectra: whatever is cut, lost or changed, a file is read or refused with a ReadError."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry

FILES = (
    "formats/fer_casaxps.vms",
    "formats/irregular.vms",
    "kherve/Pt4f.vms",
    "formats/Mutlipak_vms.npl",
    "phi_depth_series/SnO2_10nm.spe",
    "tfsi_casaxps/20240228_Au_MPPipTFSIIol3_F_1s.csv",
    "casaxps_vamas/FeO_analyzed_lineshapes_cols.txt",
    "formats/MgFe2O4_small.xy",
    "formats/Ag_0001.txt",
    "formats/PET_C1s.csv",
    "time_series_o1s/1804100020_dsp.csv",
)
#: Formats that say how much there must be: no part of such a file may pass for the whole.
COMPLETE = ("vms", "npl", "spe", "xy")


def survives(path: Path) -> bool:
    """Whether the file is still read; anything but a ReadError that tells where and what to do is a failure."""
    refusals: list[ReadError] = []
    for function in (registry.read, registry.describe):
        try:
            function(path)
        except ReadError as error:
            refusals.append(error)
    assert all(error.found and error.hint and str(path) in error.where for error in refusals)
    return not refusals


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere(real_data: Path, tmp_path: Path, name: str) -> None:
    whole = (real_data / "xps" / name).read_bytes()
    path = tmp_path / Path(name).name
    chance = random.Random(name)
    end = len(whole.rstrip()) - len(b"end of experiment")
    for length in [1, 2, 50, *(chance.randrange(3, end) for _ in range(25))]:
        path.write_bytes(whole[:length])
        read = survives(path)
        if path.suffix[1:] in COMPLETE:
            assert not read, f"the first {length} of {len(whole)} bytes pass for the whole file"


@pytest.mark.parametrize("name", FILES)
def test_changed_bytes(real_data: Path, tmp_path: Path, name: str) -> None:
    whole = (real_data / "xps" / name).read_bytes()
    path = tmp_path / Path(name).name
    chance = random.Random(name)
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 2, 10])):
            at = chance.randrange(min(len(damaged) - 60, chance.choice([200, 2000, 10**9])))
            kind = chance.random()
            if kind < 0.4:
                damaged[at] = chance.randrange(256)
            elif kind < 0.7:
                del damaged[at : at + chance.randrange(1, 50)]
            else:
                damaged[at:at] = bytes(chance.choice(b"0123456789.-eE,\n\t ab") for _ in range(5))
        path.write_bytes(damaged)
        survives(path)


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("spe")])
def test_lines_lost_or_doubled(real_data: Path, tmp_path: Path, name: str) -> None:
    lines = (real_data / "xps" / name).read_bytes().split(b"\n")
    path = tmp_path / Path(name).name
    chance = random.Random(name)
    for _ in range(25):
        damaged = list(lines)
        at = chance.randrange(min(len(damaged) - 3, chance.choice([60, 10_000])))
        if chance.random() < 0.5:
            del damaged[at]
        else:
            damaged.insert(at, chance.choice(lines))
        path.write_bytes(b"\n".join(damaged))
        survives(path)

"""Cut, changed and random files: each ends in a ReadError within a second, or gives the very data of the whole file."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthlock.model.errors import ReadError
from depthlock.readers import registry

ENDLESS = 30
"""Seconds of work in which a file of some kilobytes is never read, unless a damaged number sets off a long loop."""

FILES = (
    "tofsims/phi_simsh5/PowerCo-102-Pos-Cu_Grid.h5",
    "tofsims/phi_simsh5/mosaic-2x2-Pos.h5",
    "tofsims/surfacelab_profiles/I231114t_A_MAPI_1f-LC_neg-12 - NF.txt",
    "tofsims/mibi/fov-1-scan-1.bin",
    "tem/readers/64x64x5_TEM_preview_1.ser",
    "tem/readers/CameraCetaImaging.emd",
    "tem/readers/HAADFscan.mrc",
    "tem/readers/multi_signal.dm3",
    "tem/readers/olympus_SIS.tif",
    "tem/readers/openncem_Acquisition_18.emd",
    "tem/readers/test_loading_image_saved_with_imageJ_stack.tif",
    "tem/fringes/soot_ExampleImage.tif",
    "tem/labelled_amorphous/2013_1003_Graphene_041.png",
)
HEADS = (
    b"",
    b"\x89HDF\r\n\x1a\n",
    b"\0\0\0\x03\0\0\1\0\0\0\0\1",
    b"\0\0\0\x04\0\0\0\0\0\0\1\0\0\0\0\1",
    b"II\x97\x01\x20\x02",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"IMGBLO",
    bytes(208) + b"MAP ",
    b"ADQ V2 \0\x20\0\x20\0",
    b"# Profile Smoothing is Disabled\r\n#\t\t\t\ttotal",
    b"Channel\tm/z\tIntensity\r\n",
    b"ITStrF01",
)


def outcome(path: Path) -> xr.Dataset | ReadError:
    """What reading ends in: soon, whatever size a damaged number claims."""
    began = time.process_time()
    try:
        found = registry.read(path).drop_attrs()
    except ReadError as error:
        found = error
    assert time.process_time() - began < ENDLESS
    return found


@pytest.fixture(scope="module", autouse=True)
def imported(real_data: Path) -> None:
    """Import the readers' libraries once, so that the time limit counts reading only."""
    for name in FILES:
        registry.read(real_data / name)


@pytest.mark.parametrize("name", FILES)
def test_cut_at_many_lengths(real_data: Path, tmp_path: Path, name: str) -> None:
    raw = (real_data / name).read_bytes()
    whole = registry.read(real_data / name).drop_attrs()
    path = tmp_path / Path(name).name
    shares = (0.01, 0.05, 0.1, 0.2, 0.35, 0.45)
    lengths = {1, 3, 8, 30, 200, 700, 2000, *(int(share * len(raw)) for share in shares)}
    for length in sorted(lengths | {len(raw) - back for back in (2, 9, 33, 300, 4000)}):
        path.write_bytes(raw[:length])
        found = outcome(path)
        if isinstance(found, xr.Dataset):
            # Some formats end with bytes that carry nothing; then nothing may be lost.
            assert length > 0.4 * len(raw)
            assert found.identical(whole)
        else:
            assert str(path) in found.where


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith((".h5", ".emd"))])
def test_changed_bytes(real_data: Path, tmp_path: Path, name: str) -> None:
    raw = (real_data / name).read_bytes()
    path = tmp_path / Path(name).name
    chance = random.Random(name)
    for number in (1, 2, 5, 20) * 4:
        changed = bytearray(raw)
        reach = chance.choice([64, 1024, len(raw)])
        for _ in range(number):
            changed[chance.randrange(reach)] = chance.choice([0, 127, 255, chance.randrange(256)])
        path.write_bytes(changed)
        outcome(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), body=st.binary(max_size=3000))
def test_random_bytes_behind_every_mark(tmp_path: Path, head: bytes, body: bytes) -> None:
    path = tmp_path / "random.dat"
    path.write_bytes(head + body)
    found = outcome(path)
    assert isinstance(found, ReadError)


@pytest.mark.parametrize("suffix", [".h5", ".dm3", ".tif", ".ser", ".mrc", ".emd", ".png", ".bin", ".txt"])
def test_another_format_under_the_right_suffix(real_data: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"PK\x03\x04 an office document, by mistake")
    with pytest.raises(ReadError, match="zip archive"):
        registry.read(path)
    path.write_bytes(b"")
    with pytest.raises(ReadError, match="empty"):
        registry.read(path)

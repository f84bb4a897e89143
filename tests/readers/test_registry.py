"""The registry: content decides, nothing is imported early, refusals say what was found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vamas_text import TestBlock, vamas_text

from depthlock.model.errors import ReadError
from depthlock.readers import registry
from depthlock.readers.registry import BUILT_IN, Reader


@pytest.fixture
def fresh_readers() -> Iterator[None]:
    registry.readers.cache_clear()
    yield
    registry.readers.cache_clear()


class FakeEntryPoint:
    value = "somewhere:thing"

    def __init__(self, name: str, loaded: object) -> None:
        self.name = name
        self.loaded = loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def plug(monkeypatch: pytest.MonkeyPatch, *points: FakeEntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "depthlock.readers" else ())


def acme(name: str = "acme") -> Reader:
    return Reader(
        name, "xps", "xps_spectra", "Acme", (".acme",), f"{__name__}:is_acme", f"{__name__}:read", f"{__name__}:tell"
    )


def is_acme(path: Path, head: bytes) -> bool:
    return head.startswith(b"ACME")


def read(path: Path) -> str:
    return "read"


def tell(path: Path) -> dict[str, object]:
    return {"size": path.stat().st_size}


def test_listing_the_readers_imports_none() -> None:
    code = (
        "import sys; from depthlock.readers import registry; assert len(registry.readers()) >= 7; "
        "own = {name.rpartition('.')[2] for name in sys.modules if name.startswith('depthlock.readers.')}; "
        "assert not own & {'vamas', 'phi_spectra', 'gathering', 'spectra', 'images', 'event_store'}, own; "
        "assert not {'xarray', 'h5py', 'rsciio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("reader", BUILT_IN, ids=lambda reader: reader.name)
def test_built_in_readers_are_complete(reader: Reader) -> None:
    for role in ("recognises", "read", "describe"):
        assert callable(reader.function(role))
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.suffixes)


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    for name in ("a.vms", "a.csv", "a.h5", "a.tif", "a"):
        path = tmp_path / name
        path.write_text(vamas_text([TestBlock()]))
        assert registry.find(path).name == "vamas"
    table = tmp_path / "b.h5"
    table.write_text("Binding energy (eV),counts\n" + "".join(f"{290 - k / 10},{k}\n" for k in range(20)))
    assert registry.find(table).name == "spectrum_tables"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"\n\n  \r\n", "nothing but blank lines"),
        (b"Dear reader,\nthis is a letter", "text that begins with 'Dear reader,'"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + b"\0" * 50, "zip archive"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07", "binary and begins with the bytes 00 01 02 03"),
    ],
)
def test_unknown_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "thing.dat"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message) as caught:
        registry.find(path)
    assert str(path) in caught.value.where
    assert caught.value.hint


def test_missing_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "etch_series.vms").write_text("x")
    with pytest.raises(ReadError, match=r"did you mean 'etch_series\.vms'"):
        registry.find(tmp_path / "etch_serie.vms")
    with pytest.raises(ReadError, match="no such folder"):
        registry.find(tmp_path / "nowhere" / "a.vms")
    with pytest.raises(ReadError, match="this is a folder"):
        registry.find(tmp_path)


def test_looks_like_but(tmp_path: Path) -> None:
    path = tmp_path / "a.vms"
    path.write_text("Binding energy,counts\n1,2\n")
    with pytest.raises(ReadError, match="named like a VAMAS file, but it begins with 'Binding energy,counts'"):
        registry.find(path)


def test_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "a.vms"
    path.write_text(vamas_text([TestBlock()]))
    with pytest.raises(ReadError, match="did you mean 'photon_energy'"):
        registry.read(path, photon_enery=1486.6)
    with pytest.raises(ReadError, match="did you mean 'vamas'"):
        registry.read(path, reader="vmas")


def test_describe_leads_with_the_format(tmp_path: Path) -> None:
    path = tmp_path / "a.vms"
    path.write_text(vamas_text([TestBlock()]))
    facts = registry.describe(path)
    assert list(facts)[:3] == ["file", "format", "technique"]
    assert facts["spectra"][0]["binding energy (eV)"] == [693.0, 695.0]
    assert "caution" not in facts


@pytest.mark.usefixtures("fresh_readers")
def test_third_party_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(monkeypatch, FakeEntryPoint("acme", acme()), FakeEntryPoint("more", lambda: [acme("two"), acme("three")]))
    path = tmp_path / "x.dat"
    path.write_bytes(b"ACME 1")
    assert registry.find(path).name == "acme"
    assert registry.read(path) == "read"
    assert registry.describe(path)["size"] == 6


@pytest.mark.usefixtures("fresh_readers")
@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (RuntimeError("broken"), "'bad'.*does not load: broken"),
        ([3], "gives a int"),
        (acme("vamas"), "two readers are called 'vamas'"),
    ],
)
def test_bad_plug_ins_are_named(monkeypatch: pytest.MonkeyPatch, loaded: object, message: str) -> None:
    plug(monkeypatch, FakeEntryPoint("bad", loaded))
    with pytest.raises(ReadError, match=message):
        registry.readers()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=0, max_size=400))
def test_random_bytes_end_in_a_read_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "random.bin"
    path.write_bytes(content)
    with pytest.raises(ReadError):
        registry.read(path)


def test_specs_xml_is_named(real_data: Path) -> None:
    with pytest.raises(ReadError, match="SpecsLab file"):
        registry.find(real_data / "xps/formats/specs_xps_sample.xml")


def test_a_known_technique_names_its_formats_only(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"\x01\x02nothing that anybody knows\x00" * 10)
    with pytest.raises(ReadError) as caught:
        registry.find(path, "tofsims")
    assert "imzML" in caught.value.expected
    assert "VAMAS" not in caught.value.expected
    with pytest.raises(ReadError) as caught:
        registry.find(path)
    assert "VAMAS" in caught.value.expected

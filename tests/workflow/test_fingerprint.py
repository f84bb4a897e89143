"""The code fingerprint sees what code does and nothing else; the manifest sees content and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from depthlock.model.errors import ReadError, WorkflowError
from depthlock.workflow.fingerprint import code_fingerprint, module_hash
from depthlock.workflow.manifest import Manifest, file_sha256

CODE = '''"""Docstring."""


class A:
    """Another."""

    size: int = 3
    """Of A."""


def f(x: int) -> int:
    """Explain."""
    return x + 1
'''

SAME = "# comment\nclass A:\n\n    size: int = 3\n\n\ndef f(x: int) -> int:  # why\n    return (x + 1)\n"


def hash_of(folder: Path, code: str) -> str:
    path = folder / "module.py"
    path.write_text(code)
    return module_hash(path)


def test_only_what_code_does_counts(tmp_path: Path) -> None:
    original = hash_of(tmp_path, CODE)
    assert hash_of(tmp_path, SAME) == original
    assert hash_of(tmp_path, CODE.replace("x + 1", "x + 2")) != original
    assert hash_of(tmp_path, CODE.replace("size: int = 3", "size: int = 4")) != original


def test_packages_of_the_stages_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_fingerprint(("depthlock.xps",)) == code_fingerprint(["depthlock.xps", "depthlock.xps"])
    assert code_fingerprint(("depthlock.xps",)) != code_fingerprint(("depthlock.tem",))
    with pytest.raises(WorkflowError, match=r"'depthlock\.nothing' is not installed"):
        code_fingerprint(("depthlock.nothing",))


def test_what_only_reads_sessions_re_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depthlock.workflow import fingerprint

    for name in ("options", "units"):
        (tmp_path / f"{name}.py").write_text("a = 1\n")
    monkeypatch.setattr(
        fingerprint, "_modules", lambda package: [(tmp_path, path) for path in sorted(tmp_path.glob("*.py"))]
    )

    def now() -> str:
        fingerprint._package_hash.cache_clear()
        return code_fingerprint(("depthlock.model",))

    original = now()
    (tmp_path / "options.py").write_text("a = 2\n")
    assert now() == original
    (tmp_path / "units.py").write_text("a = 2\n")
    assert now() != original
    fingerprint._package_hash.cache_clear()


def test_broken_code_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=r"module\.py:2"):
        hash_of(tmp_path, "a = 1\nb = = 2\n")


def test_the_manifest_reads_a_file_once_while_it_stays(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"a" * 1000)
    manifest = Manifest(tmp_path / "manifest.json")
    first = manifest.sha256(raw)
    assert first == file_sha256(raw)
    manifest.save()
    status = raw.stat()
    raw.write_bytes(b"b" * 1000)
    os.utime(raw, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Manifest(manifest.path).sha256(raw) == first, "same size and time: taken from memory"
    os.utime(raw)
    assert Manifest(manifest.path).sha256(raw) != first, "another time: read again"
    manifest.path.write_text("{ damaged")
    assert Manifest(manifest.path).sha256(raw) == file_sha256(raw)
    with pytest.raises(ReadError, match="cannot be read"):
        manifest.sha256(tmp_path / "none")

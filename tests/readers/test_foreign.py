"""Formats that depthlock knows by sight only: the message says what to export."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tofsims/cameca/RTIimage.im", "Cameca"),
        ("tofsims/cameca/OpenMIMS_doc_051117_05-32dRe-03b.im", "Cameca"),
        ("tofsims/imzml/test.imzML", "imzML"),
        ("tofsims/imzml/iontof_sparse.imzML", "imzML"),
        ("tofsims/tofwerk/tofwerk_au_50nm.h5", "Tofwerk"),
        ("eds/P45_the_default_job.bcf", "Bruker"),
    ],
)
def test_refused_by_name(real_data: Path, name: str, what: str) -> None:
    with pytest.raises(ReadError, match=what) as caught:
        registry.find(real_data / name)
    assert "does not read yet" in caught.value.found
    assert caught.value.hint


def test_iontof_container(tmp_path: Path) -> None:
    path = tmp_path / "x.ita"
    path.write_bytes(b"ITStrF01" + bytes(200))
    with pytest.raises(ReadError, match="IONTOF container"):
        registry.find(path)

"""Formats that depthlock knows by sight only: the message says what to export."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthlock.model.errors import ReadError
from depthlock.readers import registry


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("eds/P45_the_default_job.bcf", "Bruker"),
    ],
)
def test_refused_by_name(real_data: Path, name: str, what: str) -> None:
    with pytest.raises(ReadError, match=what) as caught:
        registry.find(real_data / name)
    assert "does not read yet" in caught.value.found
    assert caught.value.hint

"""Units of scales in all spellings seen."""

from __future__ import annotations

import math

import pytest

from depthlock.readers.image_scale import Axis, is_reciprocal, pixel_size_nm


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("nm", 0.5), ("n_m", 0.5), ("[n_m]", 0.5), ("um", 500.0), ("µm", 500.0), ("μm", 500.0), ("pm", 0.0005),
        ("Å", 0.05), ("m", None), ("cm", None), ("inch", None), ("undefined", None), ("<undefined>", None),
        ("", None), ("px", None), ("furlong", None),
    ],
)  # fmt: skip
def test_units(units: str, expected: float | None) -> None:
    size, reason = pixel_size_nm((Axis(0.5, units), Axis(0.5, units)))
    if expected is None:
        assert size is None
        assert reason
    else:
        assert size == pytest.approx((expected, expected))
        assert not reason


def test_metres_as_written_by_tia() -> None:
    assert pixel_size_nm((Axis(2e-11, "m"), Axis(1e-11, "m")))[0] == pytest.approx((0.02, 0.01))


def test_impossible_scales() -> None:
    for scale in (0.0, math.nan, math.inf, 1e9):
        assert pixel_size_nm((Axis(scale, "nm"), Axis(1.0, "nm")))[0] is None
    assert pixel_size_nm((Axis(-0.02, "nm"), Axis(0.02, "nm")))[0] == (0.02, 0.02)


@pytest.mark.parametrize("units", ["1/nm", "[n_m^-1]", "nm^-1", "mrad", "1/Å", "nm⁻¹"])
def test_reciprocal(units: str) -> None:
    assert is_reciprocal(units)


@pytest.mark.parametrize("units", ["nm", "n_m", "µm", "", "<undefined>", "cm"])
def test_not_reciprocal(units: str) -> None:
    assert not is_reciprocal(units)

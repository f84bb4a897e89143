"""PHI headers: shots, pitch and dead time, and silence where the header says nothing."""

from __future__ import annotations

import pytest

from depthlock.readers import phi_header
from depthlock.readers.phi_header import PhiHeader, parse_header

TEXT = b"""SOFH
AcqPulseRate(kHz): 8.0
TimePerFrameInS: 16.384
ScanWidthX: 80.0
Path: C:\\a b
[Acq Base]
Sputter Time (s)=5
Sputter Phase Type=Time
EOFH
[Later]
x=1
\0\0"""


def test_sections_and_end() -> None:
    header = parse_header(TEXT)
    assert header.number("AcqPulseRate(kHz)") == 8.0
    assert header.text("Path") == "C:\\a b"
    assert header.number("Sputter Time (s)", "Acq Base") == 5.0
    assert "Later" not in header.sections
    assert header.number("missing") is None


def test_shots_are_whole_or_unknown() -> None:
    header = parse_header(TEXT)
    # 8 kHz * 16.384 s = 131072 pulses
    assert phi_header.shots(header, 256 * 256) == phi_header.Shots(131072.0, 2)
    unknown = phi_header.shots(header, 300 * 300)
    assert unknown is not None
    assert unknown.per_pixel is None
    assert phi_header.shots(PhiHeader(), 100) is None
    assert phi_header.shots(PhiHeader({"ShotsPerPixel": "3"}), 100) == phi_header.Shots(300.0, 3)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("DetectorDeadTime(ns)", "42.5", 42.5),
        ("Dead Time (ps)", "60000", 60.0),
        ("DeadTimeInUSec", "0.05", 50.0),
        ("DeadTime(ns)", "0", None),
        ("TDC Duration (us)", "0.03", None),
    ],
)
def test_dead_time(key: str, value: str, expected: float | None) -> None:
    assert phi_header.dead_time_ns(PhiHeader({key: value})) == (
        pytest.approx(expected) if expected is not None else None
    )


def test_sputter_interval_needs_time_mode() -> None:
    header = parse_header(TEXT)
    assert phi_header.sputter_interval_s(header) == 5.0
    assert phi_header.sputter_interval_s(parse_header(TEXT.replace(b"=Time", b"=Dose"))) is None


def test_pixel_pitch() -> None:
    assert phi_header.pixel_pitch_um(parse_header(TEXT), 128, 256) == (0.625, 0.3125)
    assert phi_header.pixel_pitch_um(PhiHeader(), 128, 256) is None

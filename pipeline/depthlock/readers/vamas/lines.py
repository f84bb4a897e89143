"""Taking the lines of a VAMAS file one by one, with complaints that name the place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from depthlock.model.errors import ReadError

MISSING = 1e36
"""Numbers from here on stand for "not known": the format writes 1E37."""


class Lines:
    """The lines of a file, taken one by one; every complaint names file, line and what was expected there."""

    def __init__(self, path: Path, lines: list[str], start: int) -> None:
        self.path = path
        self.lines = lines
        self.at = start

    def fail(self, found: str, expected: str, *, line: int | None = None) -> ReadError:
        """Return the error for what was `found` at the last line taken, or at `line`."""
        number = self.at if line is None else line
        return ReadError(
            found,
            expected=expected,
            where=f"{self.path}, line {number}",
            hint="the file is damaged, cut off or not written after ISO 14976; export or copy it again",
        )

    def text(self, what: str) -> str:
        """Take a line, without blanks around it."""
        if self.at >= len(self.lines):
            raise self.fail(f"the file ends after {len(self.lines)} lines", what, line=len(self.lines))
        self.at += 1
        return self.lines[self.at - 1].strip()

    def number(self, what: str) -> float:
        """Take a line with a number; NaN for the 1E37 that stands for a missing one."""
        text = self.text(what)
        try:
            value = float(text) if "," not in text else float(text.replace(",", "."))
        except ValueError:
            raise self.fail(f"found {short(text)}", f"a number: {what}") from None
        return np.nan if not np.isfinite(value) or abs(value) >= MISSING else value

    def whole(self, what: str, low: int = 0, high: int = 10_000_000) -> int:
        """Take a line with a whole number from `low` to `high`."""
        text = self.text(what)
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value) or value != round(value) or not low <= value <= high:
            raise self.fail(f"found {short(text)}", f"a whole number from {low} to {high}: {what}")
        return int(value)

    def numbers(self, count: int, what: str) -> tuple[float, ...]:
        """Take `count` lines with a number each."""
        return tuple(self.number(what) for _ in range(count))

    def texts(self, count: int, what: str) -> list[str]:
        """Take `count` lines."""
        return [self.text(what) for _ in range(count)]

    def pairs(self, count: int, what: str) -> list[tuple[str, str]]:
        """Take `count` labels, each with the unit below it."""
        return [(self.text(f"label of {what}"), self.text(f"unit of {what}")) for _ in range(count)]


def short(text: str) -> str:
    """Quote a line for a message, cut at 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")

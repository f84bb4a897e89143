"""Text as instruments write it: any of the usual encodings, any line ends."""

from __future__ import annotations

import re
from pathlib import Path

from depthlock.model.errors import ReadError

_LINE_END = re.compile(r"\r\n|\n|\r")


def decode(raw: bytes) -> str:
    """Decode bytes as UTF-8 or UTF-16 with a mark, as UTF-8, or else as Windows-1252 / Latin-1."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def split_lines(text: str) -> list[str]:
    """Split at carriage returns, line feeds and pairs of them, and at nothing else; the last opens no further line."""
    lines = _LINE_END.split(text)
    if lines and not lines[-1]:
        lines.pop()
    return lines


def read_text(path: Path) -> str:
    """Read a text file; :class:`ReadError` if it holds zero bytes inside, as binary files do."""
    raw = path.read_bytes()
    if b"\0" in raw and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError(
            f"there is a zero byte at byte {raw.index(0)}",
            expected="text",
            where=str(path),
            hint="the file is damaged; copy or export it again",
        )
    return decode(raw)


def number(text: str) -> float | None:
    """Return the number that `text` is, with a decimal point or comma; None if it is none."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text.replace(",", ".")) if text.count(",") == 1 else None
    except ValueError:
        return None

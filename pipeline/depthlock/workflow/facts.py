"""Facts of a raw file as `depthlock info` prints them: nested, one a line, folded to a terminal's width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any


def fact_lines(facts: Mapping[str, Any], width: int | None = None, indent: int = 0) -> Iterator[str]:
    """Give the lines that tell facts.

    Parameters
    ----------
    facts : mapping
        Plain values by name, as a reader's ``describe`` gives them; facts within facts stand below their name.
    width : int, optional
        Columns after which a fact is broken; never if absent.
    indent : int
        Spaces before each line.
    """
    blank = " " * indent
    for key, value in facts.items():
        if isinstance(value, dict):
            yield f"{blank}{key}:"
            yield from fact_lines(value, width, indent + 2)
        elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
            yield f"{blank}{key}:"
            for item in value:
                inner = item if isinstance(item, dict) else {"": item}
                told = ", ".join(f"{name}: {_plain(fact)}" for name, fact in inner.items())
                yield _folded(f"{blank}  - {told}", width, indent + 6)
        else:
            yield _folded(f"{blank}{key}: {_plain(value)}", width, indent + 4)


def _folded(line: str, width: int | None, hanging: int) -> str:
    if width is None:
        return line
    return textwrap.fill(line, width, subsequent_indent=" " * hanging, break_long_words=False)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return f"{value:.8g}" if isinstance(value, float) else str(value)

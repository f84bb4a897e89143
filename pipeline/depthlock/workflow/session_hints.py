"""Hints drawn in a window, put into the session file; its comments and its order stay."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from depthlock.model.errors import SessionError
from depthlock.model.session import HintsInput
from depthlock.workflow.files import write_text

Line = Sequence[tuple[float, float]]
"""Places (x, y) in pixels."""


def save_hints(session_file: Path, sample: str, image: int, hints: Mapping[str, Line | Sequence[Line]]) -> None:
    """Put the hints of one image into a session file, in place of those it has.

    Parameters
    ----------
    session_file : Path
    sample : str
    image : int
        Which entry under `tem:` of the sample, counted from 0.
    hints : mapping
        `layer_at`, a list of places, and `outside`, `layer` and `crystal`, lists of lines; empty ones are left out.
        Without any the key is removed.

    Raises
    ------
    SessionError
        When the file has no such entry.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    session = yaml.load(session_file.read_text(encoding="utf-8"))
    try:
        entries = session["samples"][sample]["tem"]
        entry: Any = entries if isinstance(entries, Mapping) else entries[image]
    except (KeyError, IndexError, TypeError):
        raise SessionError(
            f"there is no TEM image {image} of the sample {sample}",
            expected="an entry under 'tem:'",
            where=str(session_file),
            hint="run the session again: it has changed since",
        ) from None
    told = {name: value for name, value in hints.items() if len(value)}
    if told:
        HintsInput.model_validate(told)
        entry["hints"] = _in_a_line(told)
    elif "hints" in entry:
        del entry["hints"]
    text = io.StringIO()
    yaml.dump(session, text)
    write_text(session_file, text.getvalue())


def _in_a_line(value: Any) -> Any:
    """The same as YAML that is written in one line, numbers to a tenth of a pixel."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, Mapping):
        mapping = CommentedMap({key: _in_a_line(item) for key, item in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, Sequence) and not isinstance(value, str):
        sequence = CommentedSeq([_in_a_line(item) for item in value])
        sequence.fa.set_flow_style()
        return sequence
    return round(float(value), 1)

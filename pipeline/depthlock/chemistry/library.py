"""Chemistry libraries by name or path."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from pathlib import Path

from depthlock.model.chemistry import Chemistry, SurveyTable
from depthlock.model.errors import SessionError
from depthlock.model.yaml_file import read_yaml, validate

SURVEY_LINES = "survey_lines"
"""Name of the file of survey lines beside the libraries."""


def names() -> list[str]:
    """Names of the libraries that are shipped, in order."""
    files = resources.files(__package__).iterdir()
    stems = [file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")]
    return sorted(stem for stem in stems if stem != SURVEY_LINES)


@cache
def survey_lines() -> SurveyTable:
    """The lines by which elements are recognised in survey spectra."""
    with resources.as_file(resources.files(__package__).joinpath(f"{SURVEY_LINES}.yaml")) as file:
        return validate(SurveyTable, read_yaml(file, "table of survey lines"), file)


def load(name_or_path: str | Path) -> Chemistry:
    """Load a shipped library by its name, or any library by its path.

    Parameters
    ----------
    name_or_path : str or Path
        `mg-tfsi-v2o5`, or the path of a YAML file of the same form.

    Returns
    -------
    Chemistry

    Raises
    ------
    SessionError
        When there is no such library or file, or it does not keep the form; tells the nearest name, or the key.
    """
    text = str(name_or_path)
    if text in names():
        with resources.as_file(resources.files(__package__).joinpath(f"{text}.yaml")) as file:
            return read(file)
    path = Path(name_or_path)
    if path.is_file():
        return read(path)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise SessionError(
            "no such file",
            expected=f"a chemistry library in YAML, or one of the shipped names: {', '.join(names())}",
            where=text,
            hint="give the path relative to the session file, or a shipped name",
        )
    near = difflib.get_close_matches(text, names(), n=1, cutoff=0.4)
    raise SessionError(
        f"chemistry library '{text}' is unknown",
        expected=f"one of {', '.join(names())}, or the path of a YAML file",
        where="chemistry",
        hint=f"did you mean '{near[0]}'?" if near else "copy a shipped library and give its path",
    )


def read(path: Path) -> Chemistry:
    """Read one library file.

    Raises
    ------
    SessionError
        With file, line and key of what is wrong.
    """
    return validate(Chemistry, read_yaml(path, "chemistry library", "copy one of depthlock/chemistry"), path)

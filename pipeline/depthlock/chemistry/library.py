"""Chemistry libraries by name or path."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from depthlock.model.chemistry import Chemistry
from depthlock.model.errors import SessionError


def names() -> list[str]:
    """Names of the libraries that are shipped, in order."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


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
        file = resources.files(__package__).joinpath(f"{text}.yaml")
        return parse(file.read_text(encoding="utf-8"), f"{text}.yaml")
    path = Path(name_or_path)
    if path.is_file():
        try:
            content = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SessionError(
                f"not a text file (byte {error.start} is no UTF-8)",
                expected="a chemistry library in YAML",
                where=str(path),
            ) from error
        return parse(content, str(path))
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


def parse(content: str, where: str) -> Chemistry:
    """Build a library from YAML text.

    Parameters
    ----------
    content : str
        YAML.
    where : str
        Name of the file, for messages.

    Returns
    -------
    Chemistry

    Raises
    ------
    SessionError
        With line or key of what is wrong.
    """
    import yaml

    try:
        tree = yaml.safe_load(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "the text cannot be parsed"
        raise SessionError(
            f"no valid YAML: {problem}", expected="a chemistry library in YAML", where=f"{where}{line}"
        ) from error
    if not isinstance(tree, dict):
        raise SessionError(
            f"a {type(tree).__name__} at the top", expected="keys such as name, regions, ions", where=where
        )
    try:
        chemistry = Chemistry.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = list(Chemistry.model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]) if first["loc"] else "", known, n=1)
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SessionError(
            f"{key}: {first['msg']}{more}",
            expected="the form of the shipped libraries",
            where=where,
            hint=f"did you mean '{near[0]}'?" if near and first["type"] == "extra_forbidden" else "",
        ) from error
    _check_references(chemistry, where)
    return chemistry


def _check_references(chemistry: Chemistry, where: str) -> None:
    """Charge references must name components that are there, and names must be used once."""
    labels = [f"{region.name}/{component.name}" for region in chemistry.regions for component in region.components]
    for label in labels:
        if labels.count(label) > 1:
            raise SessionError(f"component '{label}' stands twice", expected="each name once a region", where=where)
    for reference in chemistry.charge_references:
        if reference.component not in labels:
            near = difflib.get_close_matches(reference.component, labels, n=1)
            raise SessionError(
                f"charge reference '{reference.component}' is no component of this library",
                expected="region/component, one of the library's",
                where=f"{where}: charge_references",
                hint=f"did you mean '{near[0]}'?" if near else "",
            )

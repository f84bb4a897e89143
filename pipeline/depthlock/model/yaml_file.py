"""YAML files that a user writes: read with line numbers, checked against a model, faults told with their place."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from depthlock.model.errors import SessionError

if typing.TYPE_CHECKING:
    from pydantic_core import ErrorDetails, PydanticCustomError

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "tuple_type": "a list, written [a, b] or one '- item' a line",
    "dict_type": "a mapping of 'key: value' lines",
    "model_type": "a mapping of 'key: value' lines",
    "model_attributes_type": "a mapping of 'key: value' lines",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "finite_number": "a finite number",
}


def read_yaml(path: Path, what: str, hint: str = "") -> Any:
    """Read a YAML file whose top is a mapping, keeping line numbers.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages: ``session file``.
    hint : str
        What to do when it is empty or no mapping.

    Raises
    ------
    SessionError
        With file, line and what was found.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SessionError(
            f"there is no such {what}", where=str(path), hint=f"check the path. {hint}".rstrip()
        ) from None
    except IsADirectoryError:
        raise SessionError(
            "this is a folder", expected=f"a {what} (.yaml)", where=str(path), hint="name the file in it"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SessionError(
            f"byte {error.start} is not UTF-8 text", expected=f"a {what} in YAML", where=f"{path}:{line}",
            hint="save it as UTF-8 in the editor; for a raw file, 'depthlock info FILE' says what it holds",
        ) from None  # fmt: skip
    except OSError as error:
        raise SessionError(
            f"the {what} cannot be read: {error.strerror or error}", where=str(path), hint="check its permissions"
        ) from None
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except DuplicateKeyError as error:
        key = (error.problem or "").partition('"')[2].partition('"')[0]
        at = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise SessionError(
            f"the key '{key}' stands twice", expected="every key once", where=f"{path}{at}",
            hint="rename or remove one of the two",
        ) from None  # fmt: skip
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}" if mark is not None else ""
        problem = " ".join(part for part in (error.context, error.problem) if part)
        tabs = "YAML does not take tabs: indent with blanks" if "'\\t'" in problem else ""
        raise SessionError(
            problem or "this is not YAML", expected="YAML with 'key: value' lines", where=f"{path}{at}",
            hint=tabs or "check indentation, colons, brackets and quotes in this line and the one before",
        ) from None  # fmt: skip
    except YAMLError as error:
        raise SessionError(str(error).splitlines()[0], expected=f"a {what} in YAML", where=str(path)) from None
    if not isinstance(document, dict):
        found = "an empty file" if document is None else "a list" if isinstance(document, list) else "a single value"
        raise SessionError(
            found, expected="'key: value' lines at the top", where=f"{path}:1", hint=hint,
        )  # fmt: skip
    return document


def validate(model: type[Model], document: Any, path: Path) -> Model:
    """Check a YAML document against a model.

    Raises
    ------
    SessionError
        With every fault: file, line, path of the key, what was found, what is allowed and the nearest valid key.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [_fault(model, path, document, detail).message for detail in error.errors()]
        raise SessionError("\n".join(faults)) from None


def _fault(model: type[BaseModel], path: Path, document: Any, detail: ErrorDetails) -> SessionError:
    keys, kind, found = tuple(key for key in detail["loc"] if key != "[key]"), detail["type"], detail["input"]
    if kind == "extra_forbidden":
        valid = _valid_keys(model, keys[:-1])
        near = difflib.get_close_matches(str(keys[-1]), valid, 1, 0.4)
        return SessionError(
            f"unknown key '{keys[-1]}'",
            expected="one of " + ", ".join(valid),
            where=place(path, document, keys),
            hint=f"did you mean '{near[0]}'?" if near else "remove it, or see 'depthlock schema' for all keys",
        )
    if kind == "missing":
        return SessionError(
            f"the key '{keys[-1]}' is missing",
            expected=_description(model, keys),
            where=place(path, document, keys[:-1]),
        )
    if kind == "literal_error":
        allowed = [part.strip("'") for part in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        near = difflib.get_close_matches(str(found), allowed, 1, 0.4)
        return SessionError(
            f"found {_shown(found)}", expected="one of " + ", ".join(allowed), where=place(path, document, keys),
            hint=f"did you mean '{near[0]}'?" if near else "",
        )  # fmt: skip
    if kind == "value_error":
        return SessionError(str(detail["ctx"]["error"]), where=place(path, document, keys))
    if kind == "string_pattern_mismatch":
        return SessionError(
            f"found {_shown(found)}",
            expected="a name that starts with a letter or digit and holds letters, digits, blanks and . _ + - ( )",
            where=place(path, document, keys),
        )
    if kind == FAULT_BELOW:
        return SessionError(detail["msg"], where=place(path, document, (*keys, *detail["ctx"]["keys"])))
    if kind in ("too_short", "too_long"):
        limit, name = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        bound = detail["ctx"][name]
        expected = f"at {limit} {'one entry' if bound == 1 else f'{bound} entries'}"
        return SessionError(f"found {_shown(found)}", expected=expected, where=place(path, document, keys))
    expected = _EXPECTED.get(kind) or detail["msg"].removeprefix("Input should be ")
    if kind == "string_type" and isinstance(found, int | float):
        expected += f", which has quotes when it looks like a number: '{found}'"
    if kind == "model_type":
        expected += _example(_model_at(model, keys))
    return SessionError(f"found {_shown(found)}", expected=expected, where=place(path, document, keys))


FAULT_BELOW = "fault_below"
"""Type of a pydantic error that a model raises about a place below it: `fault_below`."""


def fault_below(message: str, *keys: str | int) -> PydanticCustomError:
    """Return the error that a validator raises to point to a key below the model it belongs to."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(FAULT_BELOW, "{message}", {"message": message, "keys": keys})


def _example(model: type[BaseModel] | None) -> str:
    """The keys that a mapping needs, as an example."""
    needed = [name for name, field in model.model_fields.items() if field.is_required()] if model is not None else []
    return ", such as {" + ", ".join(f"{name}: ..." for name in needed) + "}" if needed else ""


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(dict(value)) if isinstance(value, dict) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def place(path: Path, document: Any, keys: Sequence[str | int]) -> str:
    """`file:line: path.of.the[0].key` of a place in a YAML document; the line of the nearest key that is there."""
    node: Any = document
    line = 1
    for key in keys:
        try:
            lines = node.lc
            position = lines.item(key) if isinstance(node, list) else lines.key(key)
            line = position[0] + 1
            node = node[key]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
    return f"{path}:{line}: {dotted}" if dotted else f"{path}:{line}"


def _valid_keys(model: Any, keys: Sequence[str | int]) -> list[str]:
    found = _model_at(model, keys)
    return sorted(found.model_fields) if found is not None else []


def _description(model: Any, keys: Sequence[str | int]) -> str:
    parent = _model_at(model, keys[:-1])
    field = parent.model_fields.get(str(keys[-1])) if parent is not None else None
    return (field.description or "") if field is not None else ""


def _model_at(annotation: Any, keys: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that stands at a path of keys below an annotation."""
    for option in _alternatives(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            if not keys:
                return option
            field = option.model_fields.get(str(keys[0]))
            if field is not None:
                return _model_at(field.annotation, keys[1:])
        elif keys and get_origin(option) in {tuple, list, dict}:
            return _model_at(get_args(option)[1 if get_origin(option) is dict else 0], keys[1:])
    return None


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for option in get_args(annotation):
            yield from _alternatives(option)
    elif origin is not Literal:
        yield annotation

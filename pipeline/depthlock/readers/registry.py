"""Which reader opens a file: decided by what the file holds, not only by its name.

A reader is one row of :data:`~depthlock.readers.catalogue.BUILT_IN` and gives the dotted paths of its three functions,
so that listing the readers imports none of them:

``recognises(path, head) -> bool``
    Looks at the first bytes (``head``, at most :data:`HEAD_BYTES`) and, only if needed, into the file. It may raise
    :class:`~depthlock.model.errors.ReadError` to say "this looks like mine, but ..."; that reason is shown when no
    other reader takes the file.
``read(path, **settings)``
    Gives what the contract named in ``gives`` says.
``describe(path) -> dict``
    Plain, ordered, printable facts for ``depthlock info FILE``.

Other distributions add readers through the entry-point group ``depthlock.readers``: each entry point names a
:class:`~depthlock.readers.catalogue.Reader`, or a function without arguments that returns one or several of them.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from depthlock.model.errors import ReadError
from depthlock.readers.appearance import appearance
from depthlock.readers.catalogue import BUILT_IN, Reader
from depthlock.readers.foreign import foreign

__all__ = ["BUILT_IN", "Reader", "by_name", "candidates", "describe", "find", "head_of", "read", "readers"]

HEAD_BYTES = 8192
ENTRY_POINT_GROUP = "depthlock.readers"


def _from_entry_point(entry_point: EntryPoint) -> tuple[Reader, ...]:
    try:
        loaded = entry_point.load()
        if callable(loaded) and not isinstance(loaded, Reader):
            loaded = loaded()
        found = (loaded,) if isinstance(loaded, Reader) else tuple(loaded)
    except Exception as error:  # another distribution's code: whatever it raises is that distribution's fault
        raise ReadError(
            f"the reader plug-in {entry_point.name!r} ({entry_point.value}) does not load: {error}",
            hint="repair or uninstall the distribution that provides it",
        ) from error
    for reader in found:
        if not isinstance(reader, Reader):
            raise ReadError(
                f"the reader plug-in {entry_point.name!r} gives a {type(reader).__name__}",
                expected="depthlock.readers.registry.Reader, or several of them",
                hint="repair or uninstall the distribution that provides it",
            )
    return found


@lru_cache(maxsize=1)
def readers() -> tuple[Reader, ...]:
    """All readers: those of other distributions first, so that a special one goes before a built-in one.

    Raises
    ------
    ReadError
        If a plug-in does not load or takes a name that is already taken.
    """
    plugged: list[Reader] = []
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        plugged.extend(_from_entry_point(entry_point))
    everyone = (*plugged, *BUILT_IN)
    names: set[str] = set()
    for reader in everyone:
        if reader.name in names:
            raise ReadError(
                f"two readers are called {reader.name!r}",
                hint=f"rename the one of the entry-point group {ENTRY_POINT_GROUP!r}",
            )
        names.add(reader.name)
    return everyone


def by_name(name: str) -> Reader:
    """Return the reader called `name`; :class:`ReadError` names the nearest one if there is none."""
    everyone = {reader.name: reader for reader in readers()}
    if name in everyone:
        return everyone[name]
    near = difflib.get_close_matches(name, everyone, n=1)
    raise ReadError(
        f"no reader is called {name!r}",
        expected=f"one of {', '.join(everyone)}",
        hint=f"did you mean {near[0]!r}?" if near else "leave the reader out: it is found from the file's content",
    )


def candidates(path: str | Path, technique: str = "") -> list[Reader]:
    """Readers in the order in which they are asked: exact formats before loose ones, a technique's own, by suffix."""
    name = Path(path).name.lower()

    def place(reader: Reader) -> tuple[bool, bool, bool]:
        other = bool(technique) and reader.technique != technique
        return reader.generic, other, not name.endswith(reader.suffixes or ("\0",))

    return sorted(readers(), key=place)


def head_of(path: str | Path) -> bytes:
    """Return the first :data:`HEAD_BYTES` bytes of a file that can hold data.

    Raises
    ------
    ReadError
        If there is no such file, it is a folder, it may not be read, or it is empty.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError as error:
        folder = path.parent
        near = difflib.get_close_matches(path.name, _names_in(folder), n=1)
        raise ReadError(
            "there is no such file" if folder.is_dir() else f"there is no such folder as {folder}",
            where=str(path),
            hint=f"did you mean {near[0]!r}?" if near else "check the path",
        ) from error
    except IsADirectoryError as error:
        raise ReadError(
            "this is a folder",
            expected="a file",
            where=str(path),
            hint="name one of the files in it; `depthlock new FOLDER` drafts a session from a folder",
        ) from error
    except OSError as error:
        raise ReadError(
            f"the file cannot be opened: {error.strerror or error}",
            where=str(path),
            hint="check its permissions and that its drive is there",
        ) from error
    if not head:
        raise ReadError(
            "the file is empty (0 bytes)",
            where=str(path),
            hint="copy or export it again; a copy that broke off leaves such a file",
        )
    return head


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def find(path: str | Path, technique: str = "") -> Reader:
    """Return the reader for a file, by its content.

    Parameters
    ----------
    path : str or Path
        The file.
    technique : str
        What the file should hold: where it holds data of several techniques, the reader is one of this; and the
        message names formats of this alone.

    Raises
    ------
    ReadError
        If the file is missing, empty or of no known format; the message says what the file seems to be.
    """
    head = head_of(path)
    refusals: list[ReadError] = []
    unavailable: list[str] = []
    for reader in candidates(path, technique):
        try:
            recognises = reader.function("recognises")
        except ImportError as error:
            unavailable.append(f"{reader.title} (not installed: {error})")
            continue
        try:
            if recognises(Path(path), head):
                return reader
        except ReadError as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
    seen = foreign(head)
    if seen is not None:
        raise ReadError(f"this is {seen[0]}, which depthlock does not read yet", where=str(path), hint=seen[1])
    known = "; ".join(dict.fromkeys(one.title for one in readers() if technique in {"", one.technique}))
    hint = "export the data in one of these formats, or install a reader for it"
    if unavailable:
        hint += "; not asked: " + ", ".join(unavailable)
    raise ReadError(f"no reader knows this file: {appearance(path, head)}", expected=known, where=str(path), hint=hint)


def read(path: str | Path, *, reader: str | Reader | None = None, **settings: Any) -> Any:
    """Read a file with the reader its content asks for.

    Parameters
    ----------
    path
        The file.
    reader
        A reader, or its name, to use instead of looking for one.
    **settings
        Facts about the file that it does not hold itself, such as ``photon_energy``; each reader's ``read``
        documents the ones it knows.

    Returns
    -------
    Any
        What the reader's contract says; ``find(path).gives`` names it.

    Raises
    ------
    ReadError
        If the file cannot be read, or the reader does not know a setting.
    """
    chosen = find(path) if reader is None else reader if isinstance(reader, Reader) else by_name(reader)
    function = chosen.function("read")
    _check_settings(chosen, function, settings, path)
    return function(Path(path), **settings)


def _check_settings(reader: Reader, function: Callable[..., Any], settings: Iterable[str], path: str | Path) -> None:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for setting in settings:
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1)
            raise ReadError(
                f"the setting {setting!r} means nothing to the reader of {reader.title}",
                expected=f"one of {', '.join(known)}" if known else "no settings",
                where=str(path),
                hint=f"did you mean {near[0]!r}?" if near else "remove it",
            )


def describe(path: str | Path) -> dict[str, Any]:
    """Say what a file holds, as plain nested dicts, lists, numbers and strings in the order to print them.

    Raises
    ------
    ReadError
        As :func:`find`, and if the file is damaged.
    """
    reader = find(path)
    facts: dict[str, Any] = {
        "file": str(path),
        "format": reader.title,
        "technique": reader.technique,
        "gives": reader.gives,
    }
    if not reader.verified:
        facts["caution"] = "this reader has not been checked on real files"
    facts.update(reader.function("describe")(Path(path)))
    return facts

"""Reading a session file, with errors that point to file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthlock.model.errors import SessionError
from depthlock.model.session import EdsInput, Session
from depthlock.model.yaml_file import place, read_yaml, validate

SCHEMA_HEADER = "# yaml-language-server: $schema="
"""How the first line of a session names its schema, for editors."""


@dataclass(frozen=True)
class LoadedSession:
    """A valid session, with the file it came from.

    Attributes
    ----------
    session : Session
    path : Path
        Absolute path of the session file.
    document : object
        The YAML document with its line numbers.
    """

    session: Session
    path: Path
    document: Any

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the session start from."""
        return self.path.parent

    @property
    def results(self) -> Path:
        """Folder of this session's results."""
        return self.folder / Path(self.session.output).expanduser() / self.session.session

    def resolve(self, file: str) -> Path:
        """A path of the session as an absolute one.

        Raises
        ------
        ValueError
            If the text cannot be a path on this system.
        """
        try:
            return (self.folder / Path(file).expanduser()).resolve()
        except (OSError, RuntimeError) as error:  # a home of nobody, a loop of links
            raise ValueError(str(error)) from error

    def where(self, *keys: str | int) -> str:
        """`file:line: path.of.the[0].key` of a place in the session."""
        return place(self.path, self.document, keys)


def load_session(path: Path) -> LoadedSession:
    """Read and validate a session file, and check that every file it names is there.

    Raises
    ------
    SessionError
        With file, line, path of the key, what was found, what was expected and the nearest valid key.
    """
    path = path.expanduser().absolute()
    document = read_yaml(path, "session file", "see configs/session.yaml for a session to copy, or 'depthlock new'")
    session = validate(Session, document, path)
    loaded = LoadedSession(session, path, document)
    _check_files(loaded)
    _check_output(loaded)
    return loaded


def named_files(session: Session) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every raw file a session names, with the path of its key."""
    for name, sample in session.samples.items():
        if sample.tofsims is not None:
            yield ("samples", name, "tofsims", "file"), sample.tofsims.file
        for technique in ("xps", "tem", "stem"):
            for index, entry in enumerate(getattr(sample, technique)):
                yield ("samples", name, technique, index, "file"), entry.file
        for index, pattern in enumerate(sample.diffraction):
            yield ("samples", name, "diffraction", index, "file"), pattern.file
            if pattern.geometry is not None:
                yield ("samples", name, "diffraction", index, "geometry"), pattern.geometry
        for index, data in enumerate(sample.eds):
            yield from eds_files(data, ("samples", name, "eds", index))


def eds_files(entry: EdsInput, keys: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every file of one EDS data set, with the path of its key below that of the data set."""
    if entry.file is not None:
        yield (*keys, "file"), entry.file
    for element, file in (entry.maps or {}).items():
        yield (*keys, "maps", element), file
    if entry.haadf is not None:
        yield (*keys, "haadf"), entry.haadf


def _check_files(loaded: LoadedSession) -> None:
    faults = []
    for keys, file in named_files(loaded.session):
        try:
            path = loaded.resolve(file)
            if path.is_file():
                continue
            found = f"'{file}' is a folder" if path.is_dir() else f"there is no file '{file}'"
            if (loaded.folder / file).is_symlink():
                found = f"'{file}' is a link to {path}, which is not there"
            hint = _nearest_file(file, path)
        except (OSError, ValueError) as error:
            found, hint = f"{file[:60]!r} cannot be a path: {getattr(error, 'strerror', None) or error}", ""
        faults.append(SessionError(found, expected="a raw file", where=loaded.where(*keys), hint=hint).message)
    if faults:
        raise SessionError("\n".join(faults))


def _nearest_file(file: str, path: Path) -> str:
    """Say which file may be meant: one of a similar name beside it, or what stands in the folder that is named."""
    folder = path if path.is_dir() else path.parent
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []
    if folder == path:
        return f"name a file in it: {', '.join(names[:5])}" if names else "name a file"
    near = difflib.get_close_matches(path.name, names, 1, 0.5)
    if near:
        return f"did you mean '{Path(file).with_name(near[0]).as_posix()}'?"
    return f"looked for {path}; paths start from the session file's folder"


def _check_output(loaded: LoadedSession) -> None:
    """Refuse an output folder that cannot be one, before anything is computed."""
    keys = ("output",) if "output" in loaded.session.model_fields_set else ("session",)
    try:
        place = loaded.results
        while not place.exists() and not place.is_symlink():
            place = place.parent
        if place.is_dir():
            return
        found = f"the results cannot go to {loaded.results}: {place} is " + (
            "a link that leads nowhere" if place.is_symlink() else "a file"
        )
    except (OSError, ValueError) as error:
        found = f"{loaded.session.output[:60]!r} cannot be a folder: {getattr(error, 'strerror', None) or error}"
    raise SessionError(
        found, expected="a folder, or the name of a new one", where=loaded.where(*keys), hint="name another 'output:'"
    )


def json_schema() -> Mapping[str, Any]:
    """The JSON schema of a session, for editors."""
    schema = Session.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "depthlock session", **schema}

"""Errors a user can mend. Anything else that is raised is a bug and keeps its traceback."""

from __future__ import annotations


class DepthlockError(Exception):
    """A mistake in the input, told so that the user can mend it.

    Parameters
    ----------
    found : str
        What was found.
    expected : str
        What was expected in its place.
    where : str
        File, and line, byte, key or HDF5 path in it.
    hint : str
        What to do.
    """

    def __init__(self, found: str, *, expected: str = "", where: str = "", hint: str = "") -> None:
        self.found = found
        self.expected = expected
        self.where = where
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole message, one topic a line."""
        lines = [f"{self.where}: {self.found}" if self.where else self.found]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  what to do: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Dask and process pools copy exceptions; keyword-only fields need this to survive.
        return (_rebuild, (type(self), self.found, self.expected, self.where, self.hint))


def _rebuild(kind: type[DepthlockError], found: str, expected: str, where: str, hint: str) -> DepthlockError:
    return kind(found, expected=expected, where=where, hint=hint)


class SessionError(DepthlockError):
    """The session file, or something it names, is wrong."""


class ReadError(DepthlockError):
    """A raw file cannot be read."""


class ContractError(DepthlockError):
    """A dataset between two stages does not keep its contract."""


class MeasurementError(DepthlockError):
    """The data cannot carry the measurement that was asked for."""


class WorkflowError(DepthlockError):
    """A run cannot start or go on."""

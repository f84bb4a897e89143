"""A fingerprint of the code that a stage runs: it changes with what the code does, not with how it is explained.

Every module of the stage's packages, and of :mod:`depthlock.model`, is parsed and hashed without comments, docstrings
and positions. A job's key holds this fingerprint, so that a changed algorithm re-runs its stage and a changed comment
re-runs nothing. Modules that read and check what a user writes are left out: what comes of them, all options with
their defaults, stands in the key itself, so that a new option of one stage does not re-run the others.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from depthlock.model.errors import WorkflowError

_READ_SESSIONS = frozenset(
    f"depthlock.model.{name}" for name in ("errors", "options", "session", "session_file", "yaml_file")
)
"""Modules of :mod:`depthlock.model` that take part in no computation."""


def code_fingerprint(packages: Iterable[str]) -> str:
    """Return the hash of all Python code in some packages.

    Parameters
    ----------
    packages : iterable of str
        Dotted names of packages or modules, such as ``depthlock.xps``.

    Returns
    -------
    str
        First 16 hexadecimal digits of a sha256.

    Raises
    ------
    WorkflowError
        If a package is not installed, or a module in it does not parse.
    """
    digest = hashlib.sha256()
    for package in sorted(set(packages)):
        digest.update(f"{package}={_package_hash(package)};".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=64)
def _package_hash(package: str) -> str:
    digest = hashlib.sha256()
    for folder, path in _modules(package):
        if f"{package}.{path.stem}" in _READ_SESSIONS:
            continue
        digest.update(f"{path.relative_to(folder).as_posix()}={module_hash(path)};".encode())
    return digest.hexdigest()


def _modules(package: str) -> list[tuple[Path, Path]]:
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise WorkflowError(
            f"the package {package!r} is not installed",
            expected="a package named in the stage table",
            hint="reinstall depthlock, or install the distribution that declares this stage",
        )
    if spec.submodule_search_locations:
        folders = [Path(folder) for folder in spec.submodule_search_locations]
        return [(folder, path) for folder in folders for path in sorted(folder.rglob("*.py"))]
    path = Path(str(spec.origin))
    return [(path.parent, path)]


def module_hash(path: Path) -> str:
    """Return the sha256 of one module's syntax tree without comments, docstrings and positions."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise WorkflowError(
            f"the module does not parse: {error.msg}", where=f"{path}:{error.lineno}", hint="reinstall depthlock"
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_strings(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _drop_strings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    # Bare strings are docstrings of the node or of the attribute above them; none of them does anything.
    node.body = [
        statement
        for statement in node.body
        if not (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
    ]

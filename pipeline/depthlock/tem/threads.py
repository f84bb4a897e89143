"""Independent parts of an image's measurement, side by side on the threads that Dask has been given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Part = TypeVar("Part")


def on_threads(function: Callable[[Item], Part], items: Iterable[Item]) -> list[Part]:
    """What a function gives for every item, in their order.

    Threads, also when a distributed scheduler is at work: the items share the image, which is not to be sent about.

    Parameters
    ----------
    function : callable
        Releases the interpreter where it takes long, as FFTs and compiled kernels do.
    items : iterable

    Returns
    -------
    list
    """
    from dask.base import compute
    from dask.delayed import delayed

    tasks = [delayed(function, pure=False)(item) for item in items]
    parts: tuple[list[Part]] = compute(tasks, scheduler="threads")  # type: ignore[no-untyped-call]
    return parts[0]

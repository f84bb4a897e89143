"""Independent parts of an image's measurement, side by side on as many threads as Dask has been given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
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
    count = thread_count()
    if count == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(function, items))


def thread_count() -> int:
    """Number of threads that Dask has been given: one to a processor unless its configuration says otherwise."""
    import dask
    from dask.system import CPU_COUNT

    return int(dask.config.get("num_workers", None) or CPU_COUNT)

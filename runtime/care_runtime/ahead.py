"""Ahead: steps that are computed before their results are asked for, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from threading import Lock

S = TypeVar("S")
T = TypeVar("T")


@contextmanager
def ahead(
    steps: Iterable[S], compute: Callable[[S], T], workers: int = 1
) -> Iterator[Iterator[tuple[S, Callable[[], T]]]]:
    """Go through steps, each with a function that gives its result.

    With one worker, a step is computed when its result is asked for, here and now. With
    more, as many threads compute the steps that follow meanwhile, `workers` of them and
    no more: results that nobody took yet are bounded, too. They come in the order of
    the steps all the same, and so do errors. When the context ends, whatever was not
    begun is dropped, and what runs is waited for.

    Parameters
    ----------
    steps
        Gone through by the thread that asks for results.
    compute
        Makes a result of a step.
    workers
        Threads.
    """
    if workers <= 1:
        yield ((step, partial(compute, step)) for step in steps)
        return
    pool = ThreadPoolExecutor(workers, "care-tile")
    try:
        yield _running(pool, steps, compute, workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _running(
    pool: ThreadPoolExecutor,
    steps: Iterable[S],
    compute: Callable[[S], T],
    workers: int,
) -> Iterator[tuple[S, Callable[[], T]]]:
    waiting: deque[tuple[S, Future[T]]] = deque()
    for step in steps:
        waiting.append((step, pool.submit(compute, step)))
        if len(waiting) > workers:
            yield _next(waiting)
    while waiting:
        yield _next(waiting)


def _next(waiting: deque[tuple[S, Future[T]]]) -> tuple[S, Callable[[], T]]:
    step, future = waiting.popleft()
    return step, future.result


def locked(steps: Iterable[S], lock: Lock) -> Iterator[S]:
    """Go through steps, each of which is made while a lock is held."""
    each = iter(steps)
    while True:
        with lock:
            step = next(each, None)
        if step is None:
            return
        yield step

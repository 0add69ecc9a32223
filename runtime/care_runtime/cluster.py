"""Cluster: the dask workers that a person names, here or elsewhere."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from care_runtime.errors import EngineError, OptionError
from care_runtime.files import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE, EXTRA = "distributed", "care-zoo[dask]"

WAIT = "15 s"
"""For how long a scheduler is looked for."""


def workers(wish: str) -> int | None:
    """Read ``local:N``; None is an address.

    Raises
    ------
    OptionError
        If it is neither.
    """
    found = re.fullmatch(r"local:([1-9]\d*)", wish)
    if found is not None:
        return int(found[1])
    if re.fullmatch(r"[a-z+]+://\S+|[\w.-]+:\d+", wish) and not wish.startswith(
        "local:"
    ):
        return None
    msg = (
        "expected --dask ADDRESS, that of a dask scheduler as tcp://host:8786, or "
        f"--dask local:N with N workers of this machine, found {wish!r}"
    )
    raise OptionError(msg)


@contextmanager
def connected(wish: str) -> Iterator[Any]:
    """Start workers on this machine, or find those of a scheduler.

    Workers of this machine are processes of one thread each, and end with the context.

    Parameters
    ----------
    wish
        ``local:N``, or the address of a scheduler.

    Yields
    ------
    distributed.Client
        Not the default of ``dask.compute``.

    Raises
    ------
    OptionError
        If it is neither.
    FileError
        If distributed is not installed.
    EngineError
        If there is no scheduler at the address, or no worker can be started.
    """
    count = workers(wish)
    try:
        import distributed
    except ImportError as error:
        raise missing(PACKAGE, EXTRA, f"--dask {wish}") from error
    options: dict[str, Any] = {"set_as_default": False}
    if count is None:
        options |= {"address": wish, "timeout": WAIT}
    else:
        options |= {
            "n_workers": count,
            "threads_per_worker": 1,
            "processes": True,
            "dashboard_address": "127.0.0.1:0",
            "silence_logs": logging.ERROR,
        }
    try:
        client = distributed.Client(**options)
    except (OSError, RuntimeError, ValueError) as error:  # TimeoutError is an OSError
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        msg = (
            f"expected dask workers at {wish}, found none ({reason}): check the "
            "address and that its scheduler runs, or take --dask local:2"
        )
        raise EngineError(msg) from error
    with client:
        yield client

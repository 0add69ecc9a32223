"""Cores: how many threads this process should compute with."""

from __future__ import annotations

import math
import os

from care_runtime import cgroup
from care_runtime.errors import OptionError

TOPOLOGY = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"

MOST = 4096
"""Threads that may be asked for; thousands more would end the process."""


def threads(wish: int = 0) -> int:
    """Decide the number of threads.

    Parameters
    ----------
    wish
        What the user asks for; 0 for `cores`.

    Raises
    ------
    OptionError
        If it is below 0, or more than any machine has.
    """
    if not 0 <= wish <= MOST:
        msg = (
            f"expected a number of threads up to {MOST}, 0 for all cores, found {wish}"
        )
        raise OptionError(msg)
    return wish or cores()


def cores() -> int:
    """Count the cores that this process really has.

    Those that it may run on (affinity), as many as its container gets time of (cgroup
    quota, rounded up). Two hyperthreads of one core count once: they share the units
    that multiply, and a second thread on them adds nothing.
    """
    number = _physical(_allowed())
    quota = cgroup.limits().cores
    return number if quota is None else max(1, min(number, math.ceil(quota)))


def _allowed() -> set[int]:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _physical(allowed: set[int]) -> int:
    """Count cores of which at least one processor is allowed."""
    found = set()
    for number in allowed:
        path = cgroup.ROOT / TOPOLOGY.format(number)
        try:
            found.add(path.read_text("ascii").strip())
        except (OSError, ValueError):  # not told, as on macOS: each is its own
            found.add(str(number))
    return len(found) or 1

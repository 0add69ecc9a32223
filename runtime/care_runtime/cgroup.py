"""Cgroup: what a container may use of its machine, in versions 1 and 2 of Linux."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
"""Where `proc` and `sys` lie; tests put another folder here."""

UNLIMITED = 1 << 60
"""Bytes above which version 1 means that there is no limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the groups of this process allow; None where they limit nothing.

    Parameters
    ----------
    cores
        Seconds of computing time a second.
    free
        Bytes until the first limit of memory; files that are merely cached count as
        free.
    """

    cores: float | None = None
    free: int | None = None


def limits() -> Limits:
    """Read the tightest limits of the groups of this process and of those above."""
    cores, free = [], []
    for folder in _groups("cpu"):
        cores.append(_quota(folder))
    for folder in _groups("memory"):
        free.append(_room(folder))
    return Limits(
        min((n for n in cores if n is not None), default=None),
        min((n for n in free if n is not None), default=None),
    )


def _groups(controller: str) -> Iterator[Path]:
    """Go through the folders of this process's groups, from its own to the root.

    Inside a container, the path may be that of the host, where only the root is seen.
    """
    for line in _text(ROOT / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        mounts = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        if number != "0":
            if controller not in names.split(","):
                continue
            mounts = (f"sys/fs/cgroup/{names}", f"sys/fs/cgroup/{controller}")
        parts = Path(path.lstrip("/")).parts
        for mount in mounts:
            for length in range(len(parts), -1, -1):
                yield ROOT.joinpath(mount, *parts[:length])


def _quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us")
        period = _text(folder / "cpu.cfs_period_us")
    allowed, of = _number(quota), _number(period)
    return allowed / of if allowed and of else None


def _room(folder: Path) -> int | None:
    limit = _number(_text(folder / "memory.max"))
    used = _number(_text(folder / "memory.current"))
    if limit is None:
        limit = _number(_text(folder / "memory.limit_in_bytes"))
        used = _number(_text(folder / "memory.usage_in_bytes"))
    if limit is None or limit >= UNLIMITED:
        return None
    cached = 0
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            cached = max(cached, _number(value) or 0)
    return max(0, limit - (used or 0) + cached)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    """Read a number of the kernel's; ``max`` and -1 are none."""
    return int(text) if text.strip().isdecimal() else None

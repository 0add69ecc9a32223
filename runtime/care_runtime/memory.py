"""Memory: how much of it this process may still take."""

from __future__ import annotations

import ctypes
import sys

from care_runtime import cgroup


class _Status(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = (
        *((name, ctypes.c_ulong) for name in ("length", "load")),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "file")),
        *((name, ctypes.c_ulonglong) for name in ("file_free", "virtual")),
        *((name, ctypes.c_ulonglong) for name in ("virtual_free", "extended")),
    )


def free() -> int | None:
    """Bytes that may be taken without swapping; None where nobody tells.

    The least of what the machine has and what the container allows.
    """
    known = [n for n in (_machine(), cgroup.limits().free) if n is not None]
    return min(known, default=None)


def _machine() -> int | None:
    if sys.platform == "win32":
        status = _Status(length=ctypes.sizeof(_Status))
        ok = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.free) if ok else None
    try:
        text = (cgroup.ROOT / "proc/meminfo").read_text("ascii")
    except OSError:  # macOS
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) << 10
    return None

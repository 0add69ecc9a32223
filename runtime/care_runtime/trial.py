"""Trial: the first run of a network from elsewhere, in a process of its own.

A small file may hold a graph that asks for a terabyte. What the project's registry
does not list is therefore run once on the package's own test input, or on the smallest
that it describes, in a process that may take `MEMORY` bytes and `SECONDS`. If that goes
well, the cache remembers the hash.

The memory limit is that of POSIX (``RLIMIT_AS``). Linux holds a process to it; macOS
does so for some allocations only; Windows has none, and there only the time is limited.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime import cache, wire
from care_runtime.errors import CareError, EngineError
from care_runtime.package import sha256
from care_runtime.tensor import ReferenceSize, SteppedSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.package import Package
    from care_runtime.tensor import Axis, Tensor

MEMORY = 8 << 30
"""Bytes of addresses that the process may take."""

SECONDS = 300.0
"""Time that it may take."""

FREE = 64
"""Pixels of an axis whose size is free."""


def require(package: Package, network: Path) -> None:
    """Run a network of a package that is not listed, unless it was run before.

    Raises
    ------
    EngineError
        If it asks for too much memory or time, or crashes.
    """
    if package.listed:
        return
    note = cache.folder() / "trials" / sha256(network)
    if note.is_file():
        return
    wire.check(network)
    problem = _run(package, network)
    if problem:
        msg = (
            f"expected the network of {package.spec.name!r} to run on its test input "
            f"in a process of its own, found that {problem}: do not use it"
        )
        raise EngineError(msg)
    with suppress(OSError):  # it is only asked again
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{package.spec.name}\n", "utf-8")


def _run(package: Package, network: Path) -> str | None:
    """Run the process; say what went wrong."""
    if not sys.executable or getattr(sys, "frozen", False):
        return (
            "this program cannot start one (it is frozen); run care-run verify on it "
            "with the same CARE_HOME"
        )
    words = ["-P", "-m", "care_runtime.trial", str(network), *_inputs(package)]
    try:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {SECONDS:g} s"
    except OSError as error:
        return f"the process cannot be started ({error.strerror})"
    if not done.returncode:
        return None
    lines = done.stderr.strip().splitlines()
    if done.returncode < 0 or not lines:
        return f"it crashed (exit code {done.returncode}, limit {MEMORY >> 30} GiB)"
    return f"it failed within {MEMORY >> 30} GiB ({lines[-1][:300]})"


def _inputs(package: Package) -> list[str]:
    """Name the files of the test inputs, or write small shapes that fit together.

    Where one input has no test, none is taken: its size would be another than theirs.
    """
    inputs = package.spec.inputs
    tests = [tensor.test for tensor in inputs if tensor.test is not None]
    if len(tests) == len(inputs):
        return [str(package.path(test)) for test in tests]
    return [
        ",".join(str(_size(axis, inputs)) for axis in tensor.axes) for tensor in inputs
    ]


def _size(axis: Axis, inputs: Sequence[Tensor], depth: int = 0) -> int:
    """Choose the size of an axis, that of another where it refers to one.

    A free axis of space is as long as that of another input: all have one grid.
    """
    match axis.size:
        case int(size):
            return size
        case SteppedSize(least, step):
            return least + step * max(0, -(-(FREE - least) // max(step, 1)))
        case ReferenceSize(tensor, name, offset):
            known = [
                a for t in inputs if t.id == tensor for a in t.axes if a.id == name
            ]
            if not known or depth > len(inputs):  # it refers to none, or in a circle
                return FREE
            return max(1, _size(known[0], inputs, depth + 1) + offset)
    if axis.kind == "space":
        alike = [a for t in inputs for a in t.axes if a.letter == axis.letter]
        fixed = [a for a in alike if isinstance(a.size, int | SteppedSize)]
        return _size(fixed[0], inputs) if fixed else FREE
    return {"batch": 1, "channel": max(1, len(axis.channels))}.get(axis.kind, FREE)


def _limit() -> None:
    """Limit what this process may take, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (bounded, bounded))


def _main(network: str, *images: str) -> None:
    """Run a network in this process."""
    _limit()
    import numpy as np

    from care_runtime import arrays
    from care_runtime.engine import Engine

    batches = [
        np.zeros([int(n) for n in image.split(",")], np.float32)
        if image.replace(",", "").isdecimal()
        else arrays.read(Path(image))
        for image in images
    ]
    Engine(Path(network), "cpu", threads=1)(*batches)


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except (CareError, MemoryError, ValueError) as error_:
        sys.stderr.write(" ".join(str(error_).split()) or type(error_).__name__)
        sys.exit(1)

"""Trial: the first run of a network from elsewhere, in a process of its own.

A small file may hold a graph that asks for a terabyte. What the project's registry
does not list is therefore run once on the package's own test input, or on the smallest
that it describes, in a process that may take `MEMORY` bytes and `SECONDS`. If that goes
well, the cache remembers the hash, and what was read; larger tiles have a trial of
their own (see `tried`).

The memory limit is that of POSIX (``RLIMIT_AS``). Linux holds a process to it; macOS
does so for some allocations only; Windows has none, and there only the time is limited.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime import cache, wire
from care_runtime.errors import CareError, EngineError, OutOfMemoryError
from care_runtime.package import sha256
from care_runtime.plain import flat
from care_runtime.tensor import ReferenceSize, SteppedSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.package import Package
    from care_runtime.tensor import Axis, Tensor

MEMORY = 8 << 30
"""Bytes of addresses that the process may take."""

SECONDS = 300.0
"""Time that it may take."""

SHORT = 3
"""Exit code of a process that has too little memory."""

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
    known = note(network)
    if known.is_file():
        return
    wire.check(network)
    try:
        read = run(network, _inputs(package), MEMORY)
    except EngineError as error:
        msg = (
            f"expected the network of {package.spec.name!r} to run on its test input "
            f"in a process of its own, found that {error}: do not use it"
        )
        raise EngineError(msg) from None
    write(known, f"{flat(package.spec.name)}\n{read}")


def note(network: Path) -> Path:
    """Say where the cache remembers what a network was run on."""
    return cache.folder() / "trials" / sha256(network)


def write(file: Path, text: str) -> None:
    """Add to a note, if the cache can be written; else it is only asked again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as opened:
            opened.write(text)


def frozen() -> bool:
    """Tell whether this program is one that cannot start another Python."""
    return not sys.executable or getattr(sys, "frozen", False)


def run(network: Path, inputs: Sequence[str], memory: int) -> str:
    """Run a network once in a process of its own.

    Parameters
    ----------
    network
        The ONNX file.
    inputs
        For each of its inputs a file, or the shape of zeros, as ``"1,1,64,64"``.
    memory
        Bytes of addresses that the process may take.

    Returns
    -------
    str
        A line with the shapes of all inputs.

    Raises
    ------
    OutOfMemoryError
        If it took all memory or time that it may, or crashed; the text says what "it"
        did.
    EngineError
        If it did anything else.
    """
    if frozen():
        msg = (
            "this program cannot start one (it is frozen); run care-run verify on it "
            "with the same CARE_HOME"
        )
        raise EngineError(msg)
    words = ["-P", "-m", "care_runtime.trial", str(memory), str(network), *inputs]
    try:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            # Else each thread reserves addresses that it does not use.
            env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        )
    except subprocess.TimeoutExpired:
        msg = f"it took more than {SECONDS:g} s"
        raise OutOfMemoryError(msg) from None
    except OSError as error:
        msg = f"the process cannot be started ({error.strerror})"
        raise EngineError(msg) from error
    if not done.returncode:
        return done.stdout
    lines = done.stderr.strip().splitlines()
    most = f"{memory / (1 << 30):.3g} GiB"
    if done.returncode < 0 or not lines:
        msg = f"it crashed (exit code {done.returncode}, limit {most})"
        raise OutOfMemoryError(msg)
    msg = f"it failed within {most} ({lines[-1][:300]})"
    raise (OutOfMemoryError if done.returncode == SHORT else EngineError)(msg)


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


def _limit(memory: int) -> None:
    """Limit what this process may take, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (bounded, bounded))


def _main(memory: str, network: str, *images: str) -> None:
    """Run a network in this process."""
    _limit(int(memory))
    import numpy as np

    from care_runtime import arrays
    from care_runtime.engine import Engine

    batches = [
        np.zeros([int(n) for n in image.split(",")], np.float32)
        if image.replace(",", "").isdecimal()
        else arrays.read(Path(image))
        for image in images
    ]
    Engine(Path(network), "cpu")(*batches)
    shapes = (",".join(str(n) for n in batch.shape) for batch in batches)
    sys.stdout.write(f"{' '.join(shapes)}\n")


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except (CareError, MemoryError, ValueError) as error_:
        sys.stderr.write(" ".join(str(error_).split()) or type(error_).__name__)
        sys.exit(SHORT if isinstance(error_, MemoryError) else 1)

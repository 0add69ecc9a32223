"""Wire: what an ONNX file would do, read before ONNX Runtime sees it.

ONNX Runtime opens any file that a model calls its external data, and older ones did not
care where it lies. So a network is read by its wire format first, without a library.
Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from care_runtime.errors import EngineError
from care_runtime.protobuf import (
    WireError,
    fields,
    message,
    number,
    numbers,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

DOMAINS = ("", "ai.onnx")
"""Operators that are run: ONNX's own."""

RESERVED = ("ai.onnx", "com.microsoft", "com.ms")
"""How domains begin whose operators a file may not define itself: it would have the
others of the domain, too."""

DEPTH = 16
"""Graphs within graphs."""

AXES = 16
"""Axes of a constant tensor."""

DENSEST = 4
"""Elements that a byte can hold, of 2 bits each."""

LARGEST = 2 << 30
"""Bytes of a protobuf message, by its own rules."""

EXTERNAL = 1
"""What a tensor says whose values lie in another file."""


@dataclass(slots=True)
class Contents:
    """What was found in a network.

    Parameters
    ----------
    ir
        Version of the file format.
    opsets
        Version of the operators by domain.
    operators
        Number of nodes by domain and kind.
    functions
        Functions that the file itself defines, by domain and name.
    weights
        Bytes of all constant tensors.
    external
        Tensors that want another file.
    """

    ir: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    operators: dict[tuple[str, str], int] = field(default_factory=dict)
    functions: set[tuple[str, str]] = field(default_factory=set)
    weights: int = 0
    external: list[str] = field(default_factory=list)

    @property
    def foreign(self) -> list[str]:
        """Operators of domains that are not run, as ``domain.kind``."""
        false = [f for f in self.functions if f[0].startswith(RESERVED) or not f[0]]
        wanted = [o for o in self.operators if o[0] not in DOMAINS]
        unknown = [o for o in wanted if o not in self.functions]
        return [f"{domain}.{kind}" for domain, kind in (*unknown, *false)]


def check(path: Path) -> Contents:
    """Refuse a network that would do harm, before a session is made of it.

    Raises
    ------
    EngineError
        If it is no network, wants files beside it, or operators that are not ONNX's
        own, or lies about the size of a tensor.
    """
    found, problem = Contents(), ""
    try:
        found = read(path)
    except (WireError, OSError, ValueError) as error:
        problem = str(error)
    if problem:
        msg = (
            f"expected a network that ONNX Runtime can load, found {path}: {problem}; "
            "fetch it again"
        )
        raise EngineError(msg)
    if found.external:
        names = ", ".join(found.external[:3])
        msg = (
            f"expected a network in one file, found {path} with external data for "
            f"{names}: refused, for it could read any file; have it saved as one"
        )
        raise EngineError(msg)
    if found.foreign:
        msg = (
            f"expected operators of ONNX alone, found {', '.join(found.foreign[:3])} "
            f"in {path}: refused; have it exported without them"
        )
        raise EngineError(msg)
    return found


def read(path: Path) -> Contents:
    """Read a network's file."""
    return parse(mapped(path))


def mapped(path: Path) -> memoryview:
    """Open a network's file, which is mapped and not held.

    Raises
    ------
    WireError
        If it is empty, or too large.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            msg = "it is empty"
            raise WireError(msg)
        if size > LARGEST:
            msg = f"it has {size} bytes, more than {LARGEST}"
            raise WireError(msg)
        # Not closed here: an error on its way holds parts of it.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def parse(view: memoryview) -> Contents:
    """Read a ModelProto."""
    found, has_graph = Contents(), False
    for key, value in fields(view):
        match key:
            case 1:
                found.ir = number(value)
            case 7:
                has_graph = True
                _graph(message(value), found, 0)
            case 8:
                _opset(message(value), found)
            case 20:
                msg = "it holds instructions for training"
                raise WireError(msg)
            case 25:
                _function(message(value), found)
    if not has_graph:
        msg = "it holds no graph"
        raise WireError(msg)
    return found


def _opset(view: memoryview, found: Contents) -> None:
    domain, version = "", 0
    for key, value in fields(view):
        if key == 1:
            domain = text(value)
        elif key == 2:
            version = number(value)
    found.opsets[domain] = version


def _function(view: memoryview, found: Contents) -> None:
    domain = name = ""
    for key, value in fields(view):
        match key:
            case 1:
                name = text(value)
            case 7:
                _node(message(value), found, 1)
            case 10:
                domain = text(value)
            case 11:
                _attribute(message(value), found, 1)
    found.functions.add((domain, name))


def _graph(view: memoryview, found: Contents, depth: int) -> None:
    if depth > DEPTH:
        msg = f"it has graphs in more than {DEPTH} levels"
        raise WireError(msg)
    for key, value in fields(view):
        match key:
            case 1:
                _node(message(value), found, depth)
            case 5:
                _tensor(message(value), found)
            case 15:
                _sparse()


def _node(view: memoryview, found: Contents, depth: int) -> None:
    kind = domain = ""
    for key, value in fields(view):
        match key:
            case 4:
                kind = text(value)
            case 5:
                _attribute(message(value), found, depth)
            case 7:
                domain = text(value)
    found.operators[domain, kind] = found.operators.get((domain, kind), 0) + 1


def _attribute(view: memoryview, found: Contents, depth: int) -> None:
    for key, value in fields(view):
        match key:
            case 5 | 10:
                _tensor(message(value), found)
            case 6 | 11:
                _graph(message(value), found, depth + 1)
            case 22 | 23:
                _sparse()


def _tensor(view: memoryview, found: Contents) -> None:
    """Compare the shape of a tensor with the bytes it brings."""
    shape: list[int] = []
    name, external = "", False
    for key, value in fields(view):
        match key:
            case 1:
                shape += numbers(value)
            case 8:
                name = text(value)
            case 13:
                external = True
            case 14:
                external |= number(value) & 0xFFFFFFFF == EXTERNAL
    if external:
        found.external.append(name or "a tensor")
        return
    if len(shape) > AXES or any(size < 0 for size in shape):
        msg = f"the tensor {name!r} has the shape {shape[: AXES + 1]}"
        raise WireError(msg)
    if math.prod(shape) > DENSEST * len(view):
        msg = f"the tensor {name!r} of shape {shape} brings only {len(view)} bytes"
        raise WireError(msg)
    found.weights += len(view)


def _sparse() -> None:
    msg = "it has sparse tensors, whose size nothing bounds"
    raise WireError(msg)
